/* Only rows where: rules of column, operator and value, in groups; or SQL text. */

const SQL_TOO_MUCH = "These rules have no SQL text that means exactly the same.";

function operatorsFor(view, kind) {
  const operators = view.model.get("operators") || {};
  return operators[kind] || operators.other || operators.text || [];
}

/** The editor's hands: how a row is changed, added and removed. */
function conditionsOf(view) {
  const { where } = view.dataset;
  const tree = view.draft("where", where, readWhere);
  const set = (made, how) => view.setDraft("where", made, writeWhere(made), how);
  return {
    tree,
    set,
    change: (id, fields, how) =>
      set(
        withRow(tree, id, (row) => ({ ...row, ...fields })),
        how,
      ),
    remove: (id, next) => {
      set(withRow(tree, id, () => null));
      view.focusNext(next);
    },
    add: (group, row, next) => {
      set(withRow(tree, group.id, (each) => ({ ...each, items: [...each.items, row] })));
      view.focusNext(next);
    },
  };
}

function drawConditions(view) {
  const { where } = view.dataset;
  const text = typeof where === "string" || (view.ui.whereText && where === undefined);
  return section(
    view,
    "where",
    "Only rows where",
    null,
    text ? drawWhereText(view, where) : drawBuilder(view),
    problemLines(view, "where"),
  );
}

function drawWhereText(view, where) {
  return h(
    "div",
    { key: "text", class: "jxp-stack" },
    h("textarea", {
      class: "jxp-input jxp-code jxp-wide",
      rows: 2,
      "aria-label": "Only rows where, as SQL text",
      "data-focus": "where-text",
      placeholder: "dep_delay > 60 AND origin IN ('EWR', 'LGA')",
      spellcheck: "false",
      value: typeof where === "string" ? where : "",
      oninput: ({ target }) => {
        view.ui.whereText = true;
        view.setDataset({ where: target.value.trim() ? target.value : undefined }, { slow: true });
      },
    }),
    h(
      "div",
      { class: "jxp-row" },
      button(
        typeof where === "string" ? "Clear, and build with rules" : "Build with rules",
        () => {
          view.ui.whereText = false;
          view.setDataset({ where: undefined });
          view.focusNext('[data-focus="add-rule"]');
        },
        { kind: "jxp-quiet" },
      ),
    ),
  );
}

function drawBuilder(view) {
  const hands = conditionsOf(view);
  const { tree } = hands;
  const kindOf = (name) => columnNamed(view.sourceColumns, name)?.kind;
  const sql = tree.items.length ? sqlOf(tree, kindOf) : "";
  const toText = () => {
    view.ui.whereText = true;
    if (sql) {
      view.setDataset({ where: sql });
    }
    view.focusNext('[data-focus="where-text"]');
  };
  return h(
    "div",
    { key: "builder", class: "jxp-builder" },
    drawItems(view, hands, tree),
    h(
      "div",
      { class: "jxp-row", key: "adds" },
      drawAdds(view, hands, tree),
      h("span", { class: "jxp-space" }),
      button("as SQL", sql === null ? () => {} : toText, {
        kind: "jxp-quiet",
        "aria-disabled": String(sql === null),
        title: sql === null ? SQL_TOO_MUCH : "Write the filter as SQL text",
      }),
    ),
  );
}

function drawAdds(view, hands, group) {
  const root = group === hands.tree;
  const column = view.sourceColumns[0];
  const rule = () => {
    const made = newRule(column.name, operatorsFor(view, column.kind)[0]?.op || "=");
    return [made, `[data-focus="column-${made.id}"]`];
  };
  return [
    button([icon("plus"), " rule"], () => hands.add(group, ...rule()), {
      key: "rule",
      disabled: !column,
      "data-focus": root ? "add-rule" : `add-${group.id}`,
      "aria-label": "Add a rule",
    }),
    button(
      [icon("plus"), " group"],
      () => {
        const [made, next] = rule();
        hands.add(group, newGroup(group.mode === "and" ? "or" : "and", [made]), next);
      },
      { key: "group", disabled: !column, "aria-label": "Add a group of rules" },
    ),
  ];
}

