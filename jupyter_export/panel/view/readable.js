/* The part of a document that the controls can show. Anything may be pasted: a field that holds
 * what no spec has there is passed over here, stays in the document, and Python says what is wrong
 * with it. Pure. */

const isText = (value) => typeof value === "string";
const isThing = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isUnset = (value) => value === undefined || value === null;
const isTexts = (value) => Array.isArray(value) && value.every(isText);
const isTextOrUnset = (value) => isUnset(value) || isText(value);

/** Tell a list of which each is a thing whose `names` are texts, or, with `plain`, a text. */
function isListOf(value, names, plain = false) {
  return (
    Array.isArray(value) &&
    value.every(
      (each) =>
        (plain && isText(each)) ||
        (isThing(each) && names.every((name) => isTextOrUnset(each[name]))),
    )
  );
}

function isCondition(where) {
  if (!isThing(where)) {
    return false;
  }
  for (const mode of ["and", "or"]) {
    if (mode in where) {
      return Array.isArray(where[mode]) && where[mode].every(isCondition);
    }
  }
  return "not" in where ? isCondition(where.not) : isText(where.column) && isText(where.op);
}

function isColumns(columns) {
  if (Array.isArray(columns)) {
    return isListOf(columns, ["name", "expression"], true);
  }
  const { include, exclude, order, rename, computed } = isThing(columns) ? columns : {};
  return (
    isThing(columns) &&
    [include, exclude, order].every((each) => isUnset(each) || isTexts(each)) &&
    (isUnset(rename) || (isThing(rename) && Object.values(rename).every(isText))) &&
    (isUnset(computed) || isListOf(computed, ["name", "expression"]))
  );
}

const READABLE = {
  where: (value) => isText(value) || isCondition(value),
  time_range: (value) => isThing(value) && isTextOrUnset(value.column),
  sample: isThing,
  computed: (value) => isListOf(value, ["name", "expression"]),
  group_by: (value) => isListOf(value, ["column", "expression", "time_bucket", "as"], true),
  aggregates: (value) => isListOf(value, ["function", "column", "expression", "as"]),
  pivot: (value) =>
    isThing(value) &&
    isTextOrUnset(value.on) &&
    isTextOrUnset(value.values) &&
    (isUnset(value.index) || isTexts(value.index)),
  columns: isColumns,
  sort: (value) => isListOf(value, ["column"], true),
  source: (value) => isThing(value) && isText(value.type),
  output: (value) => isThing(value) && isTextOrUnset(value.path),
  format: (value) => isThing(value) && isTextOrUnset(value.type),
  compression: isText,
  name: isText,
};
const SOURCE_TEXTS = ["connection", "schema", "table", "query", "path", "id"];

const readables = new WeakMap();

/** The document, or a dataset, without what cannot be shown; the same one again for the same. */
function readable(document) {
  if (!readables.has(document)) {
    readables.set(document, readNow(document));
  }
  return readables.get(document);
}

function readNow(document) {
  const made = isThing(document) ? { ...document } : {};
  if (isText(made.format)) {
    made.format = { type: made.format }; // The short form.
  }
  for (const [name, fits] of Object.entries(READABLE)) {
    if (name in made && !fits(made[name])) {
      delete made[name];
    }
  }
  if (made.source && !SOURCE_TEXTS.every((name) => isTextOrUnset(made.source[name]))) {
    made.source = { ...made.source };
    for (const name of SOURCE_TEXTS) {
      if (!isTextOrUnset(made.source[name])) {
        delete made.source[name];
      }
    }
  }
  if (Array.isArray(made.datasets)) {
    made.datasets = made.datasets.map((each) => (isThing(each) ? readable(each) : {}));
  } else {
    delete made.datasets;
  }
  return made;
}
