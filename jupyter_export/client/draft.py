"""A document as it is made in this process: its datasets may read frames that are not sent yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..errors import InvalidRequest
from ..spec import ExportSpec, parse
from ..spec.document import DATASET_FIELDS
from .own import names_own_connection, refuse_bare_connection, rows_of_source
from .rows import Rows

if TYPE_CHECKING:
    import pyarrow as pa

PENDING_UPLOAD = {"type": "upload", "id": "pending"}
"""Stands for an upload while the document is checked, before anything is sent."""
EACH = ("limit", "sample")
"""Fields that mean each of several datasets alike; the others mean one."""

Locate = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Draft:
    """A checked document, and the frames that its datasets read: index of the dataset -> frame."""

    document: dict[str, Any]
    frames: Mapping[int, Any] = field(default_factory=dict)

    @property
    def one_shot(self) -> bool:
        """True: a frame can be read once only (a reader of batches; a query is run again)."""
        return any(hasattr(frame, "read_next_batch") for frame in self.frames.values())

    def dataset(self, index: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["datasets"][index]
        return found

    def with_uploads(self, ids: Mapping[int, str]) -> dict[str, Any]:
        """Return the document with the ids of the uploads that its datasets read."""
        datasets = [
            {**dataset, "source": {"type": "upload", "id": ids[index]}} if index in ids else dataset
            for index, dataset in enumerate(self.document["datasets"])
        ]
        return {**self.document, "datasets": datasets}


def draft_of(source: Any, fields: Mapping[str, Any], locate: Locate) -> Draft:
    """Return the document of an export of ``source``, which is checked before any row is sent.

    ``source`` is a frame, ``Rows``, a spec's source, or a mapping of names to these; there, a
    mapping with “source” is a whole dataset (``{"source": df, "where": "x > 1"}``). ``fields`` are
    the spec's; ``locate`` says how the service calls the file of a spec's source. Raises
    ``InvalidRequest`` or ``InvalidSpec``.
    """
    document = {name: value for name, value in fields.items() if value is not None}
    if isinstance(document.get("columns"), (list, tuple)):
        document["columns"] = {"include": list(document["columns"])}
    frames: dict[int, Any] = {}
    if not _is_several(source):
        document["source"] = _described(source, frames, 0, locate)
        return _checked(document, frames)
    of_one = [name for name in DATASET_FIELDS if name in document and name not in EACH]
    if of_one:
        raise InvalidRequest(
            f"“{of_one[0]}” means one dataset, and there are {len(source)}.",
            hint=f'Give it to the dataset: {{"name": {{"source": df, "{of_one[0]}": …}}}}.',
            field=of_one[0],
        )
    each = {name: document.pop(name) for name in EACH if name in document}
    document["datasets"] = []
    for index, (name, value) in enumerate(source.items()):
        given = dict(value) if isinstance(value, Mapping) and "source" in value else None
        dataset = {**each, **(given or {"source": value}), "name": name}
        if isinstance(dataset.get("columns"), (list, tuple)):
            dataset["columns"] = {"include": list(dataset["columns"])}
        dataset["source"] = _described(dataset["source"], frames, index, locate)
        document["datasets"].append(dataset)
    return _checked(document, frames)


def draft_from(spec: ExportSpec | Mapping[str, Any] | str | bytes) -> Draft:
    """Return the draft of a document whose sources may be frames of this process."""
    if not isinstance(spec, Mapping):
        return _checked(spec, {})
    document, frames = dict(spec), dict[int, Any]()

    def as_it_is(source: dict[str, Any]) -> dict[str, Any]:
        return source

    if _may_be_frame(document.get("source")):
        document["source"] = _described(document["source"], frames, 0, as_it_is)
    if isinstance(document.get("datasets"), (list, tuple)):
        datasets = [dict(d) if isinstance(d, Mapping) else d for d in document["datasets"]]
        for index, dataset in enumerate(datasets):
            if isinstance(dataset, dict) and _may_be_frame(dataset.get("source")):
                dataset["source"] = _described(dataset["source"], frames, index, as_it_is)
        document["datasets"] = datasets
    return _checked(document, frames)


def read(frame: Any) -> pa.RecordBatchReader:
    """Return the rows of a draft's frame, with their number where it is known."""
    if isinstance(frame, Rows):
        return frame.reader()
    from ..sources.frame import read as read_frame
    from ..sources.frame import rows_of
    from .arrow import reading_failed, stating_rows

    try:
        # counted first: a DuckDB relation cannot count its rows while they are read
        rows = rows_of(frame)
        return stating_rows(read_frame(frame), rows)
    except Exception as error:  # Whatever the frame's own library raises.
        raise reading_failed(error) from error


def unique(names: list[str], default: str = "data") -> list[str]:
    """Return ``names`` such that no two datasets are called alike: ``flights``, ``flights_2``."""
    taken: set[str] = set()
    found = []
    for name in names:
        plain = (name or default)[:180]
        free, number = plain, 1
        while free.casefold() in taken:
            number += 1
            free = f"{plain}_{number}"
        taken.add(free.casefold())
        found.append(free)
    return found


def _is_several(source: Any) -> bool:
    """Tell a mapping of names to sources from a spec's source, which says its type."""
    if not isinstance(source, Mapping) or isinstance(source.get("type"), str):
        return False
    if not source:
        raise InvalidRequest("There is nothing to export: the mapping of frames is empty.")
    for name in source:
        if not isinstance(name, str):
            raise InvalidRequest(
                f"“{name}” cannot be the name of a dataset.", hint="Give a text for each frame."
            )
    return True


def _may_be_frame(source: Any) -> bool:
    if isinstance(source, Mapping):
        return names_own_connection(source)
    return source is not None and not isinstance(source, BaseModel)


def _described(
    source: Any, frames: dict[int, Any], index: int, locate: Locate
) -> dict[str, Any] | Any:
    """Return what the document says of ``source``; a frame is noted down and sent later."""
    if isinstance(source, BaseModel):
        return source
    if isinstance(source, Mapping) and names_own_connection(source):
        source = rows_of_source(source)
    if isinstance(source, Mapping) and "type" in source:
        return locate(dict(source))
    if not isinstance(source, Rows):
        from ..sources.frame import is_frame
        from ..sources.frame import read as read_frame

        if not is_frame(source):
            refuse_bare_connection(source)
            read_frame(source)  # Says what it is and what would do.
    frames[index] = source
    return dict(PENDING_UPLOAD)


def _checked(document: Any, frames: Mapping[int, Any]) -> Draft:
    return Draft(parse(document).to_json(), frames)


def file_name(document: Mapping[str, Any]) -> str | None:
    """Return the name of the file that a document names, without its folder."""
    path = document.get("output", {}).get("path")
    return Path(path).name if path else None
