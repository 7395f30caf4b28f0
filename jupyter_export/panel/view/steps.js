/* A stretch of time; groups and their aggregates. */

const BUCKETS = [
  ["", "each value"],
  ["1 hour", "by hour"],
  ["1 day", "by day"],
  ["1 week", "by week"],
  ["1 month", "by month"],
  ["3 months", "by quarter"],
  ["1 year", "by year"],
];
const FUNCTIONS = [
  ["count", "count"],
  ["count_distinct", "distinct count"],
  ["sum", "sum"],
  ["avg", "average"],
  ["min", "minimum"],
  ["max", "maximum"],
  ["median", "median"],
  ["percentile", "percentile"],
  ["stddev", "standard deviation"],
  ["first", "first"],
  ["last", "last"],
];
const OF_NUMBERS = ["sum", "avg", "median", "percentile", "stddev"];

function asChoices(pairs, current) {
  const choices = pairs.map(([value, text]) => ({ value, text }));
  if (current && !pairs.some(([value]) => value === current)) {
    choices.push({ value: current, text: current });
  }
  return choices;
}

function hasTime(column) {
  return column && (column.kind === "time" || column.kind === "date");
}

// ------------------------------------------------------------- time range

function drawTimeRange(view) {
  const columns = view.sourceColumns.filter(
    (column) => hasTime(column) && !/^time(32|64)?\b/i.test(column.type),
  );
  const { time_range: range } = view.dataset;
  if (!columns.length && !range) {
    return null;
  }
  const held = view.draft("time_range", range, (value) => value || {});
  const set = (fields, how) => {
    const made = withFields(held, fields);
    const complete = made.column !== undefined && (made.start || made.end);
    view.setDraft("time_range", made, complete ? made : undefined, how);
  };
  const column = columnNamed(columns, held.column);
  const end = (name, words) => [
    h("span", { class: "jxp-muted", key: `${name}-word` }, words),
    valueField(
      `Time ${words}`,
      held[name] ?? undefined,
      column,
      (value) => set({ [name]: value }, { slow: true }),
      {
        key: name,
      },
    ),
  ];
  return section(
    view,
    "time",
    "Time range",
    held.column && !held.start && !held.end ? "choose a start or an end" : null,
    h(
      "div",
      { class: "jxp-row", key: "row" },
      select(
        "Time column",
        held.column ?? "",
        columnChoices(columns, held.column, "any time"),
        (name) => (name ? set({ column: name }) : view.setDraft("time_range", {}, undefined)),
        { key: "column" },
      ),
      held.column !== undefined && [end("start", "from"), end("end", "to before")],
    ),
    problemLines(view, "time_range"),
  );
}

// ------------------------------------------------------------- groups

/** The document may say a column by its name alone; so do we where nothing else is said. */
function asKey(each) {
  return typeof each === "string" ? { column: each } : each;
}

function shortKey(key) {
  return Object.keys(key).length === 1 && key.column !== undefined ? key.column : key;
}

function without(list, index) {
  return list.filter((_, at) => at !== index);
}

function replaced(list, index, value) {
  return list.map((each, at) => (at === index ? value : each));
}

function drawGroups(view) {
  const keys = (view.dataset.group_by || []).map(asKey);
  const aggregates = view.dataset.aggregates || [];
  const taken = new Set(keys.filter((key) => !key.time_bucket).map((key) => key.column));
  const open = keys.length || aggregates.length;
  const set = (made, how) => view.setDataset({ group_by: unlessEmpty(made.map(shortKey)) }, how);
  const add = (name) => {
    const column = columnNamed(view.sourceColumns, name);
    const key = hasTime(column) ? { column: name, time_bucket: "1 day" } : { column: name };
    set([...keys, key]);
  };
  return section(
    view,
    "group",
    "Group by",
    open ? null : "one row for each value",
    keys.map((key, index) => drawKey(view, key, index, keys, set)),
    h(
      "div",
      { class: "jxp-row", key: "adds" },
      select(
        "Add a column to group by",
        "",
        columnChoices(
          view.sourceColumns.filter(({ name }) => !taken.has(name)),
          null,
          "+ column",
        ),
        (name) => name !== "" && add(name),
        { key: "add", kind: "jxp-add", "data-focus": "add-key" },
      ),
      button([icon("plus"), " aggregate"], () => addAggregate(view, aggregates), {
        key: "aggregate",
        "data-focus": "add-aggregate",
        "aria-label": "Add an aggregate",
      }),
    ),
    aggregates.map((each, index) => drawAggregate(view, each, index, aggregates)),
    problemLines(view, "group_by", "aggregates"),
  );
}