function drawItems(view, hands, group) {
  return group.items.map((row, index) => {
    const last = index === group.items.length - 1;
    const word = last ? null : drawMode(hands, group, index);
    return row.rule
      ? drawRule(view, hands, group, row, word)
      : drawGroup(view, hands, group, row, word);
  });
}

/** “and” or “or” behind a row; the first one of a group can be changed. */
function drawMode(hands, group, index) {
  if (index) {
    return h("span", { class: "jxp-muted jxp-mode", key: "mode" }, group.mode);
  }
  const choices = [
    { value: "and", text: "and" },
    { value: "or", text: "or" },
  ];
  return select(
    "Rules are joined by",
    group.mode,
    choices,
    (mode) => hands.change(group.id, { mode }),
    {
      key: "mode",
      kind: "jxp-word",
    },
  );
}

/** Where the focus goes when a row is gone: the next row, the one before, or the group's “+ rule”. */
function afterRemoval(hands, group, row) {
  const at = group.items.indexOf(row);
  const near = group.items[at + 1] || group.items[at - 1];
  if (near) {
    return `[data-focus="remove-${near.id}"]`;
  }
  return group === hands.tree ? '[data-focus="add-rule"]' : `[data-focus="add-${group.id}"]`;
}

function notButton(hands, row, what) {
  return h(
    "button",
    {
      key: "not",
      type: "button",
      class: "jxp-not",
      "aria-pressed": String(row.not),
      "aria-label": `Not this ${what}`,
      title: row.not ? `Rows for which this ${what} does not hold` : "Turn it round",
      onclick: () => hands.change(row.id, { not: !row.not }),
    },
    "not",
  );
}

function drawRule(view, hands, group, row, word) {
  const columns = view.sourceColumns;
  const column = columnNamed(columns, row.column);
  const operators = operatorsFor(view, column?.kind || "text");
  const choices = operators.map(({ op, label }) => ({ value: op, text: label }));
  if (!operators.some(({ op }) => op === row.op)) {
    choices.unshift({ value: row.op, text: row.op });
  }
  const chooseColumn = (name) => {
    const chosen = columnNamed(columns, name);
    const fits = operatorsFor(view, chosen?.kind);
    const op = fits.some((each) => each.op === row.op) ? row.op : fits[0]?.op || "=";
    const same = chosen?.kind === column?.kind;
    hands.change(row.id, { column: name, op, value: valueFor(op, same ? row.value : undefined) });
  };
  return h(
    "div",
    {
      class: "jxp-row jxp-rule",
      key: row.id,
      role: "group",
      "aria-label": `Rule on ${row.column}`,
    },
    notButton(hands, row, "rule"),
    select("Column", row.column ?? "", columnChoices(columns, row.column), chooseColumn, {
      key: "column",
      "data-focus": `column-${row.id}`,
    }),
    select(
      "Operator",
      row.op,
      choices,
      (op) => hands.change(row.id, { op, value: valueFor(op, row.value) }),
      {
        key: "op",
      },
    ),
    drawRuleValue(view, row, column, (value, how) => hands.change(row.id, { value }, how)),
    iconButton(
      "cross",
      `Remove the rule on ${row.column}`,
      () => hands.remove(row.id, afterRemoval(hands, group, row)),
      {
        key: "remove",
        "data-focus": `remove-${row.id}`,
      },
    ),
    !isComplete(row) && h("span", { class: "jxp-muted jxp-small", key: "todo" }, "needs a value"),
    word,
  );
}

function drawGroup(view, hands, parent, group, word) {
  return h(
    "fieldset",
    { class: "jxp-group", key: group.id },
    h(
      "legend",
      { class: "jxp-hidden" },
      `${group.not ? "Not " : ""}${group.mode === "and" ? "All" : "Any"} of these rules`,
    ),
    drawItems(view, hands, group),
    h(
      "div",
      { class: "jxp-row", key: "adds" },
      notButton(hands, group, "group"),
      drawAdds(view, hands, group),
      iconButton(
        "cross",
        "Remove the group",
        () => hands.remove(group.id, afterRemoval(hands, parent, group)),
        {
          key: "remove",
          "data-focus": `remove-${group.id}`,
        },
      ),
      word,
    ),
  );
}
