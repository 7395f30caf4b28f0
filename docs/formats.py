"""Write ``docs/formats.md``: every format with all its options, from the formats themselves.

python -m docs.formats            write it
python -m docs.formats --check    exit 1 when it says something else
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_export.losses import KINDS
from jupyter_export.registry import formats

PAGE = Path(__file__).with_name("formats.md")
HEAD = """\
# Formats and their options

Every option works in all places: `%export df a.csv --option delimiter=";"`, the document's
`"format": {"type": "csv", "delimiter": ";"}`, and `jupyter_export.export(df, "a.csv",
format={"type": "csv", "delimiter": ";"})`. A value on the command line may be JSON.

Several datasets: Excel, PDF, JSON, JSON Lines, HTML and Markdown hold them in one file. With the
others the path becomes a folder with one file for each dataset and a `manifest.json`, or a zip
where it ends in `.zip`. What a format cannot hold is listed as a [loss](#losses).

This page is made from the formats themselves by `python -m docs.formats`.
"""
LOSSES = """\
## Losses

What an export would change is listed before it runs (`--preview`, estimated from the first rows)
and after it (exact), for each column, with the number of values, an example and the option that
avoids it. `on_loss: "error"` refuses an export with any of them; nothing is written then.

| kind | what it means |
| --- | --- |
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    for made in formats().values():
        schema = made.options.model_json_schema()
        parts.append(f"## {made.label}\n")
        facts = [
            f"`{made.type}`, " + ", ".join(f"`{ending}`" for ending in made.endings),
            "several datasets in one file" if made.capabilities.multi_dataset else "",
            "nested values" if made.capabilities.nested else "",
        ]
        parts.append(" · ".join(fact for fact in facts if fact) + "\n")
        parts.append("\n".join(_table(schema, schema)) + "\n")
        for name, inner in sorted(schema.get("$defs", {}).items()):
            if "properties" in inner:
                parts.append(f"### {made.label}: {name}\n")
                if inner.get("description"):
                    parts.append(" ".join(inner["description"].split()) + "\n")
                parts.append("\n".join(_table(inner, schema)) + "\n")
    rows = [f"| `{kind}` | {meaning} |" for kind, meaning in sorted(KINDS.items())]
    parts.append(LOSSES + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _table(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    yield "| option | values | unset | meaning |"
    yield "| --- | --- | --- | --- |"
    for name, field in schema["properties"].items():
        default = field.get("default")
        unset = "" if default is None else f"`{_shown(default)}`"
        meaning = " ".join(field.get("description", "").split())
        cells = (f"`{name}`", _values(field, root), unset, meaning)
        yield "| " + " | ".join(_cell(text) for text in cells) + " |"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _values(field: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """Return what may be given, in a few words."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        inner = root.get("$defs", {}).get(name, {})
        return name if "properties" in inner else _values(inner, root)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in field:
            found = [_values(each, root) for each in field[several]]
            return ", ".join(dict.fromkeys(each for each in found if each != "null"))
    if "enum" in field:
        return ", ".join(f"`{_shown(value).strip(chr(34))}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = field.get("type", "any value")
    if kind == "array":
        if "prefixItems" in field:
            return "list of " + ", ".join(_values(each, root) for each in field["prefixItems"])
        return f"list of {_values(field.get('items', {}), root)}"
    if kind == "object":
        inner = field.get("additionalProperties")
        what = _values(inner, root) if isinstance(inner, Mapping) else "any value"
        return f"name → {what}"
    if kind in ("integer", "number"):
        low = field.get("minimum", field.get("exclusiveMinimum"))
        high = field.get("maximum", field.get("exclusiveMaximum"))
        limits = " to ".join(f"{each:,}" for each in (low, high) if each is not None)
        if low is not None and high is None:
            limits = f"from {low:,}"
        return f"number {limits}".strip()
    return {"string": "text", "boolean": "true, false"}.get(str(kind), str(kind))


def main() -> int:
    text = page()
    if "--check" in sys.argv:
        same = PAGE.is_file() and PAGE.read_text("utf-8") == text
        if not same:
            print("docs/formats.md is not what the formats say: run python -m docs.formats")
        return 0 if same else 1
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
