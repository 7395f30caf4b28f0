/* Which columns, in which order, under which names: one chip for each. */

const FOLDED_AFTER = 2; // chips of columns left out that stay in sight
const MOST_CHIPS = 40;
const SEARCH_FROM = 30;
const DRAG_FROM = 5; // pixels

/** The `columns` of the document as an object, whichever form it has. */
function columnsOf(dataset) {
  const { columns } = dataset;
  if (!Array.isArray(columns)) {
    return columns || {};
  }
  const computed = columns.filter((each) => typeof each === "object");
  return {
    include: columns.map((each) => (typeof each === "object" ? each.name : each)),
    ...(computed.length ? { computed } : {}),
  };
}

/** Names there are to choose from, in their own order. */
function columnNames(shaped, columns) {
  const names = shaped.map(({ name }) => name);
  for (const { name } of columns.computed || []) {
    if (!names.includes(name)) {
      names.push(name);
    }
  }
  return names;
}

/** What `columns` makes of `names`: those that are written, in order. */
function writtenColumns(names, { include, exclude, order }) {
  const known = new Set(names);
  const out = new Set(exclude || []);
  const kept = (include?.length ? include : names).filter(
    (name) => known.has(name) && !out.has(name),
  );
  const first = (order || []).filter((name) => kept.includes(name));
  const moved = new Set(first);
  return [...first, ...kept.filter((name) => !moved.has(name))];
}

/** The shortest `include`, `exclude` and `order` that write `written` of `names`, in this order. */
function chosenColumns(names, written) {
  const on = new Set(written);
  const out = names.filter((name) => !on.has(name));
  const natural = names.filter((name) => on.has(name));
  const moved = written.some((name, index) => name !== natural[index]);
  if (!out.length) {
    return moved ? { order: firstMoved(natural, written) } : {};
  }
  if (!written.length) {
    return { exclude: out };
  }
  if (moved || written.length <= out.length) {
    return { include: written };
  }
  return { exclude: out };
}

/** The shortest beginning of `written` after which the rest stands in its own order. */
function firstMoved(natural, written) {
  const place = new Map(natural.map((name, index) => [name, index]));
  let length = written.length - 1;
  while (length > 0 && place.get(written[length - 1]) < place.get(written[length])) {
    length -= 1;
  }
  return written.slice(0, length);
}

/** The chips of this dataset: their order stays while columns are switched off and on. */
function chipsOf(view) {
  const { dataset, shapedColumns } = view;
  const columns = columnsOf(dataset);
  const names = columnNames(shapedColumns, columns);
  const written = writtenColumns(names, columns);
  const on = new Set(written);
  const known = names.join("\0");
  let chips = (view.ui.chips ??= {})[view.datasetIndex];
  if (!chips || chips.known !== known || !sameJson(chips.made, dataset.columns)) {
    const off = names.filter((name) => !on.has(name));
    let seen = written.length + (off.length > FOLDED_AFTER + 1 ? FOLDED_AFTER : off.length);
    seen = Math.min(seen, MOST_CHIPS);
    chips = {
      known,
      made: dataset.columns,
      names: [...written, ...off],
      seen,
      open: chips?.known === known && chips.open,
    };
    view.ui.chips[view.datasetIndex] = chips;
  }
  return { chips, on, names, columns, rename: columns.rename || {} };
}

function writeColumns(view, state, order, on) {
  const { include, exclude, order: before, ...rest } = state.columns;
  const written = order.filter((name) => on.has(name));
  const made = { ...chosenColumns(state.names, written), ...rest };
  state.chips.names = order;
  takeColumns(view, state, made);
}

/** Where the document's columns are what the chips made of them, the chips keep their order. */
function takeColumns(view, state, columns) {
  state.chips.made = unlessEmpty(columns);
  view.setDataset({ columns: state.chips.made });
}

function toggleColumn(view, state, name) {
  const on = new Set(state.on);
  if (!on.delete(name)) {
    on.add(name);
  }
  writeColumns(view, state, state.chips.names, on);
  view.say(`${name} ${on.has(name) ? "is exported" : "is left out"}`);
}

