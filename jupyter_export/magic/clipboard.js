// One table for the clipboard, as text and as HTML. On arrival it is copied with the leave that
// Shift+Enter gave; where the page says no, a button asks for a click, and then a text field.

async function written(text, html) {
  try {
    const item = new ClipboardItem({
      "text/plain": new Blob([text], { type: "text/plain" }),
      "text/html": new Blob([html], { type: "text/html" }),
    });
    await navigator.clipboard.write([item]);
    return true;
  } catch {
    // Not on a page that came by http from another machine, nor in some frames: the older way.
    return writtenByEvent(text, html);
  }
}

function writtenByEvent(text, html) {
  let heard = false;
  const fill = event => {
    event.clipboardData.setData("text/plain", text);
    event.clipboardData.setData("text/html", html);
    event.preventDefault();
    event.stopImmediatePropagation();
    heard = true;
  };
  document.addEventListener("copy", fill, true);
  try {
    return document.execCommand("copy") && heard;
  } catch {
    return false;
  } finally {
    document.removeEventListener("copy", fill, true);
  }
}

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function render({ model, el }) {
  const shape = model.get("shape");
  const root = element("div", "jxc-clipboard");
  const line = element("div", "jxc-line");
  const mark = element("span", "jxc-mark");
  mark.setAttribute("aria-hidden", "true");
  const said = element("span", "jxc-said");
  said.setAttribute("role", "status");
  const button = element("button", "jxc-copy");
  button.type = "button";
  line.append(mark, said, button);
  root.append(line);
  const area = element("textarea", "jxc-text");
  area.readOnly = true;
  area.rows = 6;
  area.setAttribute("aria-label", `${shape}, to copy by hand`);
  area.addEventListener("focus", () => area.select());
  for (const note of model.get("notes")) {
    root.append(element("div", "jxc-note", note));
  }

  const draw = () => {
    const state = model.get("state");
    root.dataset.state = state;
    mark.textContent = state === "copied" ? "●" : "○";
    said.textContent = {
      copied: `Copied ${shape}`,
      refused: `This page may not write to the clipboard: press Ctrl+C or ⌘C in the text of ${shape}`,
    }[state] ?? `${shape}, ready to copy`;
    button.textContent = state === "copied" ? "Copy again" : "Copy";
    button.setAttribute("aria-label", `${button.textContent}: ${shape}`);
    if (state === "refused" && !area.isConnected) {
      area.value = model.get("text");
      line.after(area);
    } else if (state !== "refused") {
      area.remove();
    }
  };
  const become = state => {
    model.set("state", state);
    model.save_changes();
    draw();
  };
  const copy = async otherwise => {
    const done = await written(model.get("text"), model.get("html"));
    become(done ? "copied" : otherwise);
    if (!done && otherwise === "refused") {
      area.focus();
    }
  };

  model.on("change:state", draw);
  button.addEventListener("click", () => void copy("refused"));
  el.append(root);
  draw();
  if (model.get("state") === "new") {
    // At once, so that a second view of the same output does not copy too.
    become("ready");
    // Some browsers ask for a key or a click of the last seconds, and refuse.
    if (document.hasFocus()) {
      void copy("ready");
    }
  }
  return () => model.off("change:state", draw);
}

export default { render };
