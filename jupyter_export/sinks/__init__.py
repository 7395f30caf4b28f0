"""Where finished bytes go: each sink publishes whole files, or nothing."""

from __future__ import annotations

from collections.abc import Callable

from ..registry import Choice, Surroundings
from .folder import FolderSink
from .local import LocalSink
from .sink import IfExists, Sink, Written
from .zipped import ZipSink

__all__ = ["FolderSink", "LocalSink", "Sink", "Written", "ZipSink", "open_sink"]


def open_sink(
    choice: Choice, here: Surroundings, *, if_exists: IfExists, check: Callable[[], None]
) -> Sink:
    """Return the sink of the chosen layout, not yet entered."""
    if choice.layout == "zip":
        return ZipSink(
            here.target,
            here.part,
            here.scratch,
            if_exists=if_exists,
            compression=choice.compression,
            check=check,
        )
    if choice.layout == "folder":
        return FolderSink(
            here.target,
            here.part,
            if_exists=if_exists,
            compression=choice.compression,
            check=check,
        )
    return LocalSink(here.target, here.part, if_exists=if_exists, compression=choice.compression)
