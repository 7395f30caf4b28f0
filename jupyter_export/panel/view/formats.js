/* The format: cards, what it would lose, where the file goes, how it is packed. */

const COMMON_FORMATS = ["excel", "csv", "parquet", "pdf"];
const PACKINGS = [
  ["none", "not compressed", ""],
  ["gzip", "gzip", ".gz"],
  ["zstd", "zstd", ".zst"],
  ["brotli", "brotli", ".br"],
];

// ------------------------------------------------------------- choosing one

/** Make `type` the format: the file's ending follows, options that were set before come back. */
function chooseFormat(view, type, options = undefined) {
  const { catalog, spec } = view;
  const before = chosenFormat(view);
  const format = (catalog.formats || []).find((each) => each.type === type);
  if (!format) {
    return;
  }
  const remembered = (view.ui.options ??= {});
  if (before && before.type !== type) {
    const { type: _, ...set } = spec.format || {};
    remembered[before.type] = set;
  }
  const kept =
    options ??
    (before?.type === type ? withFields(spec.format || {}, { type: undefined }) : remembered[type]);
  const path = spec.output?.path;
  const fields = {};
  if (path) {
    const { stem, ending, packed } = splitPath(path);
    const known = formatOfPath(catalog, path);
    if (known && known.type !== type) {
      const outer = format.capabilities?.outer_compression === false ? "" : packed;
      fields.output = { ...spec.output, path: `${stem}${format.endings[0]}${outer}` };
    } else if (!known && !ending) {
      fields.output = { ...spec.output, path: `${path}${format.endings[0]}` };
    }
  }
  if (format.capabilities?.outer_compression === false) {
    fields.compression = undefined;
  }
  const made = { ...spec, ...fields };
  const said = formatOfPath(catalog, made.output?.path)?.type === type;
  const empty = !kept || !Object.keys(kept).length;
  view.set({ ...fields, format: said && empty ? undefined : { type, ...kept } });
}

/** Write the path; its ending says the format. */
function writePath(view, path) {
  const { catalog, spec } = view;
  const fields = {
    output: unlessEmpty(withFields(spec.output || {}, { path: path || undefined })),
  };
  const named = formatOfPath(catalog, path);
  const before = spec.format?.type;
  if (named && before && before !== named.type) {
    const { type, ...set } = spec.format;
    view.ui.options = { ...view.ui.options, [type]: set };
    const kept = view.ui.options[named.type];
    fields.format = kept && Object.keys(kept).length ? { type: named.type, ...kept } : undefined;
  } else if (!named && !before && path && chosenFormat(view)) {
    fields.format = { type: chosenFormat(view).type }; // An ending being typed says nothing yet.
  } else if (named && before === named.type && Object.keys(spec.format).length === 1) {
    fields.format = undefined;
  }
  if (spec.compression && PACKED[splitPath(path).packed.toLowerCase()] !== spec.compression) {
    fields.compression = undefined;
  }
  view.set(fields, { slow: true });
}

function drawFormats(view) {
  const { catalog, summary } = view;
  const formats = catalog.formats || [];
  const chosen = chosenFormat(view);
  const { recommended } = summary;
  const shown = new Set([...COMMON_FORMATS, chosen?.type, recommended?.type]);
  const open = Boolean(view.ui.allFormats);
  const order = [...COMMON_FORMATS, ...formats.map(({ type }) => type)];
  const listed = [...new Set(order)]
    .map((type) => formats.find((format) => format.type === type))
    .filter((format) => format && (open || shown.has(format.type)));
  return section(
    view,
    "format",
    "Format",
    null,
    h(
      "div",
      { class: "jxp-cards", key: "cards", role: "radiogroup", "aria-label": "Format" },
      listed.map((format) =>
        drawCard(view, format, format.type === chosen?.type, recommended?.type === format.type),
      ),
      formats.length > listed.length || open
        ? disclosure(open ? "fewer" : "more", open, () => view.show({ allFormats: !open }), {
            key: "more",
            "aria-label": open ? "Show fewer formats" : "Show more formats",
          })
        : null,
    ),
    recommended?.reason && drawRecommended(view, recommended, chosen),
    problemLines(view, "format.type"),
    drawOptions(view, chosen),
    problemsElsewhere(view, chosen),
    drawLosses(view),
  );
}

