"""The lines of Python that find the rows in a template that was filled.

The template tells where they begin; they end with the last row that has no number of its own, as
``TemplateRowCounter`` counts them.
"""

from __future__ import annotations

from collections.abc import Sequence

from .options import ExcelOptions

_COUNTED = [
    "with zipfile.ZipFile(path) as parts:",
    "    sheets = [n for n in parts.namelist() if n.startswith('xl/worksheets/sheet')]",
    r"    bare = re.compile(rb'<row(?:>|\s(?![^>]*?\br=))')",
    "    count = sum(len(bare.findall(parts.read(n))) for n in sheets)",
]


def lines(headings: Sequence[str], path: str, options: ExcelOptions) -> list[str]:
    """Return lines that make ``rows``, tuples in the order of ``headings``, of the open ``book``.

    ``re``, ``zipfile``, ``itertools`` and ``openpyxl`` are imported before them.
    """
    counted = [line.replace("(path)", f"({path!r})") for line in _COUNTED]
    if options.template_table is not None:
        # tables match names in any letters, and have an order of their own
        return [
            *counted,
            f"name, headings = {options.template_table!r}.casefold(), {list(headings)!r}",
            "made = {n.casefold(): (s, s.tables[n]) for s in book.worksheets for n in s.tables}",
            "sheet, made = made[name]",
            "left, top, right, _ = openpyxl.utils.range_boundaries(made.ref)",
            "top += 1 if made.headerRowCount is None else made.headerRowCount",
            "known = [column.name.casefold() for column in made.tableColumns]",
            "order = [known.index(heading.casefold()) for heading in headings]",
            "block = dict(min_row=top, min_col=left, max_col=right, values_only=True)",
            "cells = itertools.islice(sheet.iter_rows(**block), count)",
            "rows = [[row[place] for place in order] for row in cells]",
        ]
    sheet, where = options.template_sheet, options.template_cell or "A1"
    if "!" in where:
        quoted, _, where = where.rpartition("!")
        sheet = quoted[1:-1].replace("''", "'") if quoted.startswith("'") else quoted
    named = "book.worksheets[0]"
    if sheet is not None:
        named = f"{{s.title.casefold(): s for s in book.worksheets}}[{sheet.casefold()!r}]"
    return [
        *counted,
        f"sheet, where = {named}, {where!r}",
        "names = {**book.defined_names, **sheet.defined_names}",
        "names = {name.casefold(): found for name, found in names.items()}",
        "if where.casefold() in names:",
        "    ((title, where),) = names[where.casefold()].destinations",
        "    sheet = book[title]",
        "left, top, _, _ = openpyxl.utils.range_boundaries(where)",
        f"block = dict(min_row=top + {int(options.template_header)}, min_col=left)",
        f"cells = sheet.iter_rows(**block, max_col=left + {len(headings) - 1}, values_only=True)",
        "rows = list(itertools.islice(cells, count))",
    ]
