/* The tree of a filter: from the document to rows that can be edited, and back. Pure.
 *
 * A row is `{id, rule: true, not, column, op, value}`; a group `{id, not, mode, items}`. A row that
 * is not complete (no value yet) is shown and not in the document. */

const NO_VALUE = ["is_null", "not_null"];
const MANY_VALUES = ["in", "not_in"];
const rowIds = { last: 0 };

function newRule(column, op, value) {
  return { id: ++rowIds.last, rule: true, not: false, column, op, value };
}

function newGroup(mode, items = [], not = false) {
  return { id: ++rowIds.last, rule: false, not, mode, items };
}

/** The rows of a `where` of the document; always a group. */
function readWhere(where) {
  if (!where || typeof where !== "object") {
    return newGroup("and");
  }
  const made = readCondition(where);
  return made.rule || made.not ? newGroup("and", [made]) : made;
}

function readCondition(where) {
  for (const mode of ["and", "or"]) {
    if (Array.isArray(where[mode])) {
      return newGroup(mode, where[mode].map(readCondition));
    }
  }
  if (where.not && typeof where.not === "object") {
    const inner = readCondition(where.not);
    return inner.not ? newGroup("and", [inner], true) : { ...inner, not: true };
  }
  return newRule(where.column, where.op, where.value);
}

/** The `where` that these rows mean; undefined where none is complete. */
function writeWhere(row) {
  let made;
  if (row.rule) {
    made = isComplete(row) ? writeRule(row) : undefined;
  } else {
    const items = row.items.map(writeWhere).filter((each) => each !== undefined);
    made = items.length > 1 ? { [row.mode]: items } : items[0];
  }
  return made !== undefined && row.not ? { not: made } : made;
}

function writeRule({ column, op, value }) {
  return NO_VALUE.includes(op) ? { column, op } : { column, op, value };
}

function isComplete({ column, op, value }) {
  if (column === undefined || !op) {
    return false;
  }
  if (NO_VALUE.includes(op)) {
    return true;
  }
  if (MANY_VALUES.includes(op)) {
    return Array.isArray(value) && value.length > 0;
  }
  if (op === "between") {
    return Array.isArray(value) && value.length === 2 && value.every((each) => given(each));
  }
  return given(value);
}

/** `NaN` stands for a text that is not a value of its kind. */
function given(value) {
  return value !== undefined && !(typeof value === "object" && value?.invalid !== undefined);
}

/** The value that goes on when the operator becomes another one. */
function valueFor(op, value) {
  const first = Array.isArray(value) ? value[0] : value;
  if (NO_VALUE.includes(op)) {
    return undefined;
  }
  if (MANY_VALUES.includes(op)) {
    return Array.isArray(value)
      ? value.filter(given)
      : given(first) && first !== null
        ? [first]
        : [];
  }
  return op === "between" ? [first, Array.isArray(value) ? value[1] : undefined] : first;
}

/** The tree with the row of this id replaced by what `change` makes of it; null removes it. */
function withRow(row, id, change) {
  if (row.id === id) {
    return change(row);
  }
  return row.rule
    ? row
    : { ...row, items: row.items.map((each) => withRow(each, id, change)).filter(Boolean) };
}

function someRow(row, test) {
  return row.rule ? test(row) : row.items.some((each) => someRow(each, test));
}

// ------------------------------------------------------------- as SQL text

const PLAIN_SQL = { "=": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">=" };

/** The SQL text of these rows, or null where a rule has no text that means exactly the same. */
function sqlOf(row, kindOf, top = true) {
  let made;
  if (row.rule) {
    made = isComplete(row) ? sqlOfRule(row, kindOf(row.column)) : "";
  } else {
    const parts = row.items.map((each) => sqlOf(each, kindOf, false));
    if (parts.includes(null)) {
      return null;
    }
    const written = parts.filter(Boolean);
    made = written.join(row.mode === "or" ? " OR " : " AND ");
    const around = written.length > 1 && (!top || row.not);
    return row.not && made ? `NOT (${made})` : around ? `(${made})` : made;
  }
  return made && row.not ? `NOT (${made})` : made;
}

function sqlOfRule({ column, op, value }, kind) {
  const name = `"${column.replaceAll('"', '""')}"`;
  if (op === "is_null" || op === "not_null") {
    return `${name} IS ${op === "is_null" ? "" : "NOT "}NULL`;
  }
  const values = (Array.isArray(value) ? value : [value]).map((each) => sqlOfValue(each, kind));
  if (values.includes(null)) {
    return null;
  }
  if (MANY_VALUES.includes(op)) {
    return `${name} ${op === "in" ? "IN" : "NOT IN"} (${values.join(", ")})`;
  }
  if (op === "between") {
    return `${name} BETWEEN ${values[0]} AND ${values[1]}`;
  }
  return PLAIN_SQL[op] ? `${name} ${PLAIN_SQL[op]} ${values[0]}` : null;
}

function sqlOfValue(value, kind) {
  if (kind === "number" && typeof value === "number") {
    return String(value);
  }
  if (kind === "bool" && typeof value === "boolean") {
    return value ? "TRUE" : "FALSE";
  }
  if (kind === "text" && typeof value === "string" && !value.includes("{{")) {
    return `'${value.replaceAll("'", "''")}'`;
  }
  return null;
}
