"""The kernel's side: find the server, send a frame once, watch the job.

``ServerClient`` speaks to a Jupyter server over REST; ``LocalClient`` runs the same job service
inside this process. Both are an ``ExportClient``, and nothing above this layer knows which.
"""

from __future__ import annotations

from .find import LocalClients, find_client
from .protocol import ExportClient, JobJson

__all__ = ["ExportClient", "JobJson", "LocalClients", "find_client"]
