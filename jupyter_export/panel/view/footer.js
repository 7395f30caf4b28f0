/* The same export as a line, as JSON, as a template; and what comes the other way. */

function drawFooter(view) {
  const { line: text, problems } = view.summary;
  const without = problems?.length
    ? "a line, once what is wrong is mended"
    : "no %export line can say all of this; copy it as JSON";
  const json = () => JSON.stringify(view.document, null, 2);
  return h(
    "div",
    { class: "jxp-footer", key: "footer" },
    h(
      "div",
      { class: "jxp-row", key: "line" },
      h("span", { class: "jxp-muted" }, "Same as"),
      text
        ? h("code", { class: "jxp-same", title: text }, text)
        : h("span", { class: "jxp-muted jxp-same" }, without),
      h("span", { class: "jxp-space" }),
      button("Copy line", () => copyText(view, text, "The line is copied."), {
        "data-jxp": "copy-line",
        disabled: !text,
      }),
      button("Copy JSON", () => copyText(view, json(), "The JSON is copied."), {
        "data-jxp": "copy-json",
      }),
      button("Paste", () => openPaste(view), {
        "data-jxp": "paste",
        "aria-expanded": String(Boolean(view.ui.paste)),
        title: "Show a pasted spec (JSON, YAML) or a %export line",
      }),
      button("Save as template", () => openNaming(view), {
        "data-jxp": "save-template",
        "aria-expanded": String(Boolean(view.ui.naming)),
      }),
      drawTemplates(view),
    ),
    view.ui.copy && drawCopy(view),
    view.ui.paste && drawPaste(view),
    view.ui.naming && drawNaming(view),
    drawNotice(view),
  );
}

// ------------------------------------------------------------- copying

async function copyText(view, text, done) {
  const held = view.root.getRootNode().activeElement;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No leave for the clipboard (a frame of another site, plain http): the older way.
    if (!copyByCommand(view, text)) {
      view.show({ copy: text });
      view.focusNext('[data-focus="copy"]');
      return;
    }
    held?.focus({ preventScroll: true });
  }
  tell(view, "ok", done);
}

function copyByCommand(view, text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "jxp-hidden";
  view.root.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
  }
}

/** Where nothing may write to the clipboard, the text stands selected. */
function drawCopy(view) {
  return h(
    "div",
    { class: "jxp-stack", key: "copy" },
    h(
      "span",
      { class: "jxp-muted jxp-small" },
      "This page may not write to the clipboard: press Ctrl+C.",
    ),
    h("textarea", {
      class: "jxp-input jxp-code jxp-wide",
      "aria-label": "Text to copy",
      "data-focus": "copy",
      readOnly: true,
      rows: 3,
      value: view.ui.copy,
      onfocus: (event) => event.target.select(),
    }),
    h(
      "div",
      { class: "jxp-row" },
      button("Done", () => view.show({ copy: null })),
    ),
  );
}

// ------------------------------------------------------------- pasting

function openPaste(view) {
  const open = !view.ui.paste;
  view.show({ paste: open, naming: false, pasted: "" });
  view.next = open ? '[data-focus="paste"]' : null;
}

function drawPaste(view) {
  const send = () => {
    const text = (view.ui.pasted || "").trim();
    if (text) {
      turnToDataset(view, 0);
      view.send({ do: "paste", text });
      view.show({ paste: false, whereText: false });
      view.focusNext('[data-jxp="paste"]');
    }
  };
  const close = () => {
    view.show({ paste: false });
    view.focusNext('[data-jxp="paste"]');
  };
  return h(
    "div",
    { class: "jxp-stack", key: "paste", onkeydown: (event) => event.key === "Escape" && close() },
    h("textarea", {
      class: "jxp-input jxp-code jxp-wide",
      "aria-label": "A spec as JSON or YAML, or a %export line",
      "data-focus": "paste",
      placeholder: "A spec as JSON or YAML, or a %export line",
      rows: 5,
      spellcheck: "false",
      value: view.ui.pasted || "",
      oninput: (event) => view.show({ pasted: event.target.value }),
      onkeydown: (event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          send();
        }
      },
    }),
    h(
      "div",
      { class: "jxp-row" },
      button("Show it", send, { kind: "jxp-primary" }),
      button("Cancel", close),
    ),
  );
}

// ------------------------------------------------------------- templates

function openNaming(view) {
  const open = !view.ui.naming;
  view.show({
    naming: open,
    paste: false,
    templateName: view.ui.templateName || asName(view.spec.name || ""),
  });
  view.next = open ? '[data-focus="template"]' : null;
}

function drawNaming(view) {
  const name = view.ui.templateName || "";
  const there = (view.catalog.templates || []).includes(name.trim());
  const close = () => {
    view.show({ naming: false });
    view.focusNext('[data-jxp="save-template"]');
  };
  const save = () => {
    if (name.trim()) {
      view.send({ do: "save_template", name: name.trim(), replace: there });
      close();
    }
  };
  return h(
    "form",
    {
      class: "jxp-row",
      key: "naming",
      onsubmit: (event) => {
        event.preventDefault();
        save();
      },
      onkeydown: (event) => event.key === "Escape" && close(),
    },
    textField("Name of the template", name, (text) => view.show({ templateName: asName(text) }), {
      onfocus: (event) => event.target.select(),
      "data-focus": "template",
      placeholder: "name of the template",
      maxlength: 100,
    }),
    h("button", { type: "submit", class: "jxp-button jxp-primary" }, there ? "Replace it" : "Save"),
    button("Cancel", close),
    there && h("span", { class: "jxp-muted jxp-small" }, "There is a template of this name."),
  );
}

/** A template's name has no blanks: “by month” becomes “by-month” as it is typed. */
function asName(text) {
  return text.replace(/[^A-Za-z0-9._]+/g, "-").replace(/^[-._]+/, "");
}

function drawTemplates(view) {
  const names = view.catalog.templates || [];
  if (!names.length) {
    return null;
  }
  return select(
    "Load a template",
    "",
    [{ value: "", text: "Templates" }, ...names.map((name) => ({ value: name, text: name }))],
    (name) => {
      if (name) {
        turnToDataset(view, 0);
        view.show({ whereText: false });
        view.send({ do: "load_template", name });
      }
    },
    { key: "templates", "data-jxp": "templates", kind: "jxp-add" },
  );
}

// ------------------------------------------------------------- feedback

function tell(view, kind, text) {
  view.show({ told: { kind, text, over: view.model.get("notice")?.n } });
}

/** The newest word: ours about the clipboard, or Python's. */
function drawNotice(view) {
  const { told } = view.ui;
  const notice = view.model.get("notice") || {};
  const shown = told && told.over === notice.n ? told : notice;
  return h(
    "div",
    {
      class: `jxp-notice ${shown.kind === "error" ? "jxp-problem" : "jxp-good"}`,
      role: "status",
      key: "notice",
    },
    shown.text || "",
  );
}
