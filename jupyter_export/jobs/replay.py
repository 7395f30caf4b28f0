"""Whether an export can be run a second time from the start, as if the first run had not been."""

from __future__ import annotations

from ..spec import ExportSpec, SqlSource, UploadSource
from .settings import Settings
from .uploads import ENDING


def why_not(spec: ExportSpec, settings: Settings) -> str | None:
    """Return None when a run may simply be repeated, or the sentence that says why not.

    Files, tables and the queries of read-only connections can be read again; an upload as long as
    its file is kept. What a query did on a connection that may write is not known, so it is not
    asked twice. A connection that is gone by now is for the run to tell.
    """
    for dataset in spec.datasets:
        source = dataset.source
        if isinstance(source, UploadSource):
            if not (settings.uploads / f"{source.id}{ENDING}").is_file():
                return f"The data of “{dataset.name}” that was sent for it is no longer here."
        elif isinstance(source, SqlSource):
            connection = settings.connections.get(source.connection)
            if connection is not None and not connection.read_only:
                return (
                    f"The query of “{dataset.name}” may have changed data, because the connection "
                    f"“{source.connection}” is not read-only."
                )
    return None
