/* What is exported: a frame of the notebook, a table or a query of a connection, a file. */

const FRAME = /^\{\{(.+)\}\}$/;
const REFRESH_PAUSE = 2000; // milliseconds
const QUERY_PAUSE = 400; // milliseconds without a key: half a query is an error, and costs a database

function frameName(source) {
  return source?.type === "upload" ? FRAME.exec(source.id || "")?.[1] : undefined;
}

function sourceKey(source) {
  if (!source || !source.type) {
    return "";
  }
  const frame = frameName(source);
  if (frame !== undefined) {
    return `frame:${frame}`;
  }
  return source.type === "table" || source.type === "sql"
    ? `connection:${source.connection}`
    : source.type;
}

function frameWords({ kind, rows, columns }) {
  const many = Array.isArray(columns) ? columns.length : columns;
  const size = [rows, many].map((each) =>
    each === null || each === undefined ? "?" : GROUPED.format(each),
  );
  return `${kind} · ${size.join(" × ")}`;
}

function sourceChoices(catalog, source) {
  const key = sourceKey(source);
  const frames = (catalog.frames || []).map((frame) => ({
    value: `frame:${frame.name}`,
    text: `${frame.name}  —  ${frameWords(frame)}`,
  }));
  const seen = new Set();
  const connections = [];
  for (const each of [...(catalog.connections || []), ...(catalog.own_connections || [])]) {
    const { name, dialect } = typeof each === "string" ? { name: each } : each;
    if (!seen.has(name)) {
      seen.add(name);
      connections.push({
        value: `connection:${name}`,
        text: dialect ? `${name}  —  ${dialect}` : name,
      });
    }
  }
  const groups = [
    { label: "Frames of this notebook", choices: frames },
    { label: "Connections", choices: connections },
    { label: "Other", choices: [{ value: "file", text: "A file…" }] },
  ].filter((group) => group.choices.length);
  if (!groups.some((group) => group.choices.some((choice) => choice.value === key))) {
    const words = { "": "Choose what to export", upload: "Rows that were sent" };
    const [kind, name] = key.includes(":") ? key.split(/:(.*)/s) : [key];
    groups.unshift({
      value: key,
      text: name ? `${name}  —  not in this notebook` : words[kind] || kind,
    });
  }
  return groups;
}

function sourceOf(key, before) {
  const [kind, name] = key.split(/:(.*)/s);
  if (kind === "frame") {
    return { type: "upload", id: `{{${name}}}` };
  }
  if (kind === "connection") {
    return { ...(before?.type === "sql" ? before : { type: "table" }), connection: name };
  }
  return kind === "file" ? { type: "file", path: "" } : before;
}

function drawSource(view) {
  const { catalog, dataset } = view;
  const { source } = dataset;
  const refresh = () => {
    if (Date.now() - (view.ui.refreshed || 0) > REFRESH_PAUSE) {
      view.ui.refreshed = Date.now();
      view.send({ do: "refresh" });
    }
  };
  return h(
    "div",
    { class: "jxp-field jxp-grow", "data-jxp": "source", key: "source" },
    h("label", { class: "jxp-label", for: view.id("source") }, "Export"),
    select(
      "Export",
      sourceKey(source),
      sourceChoices(catalog, source),
      (key) => {
        if (key) {
          view.ui.tablesOpen = undefined;
          view.ui.tablesAsked?.clear();
          view.setDataset({ source: sourceOf(key, source) });
        }
      },
      { id: view.id("source"), onfocus: refresh, kind: "jxp-wide" },
    ),
  );
}

/** The second line of the source: which table, which query, which file. */
function drawSourceDetail(view) {
  const { source } = view.dataset;
  const draws = { table: drawTableSource, sql: drawQuerySource, file: drawFileSource };
  const draw = draws[source?.type];
  const choice = ["table", "sql"].includes(source?.type) && drawTableOrQuery(view, source);
  return h(
    "div",
    { class: "jxp-source-detail", key: "source-detail" },
    choice,
    draw?.(view, source),
    problemLines(view, "source"),
  );
}

function drawTableOrQuery(view, source) {
  const turn = (type) => () => {
    if (type !== source.type) {
      view.ui.sources = { ...view.ui.sources, [`${source.type} ${source.connection}`]: source };
      view.setDataset({
        source: view.ui.sources[`${type} ${source.connection}`] || {
          type,
          connection: source.connection,
        },
      });
    }
  };
  return h(
    "div",
    {
      class: "jxp-segments",
      role: "group",
      "aria-label": `Rows of ${source.connection}`,
      key: "kind",
    },
    [
      ["table", "Table"],
      ["sql", "SQL"],
    ].map(([type, words]) =>
      h(
        "button",
        {
          key: type,
          type: "button",
          "aria-pressed": String(source.type === type),
          onclick: turn(type),
        },
        words,
      ),
    ),
  );
}

function tableName(source) {
  return source.schema ? `${source.schema}.${source.table}` : source.table;
}

