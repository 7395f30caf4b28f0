"""``ExportPanel``: an export put together with the mouse. It holds a document and nothing else."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import anywidget
import traitlets
from IPython.core.getipython import get_ipython

from ..client import ExportClient
from ..client.own import names_own_connection
from ..client.rows import Rows
from ..errors import ExportError, InvalidRequest
from ..spec import ExportSpec
from ..spec.template import frame_source
from . import assets, catalog, lines, service
from . import document as documents
from .actions import Actions
from .columns import OPERATORS, kind_of
from .document import Document
from .frames import Holdings, changes_in_place, fingerprint, gives_once
from .jobs import NotebookJobs
from .previews import NO_COLUMNS, NO_SUMMARY, NOTHING, Looking, warm
from .sending import Sent

log = logging.getLogger(__name__)


class _Spec(traitlets.TraitType[Document, Any]):
    """Any form of a spec; it is held as JSON values, in the short form where that is enough."""

    info_text = "a spec"

    def validate(self, obj: Any, value: Any) -> Document:
        found: Document = obj.held(value)
        return found


class ExportPanel(anywidget.AnyWidget):
    """A panel that puts an export together, previews it and runs it.

    ``source`` is a frame, the name of one, a spec's source (``{"type": "table", "connection":
    "warehouse", "table": "flights"}``; the connection may be one of this notebook), or a mapping
    of names to these; unset, the newest frame of the notebook. ``path`` is where the file goes,
    relative to the working directory. ``spec`` is a whole document in their place: a mapping, JSON
    or YAML text, an ``ExportSpec``.

    ``panel.spec`` is what the panel shows and what it exports; set it to show another document.
    A frame of the notebook is ``{"type": "upload", "id": "{{name}}"}`` in it. Raises
    ``InvalidRequest`` for what is no frame, ``InvalidSpec`` for what is no spec.
    """

    _esm = assets.module()
    _css = assets.style()

    spec = _Spec({}).tag(sync=True)
    catalog = traitlets.Dict(catalog.EMPTY).tag(sync=True)
    columns = traitlets.Dict(NO_COLUMNS).tag(sync=True)
    operators = traitlets.Dict(OPERATORS).tag(sync=True)
    preview = traitlets.Dict(NOTHING).tag(sync=True)
    summary = traitlets.Dict(NO_SUMMARY).tag(sync=True)
    jobs: traitlets.List[dict[str, Any]] = traitlets.List([]).tag(sync=True)
    notice = traitlets.Dict({"kind": "ok", "text": "", "n": 0}).tag(sync=True)

    def __init__(self, source: Any = None, path: str | None = None, *, spec: Any = None) -> None:
        if source is not None and spec is not None:
            raise InvalidRequest("Give a source or a spec, not both.")
        self._shell = get_ipython()
        self.holdings = Holdings(_namespace(self._shell))
        self.sent = Sent(self._on_main)
        self.recent = NotebookJobs(lambda: self.client, lambda jobs: self._publish({"jobs": jobs}))
        self._looking = Looking(self.holdings, self.sent, self._publish)
        self._actions = Actions(self)
        self._changing = threading.RLock()
        self._publishing = threading.RLock()
        self._closed = False
        self._service: ExportClient | None = None
        self._service_lock = threading.Lock()
        self._seen: Any = None
        self._in_new_cell = False
        self._said = 0
        document = self.held(spec) if spec is not None else self._beginning(source)
        if path is not None:
            document = {**document, "output": {**document.get("output", {}), "path": str(path)}}
        here = {**catalog.EMPTY, **catalog.of_notebook(self.holdings)}
        super().__init__(spec=document, catalog=here)
        self.observe(self._choice_made, "spec")
        self.on_msg(self._heard)
        if self._shell is not None:
            self._shell.events.register("pre_run_cell", self._cell_begins)
            self._shell.events.register("post_run_cell", self._cell_ran)
        self._look(at_once=True)
        self._actions.later(self._load)

    # ------------------------------------------------------------- the document

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return dict(self.spec)

    @property
    def dataset(self) -> Document:
        """The dataset of the document whose columns are shown."""
        return self._looking.dataset(self.document)

    @property
    def client(self) -> ExportClient:
        """The service that runs the jobs, found when it is first needed."""
        with self._service_lock:
            if self._service is None:
                self._service = service.answering()
            return self._service

    def held(self, value: Any) -> Document:
        """Return any form of a spec as the panel holds it, its frames and connections by name."""
        if isinstance(value, str):
            return documents.read_text(value)
        if isinstance(value, Mapping) and not isinstance(value, ExportSpec):
            value = dict(value)
            if "source" in value:
                value["source"] = self._named(value["source"])
            if isinstance(value.get("datasets"), (list, tuple)):
                value["datasets"] = [
                    {**each, "source": self._named(each.get("source"), each.get("name"))}
                    if isinstance(each, Mapping)
                    else each
                    for each in value["datasets"]
                ]
        return documents.held(value)

    def hold(self, document: Document) -> None:
        """Show another document as it is."""
        with self._changing:
            self._whole = True
            try:
                self.spec = document
            finally:
                self._whole = False

    _whole = False
    """True while a whole document is set, in which no choice follows another."""
    _from_page = False
    """True while what was chosen in the page is taken: other choices may follow it."""

    def _named(self, source: Any, name: Any = None) -> Any:
        """Return what a document says of a source that may be an object of the notebook."""
        from ..sources.frame import is_frame

        if source is None or isinstance(source, (str, int, float, list)):
            return source
        if isinstance(source, Rows):
            return frame_source(self.holdings.name_of(source, default="query"))
        if isinstance(source, Mapping):
            return self.holdings.named(source) if names_own_connection(source) else dict(source)
        if not is_frame(source):
            from ..sources.frame import read

            read(source)  # Says what it is and what would do.
        if gives_once(source):
            raise InvalidRequest(
                "A reader gives its rows once, and the panel previews them before.",
                hint="Read them into a table first: reader.read_all().",
            )
        called = name if isinstance(name, str) and name.isidentifier() else "data"
        return frame_source(self.holdings.name_of(source, default=called))

    def _beginning(self, source: Any) -> Document:
        if source is None:
            known = [name for name, _ in self.holdings.frames()]
            return documents.of_frame(known[-1]) if known else {}
        if isinstance(source, str):
            self.holdings.frame(source)
            return documents.of_frame(source)
        if isinstance(source, Mapping) and not isinstance(source.get("type"), str):
            datasets = [
                {**each, "name": str(name)}
                if isinstance(each, Mapping) and "source" in each
                else {"name": str(name), "source": each}
                for name, each in source.items()
            ]
            name = "_".join(each["name"] for each in datasets)[:60]
            output = {"path": f"{documents.FOLDER}/{documents.file_stem(name)}.xlsx"}
            return self.held({"name": name, "datasets": datasets, "output": output})
        named = self._named(source)
        if not isinstance(named, Mapping):
            raise InvalidRequest(
                f"A {type(source).__name__} is not a frame.",
                hint="Give a DataFrame, the name of one, or a spec's source.",
            )
        name = documents.name_of_source(named) or "export"
        return documents.beginning(name, named, None)

    def _choice_made(self, change: Any) -> None:
        with self._changing:
            if self._from_page and not self._whole:
                before, after = change["old"], change["new"]
                formats = {each["type"]: each for each in self.catalog["formats"]}
                made = documents.followed(before, after, formats)
                made = self._without_strange_columns(before, made)
                if made != after:
                    self.hold(made)
                    return
            self._look()

    def _without_strange_columns(self, before: Document, after: Document) -> Document:
        """Clear the steps where another source was chosen that lacks the columns they name."""
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        if "source" not in changed or changed - {"source", "name", "output"}:
            return after
        self._looking.show(after)
        known = {each["name"] for each in self.columns["source"]}
        if not known or documents.names_used(after) <= known:
            return after
        name = documents.name_of_source(after.get("source")) or "The new source"
        self.say("ok", f"{name} has other columns: the choices that named the old ones went away.")
        return documents.without_steps(after)

    def _look(self, *, at_once: bool = False) -> None:
        document = self.document
        self._seen = self._visible(document)
        self._looking.show(document, at_once=at_once)

    def _visible(self, document: Document) -> Any:
        """Return what can be seen of the document's frames without reading them."""
        found = []
        with suppress(ExportError):
            for name in documents.frame_names(document).values():
                found.append(fingerprint(self.holdings.frame(name)))
        return found

    # ------------------------------------------------------------- from the page

    def _heard(self, _: Any, content: Any, buffers: Any) -> None:
        """Do what a message asks for; a message that is none of ours is ignored."""
        if not isinstance(content, Mapping):
            return
        text: Callable[[str], str] = lambda key: str(content.get(key) or "")  # noqa: E731
        does: dict[str, Callable[[], None]] = {
            "export": self._actions.export,
            "cancel": lambda: self._actions.cancel(text("id")),
            "distinct": lambda: self._actions.distinct(content.get("n"), text("column"), text("q")),
            "save_template": lambda: self._actions.save_template(
                text("name"), replace=content.get("replace") is True
            ),
            "load_template": lambda: self._actions.load_template(text("name")),
            "tables": lambda: self._actions.tables(text("connection")),
            "refresh": self.refresh,
            "dataset": lambda: self._looking.turn_to(_whole(content.get("index")), self.document),
            "paste": lambda: self._paste(text("text")),
        }
        do = does.get(text("do"))
        if do is None:
            return
        try:
            do()
        except ExportError as error:
            self.say("error", str(error))
        except Exception as error:  # A message is answered in the panel, never by a traceback.
            log.warning("the panel failed", exc_info=True)
            self.say("error", f"That failed: {type(error).__name__}: {error}")

    def set_state(self, sync_data: Any) -> None:
        """Take what the page changed; what is no spec is said in the panel."""
        self._from_page = True
        try:
            super().set_state(sync_data)
        except ExportError as error:
            self.send_state("spec")  # The page shows what is held, and not what was refused.
            self.say("error", str(error))
        finally:
            self._from_page = False

    def _paste(self, text: str) -> None:
        if lines.is_line(text):
            document = self.held(lines.read(text, self.holdings.variables))
        else:
            document = documents.read_text(text)
        self.hold(document)
        self.say("ok", "What was pasted is shown.")

    def refresh(self) -> None:
        """Look again at the notebook's frames, also for values that changed in place."""
        self.sent.forget()
        self._looking.forget()
        self.offer(**catalog.of_notebook(self.holdings))
        self._look(at_once=True)
        self._actions.later(self._load)

    # ------------------------------------------------------------- to the page

    def _publish(self, values: Mapping[str, Any]) -> None:
        with self._publishing:
            if self._closed:
                return
            for name, value in values.items():
                setattr(self, name, value)

    def offer(self, **parts: Any) -> None:
        """Publish new values of parts of the catalog; tables are added to those there are."""
        with self._publishing:
            if "tables" in parts:
                parts["tables"] = {**self.catalog["tables"], **parts["tables"]}
            self._publish({"catalog": {**self.catalog, **parts}})

    def say(self, kind: str, text: str) -> None:
        """Show one line of feedback: ``ok`` or ``error``."""
        with self._publishing:
            self._said += 1
            self._publish({"notice": {"kind": kind, "text": text, "n": self._said}})

    def mark(self, error: ExportError, field: str | None = None) -> None:
        self._looking.refused(error, field)

    def answer(self, content: Mapping[str, Any]) -> None:
        if not self._closed:
            self.send(dict(content))

    def kind_of(self, column: str) -> str:
        """Return the kind of a column of the source, or “other”."""
        types = {each["name"]: each["type"] for each in self.columns["source"]}
        return kind_of(types.get(column, ""))

    # ------------------------------------------------------------- the notebook around it

    def _load(self) -> None:
        """Ask the service what it offers, and for the jobs."""
        with self._service_lock:
            self._service = None
        warm()
        found = catalog.of_service(self.client)
        self._looking.endings = {each["type"]: each["endings"] for each in found["formats"]}
        self.offer(**found)
        self.recent.load()

    def _cell_begins(self, *_: Any) -> None:
        """Take note that the cell which made the panel is over. Called by IPython."""
        self._in_new_cell = True

    def _cell_ran(self, result: Any = None) -> None:
        """Show what a cell changed. Called by IPython after each cell."""
        try:
            self.offer(**catalog.of_notebook(self.holdings))
            if self._seen != self._visible(self.document):
                self._looking.forget()
                self._look()
            elif self._may_have_changed(result):
                self.sent.forget()
                self._look()
            self._actions.later(self._jobs_again)
        except Exception:  # A panel must never make a cell look as if it had failed.
            log.warning("the panel could not follow the notebook", exc_info=True)

    def _may_have_changed(self, result: Any) -> bool:
        """Tell whether a cell names a frame of the document whose values can be changed in place:
        no value is looked at."""
        cell = getattr(getattr(result, "info", None), "raw_cell", None)
        if not isinstance(cell, str) or not self._in_new_cell:
            return False
        words = set(re.findall(r"\w+", cell))
        named = words.intersection(documents.frame_names(self.document).values())
        with suppress(ExportError):
            return any(changes_in_place(self.holdings.frame(name)) for name in named)
        return False

    def _jobs_again(self) -> None:
        with suppress(ExportError):
            self.recent.load()

    def _on_main(self, work: Callable[[], Any]) -> Any:
        """Return ``work()`` as the kernel's main thread does it, between two cells.

        Raises ``InvalidRequest`` where that thread does not wait for work, as in a terminal.
        """
        loop = getattr(getattr(self._shell, "kernel", None), "io_loop", None)
        if threading.current_thread() is threading.main_thread():
            return work()
        if loop is None:
            raise InvalidRequest(
                "Only the thread that opened this connection may read it, so it has no preview "
                "here.",
                hint="Open it with check_same_thread=False, or export without a preview.",
                field="source",
            )
        done: Future[Any] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # Raised again in the thread that waits for it.
                done.set_exception(error)

        loop.add_callback(run)
        return done.result()

    def close(self) -> None:
        """Close the widget; its threads end, a running job goes on."""
        if self._shell is not None:
            for event, heard in (
                ("pre_run_cell", self._cell_begins),
                ("post_run_cell", self._cell_ran),
            ):
                with suppress(ValueError):
                    self._shell.events.unregister(event, heard)
        with self._publishing:
            self._closed = True
        self._looking.close()
        self.recent.close()
        self.sent.forget()
        self.holdings.forget_given()
        super().close()

    def __repr__(self) -> str:
        return lines.described(self.document, self.summary, self.holdings)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _namespace(shell: Any) -> Mapping[str, Any]:
    if shell is not None:
        names: Mapping[str, Any] = shell.user_ns
        return names
    import __main__

    return vars(__main__)