/** Move a column to before `target` (after it with `after`). */
function moveColumn(view, state, name, target, after) {
  if (name === target) {
    return;
  }
  const order = state.chips.names.filter((each) => each !== name);
  order.splice(order.indexOf(target) + (after ? 1 : 0), 0, name);
  writeColumns(view, state, order, state.on);
  const written = order.filter((each) => state.on.has(each));
  view.say(`${name} moved to place ${written.indexOf(name) + 1} of ${written.length}`);
}

function renameColumn(view, state, name, text) {
  const rename = { ...state.rename };
  if (text && text !== name) {
    rename[name] = text;
  } else {
    delete rename[name];
  }
  const columns = withFields(state.columns, { rename: unlessEmpty(rename) });
  view.ui.renaming = null;
  takeColumns(view, state, columns);
}

function drawColumns(view) {
  const state = chipsOf(view);
  const { chips, on, names } = state;
  const query = (view.ui.columnQuery || "").toLowerCase();
  const matching = query
    ? chips.names.filter((name) =>
        `${name} ${state.rename[name] || ""}`.toLowerCase().includes(query),
      )
    : chips.names;
  const shown = query || chips.open ? matching.slice(0, 1000) : matching.slice(0, chips.seen);
  const folded = matching.length - shown.length;
  const all = (which) => () =>
    writeColumns(view, state, which ? names : chips.names, new Set(which ? names : []));
  return section(
    view,
    "columns",
    "Columns",
    names.length
      ? `${on.size} of ${names.length} · drag to reorder, double-click to rename`
      : "none yet",
    h(
      "div",
      { class: "jxp-row jxp-tools", key: "tools" },
      names.length > SEARCH_FROM &&
        textField(
          "Search columns",
          view.ui.columnQuery,
          (text) => view.show({ columnQuery: text }),
          {
            key: "search",
            type: "search",
            placeholder: "Search columns",
            kind: "jxp-search",
          },
        ),
      button("all", all(true), {
        kind: "jxp-quiet",
        "aria-label": "Export all columns",
        disabled: !names.length,
        key: "all",
      }),
      button("none", all(false), {
        kind: "jxp-quiet",
        "aria-label": "Export none of the columns",
        disabled: !names.length,
        key: "none",
      }),
    ),
    h(
      "div",
      {
        class: "jxp-chips",
        role: "group",
        "aria-label":
          "Columns. Space switches one off or on, Alt and an arrow key moves it, F2 renames it.",
        key: "chips",
      },
      shown.map((name) =>
        view.ui.renaming === name ? drawRename(view, state, name) : drawChip(view, state, name),
      ),
      (folded > 0 || chips.open) && names.length > chips.seen && !query
        ? h(
            "button",
            {
              key: "fold",
              type: "button",
              class: "jxp-chip jxp-fold",
              "aria-expanded": String(Boolean(chips.open)),
              "aria-label": chips.open ? "Show fewer columns" : `Show ${folded} more columns`,
              onclick: () => {
                chips.open = !chips.open;
                view.draw();
              },
            },
            chips.open ? "fewer" : `+${folded}`,
          )
        : null,
    ),
    query &&
      !shown.length &&
      h("div", { class: "jxp-muted jxp-small", key: "nothing" }, "No column has this in its name."),
    problemLines(view, "columns"),
  );
}

function drawChip(view, state, name) {
  const used = state.on.has(name);
  const said = state.rename[name];
  const type = columnNamed(view.shapedColumns, name)?.type;
  const { drag } = view.ui;
  const over = drag?.target === name ? (drag.after ? "jxp-drop-after" : "jxp-drop-before") : "";
  return h(
    "button",
    {
      key: `chip ${name}`,
      type: "button",
      class: `jxp-chip ${used ? "" : "jxp-off"} ${drag?.name === name ? "jxp-dragged" : ""} ${over}`,
      "aria-pressed": String(used),
      title: type ? `${name} · ${type}` : name,
      "data-column": name,
      onclick: (event) => {
        if (!view.ui.dragged) {
          toggleColumn(view, state, name);
        }
        view.ui.dragged = false;
        event.currentTarget.focus();
      },
      ondblclick: () => startRename(view, name),
      onkeydown: (event) => chipKey(view, state, name, event),
      onpointerdown: (event) => startDrag(view, name, event),
      onpointermove: (event) => dragTo(view, event),
      onpointerup: () => endDrag(view, state),
      onpointercancel: () => view.show({ drag: null }),
    },
    name || "(no name)",
    said && [h("span", { class: "jxp-muted" }, " → "), said],
  );
}

