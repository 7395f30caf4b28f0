/* What fewer people need, folded: pivot, sort, limit, distinct rows, a sample, new columns. */

const MORE_FIELDS = ["pivot", "sort", "limit", "distinct", "sample", "computed"];

function isUsed(value) {
  return (
    value !== undefined &&
    value !== null &&
    value !== false &&
    !(Array.isArray(value) && !value.length)
  );
}

function drawMore(view) {
  const { dataset } = view;
  const used = MORE_FIELDS.filter((name) => isUsed(dataset[name]));
  const wrong = view.problems(...MORE_FIELDS).length > 0;
  const open = view.ui.more ?? (used.length > 0 || wrong);
  const words = used.length
    ? used.map((name) => (name === "computed" ? "new columns" : name)).join(", ")
    : "sort, limit, pivot, sample, new columns";
  return h(
    "section",
    { class: "jxp-section jxp-section-more", key: "more" },
    disclosure(
      ["More ", h("span", { class: "jxp-hint" }, words)],
      open,
      () => view.show({ more: !open }),
      {
        "aria-controls": view.id("more"),
      },
    ),
    h(
      "div",
      { id: view.id("more"), class: "jxp-more", hidden: !open },
      open && [drawSort(view), drawLimit(view), drawPivot(view), drawComputed(view)],
    ),
  );
}

function line(view, name, words, ...children) {
  return h(
    "div",
    { class: "jxp-line", role: "group", "aria-label": words, "data-jxp": name, key: name },
    h("span", { class: "jxp-label" }, words),
    h("div", { class: "jxp-row" }, ...children),
    problemLines(view, name),
  );
}

// ------------------------------------------------------------- sort, limit

function drawSort(view) {
  const keys = (view.dataset.sort || []).map(asKey);
  const set = (made) => view.setDataset({ sort: unlessEmpty(made.map(shortKey)) });
  const taken = new Set(keys.map(({ column }) => column));
  const free = view.shapedColumns.filter(({ name }) => !taken.has(name));
  return line(
    view,
    "sort",
    "Sort by",
    keys.map((key, index) => {
      const change = (fields) => set(replaced(keys, index, withFields(key, fields)));
      return h(
        "span",
        { class: "jxp-token jxp-sort", key: `sort ${key.column}` },
        index > 0 &&
          iconButton(
            "left",
            `Sort by ${key.column} earlier`,
            () => {
              set([...keys.slice(0, index - 1), key, keys[index - 1], ...keys.slice(index + 1)]);
            },
            { key: "earlier" },
          ),
        key.column,
        h(
          "button",
          {
            key: "direction",
            type: "button",
            class: "jxp-direction",
            "aria-label": `${key.column}: ${key.descending ? "descending" : "ascending"}`,
            title: key.descending ? "Largest first" : "Smallest first",
            onclick: () => change({ descending: key.descending ? undefined : true }),
          },
          key.descending ? "↓" : "↑",
        ),
        iconButton(
          "cross",
          `Do not sort by ${key.column}`,
          () => {
            set(without(keys, index));
            view.focusNext('[data-focus="add-sort"]');
          },
          { key: "remove" },
        ),
      );
    }),
    select(
      "Add a column to sort by",
      "",
      columnChoices(free, null, "+ column"),
      (name) => name !== "" && set([...keys, { column: name }]),
      { key: "add", kind: "jxp-add", "data-focus": "add-sort" },
    ),
  );
}

/** A number from the text, or undefined; other text stays visible and is not taken. */
function wholeNumber(text) {
  const plain = text.replace(/[_, ]/g, "");
  return /^\d{1,15}$/.test(plain) ? Number(plain) : undefined;
}

function numberField(view, label, name, value, onnumber, props) {
  const held = view.ui.numbers?.[name];
  const wrong = held !== undefined && value === undefined;
  return textField(
    label,
    wrong ? held : (value ?? ""),
    (text) => {
      const number = wholeNumber(text);
      view.ui.numbers = {
        ...view.ui.numbers,
        [name]: text !== "" && number === undefined ? text : undefined,
      };
      onnumber(number);
      view.draw();
    },
    {
      inputmode: "numeric",
      "aria-invalid": wrong ? "true" : null,
      title: wrong ? "This is not a whole number." : null,
      ...props,
    },
  );
}

function drawLimit(view) {
  const { limit, distinct, sample } = view.dataset;
  const kind = !sample
    ? ""
    : sample.percent !== undefined && sample.percent !== null
      ? "percent"
      : "rows";
  const chooseSample = (value) => {
    const made = { "": undefined, rows: { rows: 1000 }, percent: { percent: 10 } }[value];
    view.setDataset({ sample: made && (sample?.seed ? { ...made, seed: sample.seed } : made) });
  };
  return [
    line(
      view,
      "limit",
      "At most",
      numberField(
        view,
        "Most rows",
        "limit",
        limit ?? undefined,
        (number) => view.setDataset({ limit: number }, { slow: true }),
        {
          kind: "jxp-number",
          placeholder: "all",
        },
      ),
      h("span", { class: "jxp-muted" }, "rows"),
      checkbox("only distinct rows", Boolean(distinct), (on) =>
        view.setDataset({ distinct: on || undefined }),
      ),
    ),
    line(
      view,
      "sample",
      "Sample",
      select(
        "Sample",
        kind,
        [
          { value: "", text: "all rows" },
          { value: "rows", text: "a number of rows" },
          { value: "percent", text: "a share" },
        ],
        chooseSample,
        { key: "kind" },
      ),
      sample &&
        textField(
          kind === "rows" ? "Rows of the sample" : "Percent of the rows",
          sample[kind] ?? "",
          (text) => {
            const number = kind === "rows" ? wholeNumber(text) : Number(text);
            if (text !== "" && number !== undefined && !Number.isNaN(number)) {
              view.setDataset({ sample: { ...sample, [kind]: number } }, { slow: true });
            }
          },
          { key: "size", kind: "jxp-number", inputmode: "decimal" },
        ),
      sample &&
        h(
          "span",
          { class: "jxp-muted", key: "unit" },
          kind === "rows" ? "rows, at random" : "%, at random",
        ),
    ),
  ];
}

