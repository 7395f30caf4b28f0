"""``--columns`` and ``--rename``: which columns, in which order, under which names."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ..errors import InvalidRequest
from .names import column_of, items, named


def columns(
    texts: Sequence[str], renamed: Sequence[str] = (), known: Collection[str] = ()
) -> dict[str, Any] | None:
    """Return the columns of ``carrier, tailnum as plane, hours=delay / 60, -year, *``.

    ``*`` stands for all that are not named: with it, or with nothing but columns to leave out,
    the named ones come first. Raises ``InvalidRequest``.
    """
    wanted: list[Any] = []
    found: dict[str, Any] = {"exclude": [], "rename": {}, "computed": []}
    star = False
    for item in (each for text in texts for each in items(text, "--columns", "columns")):
        if item == "*":
            star = True
            continue
        if item in known:
            wanted.append(item)
            continue
        if item.startswith("-") and (left := column_of(item[1:])) is not None:
            found["exclude"].append(left)
            continue
        new, body = named(item)
        column = column_of(body)
        if column is None and new is None:
            column = body  # whoever knows the columns says that there is none of that name
        if column is None:
            made = {"name": new, "expression": body}
            (found["computed"] if star else wanted).append(made)
        elif star:
            raise InvalidRequest(
                f"--columns: behind “*” stands “{item}”.",
                hint="Put it before: the others follow it.",
            )
        else:
            wanted.append(column)
            if new is not None:
                found["rename"][column] = new
    for item in (each for text in renamed for each in items(text, "--rename", "columns.rename")):
        new, body = named(item)
        column = body if body in known else column_of(body)
        if new is None or column is None:
            raise InvalidRequest(
                f"--rename: “{item}” is not COLUMN as NAME.", hint='Write --rename "a as b".'
            )
        found["rename"][column] = new
    if star or not wanted:
        # order takes names alone; a new column comes last then
        found["computed"] = [e for e in wanted if isinstance(e, dict)] + found["computed"]
        wanted = [each for each in wanted if isinstance(each, str)]
        found["order"] = wanted
    else:
        found["include"] = wanted
    return {name: value for name, value in found.items() if value} or None
