"""JSON and JSON Lines: every record is a row, and its keys are the columns.

Numbers keep all their digits: a column that a double would round becomes a decimal, or stays text.
Strings stay strings, but for dates and times in ISO 8601. A list or object gets a type when all of
its column fit one without a change, and is JSON text otherwise, as is a column of mixed types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from ...engine import literal
from ...errors import SourceFailed
from ...registry import BatchStream, Surroundings, split_ending
from . import engine_rows, text_types
from .engine_rows import Explain, LineTooLong, lines, one_file, opened
from .places import FIELD, Entry
from .text_types import Digits
from .wording import unreadable

_VALUE = "value"
"""The column of records that are no objects."""
_MOST_FIELDS = 1000
"""Fields of an object's type; beyond it is JSON text."""
_MOST_KEYS = 5000
_LARGEST = 64 * 2**20
"""Bytes of one record, where the engine's own 16 MiB are not enough."""
_LONG = "[0-9.]{17,}"
"""A number that a double may not keep."""
_ROUNDED = "[0-9][0-9.]{14,}|[eE][+-]?[0-9]{3,}"
_FILLED = r'"(?:[^"\\]|\\.)*"\s*:\s*[^n\s]'
_REAL = r"-?[0-9][0-9.eE+-]*"


@dataclass(frozen=True)
class JsonTable:
    """JSON files that were looked at together: one schema for all of them."""

    schema: pa.Schema
    rows: int
    open: Callable[[int], BatchStream]
    """Read the file of that number."""


def look(files: Sequence[tuple[Entry, Path]], shown: str, here: Surroundings) -> JsonTable:
    """Look at every value of the files. Raises ``SourceFailed`` for what is no JSON."""
    for entry, path in files:
        if path.stat().st_size == 0:
            raise SourceFailed(
                f"“{entry.shown}” is empty: not even its columns are known.", field=FIELD
            )
    lined = all(split_ending(entry.name)[1] != ".json" for entry, _ in files)
    try:
        return _look(files, lined, shown, here, None)
    except _RecordTooLong:
        return _look(files, lined, shown, here, _LARGEST)


def _look(
    files: Sequence[tuple[Entry, Path]],
    lined: bool,
    shown: str,
    here: Surroundings,
    largest: int | None,
) -> JsonTable:
    paths = [path for _, path in files]
    explain = _explains(files, lined, largest, here)
    records = _records(paths, lined, largest)
    with engine_rows.looking(paths, here, explain) as connection:
        looked = _Looked(connection, records, shown)
        names, cells = looked.columns()
        query = f"SELECT {cells} FROM {looked.cells('{records}')}"
        empty = f"{query.replace('{records}', records)} LIMIT 0"
        kinds = connection.sql(empty).to_arrow_reader().schema.types

    def open_file(at: int) -> BatchStream:
        return engine_rows.stream(
            query.replace("{records}", _records([paths[at]], lined, largest)),
            names,
            [paths[at]],
            here,
            explain,
        )

    return JsonTable(pa.schema(list(zip(names, kinds, strict=True))), looked.rows, open_file)


def _records(paths: Sequence[Path], lined: bool, largest: int | None) -> str:
    shape = "newline_delimited" if lined else "auto"
    listed = ", ".join(one_file(path) for path in paths)
    size = f"maximum_object_size = {largest}, " if largest else ""
    return f"read_json_objects([{listed}], format = '{shape}', {size}hive_partitioning = false)"