function drawCard(view, format, on, recommended) {
  return h(
    "label",
    { class: `jxp-card ${on ? "jxp-on" : ""}`, key: format.type, "data-format": format.type },
    h("input", {
      type: "radio",
      class: "jxp-cover",
      name: view.id("format"),
      value: format.type,
      checked: on,
      onchange: () => chooseFormat(view, format.type),
    }),
    h("b", {}, format.label),
    h(
      "span",
      { class: "jxp-muted" },
      recommended ? "recommended" : format.purpose || format.endings[0],
    ),
  );
}

function drawRecommended(view, { type, reason }, chosen) {
  const format = view.catalog.formats?.find((each) => each.type === type);
  return h(
    "div",
    { class: "jxp-muted jxp-small jxp-recommended", key: "recommended" },
    `${format?.label || type} is recommended: ${reason}`,
    chosen?.type !== type && [
      " ",
      button(`Use ${format?.label || type}`, () => chooseFormat(view, type), { kind: "jxp-link" }),
    ],
  );
}

/** Problems of options that are not in sight, and of the format as a whole. */
function problemsElsewhere(view, chosen) {
  const names = Object.keys(chosen?.options?.properties || {});
  const far = ({ at }) =>
    at !== "format.type" && !names.includes(at.slice("format.".length).split(/[.[]/)[0]);
  return problemList(view.problems("format").filter(far));
}

// ------------------------------------------------------------- losses

/** An option as `%export --option` takes it: the value is JSON where it can be, else text. */
function readOption(option) {
  const [name, text] = option.split(/=(.*)/s);
  try {
    return [name, JSON.parse(text)];
  } catch {
    return [name, text];
  }
}

function takeOption(view, option) {
  const [name, value] = readOption(option);
  if (name === "format.type") {
    chooseFormat(view, value);
  } else {
    const chosen = chosenFormat(view);
    view.set({ format: { ...view.spec.format, type: chosen.type, [name]: value } });
  }
}

function optionWords(view, option) {
  const [name, value] = readOption(option);
  if (name === "format.type") {
    return `use ${view.catalog.formats?.find(({ type }) => type === value)?.label || value}`;
  }
  return `set ${sentence(name).toLowerCase()} to ${typeof value === "string" ? value : JSON.stringify(value)}`;
}

function drawLosses(view) {
  const losses = view.preview.losses || [];
  const { spec, preview } = view;
  const strict = spec.on_loss === "error";
  const type =
    preview.format && view.catalog.formats?.find((each) => each.type === preview.format)?.label;
  const ready = preview.status === "ok" || (preview.status === "busy" && preview.format);
  return h(
    "div",
    {
      class: "jxp-losses",
      "data-jxp": "losses",
      key: "losses",
      role: "group",
      "aria-label": "What would be lost",
    },
    losses.length
      ? h("div", { class: "jxp-loss", key: "found" }, foldedLosses(view, losses))
      : ready &&
          h(
            "div",
            { class: "jxp-muted jxp-small", key: "none" },
            `Nothing would be lost${type ? ` in ${type}` : ""}.`,
          ),
    (losses.length > 0 || strict) &&
      checkbox(
        "refuse to export when anything is lost",
        strict,
        (on) => view.set({ on_loss: on ? "error" : undefined }),
        {
          key: "strict",
        },
      ),
    problemLines(view, "on_loss"),
  );
}

const LOSSES_SHOWN = 4;

function foldedLosses(view, losses) {
  const open = view.ui.allLosses;
  const shown = open ? losses : losses.slice(0, LOSSES_SHOWN);
  return [
    shown.map((loss, index) => drawLoss(view, loss, index)),
    losses.length > LOSSES_SHOWN &&
      disclosure(
        open ? "fewer" : `${losses.length - LOSSES_SHOWN} more`,
        Boolean(open),
        () => view.show({ allLosses: !open }),
        { key: "more" },
      ),
  ];
}

function drawLoss(view, loss, index) {
  const ofRows = ["not_point_in_time", "rows_beyond_limit"].includes(loss.kind);
  const count =
    loss.count && `${loss.estimated ? "about " : ""}${GROUPED.format(loss.count)} of them`;
  const many = Array.isArray(view.spec.datasets) && loss.dataset && !ofRows;
  return h(
    "div",
    { class: "jxp-loss-line", key: `loss ${index}`, title: loss.text },
    h("span", { class: "jxp-warn", "aria-hidden": "true" }, "▲ "),
    loss.kind !== "not_point_in_time" && [
      h("b", {}, many ? `${loss.dataset}.${loss.column}` : loss.column),
      ": ",
    ],
    loss.message,
    count && h("span", { class: "jxp-muted" }, ` (${count})`),
    loss.option && [
      " · ",
      button(optionWords(view, loss.option), () => takeOption(view, loss.option), {
        kind: "jxp-link",
        "aria-label": `Avoid it for ${loss.column}: ${optionWords(view, loss.option)}`,
      }),
    ],
  );
}

// ------------------------------------------------------------- the file

function drawPath(view) {
  const { spec, summary } = view;
  return h(
    "div",
    { class: "jxp-field jxp-grow", "data-jxp": "path", key: "path" },
    h("label", { class: "jxp-label", for: view.id("path") }, "to"),
    textField("To this file", spec.output?.path, (path) => writePath(view, path), {
      id: view.id("path"),
      kind: "jxp-wide",
      placeholder: summary.path || "a file of our own name, kept for a day",
    }),
  );
}

function drawPlace(view) {
  const { spec } = view;
  const exists = spec.output?.if_exists || "error";
  const choices = [
    { value: "error", text: "stop" },
    { value: "replace", text: "replace it" },
    { value: "rename", text: "add (1) to the name" },
  ];
  return [
    h("span", { class: "jxp-muted", key: "if" }, "if it exists"),
    select(
      "If the file is there already",
      exists,
      choices,
      (value) => {
        const output = withFields(spec.output || {}, {
          if_exists: value === "error" ? undefined : value,
        });
        view.set({ output: unlessEmpty(output) });
      },
      { key: "exists", kind: "jxp-word" },
    ),
    drawCompression(view),
  ];
}

function drawCompression(view) {
  const { spec } = view;
  const chosen = chosenFormat(view);
  const path = spec.output?.path;
  const { packed } = splitPath(path || "");
  const current = spec.compression || PACKED[packed.toLowerCase()] || "none";
  const inside = chosen?.capabilities?.outer_compression === false;
  const choose = (value) => {
    const ending = PACKINGS.find(([name]) => name === value)[2];
    if (path) {
      const output = {
        ...spec.output,
        path: `${path.slice(0, path.length - packed.length)}${ending}`,
      };
      view.set({ output, compression: undefined });
    } else {
      view.set({ compression: value === "none" ? undefined : value });
    }
  };
  return h(
    "span",
    { class: "jxp-row", "data-jxp": "compression", key: "compression" },
    inside && current === "none"
      ? h(
          "span",
          { class: "jxp-muted", title: `${chosen.label} compresses inside the file` },
          "compressed inside",
        )
      : select(
          "Compression",
          current,
          PACKINGS.map(([value, text]) => ({ value, text, disabled: inside && value !== "none" })),
          choose,
          { kind: "jxp-word" },
        ),
  );
}
