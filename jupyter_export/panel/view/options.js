/* The format's options, drawn from its JSON Schema alone. Only what was changed is written. */

const OPTIONS_SHOWN = 6;
const FILTER_FROM = 12;

/** The names that stand in sight at first: the format's own choice, else the first one and those
 * that have a value by themselves, in the schema's order. What takes JSON comes later. */
function firstOptions(format, defs) {
  const properties = format.options?.properties || {};
  if (format.common?.length) {
    return format.common.filter((name) => name in properties);
  }
  const simple = Object.keys(properties).filter(
    (name) => !isComplex(shapeOf(properties[name], defs)),
  );
  const has = (name) => ![null, undefined].includes(properties[name].default);
  return simple.filter((name, index) => index === 0 || has(name)).slice(0, OPTIONS_SHOWN);
}

function drawOptions(view, format) {
  const properties = format?.options?.properties;
  if (!properties || !Object.keys(properties).length) {
    return null;
  }
  const defs = format.options.$defs || {};
  const names = Object.keys(properties);
  const set = view.spec.format || {};
  const first = new Set(firstOptions(format, defs));
  const wrong = names.filter((name) => view.problems(`format.${name}`).length);
  const open = Boolean(view.ui.allOptions);
  const query = open ? (view.ui.optionQuery || "").toLowerCase() : "";
  const matches = (name) => {
    const { title, description } = properties[name];
    return `${name} ${title} ${description}`.toLowerCase().includes(query);
  };
  const order = [...first, ...names.filter((name) => !first.has(name))];
  const inSight = (name) => first.has(name) || name in set || wrong.includes(name);
  const shown = order.filter((name) => (open ? matches(name) : inSight(name)));
  const left = names.length - (open ? 0 : shown.length);
  return h(
    "div",
    {
      class: "jxp-options",
      "data-jxp": "options",
      key: `options ${format.type}`,
      role: "group",
      "aria-label": `Options of ${format.label}`,
    },
    h(
      "div",
      { class: "jxp-option-grid", key: "grid" },
      shown.map((name) => drawOption(view, format, name, properties[name], defs)),
    ),
    open &&
      !shown.length &&
      h("div", { class: "jxp-muted jxp-small", key: "none" }, "No option like this."),
    names.length > first.size &&
      h(
        "div",
        { class: "jxp-row", key: "more" },
        disclosure(
          open ? "fewer options" : `${left} more option${left === 1 ? "" : "s"}`,
          open,
          () => view.show({ allOptions: !open, optionQuery: "" }),
        ),
        open &&
          names.length >= FILTER_FROM &&
          textField(
            "Search options",
            view.ui.optionQuery,
            (text) => view.show({ optionQuery: text }),
            {
              key: "filter",
              type: "search",
              placeholder: "Search options",
              kind: "jxp-search",
            },
          ),
      ),
  );
}

function setOption(view, format, name, value, schema, how) {
  const same = value === undefined || sameJson(value, schema.default);
  const made = withFields(
    { ...(view.spec.format || { type: format.type }), type: format.type },
    { [name]: same ? undefined : value },
  );
  const bare = Object.keys(made).length === 1;
  const said = bare && formatOfPath(view.catalog, view.spec.output?.path)?.type === format.type;
  view.set({ format: said ? undefined : made }, how);
}

function drawOption(view, format, name, schema, defs) {
  const shape = shapeOf(schema, defs);
  const set = view.spec.format || {};
  const changed = name in set;
  const value = changed ? set[name] : schema.default;
  const label = sentence(schema.title && !schema.title.includes("\n") ? schema.title : name);
  const help = schema.description || shape.schema.description;
  const helpId = view.id(`help-${name}`);
  const write = (made, how) => setOption(view, format, name, made, shape.schema, how);
  const props = { "aria-describedby": help ? helpId : null, title: help };
  const flag = isFlag(shape);
  const problems = problemLines(view, `format.${name}`);
  return h(
    "div",
    {
      class: `jxp-option-field ${isComplex(shape) ? "jxp-span" : ""} ${changed ? "jxp-changed" : ""}`,
      key: name,
      "data-option": name,
    },
    flag
      ? checkbox(label, value === true, (on) => write(on), {
          title: help,
          describedby: props["aria-describedby"],
        })
      : [
          h("span", { class: "jxp-label", title: help, key: "label" }, label),
          h(
            "span",
            { class: "jxp-row", key: "control" },
            drawControl(view, name, label, shape, value, changed, write, props),
          ),
        ],
    changed &&
      iconButton("back", `Reset ${label} to its default`, () => write(undefined), { key: "reset" }),
    help && h("span", { id: helpId, class: "jxp-hidden", key: "help" }, help),
    problems.length > 0 && h("div", { class: "jxp-span", key: "problems" }, problems),
  );
}

function isFlag(shape) {
  return (
    !shape.free.length &&
    !shape.nullable &&
    shape.values.length === 2 &&
    shape.values.every((each) => typeof each === "boolean")
  );
}

function valueWords(value) {
  if (value === null) {
    return "none";
  }
  if (typeof value === "boolean") {
    return value ? "yes" : "no";
  }
  const lines = { "\n": "LF (\\n)", "\r\n": "CRLF (\\r\\n)", "\r": "CR (\\r)" };
  return lines[value] || visible(String(value));
}