@dataclass
class _Looked:
    """What is found out of the records, step by step."""

    connection: duckdb.DuckDBPyConnection
    records: str
    shown: str
    rows: int = 0
    exact: bool = False
    """Some numbers are longer than doubles: their digits are taken from the text."""
    keys: list[str] = field(default_factory=list)
    objects: bool = True

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.sql(sql).fetchall()

    def cells(self, records: str) -> str:
        """Return SQL for the rows: ``json``, and of value 0 its kind ``k0`` and text ``t0``, …"""
        listed = ", ".join(map(self._path, range(len(self.names))))
        each = ", ".join(
            f"k[{at + 1}] AS k{at}, {self._text(at)} AS t{at}" for at in range(len(self.names))
        )
        # one parse of the record for all kinds, and one for all texts
        both = f"json_type(json, [{listed}]) AS k, json_extract_string(json, [{listed}]) AS t"
        return f"(SELECT json, {each} FROM (SELECT json, {both} FROM {records}))"

    @property
    def names(self) -> list[str]:
        return self.keys if self.objects else [_VALUE]

    def _path(self, at: int) -> str:
        if not self.objects:
            return "'$'"
        return literal("/" + self.keys[at].replace("~", "~0").replace("/", "~1"))

    def columns(self) -> tuple[list[str], str]:
        """Return the columns' names, and the SQL of their values over ``cells``."""
        self._shape()
        names = self.names
        rows = self.cells(self.records)
        classes = ", ".join(text_types.mask_sql(self._class(at)) for at in range(len(names)))
        (masks,) = self.ask(f"SELECT {classes} FROM {rows}")
        found = []
        for at, mask in enumerate(masks):
            if mask & ~text_types.NULL_BIT == text_types.NESTED_BIT:
                found.append(self._nested(at, rows))
                continue
            text = f"t{at}"
            kind = text_types.type_of(
                mask,
                lambda text=text: Digits(  # type: ignore[misc]
                    *self.ask(f"SELECT {text_types.digits_sql(text)} FROM {rows}")[0]
                ),
                lambda text=text: bool(  # type: ignore[misc]
                    self.ask(f"SELECT {text_types.nanoseconds_sql(text)} FROM {rows}")[0][0]
                ),
            )
            found.append(f"CAST({text} AS {kind})")
        return list(names), ", ".join(f"{cell} AS c{at}" for at, cell in enumerate(found))

    def _shape(self) -> None:
        whole, again = "json::VARCHAR", "json_extract(json, '$')::VARCHAR"
        raw, kept = (f"regexp_extract_all({text}, '{_LONG}')" for text in (whole, again))
        dense, densely = (
            f"replace(replace({text}, ': ', ':'), ', ', ',')" for text in (whole, again)
        )
        # the dearest comparison is the last one, and most records do not come to it
        rounds = (
            f"CASE WHEN NOT regexp_matches({whole}, '{_LONG}') THEN false "
            f"WHEN {whole} = {again} THEN false WHEN {dense} = {densely} THEN false "
            f"ELSE {raw} <> {kept} END"
        )
        found = self.ask(
            f"SELECT json_type(json), count(*), bool_or({rounds}) FROM {self.records} GROUP BY 1"
        )
        self.rows = sum(count for _, count, _ in found)
        self.exact = any(each for *_, each in found)
        self.objects = all(kind == "OBJECT" for kind, *_ in found)
        if not self.rows:
            raise SourceFailed(
                f"“{self.shown}” holds no records: not even its columns are known.", field=FIELD
            )
        if self.objects:
            self._find_keys()

    def _find_keys(self) -> None:
        """Find the keys of all records, in order of their first appearance."""
        # most files have few different lists of keys, however many their records
        lists = (
            "SELECT keys, min(nth) AS nth FROM (SELECT json_keys(json) AS keys, "
            f"row_number() OVER () AS nth FROM {self.records}) GROUP BY keys"
        )
        found = self.ask(
            "SELECT key, min(nth * 1000000 + place), max(times) FROM (SELECT nth, "
            "unnest(keys) AS key, unnest(range(len(keys))) AS place, "
            f"len(keys) - len(list_distinct(keys)) AS times FROM ({lists})) "
            f"GROUP BY key ORDER BY 2 LIMIT {_MOST_KEYS + 1}"
        )
        self.keys = [key for key, *_ in found]
        if not self.keys:
            raise SourceFailed(f"The records of “{self.shown}” have no fields.", field=FIELD)
        if len(self.keys) > _MOST_KEYS:
            raise SourceFailed(
                f"The records of “{self.shown}” have more than {_MOST_KEYS:,} different keys.",
                hint="Turn keys that are values into a field of their own.",
                field=FIELD,
            )
        if any(times for *_, times in found):
            ((keys,),) = self.ask(
                f"SELECT keys FROM ({lists}) WHERE len(list_distinct(keys)) < len(keys) LIMIT 1"
            )
            twice = next(key for key in keys if keys.count(key) > 1)
            raise SourceFailed(
                f"A record of “{self.shown}” has the key “{twice}” twice.", field=FIELD
            )

    def _text(self, at: int) -> str:
        """Return SQL for the text of a value; of a number with all its digits."""
        shown = f"t[{at + 1}]"
        if not self.exact or not self.objects:
            return shown
        key = re.escape(json.dumps(self.keys[at], ensure_ascii=False))
        pattern = literal(rf"{key}\s*:\s*({_REAL})")
        whole = f"regexp_extract(json::VARCHAR, {pattern}, 1)"
        same = f"try_cast({whole} AS DOUBLE) = try_cast({shown} AS DOUBLE)"
        return f"(CASE WHEN k[{at + 1}] = 'DOUBLE' AND {same} THEN {whole} ELSE {shown} END)"

    def _class(self, at: int) -> str:
        string = text_types.class_sql(f"t{at}", numbers=False)
        number = text_types.class_sql(f"t{at}", texts=False)
        nested = text_types.class_number("nested")
        return (
            f"CASE coalesce(k{at}, 'NULL') WHEN 'NULL' THEN 0 "
            f"WHEN 'VARCHAR' THEN {string} "
            f"WHEN 'BOOLEAN' THEN {text_types.class_number('true')} "
            f"WHEN 'ARRAY' THEN {nested} WHEN 'OBJECT' THEN {nested} ELSE {number} END"
        )

    def _nested(self, at: int, rows: str) -> str:
        """Return SQL for a column of lists or objects: typed where that keeps every value."""
        value = f"json_extract(json, {self._path(at)})"
        text = f"t{at}"
        if self.exact:
            # digits inside of lists and objects cannot be told apart
            return text
        ((structure,),) = self.ask(f"SELECT json_group_structure({value}) FROM {rows}")
        tree = json.loads(structure)
        if not _has_type(tree):
            return text
        typed = f"json_transform({value}, {literal(json.dumps(_signed(tree)))})"
        again = f"to_json({typed})::VARCHAR"
        whole = f"{value}::VARCHAR"
        # long numbers, digit by digit
        digits = " = ".join(
            f"regexp_extract_all({each}, {literal(_ROUNDED)})" for each in (whole, again)
        )
        # keys with values: of a key that is there twice, only one has a place in a type
        keys = " = ".join(
            f"len(regexp_extract_all({each}, {literal(_FILLED)}))" for each in (whole, again)
        )
        try:
            ((same,),) = self.ask(
                f"SELECT bool_and({digits} AND {keys}) FROM {rows} "
                f"WHERE k{at} IN ('ARRAY', 'OBJECT')"
            )
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            # a number beyond 64 bits has no place in a list of integers
            return text
        return typed if same else text


