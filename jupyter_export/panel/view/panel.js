/* The whole panel: its parts in order, and how it begins and ends. */

/** Why nothing can be exported now, or null. */
function whyNot(view) {
  const { dataset, summary } = view;
  const { source } = dataset;
  if (view.ui.lost) {
    return { message: "The kernel of this panel is gone.", hint: "Run its cell again." };
  }
  if (!source || !source.type) {
    return { message: "Choose what to export." };
  }
  const problem = (summary.problems || [])[0];
  return problem || null;
}

function drawHead(view) {
  const why = whyNot(view);
  const reason = view.id("why");
  const start = () => {
    if (!whyNot(view)) {
      const before = new Set((view.model.get("jobs") || []).map(({ id }) => id));
      view.show({ started: { before, over: view.model.get("notice")?.n } });
      view.send({ do: "export" });
    }
  };
  return h(
    "div",
    { class: "jxp-head", key: "head" },
    drawSource(view),
    drawPath(view),
    button("Export", start, {
      key: "export",
      kind: "jxp-primary jxp-export",
      "data-jxp": "export",
      "aria-disabled": String(Boolean(why)),
      "aria-describedby": why ? reason : null,
      title: why?.message,
    }),
  );
}

function drawUnderHead(view) {
  const why = whyNot(view);
  return h(
    "div",
    { class: "jxp-row jxp-under-head", key: "under" },
    h(
      "span",
      { id: view.id("why"), class: "jxp-small jxp-why", role: "status" },
      !why && drawOutcome(view),
      why && [
        h("span", { class: "jxp-warn", "aria-hidden": "true" }, "▲ "),
        why.message,
        why.hint ? ` ${why.hint}` : "",
      ],
    ),
    h("span", { class: "jxp-space" }),
    drawPlace(view),
  );
}

/** What became of the last press of Export, beside the button: the jobs may be out of sight. */
function drawOutcome(view) {
  const { started } = view.ui;
  if (!started) {
    return null;
  }
  const job = (view.model.get("jobs") || []).find(({ id }) => !started.before.has(id));
  const notice = view.model.get("notice") || {};
  if (!job) {
    const refused = notice.kind === "error" && notice.n !== started.over;
    return refused ? h("span", { class: "jxp-problem" }, notice.text) : "starting…";
  }
  if (ACTIVE.includes(job.status)) {
    const { percent, rows } = job.progress || {};
    const share = percent === null || percent === undefined ? "" : ` ${Math.floor(percent)} %`;
    return `${jobTitle(job)}:${share || (rows ? ` ${counted(rows, "row")}` : " waiting")}…`;
  }
  if (job.status !== "completed") {
    const { error } = job;
    const said = error && error.code !== "cancelled" ? `${error.message} ${error.hint || ""}` : "";
    return h(
      "span",
      { class: said ? "jxp-problem" : "" },
      said || `${jobTitle(job)}: ${job.status}`,
    );
  }
  return [
    h("span", { class: "jxp-ok", "aria-hidden": "true" }, "● "),
    `${jobTitle(job)}: ${jobFacts(job)}`,
  ];
}

/** Choices that name columns which the data does not have, with one button that drops them. */
function drawMisfits(view) {
  const { dataset, sourceColumns, shapedColumns } = view;
  if (!sourceColumns.length) {
    return null;
  }
  const misfits = misfitsOf(dataset, sourceColumns, shapedColumns);
  if (!misfits.names.length) {
    return null;
  }
  const named = misfits.names.map((name) => `“${name}”`).join(", ");
  const many = misfits.names.length > 1;
  return h(
    "div",
    { class: "jxp-loss jxp-row", key: "misfits" },
    h("span", {}, `${named} ${many ? "are" : "is"} not in these data.`),
    button(
      many ? "Drop the choices that name them" : "Drop the choices that name it",
      () => view.setDataset(misfits.fields),
      {
        kind: "jxp-link",
      },
    ),
  );
}