function drawKey(view, key, index, keys, set) {
  const column = columnNamed(view.sourceColumns, key.column);
  const change = (fields, how) => set(replaced(keys, index, withFields(key, fields)), how);
  const choose = (bucket) =>
    change(bucket ? { time_bucket: bucket } : { time_bucket: undefined, time_zone: undefined });
  const named = key.expression !== undefined ? key.as : (key.as ?? key.column);
  return h(
    "div",
    {
      class: "jxp-row jxp-rule",
      key: `key ${index}`,
      role: "group",
      "aria-label": `Group by ${named}`,
    },
    key.expression !== undefined
      ? textField(
          "SQL expression to group by",
          key.expression,
          (text) => change({ expression: text }, { slow: true }),
          {
            kind: "jxp-code",
            key: "expression",
          },
        )
      : select(
          "Column",
          key.column ?? "",
          columnChoices(view.sourceColumns, key.column),
          (name) => change({ column: name }),
          {
            key: "column",
          },
        ),
    (hasTime(column) || key.time_bucket) &&
      select(
        "Stretch of time",
        key.time_bucket || "",
        asChoices(BUCKETS, key.time_bucket),
        choose,
        { key: "bucket" },
      ),
    nameField(`Name of ${named}`, key.as, key.column, (as) => change({ as }, { slow: true })),
    iconButton(
      "cross",
      `Do not group by ${named}`,
      () => {
        set(without(keys, index));
        view.focusNext('[data-focus="add-key"]');
      },
      { key: "remove" },
    ),
  );
}

/** What something is called in the result; empty for the name that it has by itself. */
function nameField(label, value, own, onname) {
  return h(
    "span",
    { class: "jxp-named", key: "name" },
    h("span", { class: "jxp-muted" }, "as"),
    textField(label, value, (text) => onname(text || undefined), {
      placeholder: own || "name",
      kind: "jxp-name",
    }),
  );
}

// ------------------------------------------------------------- aggregates

function aggregateName({ function: name, column, p }) {
  if (column === undefined || column === null) {
    return name;
  }
  return p === undefined || p === null
    ? `${name}_${column}`
    : `p${Number((p * 100).toPrecision(6))}_${column}`;
}

function addAggregate(view, aggregates) {
  const made = aggregates.some((each) => each.function === "count" && !each.column)
    ? fitted(view, { function: "avg" })
    : { function: "count" };
  view.setDataset({ aggregates: [...aggregates, made] });
  view.focusNext(`[data-focus="function-${aggregates.length}"]`);
}

/** The aggregate with the fields that its function takes, and a column where it needs one. */
function fitted(view, aggregate) {
  const { function: name, expression } = aggregate;
  const columns = view.sourceColumns;
  const made = { ...aggregate };
  if (name !== "percentile") {
    delete made.p;
  } else if (made.p === undefined) {
    made.p = 0.95;
  }
  if (!["first", "last"].includes(name)) {
    delete made.order_by;
  }
  if (name !== "count" && expression === undefined && !made.column) {
    const number = OF_NUMBERS.includes(name) && columns.find(({ kind }) => kind === "number");
    made.column = (number || columns[0])?.name;
  }
  return made;
}

function drawAggregate(view, aggregate, index, aggregates) {
  const set = (made, how) =>
    view.setDataset({ aggregates: unlessEmpty(replaced(aggregates, index, made)) }, how);
  const change = (fields, how) => set(fitted(view, withFields(aggregate, fields)), how);
  const { function: name, column, expression, p } = aggregate;
  const suits = OF_NUMBERS.includes(name)
    ? view.sourceColumns.filter(({ kind }) => kind === "number")
    : view.sourceColumns;
  const title = aggregate.as || aggregateName(aggregate);
  return h(
    "div",
    {
      class: "jxp-row jxp-rule",
      key: `aggregate ${index}`,
      role: "group",
      "aria-label": `Aggregate ${title}`,
    },
    select("Function", name, asChoices(FUNCTIONS, name), (value) => change({ function: value }), {
      key: "function",
      "data-focus": `function-${index}`,
    }),
    h("span", { class: "jxp-muted", key: "of" }, "of"),
    expression !== undefined
      ? textField(
          "SQL expression",
          expression,
          (text) => change({ expression: text }, { slow: true }),
          {
            kind: "jxp-code",
            key: "expression",
          },
        )
      : select(
          "Column",
          column ?? "",
          columnChoices(suits, column, name === "count" ? "rows" : undefined),
          (value) => change({ column: value === "" ? undefined : value }),
          { key: "column" },
        ),
    name === "percentile" &&
      textField(
        "Share of the values, 0 to 1",
        p ?? "",
        (text) => change({ p: text === "" ? undefined : Number(text) }, { slow: true }),
        {
          key: "p",
          kind: "jxp-tiny",
          inputmode: "decimal",
          title: "0.95 is the value that 95 % do not exceed",
        },
      ),
    nameField(`Name of ${title}`, aggregate.as, aggregateName(aggregate), (as) =>
      change({ as }, { slow: true }),
    ),
    iconButton(
      "cross",
      `Remove ${title}`,
      () => {
        view.setDataset({ aggregates: unlessEmpty(without(aggregates, index)) });
        view.focusNext('[data-focus="add-aggregate"]');
      },
      { key: "remove" },
    ),
  );
}
