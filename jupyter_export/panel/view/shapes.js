/* What a JSON Schema allows of one option, as the form needs to know it. Pure. */

/** The schema behind a `$ref`; what stands beside the reference stays. */
function resolved(schema, defs) {
  let found = schema || {};
  for (let depth = 0; found.$ref && depth < 10; depth++) {
    const { $ref, ...beside } = found;
    found = { ...defs[$ref.split("/").pop()], ...beside };
  }
  return found;
}

/** What a schema allows: fixed `values`, a `free` kind (text, number, list, json), or null.
 * Several free kinds are edited as JSON. */
function shapeOf(schema, defs) {
  const whole = resolved(schema, defs);
  const branches = (whole.anyOf || whole.oneOf || [whole]).map((each) => resolved(each, defs));
  const shape = { values: [], free: [], nullable: false, schema: whole, branch: {} };
  for (const branch of branches) {
    if (branch.type === "null") {
      shape.nullable = true;
    } else if ("const" in branch) {
      shape.values.push(branch.const);
    } else if (branch.enum) {
      shape.values.push(...branch.enum);
    } else if (branch.type === "boolean") {
      shape.values.push(true, false);
    } else {
      const kind = freeKind(branch, defs);
      if (!shape.free.includes(kind)) {
        shape.free.push(kind);
      }
      shape.branch[kind] = branch;
    }
  }
  if (shape.free.length > 1) {
    shape.free = ["json"];
    shape.branch = { json: whole };
  }
  return shape;
}

function freeKind(branch, defs) {
  if (branch.type === "string") {
    return "text";
  }
  if (branch.type === "number" || branch.type === "integer") {
    return branch.type;
  }
  const items = branch.items && resolved(branch.items, defs);
  if (branch.type === "array" && !branch.prefixItems && items?.type === "string") {
    return "list";
  }
  return "json";
}

function isComplex(shape) {
  return shape.free[0] === "json" && !shape.values.length;
}
