/* One view of the document: what Python says, what is being edited, and when to draw. */

const DOCUMENT_FIELDS = [
  "spec",
  "catalog",
  "columns",
  "operators",
  "preview",
  "summary",
  "jobs",
  "notice",
];
const STEP_FIELDS = [
  "where",
  "time_range",
  "sample",
  "computed",
  "group_by",
  "aggregates",
  "pivot",
  "columns",
  "distinct",
  "sort",
  "limit",
];
const TYPING_PAUSE = 40; // milliseconds without a key, after which Python hears of a text

const LOOK_PAUSE = 500; // milliseconds until a connection that ends is seen to be gone

const views = { count: 0 };

class PanelView {
  constructor(model, root) {
    this.model = model;
    this.root = root;
    this.number = ++views.count;
    this.ui = { dataset: 0 };
    this.asked = Math.floor(Math.random() * 1e9);
    this.answers = new Map();
    this.waits = false;
    this.gone = false;
    this.hear = () => this.draw();
    this.hearSpec = () => this.keepTyping();
    this.receive = (message) => this.answered(message);
    for (const name of DOCUMENT_FIELDS) {
      model.on(`change:${name}`, this.hear);
    }
    model.on("change:spec", this.hearSpec);
    model.on("msg:custom", this.receive);
    this.moved = () => this.look();
    model.on("comm_live_update", this.moved);
  }

  destroy() {
    this.flush();
    this.gone = true;
    for (const name of DOCUMENT_FIELDS) {
      this.model.off(`change:${name}`, this.hear);
    }
    this.model.off("change:spec", this.hearSpec);
    this.model.off("msg:custom", this.receive);
    this.model.off("comm_live_update", this.moved);
    clearTimeout(this.looks);
  }

  // ------------------------------------------------------------- what Python says

  get document() {
    return this.model.get("spec") || {};
  }
  /** The document as the controls show it. */
  get spec() {
    return readable(this.document);
  }
  get catalog() {
    return this.model.get("catalog") || {};
  }
  get preview() {
    return this.model.get("preview") || { status: "none" };
  }
  get summary() {
    return this.model.get("summary") || {};
  }
  get sourceColumns() {
    return this.model.get("columns")?.source || [];
  }
  get shapedColumns() {
    return this.model.get("columns")?.shaped || [];
  }
  /** The dataset that is edited; the document itself where it has the short form. */
  get dataset() {
    const { spec } = this;
    return spec.datasets ? spec.datasets[this.datasetIndex] || {} : spec;
  }
  get datasetIndex() {
    const many = this.spec.datasets?.length || 1;
    return Math.min(this.ui.dataset, many - 1);
  }

  // ------------------------------------------------------------- changes

  /** Take `spec` as the new document; `slow` while somebody types (true, or milliseconds). */
  take(spec, { slow = false } = {}) {
    if (!sameJson(spec, this.document)) {
      this.mine = spec;
      this.unsaved = true;
      this.model.set("spec", spec);
      clearTimeout(this.timer);
      if (slow) {
        this.timer = setTimeout(() => this.flush(), slow === true ? TYPING_PAUSE : slow);
      } else {
        this.save();
      }
    }
    this.draw();
  }

  /** What Python makes of an earlier text does not undo the newer one that it has not seen yet. */
  keepTyping() {
    if (this.unsaved && !sameJson(this.document, this.mine)) {
      this.model.set("spec", this.mine);
    }
  }

  /** Set fields of the document; undefined removes one. */
  set(fields, how) {
    this.take(withFields(this.document, fields), how);
  }

  /** Set fields of the dataset that is edited. */
  setDataset(fields, how) {
    const { document: whole, datasetIndex } = this;
    if (!Array.isArray(whole.datasets)) {
      return this.set(fields, how);
    }
    const datasets = whole.datasets.map((each, index) =>
      index === datasetIndex ? withFields(each, fields) : each,
    );
    return this.take({ ...whole, datasets }, how);
  }

  flush() {
    clearTimeout(this.timer);
    if (this.unsaved) {
      this.save();
    }
  }

  save() {
    this.unsaved = false;
    this.reach(() => this.model.save_changes());
  }

  send(message) {
    this.flush();
    this.reach(() => this.model.send(message));
  }

  /** Talk to Python. After a restart of its kernel nobody hears: this is said instead. */
  reach(talk) {
    try {
      talk();
      return true;
    } catch (error) {
      console.warn("The panel does not reach its kernel.", error);
      this.show({ lost: true });
      return false;
    }
  }

  /** See whether Python is there still: the connection became another one. */
  look() {
    clearTimeout(this.looks);
    this.looks = setTimeout(() => {
      const there = !this.gone && this.reach(() => this.model.send({ do: "nothing" }));
      if (there && this.ui.lost) {
        this.show({ lost: false });
      }
    }, LOOK_PAUSE);
  }