function chipKey(view, state, name, event) {
  if (event.key === "F2" || event.key === "Enter") {
    event.preventDefault();
    startRename(view, name);
  } else if (event.altKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
    event.preventDefault();
    const later = event.key === "ArrowRight";
    const neighbour = state.chips.names[state.chips.names.indexOf(name) + (later ? 1 : -1)];
    if (neighbour !== undefined) {
      moveColumn(view, state, name, neighbour, later);
    }
  } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
    event.preventDefault();
    const { previousElementSibling, nextElementSibling } = event.currentTarget;
    (event.key === "ArrowLeft" ? previousElementSibling : nextElementSibling)?.focus();
  }
}

function startRename(view, name) {
  view.show({ renaming: name });
  view.next = '[data-focus="rename"]';
}

function drawRename(view, state, name) {
  const finish = (text) => {
    if (view.ui.renaming === name) {
      renameColumn(view, state, name, text.trim());
      view.focusNext(`[data-column="${CSS.escape(name)}"]`);
    }
  };
  return h(
    "span",
    { class: "jxp-chip jxp-renaming", key: `rename ${name}` },
    h("span", { class: "jxp-muted" }, `${name} → `),
    h("input", {
      class: "jxp-bare",
      type: "text",
      "aria-label": `New name of ${name}`,
      "data-focus": "rename",
      spellcheck: "false",
      autocomplete: "off",
      size: Math.max(6, name.length),
      placeholder: name,
      ref: (input) => {
        input.value = state.rename[name] || "";
        queueMicrotask(() => input.select());
      },
      onkeydown: (event) => {
        if (event.key === "Enter") {
          event.preventDefault();
          finish(event.target.value);
        } else if (event.key === "Escape") {
          event.preventDefault();
          finish(state.rename[name] || "");
        }
      },
      onblur: (event) => {
        if (view.ui.renaming === name) {
          renameColumn(view, state, name, event.target.value.trim());
        }
      },
    }),
  );
}

// ------------------------------------------------------------- dragging

function startDrag(view, name, event) {
  view.ui.dragged = false;
  if (event.button === 0) {
    view.ui.pressed = { name, x: event.clientX, y: event.clientY };
  }
}

function dragTo(view, event) {
  const { pressed, drag } = view.ui;
  if (!pressed || !event.buttons) {
    return;
  }
  if (!drag) {
    if (Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < DRAG_FROM) {
      return;
    }
    event.currentTarget.setPointerCapture(event.pointerId);
  }
  view.show({ drag: { name: pressed.name, ...chipUnder(view, event) } });
}

/** The chip nearest to the pointer, and the side of it. */
function chipUnder(view, { clientX, clientY }) {
  let best = null;
  for (const chip of view.root.querySelectorAll(".jxp-chip[data-column]")) {
    const box = chip.getBoundingClientRect();
    const away =
      Math.max(box.left - clientX, 0, clientX - box.right) +
      4 * Math.max(box.top - clientY, 0, clientY - box.bottom);
    if (!best || away < best.away) {
      best = { away, target: chip.dataset.column, after: clientX > (box.left + box.right) / 2 };
    }
  }
  return { target: best?.target, after: best?.after };
}

function endDrag(view, state) {
  const { drag } = view.ui;
  view.ui.pressed = null;
  if (drag) {
    view.ui.dragged = true; // The click that follows belongs to the drag.
    view.ui.drag = null;
    if (drag.target === undefined || drag.target === drag.name) {
      view.draw();
    } else {
      moveColumn(view, state, drag.name, drag.target, drag.after);
    }
  }
}