def _has_type(tree: Any) -> bool:
    """Tell whether a structure of the engine has one type for each of its values."""
    if isinstance(tree, dict):
        folded = {key.casefold() for key in tree}
        few = 0 < len(tree) <= _MOST_FIELDS
        return few and len(folded) == len(tree) and all(map(_has_type, tree.values()))
    if isinstance(tree, list):
        return all(map(_has_type, tree))
    return bool(tree != "JSON")


def _signed(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _signed(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_signed(each) for each in tree]
    return {"UBIGINT": "BIGINT", "NULL": "VARCHAR", "HUGEINT": "BIGINT"}.get(tree, tree)


# ------------------------------------------------------------------ what goes wrong


class _RecordTooLong(SourceFailed):
    """A record is longer than the engine reads by itself."""


def _explains(
    files: Sequence[tuple[Entry, Path]], lined: bool, largest: int | None, here: Surroundings
) -> Explain:
    """Return the function that puts the engine's complaints about JSON into a sentence."""

    def explain(text: str) -> SourceFailed:
        entry, path = next((each for each in files if str(each[1]) in text), files[0])
        if "maximum_object_size" in text:
            if largest is None:
                return _RecordTooLong(text)
            return SourceFailed(
                f"“{entry.shown}” holds a record of more than {_LARGEST // 2**20} MiB.",
                field=FIELD,
            )
        where = f"“{entry.shown}”"
        told = re.search(r"in line (\d+)", text)
        if told and lined:
            line = _wrong_line(path, int(told[1]), here)
            where = f"Line {line:,} of {where}" if line else where
        if "UTF-16" in text or "encoding" in text.lower():
            return SourceFailed(f"{where} is not UTF-8.", hint="Save it as UTF-8.", field=FIELD)
        malformed = re.search(r"Malformed JSON in file .*?: ([\w ,'-]+)", text, re.DOTALL)
        if malformed:
            return SourceFailed(f"{where} is not JSON: {malformed[1].strip()}.", field=FIELD)
        return unreadable(entry.shown, text)

    return explain


def _wrong_line(path: Path, told: int, here: Surroundings) -> int | None:
    """Return the line that is no JSON: the one that the engine tells, or the one before, since
    its versions count differently."""
    with closing(opened(path)) as text, suppress(LineTooLong):
        for number, line in enumerate(lines(text, here), 1):
            if number > told:
                return None
            if number >= told - 1 and line.strip():
                try:
                    json.loads(line)
                    line.encode()
                except (ValueError, RecursionError):
                    return number
    return None
