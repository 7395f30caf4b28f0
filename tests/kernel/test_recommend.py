"""A recommended format, and the fact that its reason names."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from jupyter_export import registry
from jupyter_export.client.recommend import COMMON, PURPOSES, SHEET_ROWS, purpose, recommend

PLAIN = [{"name": "carrier", "type": "string"}, {"name": "delay", "type": "double"}]


def typed(kind: pa.DataType) -> list[dict[str, str]]:
    return [*PLAIN, {"name": "x", "type": str(kind)}]


@pytest.mark.parametrize(
    ("given", "type_", "because"),
    [
        ({"columns": PLAIN, "rows": 1}, "excel", "1 row fits a workbook"),
        ({"columns": PLAIN, "rows": 0}, "excel", "0 rows fit a workbook"),
        ({"columns": PLAIN, "rows": 100_000}, "excel", "100,000 rows fit"),
        ({"columns": PLAIN, "rows": 336_776}, "parquet", "336,776 rows open slowly"),
        ({"columns": PLAIN, "rows": SHEET_ROWS}, "parquet", "1,048,576 rows are more than a sheet"),
        ({"columns": PLAIN, "rows": None}, "csv", "Nobody has counted the rows"),
        ({"columns": PLAIN, "rows": 5, "datasets": 3}, "excel", "3 datasets become one workbook"),
        ({"columns": PLAIN, "rows": SHEET_ROWS, "datasets": 3}, "parquet", "more than a sheet"),
        ({"columns": PLAIN * 9000, "rows": 5}, "parquet", "18,000 columns are more than"),
        ({"columns": typed(pa.list_(pa.int8())), "rows": 5}, "parquet", "“x” holds lists"),
        (
            {"columns": typed(pa.map_(pa.int8(), pa.int8())), "rows": 5},
            "parquet",
            "“x” holds lists",
        ),
        ({"columns": typed(pa.binary()), "rows": 5}, "parquet", "“x” holds bytes"),
        ({"columns": typed(pa.timestamp("us", "UTC")), "rows": 5}, "parquet", "a time zone"),
        ({"columns": typed(pa.timestamp("us")), "rows": 5}, "excel", "5 rows fit"),
        ({"columns": typed(pa.decimal128(20, 2)), "rows": 5}, "parquet", "more than 15 digits"),
        ({"columns": typed(pa.decimal128(15, 2)), "rows": 5}, "excel", "5 rows fit"),
        (
            {"columns": typed(pa.int64()), "rows": 5, "head": [["UA", 1.5, "9007199254740993"]]},
            "parquet",
            "integers beyond 2^53",
        ),
        (
            {"columns": typed(pa.int64()), "rows": 5, "head": [["UA", 1.5, 7]]},
            "excel",
            "5 rows fit",
        ),
        (
            {"columns": PLAIN, "rows": 5, "longest": {"carrier": 40_000}},
            "parquet",
            "texts of up to 40,000 characters",
        ),
    ],
)
def test_a_fact_decides(given: dict[str, Any], type_: str, because: str) -> None:
    found = recommend(**given)
    assert found.type == type_
    assert because in found.reason
    assert found.reason.endswith(".")


def test_each_format_says_what_it_is_for() -> None:
    assert {*PURPOSES} == {*registry.FORMATS}
    assert purpose({"type": "excel", "label": "Excel"}) == "to read and share"
    assert purpose({"type": "ods", "label": "OpenDocument"}) == "OpenDocument"


def test_the_options_that_people_ask_for_first_are_there() -> None:
    for name, options in COMMON.items():
        assert {*options} <= {*registry.format_named(name).options.model_fields}
