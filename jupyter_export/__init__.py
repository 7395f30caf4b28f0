"""Exports from Jupyter as jobs: any source to any format, streamed, checked and watched live.

    import jupyter_export
    job = jupyter_export.export(df, "flights.csv")
    job.result()

In a notebook: ``%load_ext jupyter_export``, then ``%export df flights.csv``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client.accessor import register_accessor
    from .client.export import export, preview, submit
    from .client.job import Job
    from .panel import ExportPanel
    from .spec import ExportSpec

__all__ = [
    "ExportPanel",
    "ExportSpec",
    "Job",
    "__version__",
    "export",
    "preview",
    "register_accessor",
    "submit",
]

_HOMES = {
    "export": ".client.export",
    "preview": ".client.export",
    "register_accessor": ".client.accessor",
    "submit": ".client.export",
    "Job": ".client.job",
    "ExportPanel": ".panel",
    "spec_of_line": ".magic.pasted",
    "ExportSpec": ".spec",
}
"""Where each name lives: it is imported when it is first asked for, never with the package."""


def __getattr__(name: str) -> Any:
    from importlib import import_module, metadata

    if name == "__version__":
        try:
            value: Any = metadata.version("jupyter-export")
        except metadata.PackageNotFoundError:
            value = "0+source"  # A source tree on the path, not installed.
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def load_ipython_extension(shell: Any) -> None:
    """Add ``%export`` and ``%%export``: what ``%load_ext jupyter_export`` calls."""
    from .magic import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Remove them again."""
    from .magic import unload

    unload(shell)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .server.app import ExportApp

    return [{"module": "jupyter_export", "app": ExportApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-export"}]
