"""What is sent of frames for a preview, and kept: as little as it needs, and once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..client import ExportClient
from ..client import draft as drafts
from ..client.arrow import stating_rows
from ..client.draft import Draft
from ..client.export import _NEED_ALL, _followed
from ..client.preview import SAMPLE_ROWS, without_totals
from ..client.rows import Rows
from ..client.stopping import Stop
from ..errors import NotFound
from .frames import cells, first_rows, size
from .frames import rows as rows_of

if TYPE_CHECKING:
    import pyarrow as pa

MOST_CELLS = 20_000_000
"""Rows times columns that are sent for a preview; of a larger frame it looks at the first rows."""
MOST_BYTES = 500_000_000
MOST_HERE = 50_000
"""Rows of a query that the kernel's main thread alone may read: it does nothing else meanwhile."""
KEPT = 12
"""Uploads that are remembered; the service removes those that nothing reads."""

OnMain = Callable[[Callable[[], Any]], Any]
"""Runs a function in the kernel's main thread, and returns what it returns."""


@dataclass(frozen=True)
class Upload:
    """Rows that a service has. ``first``: only so many of the first ones, of ``total`` if known."""

    id: str
    first: int | None = None
    total: int | None = None


@dataclass
class Sent:
    """The uploads of one panel, by service and by what can be seen of their rows. Thread-safe."""

    on_main: OnMain
    _known: OrderedDict[tuple[Any, ...], Upload] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    """Held for moments only: the kernel's main thread takes it."""
    _sending: threading.Lock = field(default_factory=threading.Lock)
    """Held while rows are sent, so that two previews of one frame send it once."""
    _forgotten: int = 0

    def forget(self) -> None:
        """Send everything again when it is needed: values may have changed in place."""
        with self._lock:
            self._forgotten += 1
            self._known.clear()

    def preview(
        self,
        client: ExportClient,
        draft: Draft,
        keys: Mapping[int, Any],
        rows: int,
        stop: Stop | None = None,
    ) -> dict[str, Any]:
        """Return the preview of a draft, with a ``note`` where it looked at the first rows only.

        An upload that the service does not have any more is sent once more.
        """
        try:
            return self._previewed(client, draft, keys, rows, stop)
        except NotFound:
            if not draft.frames:
                raise
            self._forget_those_of(client)
            return self._previewed(client, draft, keys, rows, stop)

    def _previewed(
        self,
        client: ExportClient,
        draft: Draft,
        keys: Mapping[int, Any],
        rows: int,
        stop: Stop | None,
    ) -> dict[str, Any]:
        uploads: dict[int, Upload] = {}
        uncounted: set[str] = set()
        notes: list[str] = []
        whole = _needing_all_rows(draft)
        for index, frame in draft.frames.items():
            sent = self._upload(client, frame, keys[index], whole=index in whole)
            uploads[index] = sent
            if sent.first is None:
                continue
            if sent.total is None or index in whole:
                uncounted.add(draft.dataset(index).get("name", "data"))
            if index in whole:
                of = f" of {sent.total:,}" if sent.total is not None else ""
                notes.append(f"The preview looks at the first {sent.first:,}{of} rows.")
        ids = {index: upload.id for index, upload in uploads.items()}
        found = client.preview(draft.with_uploads(ids), rows, stop=stop)
        return {**without_totals(found, uncounted), "note": " ".join(dict.fromkeys(notes)) or None}

    def _upload(self, client: ExportClient, frame: Any, key: Any, *, whole: bool) -> Upload:
        with self._sending:
            with self._lock:
                forgotten = self._forgotten
                known = self._known.get((client, key, True))
                if known is None and not whole:
                    known = self._known.get((client, key, False))
            if known is not None:
                return known
            sent = _sent(client, frame, _limit(frame, whole=whole), self.on_main)
            with self._lock:
                if forgotten == self._forgotten:
                    self._known[client, key, whole or sent.first is None] = sent
                    while len(self._known) > KEPT:
                        self._known.popitem(last=False)
            return sent

    def _forget_those_of(self, client: ExportClient) -> None:
        with self._lock:
            for each in [key for key in self._known if key[0] is client]:
                del self._known[each]


def _needing_all_rows(draft: Draft) -> set[int]:
    """Return the datasets whose first rows are not made of their source's first rows alone."""
    followed = _followed(draft)
    datasets = draft.document["datasets"]
    return {
        index
        for index, dataset in enumerate(datasets)
        if _NEED_ALL & dataset.keys() or dataset.get("name", "data") in followed
    }


def _limit(frame: Any, *, whole: bool) -> int | None:
    """Return how many rows are sent at most; None: all of a frame that is not too large."""
    if isinstance(frame, Rows):
        most = MOST_HERE if frame.here else MOST_CELLS
        return most if whole else SAMPLE_ROWS
    if not whole:
        return SAMPLE_ROWS
    count, many, weight = rows_of(frame), cells(frame), size(frame)
    if count is None or many is None:
        return MOST_CELLS  # Not known before it is read: see ``_first``.
    share = max(many / MOST_CELLS, (weight or 0) / MOST_BYTES)
    return max(int(count / share), 1) if share > 1 else None


def _sent(client: ExportClient, frame: Any, limit: int | None, on_main: OnMain) -> Upload:
    """Send the first ``limit`` rows of a frame or query (None: all)."""
    if isinstance(frame, Rows):
        return _sent_rows(client, frame, limit or MOST_CELLS, on_main)
    total = rows_of(frame)
    if limit is None or (total is not None and total <= limit):
        return Upload(client.upload(drafts.read(frame))["id"])
    head = first_rows(frame, limit)
    if head is not None:
        reader = stating_rows(drafts.read(head), total)
        return Upload(client.upload(reader)["id"], limit, total)
    first = _First(drafts.read(frame), limit)
    sent = client.upload(first.reader())
    return Upload(sent["id"], sent["rows"] if first.cut else None)


def _sent_rows(client: ExportClient, query: Rows, limit: int, on_main: OnMain) -> Upload:
    def read() -> tuple[_First, Any]:
        first = _First(query.reader(), limit)
        return first, first.reader().read_all() if query.here else None

    try:
        first, table = on_main(read) if query.here else read()
        reader = table.to_reader() if table is not None else first.reader()
        sent = client.upload(reader, interrupt=query.interrupt)
    finally:
        if query.close is not None:
            on_main(query.close) if query.here else query.close()
    return Upload(sent["id"], sent["rows"] if first.cut else None)


class _First:
    """The first rows of a reader: so many, and no more than ``MOST_CELLS`` cells."""

    cut = False
    """True when there were more rows."""

    def __init__(self, reader: pa.RecordBatchReader, rows: int) -> None:
        self._reader = reader
        self._left = min(rows, max(MOST_CELLS // max(len(reader.schema), 1), 1))

    def reader(self) -> pa.RecordBatchReader:
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self._reader.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._reader:
            self.cut = batch.num_rows > self._left
            if self._left:
                yield batch.slice(0, self._left)
            if self.cut:
                return
            self._left -= batch.num_rows