/** The names that are not there, and the fields of the dataset without them. */
function misfitsOf(dataset, source, shaped) {
  const names = new Set();
  const fields = {};
  const computed = (dataset.computed || []).map(({ name }) => name);
  const inSource = (name) => columnNamed(source, name) || computed.includes(name);
  const check = (name, there) => {
    const fits = name === undefined || name === null || there(name);
    if (!fits) {
      names.add(name);
    }
    return fits;
  };
  if (dataset.where && typeof dataset.where === "object") {
    const tree = readWhere(dataset.where);
    const cut = (row) =>
      row.rule
        ? check(row.column, inSource) && row
        : { ...row, items: row.items.map(cut).filter(Boolean) };
    const kept = cut(tree);
    fields.where = writeWhere(kept);
  }
  if (dataset.time_range && !check(dataset.time_range.column, inSource)) {
    fields.time_range = undefined;
  }
  for (const name of ["group_by", "aggregates"]) {
    if (dataset[name]) {
      fields[name] = unlessEmpty(
        dataset[name].filter((each) => check(asKey(each).column, inSource)),
      );
    }
  }
  const inShaped = shaped.length ? (name) => columnNamed(shaped, name) || inMade(name) : () => true;
  const inMade = (name) => (columnsOf(dataset).computed || []).some((each) => each.name === name);
  if (dataset.sort) {
    fields.sort = unlessEmpty(dataset.sort.filter((each) => check(asKey(each).column, inShaped)));
  }
  if (dataset.columns) {
    const columns = { ...columnsOf(dataset) };
    for (const name of ["include", "exclude", "order"]) {
      if (columns[name]) {
        columns[name] = unlessEmpty(columns[name].filter((each) => check(each, inShaped)));
      }
    }
    if (columns.rename) {
      columns.rename = unlessEmpty(
        Object.fromEntries(
          Object.entries(columns.rename).filter(([each]) => check(each, inShaped)),
        ),
      );
    }
    fields.columns = unlessEmpty(
      withFields(
        columns,
        Object.fromEntries(Object.entries(columns).filter(([, value]) => value === undefined)),
      ),
    );
  }
  return { names: [...names], fields };
}

function drawPanel(view) {
  return [
    drawDatasets(view),
    drawHead(view),
    drawUnderHead(view),
    problemLines(view, "output", "compression"),
    drawSourceDetail(view),
    drawMisfits(view),
    h(
      "div",
      { class: "jxp-halves", key: "halves" },
      h(
        "div",
        { class: "jxp-half", key: "left" },
        drawColumns(view),
        drawConditions(view),
        drawTimeRange(view),
        drawGroups(view),
        drawMore(view),
      ),
      h("div", { class: "jxp-half", key: "right" }, drawFormats(view)),
    ),
    drawPreview(view),
    drawFooter(view),
    drawJobs(view),
    h(
      "div",
      { class: "jxp-hidden", role: "status", "aria-live": "polite", key: "said" },
      view.ui.said || "",
    ),
  ];
}

/** Keys that belong to the panel are not the notebook's commands (where “d d” deletes a cell);
 * those with Ctrl or Cmd (save, run) stay the page's own. */
function keepKeys(event) {
  if (!event.ctrlKey && !event.metaKey) {
    event.stopPropagation();
  }
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "jxp-panel";
  root.setAttribute("role", "form");
  root.setAttribute("aria-label", "Export");
  el.append(root);
  const view = new PanelView(model, root);
  const outside = (event) => {
    if (
      (view.ui.picker || view.ui.tablesOpen) &&
      !event.composedPath().some((each) => each.classList?.contains("jxp-anchor"))
    ) {
      view.show({ picker: null, tablesOpen: view.ui.tablesOpen ? false : view.ui.tablesOpen });
    }
  };
  root.addEventListener("keydown", keepKeys);
  document.addEventListener("pointerdown", outside);
  view.drawNow();
  if (view.spec.datasets?.length > 1) {
    view.send({ do: "dataset", index: 0 }); // Another view may have turned to another one.
  }
  return () => {
    document.removeEventListener("pointerdown", outside);
    view.destroy();
    root.remove();
  };
}

export default { render };