// ------------------------------------------------------------- pivot

/** The columns that a pivot sees: those of the groups, where there are any. */
function columnsBeforePivot(view) {
  const keys = (view.dataset.group_by || []).map(asKey);
  const aggregates = view.dataset.aggregates || [];
  if (!keys.length && !aggregates.length) {
    return view.sourceColumns;
  }
  const typed = (name) => columnNamed(view.sourceColumns, name) || {};
  return [
    ...keys.map((key) => ({ ...typed(key.column), name: key.as || key.column })),
    ...aggregates.map((each) => ({
      type: "",
      kind: "number",
      name: each.as || aggregateName(each),
    })),
  ];
}

function drawPivot(view) {
  const { pivot } = view.dataset;
  const columns = columnsBeforePivot(view);
  const held = view.draft("pivot", pivot, (value) => value || null);
  const set = (made, how) => {
    const complete = made && made.on && made.values;
    view.setDraft("pivot", made, complete ? made : undefined, how);
  };
  const change = (fields, how) => set(withFields(held || {}, fields), how);
  const on = select(
    "Values that become columns",
    held?.on ?? "",
    columnChoices(columns, held?.on, held ? "choose" : "no pivot"),
    (name) => {
      if (name) {
        change({ on: name });
      } else {
        set(null);
      }
    },
    { key: "on" },
  );
  if (!held) {
    return line(view, "pivot", "Pivot on", on);
  }
  const functions = [["", "the only value"], ...FUNCTIONS];
  const index = held.index || [];
  return line(
    view,
    "pivot",
    "Pivot on",
    on,
    h("span", { class: "jxp-muted", key: "filled" }, "filled with"),
    select(
      "How values that meet become one",
      held.function || "",
      asChoices(functions, held.function),
      (name) => {
        change({
          function: name || undefined,
          p: name === "percentile" ? (held.p ?? 0.95) : undefined,
        });
      },
      { key: "function" },
    ),
    held.function === "percentile" &&
      textField(
        "Share of the values, 0 to 1",
        held.p ?? "",
        (text) => change({ p: text === "" ? undefined : Number(text) }, { slow: true }),
        {
          key: "p",
          kind: "jxp-tiny",
        },
      ),
    h("span", { class: "jxp-muted", key: "of" }, "of"),
    select(
      "Values of the pivot",
      held.values ?? "",
      columnChoices(columns, held.values, "choose"),
      (name) => change({ values: name || undefined }),
      {
        key: "values",
      },
    ),
    h("span", { class: "jxp-muted", key: "rows" }, "one row for each"),
    index.map((name) =>
      h(
        "span",
        { class: "jxp-token", key: `index ${name}` },
        name,
        iconButton("cross", `Not for each ${name}`, () =>
          change({ index: unlessEmpty(index.filter((each) => each !== name)) }),
        ),
      ),
    ),
    select(
      "Add a column that tells the rows apart",
      "",
      columnChoices(
        columns.filter(({ name }) => ![...index, held.on, held.values].includes(name)),
        null,
        index.length ? "+ column" : "other columns",
      ),
      (name) => name !== "" && change({ index: [...index, name] }),
      { key: "add", kind: "jxp-add" },
    ),
    iconButton("cross", "Remove the pivot", () => set(null), { key: "remove" }),
  );
}

// ------------------------------------------------------------- new columns

function drawComputed(view) {
  const made = view.draft("computed", view.dataset.computed, (value) => value || []);
  const set = (list, how) => {
    const complete = list.filter(({ name, expression }) => name && expression);
    view.setDraft("computed", list, unlessEmpty(complete), how);
  };
  return line(
    view,
    "computed",
    "New columns",
    made.map((each, index) => {
      const change = (fields) => set(replaced(made, index, { ...each, ...fields }), { slow: true });
      return h(
        "span",
        { class: "jxp-row jxp-computed", key: `computed ${index}` },
        textField("Name of the new column", each.name, (name) => change({ name }), {
          kind: "jxp-name",
          placeholder: "name",
          "data-focus": `computed-${index}`,
        }),
        h("span", { class: "jxp-muted" }, "="),
        textField("Its SQL expression", each.expression, (expression) => change({ expression }), {
          kind: "jxp-code jxp-grow",
          placeholder: "distance / air_time * 60",
        }),
        iconButton("cross", `Remove ${each.name || "the new column"}`, () =>
          set(without(made, index)),
        ),
      );
    }),
    button(
      [icon("plus"), " column"],
      () => {
        set([...made, { name: "", expression: "" }]);
        view.focusNext(`[data-focus="computed-${made.length}"]`);
      },
      { key: "add", "aria-label": "Add a new column" },
    ),
  );
}