function drawTableSource(view, source) {
  const tables = view.catalog.tables?.[source.connection];
  const asked = (view.ui.tablesAsked ??= new Set());
  if (!tables && !asked.has(source.connection)) {
    asked.add(source.connection);
    queueMicrotask(() => view.send({ do: "tables", connection: source.connection }));
  }
  const open = view.ui.tablesOpen ?? !source.table;
  const chosen = tables?.find(
    (each) => each.name === source.table && (!source.schema || each.schema === source.schema),
  );
  const facts = chosen && [
    chosen.columns && counted(chosen.columns.length, "column"),
    chosen.rows !== null && chosen.rows !== undefined && `about ${counted(chosen.rows, "row")}`,
  ];
  const close = () => {
    view.show({ tablesOpen: false, tableQuery: "" });
    view.focusNext('[data-focus="table"]');
  };
  return h(
    "div",
    { class: "jxp-anchor jxp-grow", key: "table" },
    h(
      "button",
      {
        type: "button",
        class: "jxp-button jxp-picker",
        "aria-expanded": String(open),
        "aria-haspopup": "dialog",
        "data-focus": "table",
        onclick: () => {
          view.show({ tablesOpen: !open });
          view.next = open ? null : '[data-focus="tables"]';
        },
      },
      source.table ? tableName(source) : h("span", { class: "jxp-muted" }, "Choose a table"),
      icon("down"),
    ),
    facts && h("span", { class: "jxp-muted jxp-small" }, facts.filter(Boolean).join(" · ")),
    open &&
      popover(
        view,
        "Tables",
        (left) => (left ? view.show({ tablesOpen: false }) : close()),
        drawTables(view, source, tables, close),
      ),
  );
}

function drawTables(view, source, tables, close) {
  const query = (view.ui.tableQuery || "").toLowerCase();
  const options = (tables || [])
    .map((table) => ({ table, text: table.schema ? `${table.schema}.${table.name}` : table.name }))
    .filter(({ text }) => text.toLowerCase().includes(query))
    .slice(0, 200)
    .map(({ table, text }) => ({
      key: text,
      text,
      table,
      picked: table.name === source.table && (table.schema || null) === (source.schema || null),
      note: table.rows ? `about ${GROUPED.format(table.rows)}` : "",
    }));
  return pickList(view, "tables", {
    label: `Tables of ${source.connection}`,
    query: view.ui.tableQuery || "",
    onquery: (text) => view.show({ tableQuery: text }),
    options,
    onpick: ({ table }) => {
      const { schema, ...rest } = source;
      view.setDataset({
        source: { ...rest, ...(table.schema ? { schema: table.schema } : {}), table: table.name },
      });
      close();
    },
    onclose: close,
    empty: emptyTables(tables),
    more: counted(options.length, "table"),
    state: (view.ui.tablesState ??= {}),
  });
}

function emptyTables(tables) {
  if (!tables) {
    return "Looking for tables…";
  }
  return tables.length
    ? "No table has this in its name."
    : "No tables were found: write SQL instead.";
}

function drawQuerySource(view, source) {
  return h("textarea", {
    key: "query",
    class: "jxp-input jxp-code jxp-wide",
    rows: Math.min(12, Math.max(3, (source.query || "").split("\n").length)),
    "aria-label": `SQL query on ${source.connection}`,
    placeholder: "SELECT …",
    spellcheck: "false",
    value: source.query || "",
    oninput: (event) =>
      view.setDataset(
        { source: withFields(source, { query: event.target.value || undefined }) },
        { slow: QUERY_PAUSE },
      ),
  });
}

/** Taken when it is written to its end: a part of a path is the path of no file. */
function drawFileSource(view, source) {
  return textField("Path of the file", source.path, () => {}, {
    kind: "jxp-wide jxp-code",
    placeholder: "data/flights.parquet",
    key: "file",
    onchange: ({ target }) => view.setDataset({ source: { ...source, path: target.value.trim() } }),
  });
}

/** Edit another one of several datasets, and tell Python whose columns to show. */
function turnToDataset(view, index) {
  if (index !== view.ui.dataset) {
    view.show({ dataset: index });
    view.send({ do: "dataset", index });
  }
}

/** Which of several datasets is edited. */
function drawDatasets(view) {
  const { datasets } = view.spec;
  if (!Array.isArray(datasets) || datasets.length < 2) {
    return null;
  }
  return h(
    "div",
    { class: "jxp-row jxp-datasets", key: "datasets" },
    h("span", { class: "jxp-muted jxp-small" }, counted(datasets.length, "dataset")),
    h(
      "div",
      { class: "jxp-segments", role: "group", "aria-label": "Datasets of this export" },
      datasets.map((each, index) =>
        h(
          "button",
          {
            key: index,
            type: "button",
            "aria-pressed": String(index === view.datasetIndex),
            onclick: () => turnToDataset(view, index),
          },
          each.name || "data",
        ),
      ),
    ),
  );
}
