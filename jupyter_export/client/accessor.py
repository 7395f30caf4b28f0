"""``df.export("x.xlsx")``: a frame's own door to an export, for those who ask for it."""

from __future__ import annotations

import keyword
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..errors import InvalidRequest
from .export import export
from .job import Job


class FrameExport:
    """What stands at ``df.export``: call it."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __call__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        if_exists: str | None = None,
        **fields: Any,
    ) -> Job:
        """Start the export of this frame to ``path`` and return its job, which is then running.

        ``options`` are the format's (``{"delimiter": ";"}``), ``if_exists`` is ``error``,
        ``replace`` or ``rename``, and ``fields`` are those of the spec (``where``, ``columns``,
        ``sort``, …), as ``jupyter_export.export`` takes them. The frame is frozen before this
        returns; a Polars LazyFrame is collected for it. Raises ``ExportError``.
        """
        frame = self._frame
        if not hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "collect"):
            frame = frame.collect()
        return export(frame, path, options=options, if_exists=if_exists, **fields)


def register_accessor(name: str = "export") -> None:
    """Give DataFrames of pandas, and DataFrames and LazyFrames of Polars, a method ``name``:

        jupyter_export.register_accessor()
        job = df.export("flights.xlsx", where="dep_delay > 60")

    It takes what ``jupyter_export.export`` takes behind the frame, and returns the ``Job``. A
    library that is not imported yet gets it when it is; none is imported for it. A second call
    with the same name changes nothing, another name is another method. Raises ``InvalidRequest``
    where a DataFrame has something else of that name, which is left as it is.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise InvalidRequest(
            f"“{name}” cannot be the name of a method.",
            hint='Write register_accessor("to_file"), or leave the name out.',
        )
    here = [library for library in _LIBRARIES if _is_imported(library)]
    for library in here:
        _LIBRARIES[library](name, check=True)
    for library in _LIBRARIES:
        if library in here:
            _LIBRARIES[library](name, check=False)
        else:
            _Later.wait_for(library, name)


def _pandas(name: str, *, check: bool) -> None:
    pandas = sys.modules["pandas"]
    _add(name, pandas.DataFrame, pandas.api.extensions.register_dataframe_accessor, check)


def _polars(name: str, *, check: bool) -> None:
    polars = sys.modules["polars"]
    _add(name, polars.DataFrame, polars.api.register_dataframe_namespace, check)
    _add(name, polars.LazyFrame, polars.api.register_lazyframe_namespace, check)


def _add(name: str, kind: type, register: Callable[[str], Any], check: bool) -> None:
    """Register the accessor unless it is there already; with ``check`` only look whether it may."""
    found = getattr(kind, name, None)
    if isinstance(found, type) and issubclass(found, FrameExport):
        return
    if found is not None or hasattr(kind, name):
        library = kind.__module__.partition(".")[0]
        raise InvalidRequest(
            f"A {kind.__name__} of {library} has a “{name}” of its own, which stays as it is.",
            hint='Choose another name: register_accessor("to_file").',
        )
    if not check:
        register(name)(FrameExport)


_LIBRARIES = {"pandas": _pandas, "polars": _polars}


def _is_imported(library: str) -> bool:
    """Tell whether the library is imported to its end."""
    module = sys.modules.get(library)
    return module is not None and not getattr(module.__spec__, "_initializing", False)


class _Later(MetaPathFinder):
    """Registers the accessors of a library behind the import that loads it."""

    def __init__(self, library: str, name: str) -> None:
        self._library = library
        self.names = [name]

    @classmethod
    def wait_for(cls, library: str, name: str) -> None:
        waiting = (each for each in sys.meta_path if isinstance(each, cls))
        for each in waiting:
            if each._library == library:
                each.names += [name] if name not in each.names else []
                return
        sys.meta_path.insert(0, cls(library, name))

    def find_spec(
        self, fullname: str, path: object = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the library as the others do, and have its loader say when it is loaded."""
        if fullname != self._library:
            return None
        spec = None
        for finder in sys.meta_path:
            if finder is not self and spec is None and hasattr(finder, "find_spec"):
                spec = finder.find_spec(fullname, None, target)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            with suppress(ValueError):
                sys.meta_path.remove(self)
            for name in self.names:
                # An import is no place to fail because of a name that is taken.
                with suppress(InvalidRequest):
                    _LIBRARIES[self._library](name, check=False)

        with suppress(AttributeError):  # A loader that takes no attributes is left alone.
            spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