/** Fixed values are a select, a free kind is a field; with both, the select says which. */
function drawControl(view, name, label, shape, value, changed, write, props) {
  const free = shape.free[0];
  const offersNull =
    shape.nullable &&
    (shape.values.length > 0 ||
      (shape.schema.default !== null && shape.schema.default !== undefined));
  const fixed = [...shape.values, ...(offersNull ? [null] : [])];
  if (!fixed.length) {
    return drawFree(view, name, label, free, shape, value, write, props);
  }
  const index = fixed.findIndex((each) => each === value);
  const unset = index < 0 && !changed && (value === undefined || value === null);
  const choices = fixed.map((each, at) => ({ value: String(at), text: valueWords(each) }));
  const words = {
    text: "a text",
    list: "a list",
    number: "a number",
    integer: "a number",
    json: "set up",
  };
  if (free) {
    choices.push({ value: "free", text: `${words[free]}…` });
  }
  if (unset) {
    choices.unshift({ value: "unset", text: "unset" });
  }
  const own = Boolean(free) && !unset && (index < 0 || view.ui.freeOption === name);
  const choose = (key) => {
    view.ui.freeOption = key === "free" ? name : null;
    if (key === "free") {
      view.focusNext(`[data-focus="option-${name}"]`);
    } else {
      write(key === "unset" ? undefined : fixed[Number(key)]);
    }
  };
  return [
    select(label, own ? "free" : unset ? "unset" : String(index), choices, choose, {
      key: "choice",
      ...props,
    }),
    own && drawFree(view, name, label, free, shape, index < 0 ? value : undefined, write, props),
  ];
}

function drawFree(view, name, label, kind, shape, value, write, props) {
  const slow = { slow: true };
  const { default: standard } = shape.schema;
  const field = { ...props, key: "free", "data-focus": `option-${name}` };
  if (kind === "text") {
    const empty = shape.nullable || shape.values.length ? undefined : "";
    return textField(
      label,
      visible(typeof (value ?? "") === "string" ? (value ?? "") : JSON.stringify(value)),
      (text) => write(text === "" ? empty : unseen(text), slow),
      {
        ...field,
        placeholder: shape.nullable ? "unset" : "empty",
        maxlength: shape.branch.text.maxLength,
      },
    );
  }
  if (kind === "number" || kind === "integer") {
    return drawNumber(view, name, label, shape.branch[kind], value, write, field);
  }
  if (kind === "list") {
    return drawList(
      view,
      name,
      label,
      value,
      (list) => write(list.length || standard !== undefined ? list : undefined, slow),
      field,
    );
  }
  return drawJson(view, name, label, value, write, field);
}

/** The text of a field that is being typed and means nothing yet, kept for this view. */
function typedText(view, name, value) {
  const typed = view.ui.typed?.[name];
  return typed && sameJson(typed.value, value) ? typed : null;
}

function keepTyped(view, name, text, value, wrong) {
  view.ui.typed = { ...view.ui.typed, [name]: wrong ? { text, value, wrong } : undefined };
  view.draw();
}

function drawNumber(view, name, label, branch, value, write, field) {
  const key = `option ${name}`;
  const typed = typedText(view, key, value);
  const { minimum, maximum, type } = branch;
  const check = (text) => {
    const number = Number(text);
    if (!NUMBER.test(text.trim()) || (type === "integer" && !Number.isInteger(number))) {
      return type === "integer" ? "This is not a whole number." : "This is not a number.";
    }
    if (minimum !== undefined && number < minimum) {
      return `At least ${GROUPED.format(minimum)}.`;
    }
    return maximum !== undefined && number > maximum ? `At most ${GROUPED.format(maximum)}.` : null;
  };
  return [
    textField(
      label,
      typed ? typed.text : (value ?? ""),
      (text) => {
        const wrong = text.trim() && check(text);
        keepTyped(view, key, text, value, wrong);
        if (!wrong) {
          write(text.trim() ? Number(text) : undefined, { slow: true });
        }
      },
      {
        ...field,
        kind: "jxp-number",
        inputmode: "decimal",
        placeholder: "unset",
        "aria-invalid": typed ? "true" : null,
      },
    ),
    typed && h("span", { class: "jxp-problem", key: "wrong" }, typed.wrong),
  ];
}

/** A list of texts: one after another, with commas between. */
function drawList(view, name, label, value, write, field) {
  const list = Array.isArray(value) ? value : [];
  const text = list.some((each) => String(each).includes(","))
    ? JSON.stringify(list)
    : list.join(", ");
  const read = (typed) => {
    if (typed.trim().startsWith("[")) {
      try {
        const made = JSON.parse(typed);
        if (Array.isArray(made)) {
          return made;
        }
      } catch {
        // Not JSON: commas it is.
      }
    }
    return typed
      .split(",")
      .map((each) => each.trim())
      .filter(Boolean);
  };
  return textField(label, text, (typed) => write(read(typed)), {
    ...field,
    placeholder: "a, b, c",
  });
}

function drawJson(view, name, label, value, write, field) {
  const key = `option ${name}`;
  const typed = typedText(view, key, value);
  const empty =
    value === undefined ||
    value === null ||
    (typeof value === "object" && !Object.keys(value).length);
  const text = typed
    ? typed.text
    : empty
      ? ""
      : JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");
  return [
    h("textarea", {
      ...field,
      class: "jxp-input jxp-code jxp-wide",
      rows: text.length > 60 ? 3 : 1,
      "aria-label": `${label}, as JSON`,
      "aria-invalid": typed ? "true" : null,
      placeholder: "JSON",
      spellcheck: "false",
      value: text,
      oninput: ({ target }) => {
        let made;
        let wrong = null;
        try {
          made = target.value.trim() ? JSON.parse(target.value) : undefined;
        } catch (error) {
          wrong = `This is not JSON: ${error.message}`;
        }
        keepTyped(view, key, target.value, value, wrong);
        if (!wrong) {
          write(made, { slow: true });
        }
      },
    }),
    typed && h("span", { class: "jxp-problem", key: "wrong" }, typed.wrong),
  ];
}
