"""What a format could not hold, in words. Pure functions of the losses of a job or a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def changed(found: Sequence[Mapping[str, Any]], *, would: bool = False) -> str:
    """Return such as ``2 columns changed:``, or ``2 columns would change:``."""
    columns = {(loss.get("dataset"), loss["column"]) for loss in found if not _of_rows(loss)}
    if not columns:
        return "To know:"
    count = "1 column" if len(columns) == 1 else f"{len(columns):,} columns"
    return f"{count} {'would change' if would else 'changed'}:"


def loss_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the losses as lines; what is said of several datasets at once is said once."""
    return list(dict.fromkeys(map(loss_text, found)))


def loss_html(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the losses as lines of HTML."""
    return list(dict.fromkeys(map(_html, found)))


def loss_text(loss: Mapping[str, Any]) -> str:
    """Return one loss as a line: column, what happens, how often, and what avoids it."""
    flag = _flag(loss)
    avoid = f" — avoid it with {flag}" if flag else ""
    column = lost_column(loss)
    return f"{column}{': ' if column else ''}{loss['message']}{_how_often(loss)}{avoid}"


def lost_columns(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns (or datasets) that the losses name, each once."""
    return list(dict.fromkeys(filter(None, map(lost_column, found))))


def lost_column(loss: Mapping[str, Any]) -> str:
    """Return the column, behind its dataset where the export has several."""
    dataset = loss.get("dataset")
    if loss["kind"] == "not_point_in_time":
        return ""  # Its sentence names the datasets.
    if _of_rows(loss):
        return str(loss["column"])
    return f"{dataset}.{loss['column']}" if dataset else str(loss["column"])


def _html(loss: Mapping[str, Any]) -> str:
    flag = _flag(loss)
    avoid = f" — avoid it with <code>{escape(flag)}</code>" if flag else ""
    said = escape(f"{loss['message']}{_how_often(loss)}")
    column = lost_column(loss)
    return f"<b>{escape(column)}</b>: {said}{avoid}" if column else f"{said}{avoid}"


def _of_rows(loss: Mapping[str, Any]) -> bool:
    """Tell a loss of a whole dataset, whose name stands for a column."""
    return loss["kind"] in ("not_point_in_time", "rows_beyond_limit")


def _flag(loss: Mapping[str, Any]) -> str:
    """Return the magic's flag for the option that avoids the loss; empty where none does."""
    option = str(loss.get("option") or "")
    if option.startswith("format.type="):
        return option.replace("format.type=", "--format ")
    return f"--option {option}" if option else ""


def _how_often(loss: Mapping[str, Any]) -> str:
    """Return such as `` (about 1,200 of them, e.g. “007”)``; empty where nothing is known."""
    known = []
    if loss.get("count"):
        known.append(f"{'about ' if loss.get('estimated') else ''}{loss['count']:,} of them")
    if loss.get("example") is not None:
        known.append(f"e.g. “{loss['example']}”")
    return f" ({', '.join(known)})" if known else ""
