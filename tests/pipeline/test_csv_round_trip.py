"""Generated tables and options: what a CSV gives back is what went in, or a loss says so."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyter_export import registry
from jupyter_export.errors import InvalidSpec, SourceFailed

from . import reading
from .csv_files import CSV, normal, same, text, write
from .direct import Written
from .tables import batches

quick = settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
Drawn = tuple[pa.Schema, list[pa.RecordBatch]]

CHARACTERS = st.sampled_from([",", ";", "\t", "|", " ", "-", ".", ":", "§", "€", "5", "e", "\x1f"])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "delimiter": CHARACTERS,
        "header": st.booleans(),
        "quote": st.sampled_from(["minimal", "all", "none", "nonnumeric"]),
        "quote_char": st.sampled_from(['"', "'", "%", "_", "a", "7"]),
        "escape_char": st.sampled_from(["\\", "^", "-", "n", "3", '"', "\t"]),
        "line_terminator": st.sampled_from(["lf", "crlf", "\r"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1", "ascii"]),
        "null": st.sampled_from(["", "NULL", "0", "nan", "\\N", "-", "true"]),
        "formula_guard": st.sampled_from(["off", "escape"]),
        "rows_per_file": st.integers(1, 10),
        "bytes_per_file": st.integers(1, 500),
    },
)
APPEARANCE = st.fixed_dictionaries(
    {},
    optional={
        "date_format": st.sampled_from(
            ["%d.%m.%Y", "%d/%m/%y", "%Y-%j", "%Y", "%-d %B %Y", "%G W%V %u", "%C%y %m %d", "%e;%F"]
        ),
        "time_format": st.sampled_from(["%H:%M:%S", "%H:%M", "%I:%M:%S.%f %p", "%I", "%S%M%H,%f"]),
        "timestamp_format": st.sampled_from(
            ["%d.%m.%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f%z", "%F", "%c", "%H:%M %Z", "%Y%m%d%H"]
        ),
        "decimals": st.integers(0, 15),
        "decimal_separator": st.sampled_from([".", ","]),
        "thousands_separator": st.sampled_from(["", ",", ".", " ", "’", "\u00a0"]),
        "booleans": st.sampled_from([("yes", "no"), ("1", "0"), ("=T", ";F"), ("", "x")]),
    },
)


def valid(options: dict[str, Any]) -> Any:
    try:
        return registry.check_options(CSV, options)
    except InvalidSpec:
        assume(False)


def drawn_file(folders: Any, drawn: Drawn, options: dict[str, Any]) -> Written:
    schema, rows = drawn
    try:
        return write(folders.mktemp("csv") / "x", rows, schema, **options)
    except SourceFailed as error:
        if options.get("quote") != "none" or "without quotes" not in str(error):
            raise
        assume(False)
        raise


@quick
@given(drawn=batches(), options=OPTIONS, appearance=APPEARANCE)
def test_what_is_read_back_is_what_went_in_or_a_loss_says_so(
    tmp_path_factory: Any, drawn: Drawn, options: dict[str, Any], appearance: dict[str, Any]
) -> None:
    valid({**options, **appearance})
    out = drawn_file(tmp_path_factory, drawn, {**options, **appearance})
    again = out.table()
    table = normal(pa.Table.from_batches(drawn[1], drawn[0]))
    assert out.losses or same(again, table), (again, table)
    assert again.num_rows == table.num_rows
    assert again.column_names == table.column_names


@quick
@given(drawn=batches(), options=OPTIONS)
def test_python_reads_the_same_cells(
    tmp_path_factory: Any, drawn: Drawn, options: dict[str, Any]
) -> None:
    options = {n: o for n, o in options.items() if not n.endswith("_per_file")}
    checked = valid(options)
    schema, rows = drawn
    out = drawn_file(tmp_path_factory, drawn, options)
    assume("encoding" not in {loss.kind for loss in out.losses})
    shown = text(out, checked.encoding)
    found = list(
        csv.reader(
            io.StringIO(shown, newline=""),
            delimiter=checked.delimiter,
            quotechar=checked.quote_char,
            escapechar=checked.escape,
            doublequote=checked.escape is None,
            quoting=csv.QUOTE_NONE if checked.quote == "none" else csv.QUOTE_MINIMAL,
            strict=True,
        )
    )
    if checked.header:
        assert [undone(name, checked) for name in found.pop(0)] == schema.names
    expected = [
        [column[i] for column in batch.columns] for batch in rows for i in range(len(batch))
    ]
    assert len(found) == len(expected)
    for given_row, row in zip(found, expected, strict=True):
        # csv has no cell in an empty line
        for given_cell, value in zip(given_row or [""], row, strict=True):
            if not value.is_valid or (pa.types.is_dictionary(value.type) and value.as_py() is None):
                assert given_cell == checked.null
            else:
                numeric = isinstance(value.as_py(), (int, float))
                reading.check(value, given_cell if numeric else undone(given_cell, checked))


def undone(cell: str, options: Any) -> str:
    if options.formula_guard == "escape" and re.match("'+[=+@\t\r-]", cell):
        return cell[1:]
    return cell


@quick
@given(drawn=batches(), options=OPTIONS, data=st.data())
def test_rows_are_counted_however_the_bytes_come(
    tmp_path_factory: Any, drawn: Drawn, options: dict[str, Any], data: Any
) -> None:
    options = {n: o for n, o in options.items() if not n.endswith("_per_file")}
    checked = valid(options)
    out = drawn_file(tmp_path_factory, drawn, options)
    whole = out.file.read_bytes()
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=20).map(sorted))
    counter = CSV.counter(checked)
    for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        counter.update(whole[start:stop])
    assert counter.finish(out.file) == sum(len(batch) for batch in drawn[1])
