/* The value of a filter's rule: a field that fits the column's kind, or values picked from a list. */

const TEXT_OPERATORS = ["contains", "starts_with", "ends_with", "like", "ilike", "regex"];
const PICK_OPERATORS = ["=", "!=", "in", "not_in"];
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SLOT = /\{\{.*\}\}/;
const SEARCH_PAUSE = 150; // milliseconds
const EXAMPLES = { like: "N1%", ilike: "n1%", regex: "^N[0-9]+" };

/** What a typed text means for a column of this kind; `{invalid: text}` where it means nothing. */
function readValue(text, kind) {
  if (text === "") {
    return undefined;
  }
  if (kind === "number" && !SLOT.test(text)) {
    const plain = text.trim().replaceAll("_", "");
    if (!NUMBER.test(plain)) {
      return { invalid: text };
    }
    // A double would change it: the text keeps every digit.
    const exact = !/^[+-]?\d+$/.test(plain) || Number.isSafeInteger(Number(plain));
    return exact ? Number(plain) : plain;
  }
  if (kind === "bool" && !SLOT.test(text)) {
    return { true: true, false: false }[text.toLowerCase()] ?? { invalid: text };
  }
  return text;
}

function shownValue(value) {
  if (value === undefined || value === null) {
    return "";
  }
  if (typeof value === "object") {
    return value.invalid ?? JSON.stringify(value);
  }
  return String(value);
}

/** The kind of native field that can show this moment, or none. */
function momentField(value, kind, type) {
  const text = shownValue(value);
  if (kind === "date") {
    return text === "" || /^\d{4}-\d\d-\d\d$/.test(text) ? "date" : null;
  }
  if (kind !== "time") {
    return null;
  }
  if (/^time\d|^TIME\b(?!STAMP)/i.test(type || "") && !/^timestamp/i.test(type)) {
    return text === "" || /^\d\d:\d\d(:\d\d)?$/.test(text) ? "time" : null;
  }
  return text === "" || /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?$/.test(text)
    ? "datetime-local"
    : null;
}

/** A field for one value; `onvalue` gets what the text means. */
function valueField(label, value, column, onvalue, props = {}) {
  const kind = column?.kind || "text";
  const choices = [
    { value: "", text: "choose" },
    { value: "true", text: "true" },
    { value: "false", text: "false" },
  ];
  if (kind === "bool" && [undefined, null, true, false].includes(value)) {
    const { kind: extra, ...rest } = props;
    return select(
      label,
      shownValue(value),
      choices,
      (text) => onvalue(readValue(text, "bool")),
      rest,
    );
  }
  const native = momentField(value, kind, column?.type);
  if (native) {
    const text = shownValue(value).replace(" ", "T");
    return textField(
      label,
      native === "datetime-local" && text.length === 10 ? `${text}T00:00` : text,
      (typed) => onvalue(typed || undefined),
      {
        ...props,
        type: native,
        kind: `jxp-moment ${props.kind || ""}`,
      },
    );
  }
  const invalid = value?.invalid !== undefined;
  return textField(label, shownValue(value), (text) => onvalue(readValue(text, kind)), {
    placeholder: value === null ? "null" : kind === "number" ? "number" : "value",
    inputmode: kind === "number" ? "decimal" : null,
    "aria-invalid": invalid ? "true" : null,
    title: invalid ? "This is not a number." : null,
    ...props,
    kind: `${kind === "number" ? "jxp-number" : ""} ${props.kind || ""}`,
  });
}

/** The fields for the value of a rule. `change(value, how)` sets it. */
function drawRuleValue(view, rule, column, change) {
  const { op, value } = rule;
  const label = `Value compared with ${rule.column}`;
  const slow = { slow: true };
  const typed = TEXT_OPERATORS.includes(op) ? { ...column, kind: "text" } : column;
  if (NO_VALUE.includes(op)) {
    return null;
  }
  if (op === "between") {
    const ends = Array.isArray(value) ? value : [value, undefined];
    return [
      valueField(`From, ${rule.column}`, ends[0], typed, (from) => change([from, ends[1]], slow), {
        key: "from",
      }),
      h("span", { class: "jxp-muted", key: "and" }, "and"),
      valueField(`To, ${rule.column}`, ends[1], typed, (to) => change([ends[0], to], slow), {
        key: "to",
      }),
    ];
  }
  if (MANY_VALUES.includes(op)) {
    return drawManyValues(view, rule, typed, change);
  }
  const field = valueField(label, value, typed, (one) => change(one, slow), {
    key: "value",
    placeholder: EXAMPLES[op] ?? undefined,
  });
  return PICK_OPERATORS.includes(op) && typed?.kind !== "bool"
    ? h(
        "span",
        { class: "jxp-anchor jxp-joined", key: "one" },
        field,
        drawPicker(view, rule, column, change),
      )
    : field;
}

