"""Ranges, ETags and file names, without a server."""

from __future__ import annotations

import pytest

from jupyter_export.server.ranges import (
    ByteRange,
    Unsatisfiable,
    asked_range,
    content_disposition,
    is_named,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=50-1000", (50, 100)),
        ("Bytes=0-0", (0, 1)),
        # Ignored: the whole file is a right answer to each.
        ("bytes=0-1,5-6", None),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("rows=1-2", None),
        ("nonsense", None),
    ],
)
def test_one_range_of_a_hundred_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    assert asked_range(header, 100) == (ByteRange(*expected) if expected else None)


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)]
)
def test_a_range_outside_the_file(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        asked_range(header, size)


def test_etags() -> None:
    assert is_named('"a", W/"b"', '"b"')
    assert is_named("*", '"b"')
    assert not is_named('"a"', '"b"')
    assert not is_named(None, '"b"')


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a b.csv", "attachment; filename=\"a b.csv\"; filename*=UTF-8''a%20b.csv"),
        (
            "Größe €.csv",
            "attachment; filename=\"Groe .csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%E2%82%AC.csv",
        ),
        (
            "日本.csv",
            "attachment; filename=\"export.csv\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.csv",
        ),
        (
            'a"\r\nX: y.csv',
            "attachment; filename=\"a___X: y.csv\"; filename*=UTF-8''a%22__X%3A%20y.csv",
        ),
    ],
)
def test_file_names(name: str, expected: str) -> None:
    assert content_disposition(name) == expected


@pytest.mark.parametrize(
    ("name", "plain", "right"),
    [
        ('say "hi".csv', "say _hi_.csv", "say%20%22hi%22.csv"),
        ("a\\b/c%41.csv", "a_b_c_41.csv", "a_b_c%2541.csv"),
        ("../../etc/passwd", "export.._.._etc_passwd", ".._.._etc_passwd"),
        ("a\r\nSet-Cookie: x.csv", "a__Set-Cookie: x.csv", "a__Set-Cookie%3A%20x.csv"),
        ("invoice\u202excod.exe", "invoice_xcod.exe", "invoice_xcod.exe"),
        (".htaccess", "export.htaccess", ".htaccess"),
        ("数", "export", "%E6%95%B0"),
        ("nul.csv", "_nul.csv", "_nul.csv"),
        ("COM1", "_COM1", "_COM1"),
        ("dots. . ", "dots", "dots"),
        ("zero\0.csv", "zero_.csv", "zero_.csv"),
        ("half\ud800.csv", "half?.csv", "half%3F.csv"),
        ("a" * 300 + ".csv.gz", "a" * 193 + ".csv.gz", "a" * 193 + ".csv.gz"),
        ("ü" * 300 + ".csv", "u" * 98 + ".csv", "%C3%BC" * 98 + ".csv"),
    ],
)
def test_any_name_makes_one_safe_header(name: str, plain: str, right: str) -> None:
    header = content_disposition(name)
    assert header == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{right}"
    assert header.isascii()
    assert header.isprintable()
