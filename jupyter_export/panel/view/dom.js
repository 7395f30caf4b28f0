/* Draw a tree of plain nodes and change only what differs, so that focus, caret and scroll stay. */

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "path", "circle"]);
const AS_PROPERTY = new Set(["checked", "disabled", "indeterminate", "open", "hidden", "readOnly"]);

/** A node: tag, properties (`onclick`, `class`, `value`, attributes), children (text is escaped by
 * the DOM; nothing here ever parses HTML). */
function h(tag, props, ...children) {
  return { tag, props: props || {}, key: props?.key, children };
}

/** A part that is drawn again only when one of `deps` is another value. */
function keep(key, deps, draw) {
  return { key, deps, draw };
}

/** Children as a flat list in which each has a key of no other: its own, or its place. */
function flat(children) {
  const made = gathered(children, "", []);
  const seen = new Map();
  for (const node of made) {
    const before = seen.get(node.at) || 0;
    seen.set(node.at, before + 1);
    if (before) {
      node.at += `\0${before}`; // Two columns of one name, say.
    }
  }
  return made;
}

function gathered(children, prefix, into) {
  children.forEach((child, index) => {
    if (child === null || child === undefined || child === false || child === true) {
      return;
    }
    if (Array.isArray(child)) {
      gathered(child, `${prefix}${index}.`, into);
    } else if (typeof child === "object") {
      const at = child.key === undefined ? `#${prefix}${index}` : `${prefix}:${child.key}`;
      into.push({ ...child, at });
    } else {
      into.push({ text: String(child), at: `#${prefix}${index}` });
    }
  });
  return into;
}

const drawing = { busy: false };

/** Make `root`'s content look like `children`. */
function patch(root, children) {
  const held = root.getRootNode().activeElement;
  const caret = selectionOf(held);
  drawing.busy = true;
  try {
    root.jxpNodes = reconcile(root, root.jxpNodes || [], flat(children));
    const page = root.getRootNode();
    if (held && held !== page.activeElement && root.contains(held)) {
      held.focus({ preventScroll: true });
      if (caret) {
        held.setSelectionRange(...caret);
      }
    }
  } finally {
    drawing.busy = false;
  }
}

function selectionOf(element) {
  try {
    const { selectionStart, selectionEnd, selectionDirection } = element;
    return typeof selectionStart === "number" && [selectionStart, selectionEnd, selectionDirection];
  } catch {
    return null; // Some kinds of input have no caret.
  }
}

function reconcile(parent, before, now) {
  const old = new Map(before.map((node) => [node.at, node]));
  for (const node of now) {
    const was = old.get(node.at);
    if (was && alike(was, node)) {
      old.delete(node.at);
      update(was, node);
    } else {
      create(node);
    }
  }
  for (const gone of old.values()) {
    gone.element.remove();
  }
  let place = parent.firstChild;
  for (const node of now) {
    if (node.element === place) {
      place = place.nextSibling;
    } else {
      parent.insertBefore(node.element, place);
    }
  }
  return now;
}

function alike(one, other) {
  return one.tag === other.tag && !one.draw === !other.draw && !!one.props === !!other.props;
}

function create(node) {
  if (node.draw) {
    node.drawn = { ...node.draw(), at: node.at };
    node.element = create(node.drawn);
  } else if (node.tag === undefined) {
    node.element = document.createTextNode(node.text);
  } else {
    node.element = SVG_TAGS.has(node.tag)
      ? document.createElementNS(SVG, node.tag)
      : document.createElement(node.tag);
    node.element.jxpOn = {};
    if (node.tag === "input" || node.tag === "textarea") {
      followTyping(node.element);
    }
    setProps(node.element, {}, node.props);
    node.nodes = reconcile(node.element, [], flat(node.children));
    setValue(node.element, node.props, {});
    node.props.ref?.(node.element);
  }
  return node.element;
}

function update(was, node) {
  node.element = was.element;
  if (node.draw) {
    if (node.deps.every((value, index) => value === was.deps[index])) {
      node.drawn = was.drawn;
      return;
    }
    node.drawn = { ...node.draw(), at: node.at };
    if (alike(was.drawn, node.drawn)) {
      update(was.drawn, node.drawn);
    } else {
      create(node.drawn);
      was.element.replaceWith(node.drawn.element);
    }
    node.element = node.drawn.element;
  } else if (node.tag === undefined) {
    if (was.text !== node.text) {
      node.element.data = node.text;
    }
  } else {
    setProps(node.element, was.props, node.props);
    node.nodes = sameItems(was.children, node.children)
      ? was.nodes
      : reconcile(node.element, was.nodes, flat(node.children));
    setValue(node.element, node.props, was.props);
  }
}

/** Children that are the very same (a long list that is kept) need no second look. */
function sameItems(before, now) {
  return before.length === now.length && before.every((each, index) => each === now[index]);
}

function setProps(element, was, now) {
  for (const name of new Set([...Object.keys(was), ...Object.keys(now)])) {
    const value = now[name];
    if (name === "key" || name === "ref" || name === "value" || value === was[name]) {
      continue;
    }
    if (name.startsWith("on")) {
      listen(element, name.slice(2), value);
    } else if (name === "style") {
      for (const each of Object.keys({ ...was.style, ...value })) {
        element.style.setProperty(each, value?.[each] ?? "");
      }
    } else if (AS_PROPERTY.has(name)) {
      element[name] = Boolean(value);
    } else if (value === null || value === undefined || value === false) {
      element.removeAttribute(name);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  // The user has changed what the document may have refused.
  if ("checked" in now && element.checked !== Boolean(now.checked)) {
    element.checked = Boolean(now.checked);
  }
}

function listen(element, type, handler) {
  if (!(type in element.jxpOn)) {
    element.addEventListener(type, (event) => {
      // Moving a focused element blurs it: nobody left the field.
      if (!(drawing.busy && (type === "blur" || type === "focusout" || type === "focus"))) {
        element.jxpOn[type]?.(event);
      }
    });
  }
  element.jxpOn[type] = handler;
}

/** Note what is typed, before any handler: a drawing may come between two of them. */
function followTyping(element) {
  const typing = { waits: false, said: null, value: "" };
  element.jxpTyping = typing;
  element.addEventListener("input", () => (typing.waits = true), { capture: true });
  element.addEventListener("blur", () => {
    if (!drawing.busy) {
      typing.said = null;
      if (typing.held && element.value !== typing.value) {
        element.value = typing.value;
      }
    }
  });
}

/** A field in use keeps the text as typed (“1.50”), until somebody else gives it another value. */
function setValue(element, now, was) {
  if (!("value" in now) || !("value" in element)) {
    if ("value" in now) {
      element.setAttribute("value", now.value);
    }
    return;
  }
  const text = now.value ?? "";
  const option = element.tagName === "OPTION";
  if (option || element.tagName === "SELECT" || element.tagName === "BUTTON") {
    if (element.value !== String(text) || (option && !element.hasAttribute("value"))) {
      element.value = text;
    }
    return;
  }
  const typing = element.jxpTyping;
  typing.held = true;
  typing.value = String(text);
  if (element.getRootNode().activeElement === element) {
    if (typing.waits) {
      typing.waits = false;
      typing.said = typing.value;
    }
    if (typing.said === typing.value || was.value === now.value) {
      return;
    }
  }
  typing.said = null;
  if (element.value !== typing.value) {
    element.value = typing.value;
  }
}
