"""The columns that options name: which they are, where they are named, and on which sheets.

Options at the top hold for every sheet; those of them that name a column are for the sheets that
have it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from ...errors import InvalidSpec, did_you_mean
from .formulas import columns_of
from .options import ExcelOptions, SheetOptions

Where: TypeAlias = Callable[[str], str]
"""Field of the options, such as ``charts[0].y`` -> its place in the document."""

_WHOLE = ("formulas", "conditional_formats", "validations", "charts", "hyperlinks", "cell_formulas")
"""Options that are lists, in the order in which their names come to be known."""


def at_the_top(field: str) -> str:
    return f"format.{field}"


def where(options: ExcelOptions, dataset: str) -> Where:
    """Return where the options of the sheet of ``dataset`` stand: its own, or at the top."""
    own = options.sheets.get(dataset)

    def at(field: str) -> str:
        option = field.partition(".")[0].partition("[")[0]
        if own is not None and option in own.model_fields_set:
            return f"format.sheets.{dataset}.{field}"
        return at_the_top(field)

    return at


def no_column(name: str, known: Iterable[str], field: str, sheet: str | None) -> InvalidSpec:
    """Return the error for a name that no column has; ``sheet``: where it was looked for."""
    named = "the sheet" if sheet is None else f"the sheet “{sheet}”"
    return InvalidSpec(
        f"“{name}” is not a column of {named}.", hint=did_you_mean(name, set(known)), field=field
    )


def named_columns(options: SheetOptions) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield (field, names of columns) of all features that name some."""
    for option in _WHOLE:
        for number, item in enumerate(getattr(options, option)):
            for part, names in _named(item):
                yield f"{option}[{number}].{part}", names
    if options.totals is not None and options.totals.columns is not None:
        yield "totals", options.totals.columns


def _named(item: Any) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield (field, names of columns) of one feature."""
    for part in ("columns", "column", "x", "y"):
        given = getattr(item, part, None)
        if given is not None:
            yield part, (given,) if isinstance(given, str) else given
    for part in ("formula", "value", "minimum", "maximum"):
        given = getattr(item, part, None)
        if isinstance(given, str) and given.startswith("="):
            yield part, columns_of(given)


# ------------------------------------------------------------------ several sheets


def check_top(options: SheetOptions, known: Collection[str]) -> None:
    """Raise ``InvalidSpec`` for a name in the options of all sheets that no sheet has."""
    formats: list[tuple[str, Iterable[str]]] = [("number_formats", options.number_formats)]
    if isinstance(options.widths, dict):
        formats.append(("widths", options.widths))
    for field, names in [*formats, *named_columns(options)]:
        for name in names:
            if name not in known:
                raise InvalidSpec(
                    f"“{name}” is not a column of any sheet.",
                    hint=did_you_mean(name, known),
                    field=at_the_top(field),
                )


def fitting(
    options: SheetOptions,
    own: Collection[str],
    here: Collection[str],
    others: Sequence[set[str]],
    names: Collection[str] = (),
) -> SheetOptions:
    """Return the options without what is meant for other sheets.

    ``own``: the fields that are this sheet's alone, which stay as they are. ``here``: the names of
    its columns; ``others``: those of the other sheets; ``names``: the dataset's own,
    by which widths and number formats may be given. What fits no sheet stays too, to be refused.
    """
    everywhere = set().union(*others)
    elsewhere = everywhere.difference(here)
    changed: dict[str, Any] = {}
    known = set(here)
    for option in _WHOLE:
        items = getattr(options, option)
        if option not in own:
            items = tuple(_items(items, known, elsewhere, others))
            changed[option] = items
        if option == "formulas":
            computed = {column.name for column in options.formulas}
            known |= {column.name for column in items}
            others = [other | computed for other in others]
            elsewhere = (elsewhere | computed) - known
    for option in ("widths", "number_formats"):
        given = getattr(options, option)
        if option not in own and isinstance(given, dict):
            gone = elsewhere.difference(names)
            changed[option] = {k: v for k, v in given.items() if k not in gone}
    totals = options.totals
    if "totals" not in own and totals is not None and totals.columns:
        kept = {k: v for k, v in totals.columns.items() if k not in elsewhere}
        changed["totals"] = totals.model_copy(update={"columns": kept}) if kept else None
    return options.model_copy(update=changed)


def _items(
    items: Sequence[Any], known: set[str], elsewhere: set[str], others: Sequence[set[str]]
) -> Iterator[Any]:
    known = set(known)
    for item in items:
        columns = getattr(item, "columns", ())
        kept = tuple(name for name in columns if name not in elsewhere)
        if columns and not kept:
            continue
        if kept != columns:
            item = item.model_copy(update={"columns": kept})
        names = {name for part, names in _named(item) if part != "columns" for name in names}
        if names <= known or not any(names <= other for other in others):
            if hasattr(item, "name"):
                known.add(item.name)
            yield item
