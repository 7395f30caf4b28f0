"""Where finished bytes go: each sink publishes whole files, or nothing."""

from __future__ import annotations

from collections.abc import Callable

from ..registry import Bytes, Choice, Surroundings
from .copies import Copies
from .folder import FolderSink
from .local import LocalSink
from .piped import PipedSink, PipedZipSink
from .sink import IfExists, Sink, Written
from .zipped import ZipSink

__all__ = ["FolderSink", "LocalSink", "Sink", "Written", "ZipSink", "open_sink"]


def open_sink(
    choice: Choice, here: Surroundings, *, if_exists: IfExists, check: Callable[[], None]
) -> Sink:
    """Return the sink of the chosen layout, not yet entered."""
    if here.out is not None:
        return _piped(choice, here, here.out, check)
    root = here.root if here.confined else None
    if choice.layout == "zip":
        return ZipSink(
            here.target,
            here.part,
            here.scratch,
            root=root,
            if_exists=if_exists,
            compression=choice.compression,
            check=check,
        )
    if choice.layout == "folder":
        return FolderSink(
            here.target,
            here.part,
            root=root,
            if_exists=if_exists,
            compression=choice.compression,
            check=check,
        )
    return LocalSink(
        here.target,
        here.part,
        root=root,
        if_exists=if_exists,
        compression=choice.compression,
    )


def _piped(
    choice: Choice, here: Surroundings, out: Callable[[Bytes], None], check: Callable[[], None]
) -> Sink:
    """Return the sink of an export that is sent as it is made; a folder is sent as a zip."""
    reads = choice.format.stream_counter(choice.options).reads
    copies = Copies(reads, here.scratch, here.memory_limit // 2)
    if choice.layout == "file":
        return PipedSink(here.target, out, copies, compression=choice.compression)
    if not choice.format.by_turns(choice.options):
        return PipedZipSink(here.target, out, copies, compression=choice.compression)
    return ZipSink(
        here.target,
        here.part,
        here.scratch,
        compression=choice.compression,
        check=check,
        into=PipedSink(here.target, out, Copies("nothing", here.scratch, 0)),
    )
