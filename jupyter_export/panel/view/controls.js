/* Controls that all sections use. Each has a label that a screen reader can say. */

function button(label, onclick, props = {}) {
  const { kind = "", ...rest } = props;
  return h("button", { type: "button", class: `jxp-button ${kind}`, onclick, ...rest }, label);
}

/** A button that is only a mark; `label` says what it does. */
function iconButton(name, label, onclick, props = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "jxp-icon-button",
      "aria-label": label,
      title: label,
      onclick,
      ...props,
    },
    icon(name),
  );
}

const drawnChoices = new WeakMap();

/** The options of a select; those of a list that was drawn before are the same ones again. */
function drawChoices(choices) {
  if (!drawnChoices.has(choices)) {
    drawnChoices.set(choices, choices.map(drawChoice));
  }
  return drawnChoices.get(choices);
}

function drawChoice({ value, text, title, disabled, label, choices }) {
  return choices
    ? h("optgroup", { key: `group ${label}`, label }, choices.map(drawChoice))
    : h("option", { key: `is ${value}`, value, disabled, title }, text);
}

/** A select. `choices`: `{value, text, title?, disabled?}`, or `{label, choices}` for a group. */
function select(label, value, choices, onchoose, props = {}) {
  return h(
    "span",
    { class: `jxp-select ${props.kind || ""}`, key: props.key },
    h(
      "select",
      {
        "aria-label": label,
        ...Object.fromEntries(
          Object.entries(props).filter(([name]) => !["kind", "key"].includes(name)),
        ),
        value,
        onchange: (event) => onchoose(event.target.value),
      },
      drawChoices(choices),
    ),
    icon("down"),
  );
}

const columnLists = new WeakMap();

/** One choice for each column, and the current one where the data does not have it. */
function columnChoices(columns, current, blank) {
  if (!columnLists.has(columns)) {
    columnLists.set(columns, new Map());
  }
  const known = columnLists.get(columns);
  const missing = current !== undefined && current !== null && !columnNamed(columns, current);
  const key = JSON.stringify([missing ? current : null, blank]);
  if (!known.has(key)) {
    const choices = columns.map(({ name, type }) => ({
      value: name,
      text: name || "(no name)",
      title: type,
    }));
    if (missing) {
      choices.unshift({
        value: current,
        text: columns.length ? `${current} (not there)` : current,
      });
    }
    known.set(key, blank === undefined ? choices : [{ value: "", text: blank }, ...choices]);
  }
  return known.get(key);
}

function textField(label, value, oninput, props = {}) {
  const { kind = "", ...rest } = props;
  return h("input", {
    type: "text",
    class: `jxp-input ${kind}`,
    "aria-label": label,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    ...rest,
    value: value ?? "",
    oninput: (event) => oninput(event.target.value, event),
  });
}

function checkbox(label, checked, onchange, props = {}) {
  return h(
    "label",
    { class: "jxp-check", key: props.key, title: props.title },
    h("input", {
      type: "checkbox",
      checked,
      "aria-describedby": props.describedby,
      onchange: (event) => onchange(event.target.checked),
    }),
    h("span", {}, label),
  );
}

/** A part of the panel under a heading; `hint` says in a few words how it stands. */
function section(view, name, title, hint, ...children) {
  const id = view.id(name);
  return h(
    "section",
    {
      class: `jxp-section jxp-section-${name}`,
      "data-jxp": name,
      "aria-labelledby": id,
      key: name,
    },
    h(
      "h4",
      { class: "jxp-heading" },
      h("span", { id }, title),
      hint && h("span", { class: "jxp-hint" }, hint),
    ),
    ...children,
  );
}

/** What is wrong with these fields of the document, beside their control. */
function problemLines(view, ...fields) {
  return problemList(view.problems(...fields));
}

function problemList(problems) {
  return problems.map(({ message, hint }) =>
    h("div", { class: "jxp-problem", key: `problem ${message}` }, message, hint ? ` ${hint}` : ""),
  );
}

/** Words that open and close what is below them. */
function disclosure(words, open, onclick, props = {}) {
  return h(
    "button",
    { type: "button", class: "jxp-disclosure", "aria-expanded": String(open), onclick, ...props },
    words,
    icon("down", open ? "jxp-turned" : ""),
  );
}

/** A list to pick from, with a field that looks for a text in it; arrows, Enter, Escape.
 *
 * `options`: `{key, text, note?, picked}`; `state` is a plain object that this list may write to
 * (the option that the arrows are on). */
function pickList(
  view,
  name,
  { label, query, onquery, options, onpick, onclose, multiple, empty, more, state },
) {
  const at = Math.min(state.at ?? 0, Math.max(options.length - 1, 0));
  const id = (index) => view.id(`${name}-${index}`);
  const move = (to) => {
    state.at = Math.max(0, Math.min(options.length - 1, to));
    view.draw();
    queueMicrotask(() => {
      view.root.querySelector(`#${CSS.escape(id(state.at))}`)?.scrollIntoView({ block: "nearest" });
    });
  };
  const keys = {
    ArrowDown: () => move(at + 1),
    ArrowUp: () => move(at - 1),
    PageDown: () => move(at + 8),
    PageUp: () => move(at - 8),
    Enter: () => options[at] && onpick(options[at]),
    Escape: onclose,
  };
  return [
    h("input", {
      key: "query",
      class: "jxp-input jxp-wide",
      type: "text",
      role: "combobox",
      "aria-label": label,
      "aria-expanded": "true",
      "aria-controls": view.id(name),
      "aria-activedescendant": options.length ? id(at) : null,
      "aria-autocomplete": "list",
      "data-focus": name,
      placeholder: "Search",
      autocomplete: "off",
      spellcheck: "false",
      value: query,
      oninput: (event) => {
        state.at = 0;
        onquery(event.target.value);
      },
      onkeydown: (event) => {
        const act = keys[event.key];
        if (act) {
          event.preventDefault();
          act();
        }
      },
    }),
    h(
      "div",
      {
        key: "list",
        class: "jxp-list",
        role: "listbox",
        id: view.id(name),
        "aria-label": label,
        "aria-multiselectable": multiple ? "true" : null,
      },
      options.map((option, index) =>
        h(
          "div",
          {
            key: option.key,
            id: id(index),
            role: "option",
            class: `jxp-option ${index === at ? "jxp-at" : ""}`,
            "aria-selected": String(Boolean(option.picked)),
            // The field keeps the focus.
            onmousedown: (event) => event.preventDefault(),
            onclick: () => {
              state.at = index;
              onpick(option);
            },
          },
          h("span", { class: "jxp-tick" }, option.picked && icon("check")),
          h("span", { class: "jxp-option-text" }, option.text),
          option.note && h("span", { class: "jxp-muted jxp-num" }, option.note),
        ),
      ),
    ),
    h("div", { key: "note", class: "jxp-muted jxp-small" }, options.length ? more : empty),
  ];
}

/** What opens over the page below its button; Escape and a click elsewhere close it. */
function popover(view, label, onclose, ...children) {
  return h(
    "div",
    {
      key: "popover",
      class: "jxp-popover",
      role: "dialog",
      "aria-label": label,
      onkeydown: (event) => {
        if (event.key === "Escape") {
          event.preventDefault();
          onclose();
        }
      },
      onfocusout: (event) => {
        const to = event.relatedTarget;
        if (to && !event.currentTarget.parentElement.contains(to)) {
          onclose(true);
        }
      },
    },
    ...children,
  );
}
