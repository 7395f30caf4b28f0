"""What schemathesis has to know of our bodies and files; it loads this module by its name."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import strategies as st

from tests.server.streams import damaged, streams

ARROW = "application/vnd.apache.arrow.stream"
WIDE = 200
"""Items or characters up to which a limit is tried."""

schemathesis.openapi.media_type(ARROW, st.one_of(streams(), damaged()))


@schemathesis.serializer(ARROW)
def _as_bytes(_context: Any, value: Any) -> dict[str, Any]:
    return {"data": value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")}


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    """Take the wide limits away: it would send a list of 100,001 values for each place that has
    one. They have tests of their own."""

    def narrow(value: Any) -> None:
        if isinstance(value, dict):
            for limit in ("maxItems", "maxLength", "maxProperties"):
                if isinstance(value.get(limit), int) and value[limit] > WIDE:
                    del value[limit]
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, (dict, list)):
                narrow(each)

    narrow(raw_schema)
