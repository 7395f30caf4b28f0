"""What this project costs beside its peers: ``python -m benchmarks`` (``make bench``)."""

from __future__ import annotations

OURS = "jupyter_export"
WARM_UP_ROWS = 1_000


def generated(rows: int) -> str:
    """Return the upload id of the generated frame of that many rows."""
    return f"generated-{rows}"
