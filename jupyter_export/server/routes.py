"""Every route of the extension: a path below ``jupyter-export/v1/`` and its handler."""

from __future__ import annotations

import re
from typing import Any

from .audit import AuditHandler, AuditUploadsHandler
from .base import ExportHandler
from .connections import ConnectionsHandler, TablesHandler
from .downloads import DownloadHandler
from .event_stream import JobEventsHandler
from .handlers import (
    FormatsHandler,
    JobCancelHandler,
    JobHandler,
    JobRetryHandler,
    JobsHandler,
    NowhereHandler,
    OpenApiHandler,
    SchemaHandler,
)
from .links import LinkDownloadHandler, LinkHandler, LinksHandler
from .previews import PreviewHandler
from .stream import StreamHandler
from .templates import TemplateHandler, TemplatesHandler
from .uploads import UploadsHandler

PREFIX = "jupyter-export/v1"

ROUTES: dict[str, type[ExportHandler]] = {
    "formats": FormatsHandler,
    "schema": SchemaHandler,
    "openapi.json": OpenApiHandler,
    "connections": ConnectionsHandler,
    "connections/{name}/tables": TablesHandler,
    "uploads": UploadsHandler,
    "preview": PreviewHandler,
    "stream": StreamHandler,
    "jobs": JobsHandler,
    "jobs/{id}": JobHandler,
    "jobs/{id}/cancel": JobCancelHandler,
    "jobs/{id}/retry": JobRetryHandler,
    "jobs/{id}/events": JobEventsHandler,
    "jobs/{id}/download": DownloadHandler,
    "jobs/{id}/links": LinksHandler,
    "links/{id}": LinkHandler,
    "d/{token}": LinkDownloadHandler,
    "templates": TemplatesHandler,
    "templates/{name}": TemplateHandler,
    "audit": AuditHandler,
    "audit/uploads": AuditUploadsHandler,
}


def url_patterns(**arguments: Any) -> list[tuple[str, type[ExportHandler], dict[str, Any]]]:
    """Return what tornado registers; ``arguments`` go to each handler's ``initialize``."""
    patterns = [
        (f"/{PREFIX}/{_pattern(path)}", handler, arguments) for path, handler in ROUTES.items()
    ]
    # What looks like a link, whole or broken, is not logged with its address.
    patterns.append((f"/{PREFIX}/d/(.*)", LinkDownloadHandler, arguments))
    return [*patterns, (f"/{PREFIX}(/.*)?", NowhereHandler, arguments)]


def _pattern(path: str) -> str:
    return re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(path))