function drawManyValues(view, rule, column, change) {
  const values = Array.isArray(rule.value) ? rule.value : [];
  const add = (text) => {
    const made = readValue(text.trim(), column?.kind);
    if (made !== undefined && given(made) && !values.includes(made)) {
      change([...values, made]);
    }
    return made === undefined || given(made);
  };
  const drop = (index) => {
    change(values.filter((_, at) => at !== index));
    view.focusNext(`[data-focus="values-${rule.id}"]`);
  };
  const field = h("input", {
    key: "more",
    class: "jxp-bare",
    type: "text",
    "aria-label": `Add a value of ${rule.column}`,
    "data-focus": `values-${rule.id}`,
    placeholder: values.length ? "" : "add values",
    spellcheck: "false",
    autocomplete: "off",
    size: values.length ? 4 : 10,
    onkeydown: (event) => {
      const { target, key } = event;
      if ((key === "Enter" || key === ",") && target.value.trim()) {
        event.preventDefault();
        target.value = add(target.value) ? "" : target.value;
      } else if (key === "Backspace" && !target.value && values.length) {
        event.preventDefault();
        drop(values.length - 1);
      }
    },
    onblur: ({ target }) => {
      target.value = target.value.trim() && add(target.value) ? "" : target.value;
    },
  });
  return h(
    "span",
    { class: "jxp-anchor jxp-values", key: "many" },
    values.map((value, index) =>
      h(
        "span",
        { class: "jxp-token", key: JSON.stringify(value) },
        value === null ? "∅" : shortened(shownValue(value), 30),
        iconButton("cross", `Remove ${shownValue(value)}`, () => drop(index)),
      ),
    ),
    field,
    drawPicker(view, rule, column, change),
  );
}

// ------------------------------------------------------------- picking from what there is

function drawPicker(view, rule, column, change) {
  const { picker } = view.ui;
  const open = picker?.rule === rule.id && picker.column === rule.column;
  const close = (left) => {
    view.show({ picker: null });
    if (left !== true) {
      view.next = `[data-focus="pick-${rule.id}"]`;
    }
  };
  return [
    h(
      "button",
      {
        key: "pick",
        type: "button",
        class: "jxp-icon-button",
        "aria-label": `Pick from the values of ${rule.column}`,
        title: "Pick from the values there are",
        "aria-haspopup": "dialog",
        "aria-expanded": String(open),
        "data-focus": `pick-${rule.id}`,
        onclick: () => {
          if (open) {
            close();
          } else {
            view.show({
              picker: { rule: rule.id, column: rule.column, query: "", values: [], busy: true },
            });
            lookUp(view, 0);
            view.next = '[data-focus="values"]';
          }
        },
      },
      icon("down"),
    ),
    open && popover(view, `Values of ${rule.column}`, close, drawFound(view, rule, change, close)),
  ];
}

/** Ask for the distinct values that the query names; only the newest answer counts. */
function lookUp(view, pause) {
  const { picker } = view.ui;
  clearTimeout(view.looking);
  view.looking = setTimeout(() => {
    const { column, query } = picker;
    picker.n = view.ask({ do: "distinct", column, q: query }, (answer) => {
      if (picker.n === answer.n) {
        Object.assign(picker, {
          values: answer.values || [],
          more: answer.more,
          error: answer.error,
          busy: false,
        });
      }
    });
  }, pause);
}

function drawFound(view, rule, change, close) {
  const { picker } = view.ui;
  const many = MANY_VALUES.includes(rule.op);
  const values = Array.isArray(rule.value) ? rule.value : [];
  const holds = (value) => (many ? values.some((each) => each === value) : rule.value === value);
  const notes = [picker.more && "There are more: search for one.", picker.busy && "looking…"];
  return pickList(view, "values", {
    label: `Values of ${rule.column}`,
    query: picker.query,
    onquery: (query) => {
      Object.assign(picker, { query, busy: true });
      lookUp(view, SEARCH_PAUSE);
      view.draw();
    },
    options: picker.values.map(({ value, text }) => ({
      key: JSON.stringify(value),
      text: value === null ? "∅" : text,
      value,
      picked: holds(value),
    })),
    onpick: ({ value }) => {
      if (!many) {
        change(value);
        close();
      } else {
        change(holds(value) ? values.filter((each) => each !== value) : [...values, value]);
      }
    },
    onclose: close,
    multiple: many,
    empty: picker.error || (picker.busy ? "Looking…" : "No value like this."),
    more: notes.filter(Boolean).join(" ") || counted(picker.values.length, "value"),
    state: picker,
  });
}
