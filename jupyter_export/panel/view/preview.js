/* The first rows of what would be written. The old ones stay until there are new ones. */

const MOST_COLUMNS = 60;
const LONGEST_CELL = 60;

function drawPreview(view) {
  const { preview } = view;
  const datasets = preview.datasets || [];
  const dataset = datasets[Math.min(view.datasetIndex, datasets.length - 1)];
  const busy = preview.status === "busy";
  return h(
    "section",
    {
      class: `jxp-section jxp-section-preview ${busy ? "jxp-busy" : ""}`,
      "data-jxp": "preview",
      "data-status": preview.status || "none",
      "aria-labelledby": view.id("preview"),
      "aria-busy": String(busy),
      key: "preview",
    },
    h(
      "h4",
      { class: "jxp-heading" },
      h("span", { id: view.id("preview") }, "Preview"),
      h("span", { class: "jxp-hint" }, dataset ? previewWords(view, dataset) : ""),
      h("span", { class: "jxp-spinner", "aria-hidden": "true" }),
    ),
    preview.note && h("div", { class: "jxp-muted jxp-small", key: "note" }, preview.note),
    preview.status === "error" &&
      !saidElsewhere(view, preview.error) &&
      drawError(view, preview.error),
    dataset &&
      keep("table", [dataset, preview.status === "error"], () =>
        drawTable(view, dataset, preview.status === "error"),
      ),
    !dataset &&
      preview.status !== "error" &&
      h(
        "div",
        { class: "jxp-muted jxp-small", key: "none" },
        busy ? "Reading the first rows…" : "Choose what to export, and its first rows show here.",
      ),
  );
}

function previewWords(view, { rows, total_rows: total, estimated, columns }) {
  const { bytes_estimate: bytes } = view.preview;
  const many = counted(columns.length, "column");
  let words;
  if (total === null || total === undefined) {
    words = `first ${counted(rows.length, "row")}, not counted yet`;
  } else if (rows.length >= total && !estimated) {
    words = total === 1 ? "the only row" : total === 0 ? "no rows" : `all ${counted(total, "row")}`;
  } else {
    words = `first ${GROUPED.format(rows.length)} of ${estimated ? "about " : ""}${counted(total, "row")}`;
  }
  const size = bytes !== null && bytes !== undefined ? ` · about ${sizeWords(bytes)}` : "";
  return `${words} · ${many}${size}`;
}

/** What stops the export is said beside its control and beside Export. */
function saidElsewhere(view, error) {
  return (view.summary.problems || []).some(({ message }) => message === error?.message);
}

function drawError(view, error) {
  return h(
    "div",
    { class: "jxp-problem jxp-block", key: "error", role: "alert" },
    error?.message || "The preview failed.",
    error?.hint && h("span", { class: "jxp-muted" }, ` ${error.hint}`),
  );
}

function drawTable(view, { columns, rows }, old) {
  const shown = columns.slice(0, MOST_COLUMNS);
  const more = columns.length - shown.length;
  return h(
    "div",
    {
      class: `jxp-table-scroll ${old ? "jxp-old" : ""}`,
      tabindex: "0",
      role: "region",
      "aria-label": "First rows",
    },
    h(
      "table",
      { class: "jxp-table" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          shown.map(({ name, type }, index) =>
            h(
              "th",
              { key: index, scope: "col", class: isNumberType(type) ? "jxp-right" : "" },
              name || h("span", { class: "jxp-muted" }, "(no name)"),
              h("small", { title: type }, typeWords(type)),
            ),
          ),
          more > 0 &&
            h("th", { key: "more", class: "jxp-muted" }, `… ${counted(more, "more column")}`),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row, index) =>
          h(
            "tr",
            { key: index },
            shown.map(({ type }, at) => drawCell(row[at], type, at)),
            more > 0 && h("td", { key: "more" }),
          ),
        ),
      ),
    ),
  );
}

function drawCell(value, type, index) {
  const right = isNumberType(type) ? "jxp-right" : "";
  if (value === null || value === undefined) {
    return h("td", { key: index, class: `${right} jxp-null`, title: "null" }, "∅");
  }
  const whole = typeof value === "object" ? JSON.stringify(value) : String(value);
  const text = type.startsWith("timestamp") ? whole.replace("T", " ") : whole;
  const cut = shortened(text, LONGEST_CELL);
  return h("td", { key: index, class: right, title: cut === text ? null : whole }, cut);
}
