"""What the words of ``%export`` mean in this notebook: frames and connections."""

from __future__ import annotations

from typing import Any

from ..client import find_client
from ..client.notebook import Namespace, connections, frames, is_connection_here, is_frame_here
from ..errors import ExportError, InvalidRequest, InvalidSpec, nearest
from .arguments import unquoted


def frame_of(word: str, names: Namespace) -> tuple[str, Any]:
    """Return (name, frame) that a word of the line means: a variable, or an expression.

    Raises ``InvalidRequest``: the nearest frame for a name nobody knows, what an expression gave
    when it is no frame, why it failed when it did.
    """
    for text in dict.fromkeys((unquoted(word), word)):
        if text in names:
            return text, _checked(text, names[text])
    if word.isidentifier():
        raise _unknown(word, names)
    # “df.query("x > 1")” in quotes loses them; df.query("x>1") keeps its own.
    whole = word[:1] in "\"'" and word[-1:] == word[:1]
    text = unquoted(word) if whole else word
    try:
        value = eval(compile(text, "<%export>", "eval"), dict(names))
    except SyntaxError:
        raise InvalidRequest(
            f"“{text}” is neither a frame of this notebook nor an expression.",
            hint=known_frames(text, names),
        ) from None
    except NameError as error:
        raise _unknown(getattr(error, "name", None) or text, names) from None
    except ExportError:
        raise
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        raise InvalidRequest(f"“{text}” failed: {type(error).__name__}: {first}") from error
    return "", _checked(text, value)


def is_name_of_frame(word: str, names: Namespace) -> bool:
    """Tell whether a word of the line is the name of a frame, so that it is no path."""
    return word.isidentifier() and word in names and is_frame_here(names[word])


def _checked(text: str, value: Any) -> Any:
    if not is_frame_here(value):
        if is_connection_here(value):
            raise InvalidRequest(
                f"“{text}” is a connection, not a frame.",
                hint=f"Write a cell of SQL on it: %%export PATH --connection {text}.",
            )
        if type(value).__name__ == "LazyFrame" and hasattr(value, "collect"):
            raise InvalidRequest(
                f"“{text}” is a LazyFrame, which has no rows yet.",
                hint=f"Write {text}.collect().",
            )
        raise InvalidRequest(
            f"“{text}” is a {type(value).__name__}, not a frame.",
            hint="Give a DataFrame (pandas, Polars), a PyArrow table or anything with "
            "__arrow_c_stream__.",
        )
    return value


def _unknown(name: str, names: Namespace) -> InvalidRequest:
    return InvalidRequest(
        f"There is no frame “{name}” in this notebook.", hint=known_frames(name, names)
    )


def known_frames(name: str, names: Namespace) -> str:
    """Return the hint for a name that no frame has: the nearest, or all there are."""
    known = sorted(frames(names))
    close = nearest(name, known)
    if close:
        return f"Did you mean {close}?"
    if not known:
        return "It has no frames yet."
    return f"Its frames: {', '.join(known[:12])}{', …' if len(known) > 12 else ''}."


def columns_of(source: Any) -> list[str]:
    """Return the names of a frame's columns where it tells them; none for several frames."""
    for name in ("column_names", "columns"):
        found = getattr(source, name, None)
        if found is not None and not callable(found):
            return [str(each) for each in found]
    return []


# ----------------------------------------------------------------- connections


def connection_of(name: str, names: Namespace) -> Any | None:
    """Return the notebook's own connection of that name, which comes before one of the settings;
    None where the notebook has none."""
    value = names.get(name)
    return value if value is not None and is_connection_here(value) else None


def is_of_service_too(name: str) -> bool:
    """Tell whether the service knows a connection of that name as well."""
    try:
        return any(each["name"] == name for each in find_client().connections())
    except ExportError:
        return False  # Whoever cannot be asked is not asked to read it either.


def unknown_connection(name: str, names: Namespace, error: InvalidSpec) -> InvalidSpec:
    """Return ``error``, by which the service does not know ``name``, in the notebook's words."""
    value = names.get(name)
    if value is not None:
        said = f"“{name}” is a {type(value).__name__}, neither a connection of this notebook nor"
    else:
        said = f"“{name}” is neither a connection of this notebook nor"
    known = sorted(connections(names))
    close = nearest(name, known)
    theirs = error.hint or ""  # “Did you mean …?”, “Known: ….” or that there is none
    meant = theirs.startswith("Did you mean ")
    if close and meant and theirs != f"Did you mean {close}?":
        hint = f"{theirs.rstrip('?')} of the settings, or {close} of the notebook?"
    elif close:
        hint = f"Did you mean {close}?"
    elif known and not meant:
        shown = f"{', '.join(known[:12])}{', …' if len(known) > 12 else ''}"
        hint = f"In the notebook: {shown}."
        hint += f" In the settings{theirs[5:]}" if theirs.startswith("Known:") else ""
    else:
        hint = theirs
    return InvalidSpec(f"{said} one that the settings name.", hint=hint or None, field="connection")