  /** Ask Python something; `heard` gets the answer that has our number. */
  ask(message, heard) {
    const n = ++this.asked;
    this.answers.set(n, heard);
    this.send({ ...message, n });
    return n;
  }

  answered(message) {
    const heard = this.answers.get(message?.n);
    if (heard) {
      this.answers.delete(message.n);
      heard(message);
      this.draw();
    }
  }

  // ------------------------------------------------------------- drawing

  draw() {
    if (!this.waits && !this.gone) {
      this.waits = true;
      queueMicrotask(() => {
        this.waits = false;
        if (!this.gone) {
          this.drawNow();
        }
      });
    }
  }

  drawNow() {
    patch(this.root, drawPanel(this));
    const next = this.next;
    this.next = null;
    if (next) {
      this.root.querySelector(next)?.focus();
    }
  }

  /** Change what only this view knows, and draw. */
  show(changes) {
    Object.assign(this.ui, changes);
    this.draw();
  }

  /** Put the focus on what `selector` finds after the next drawing. */
  focusNext(selector) {
    this.next = selector;
    this.draw();
  }

  /** Tell a screen reader. */
  say(text) {
    this.show({ said: text });
  }

  id(name) {
    return `jxp${this.number}-${name}`;
  }

  /** What the editor of a part shows: its own draft while the document is what the draft made of
   * it, else the document's. A draft may hold what is not complete yet. */
  draft(name, value, read) {
    const drafts = (this.ui.drafts ??= {});
    const key = `${this.datasetIndex}.${name}`;
    if (!drafts[key] || !sameJson(drafts[key].made, value)) {
      drafts[key] = { made: value, held: read(value) };
    }
    return drafts[key].held;
  }

  setDraft(name, held, made, how) {
    this.ui.drafts[`${this.datasetIndex}.${name}`] = { made, held };
    this.setDataset({ [name]: made }, how);
  }

  /** The problems of a field of the document, and of what is below it. */
  problems(...fields) {
    return this.allProblems().filter(({ at }) =>
      fields.some(
        (field) => at === field || at.startsWith(`${field}.`) || at.startsWith(`${field}[`),
      ),
    );
  }

  allProblems() {
    const said = [...(this.summary.problems || [])];
    const { error, status } = this.preview;
    if (status === "error" && error?.field && !said.some((one) => one.message === error.message)) {
      said.push(error);
    }
    const here = `datasets[${this.datasetIndex}].`;
    return said.map((problem) => ({
      ...problem,
      at: String(problem.field || "")
        .replace(here, "")
        .replace(`datasets.${this.datasetIndex}.`, ""),
    }));
  }
}

/** A copy of `value` with `fields` set; undefined removes one. All others stay. */
function withFields(value, fields) {
  const made = { ...value, ...fields };
  for (const name of Object.keys(fields)) {
    if (fields[name] === undefined) {
      delete made[name];
    }
  }
  return made;
}

/** The value, or undefined where it says nothing. */
function unlessEmpty(value) {
  const empty =
    value === undefined ||
    value === null ||
    (typeof value === "object" && Object.keys(value).length === 0);
  return empty ? undefined : value;
}

const byName = new WeakMap();

/** The column of this name; a table may have thousands, and is asked many times. */
function columnNamed(columns, name) {
  if (!byName.has(columns)) {
    byName.set(columns, new Map(columns.map((column) => [column.name, column])));
  }
  return byName.get(columns).get(name);
}

// ------------------------------------------------------------- names of files

const PACKED = { ".gz": "gzip", ".zst": "zstd", ".br": "brotli" };

/** `a/b.csv.gz` -> stem `a/b`, ending `.csv`, packed `.gz`. */
function splitPath(path) {
  const packed = Object.keys(PACKED).find((ending) => path.toLowerCase().endsWith(ending)) || "";
  const inner = path.slice(0, path.length - packed.length);
  const ending = /\.[A-Za-z0-9]+$/.exec(inner)?.[0] || "";
  return {
    stem: inner.slice(0, inner.length - ending.length),
    ending,
    packed: path.slice(inner.length),
  };
}

function formatOfPath(catalog, path) {
  const ending = splitPath(path || "").ending.toLowerCase();
  return ending && (catalog.formats || []).find((format) => format.endings.includes(ending));
}

/** The format that the document means: its own, else that of the path's ending. */
function chosenFormat(view) {
  const { catalog, spec, summary } = view;
  const formats = catalog.formats || [];
  const type = spec.format?.type;
  return (
    (type && formats.find((format) => format.type === type)) ||
    formatOfPath(catalog, spec.output?.path) ||
    (!spec.output?.path && formatOfPath(catalog, summary.path)) ||
    formats.find((format) => format.type === "csv")
  );
}
