"""Variables in a line, options with the format's types, and the help."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export import registry
from jupyter_export.errors import InvalidRequest
from jupyter_export.magic.arguments import key_and_value, parse
from jupyter_export.magic.expansion import expanded
from jupyter_export.magic.flags import FLAGS
from jupyter_export.magic.helptext import PAGE, help_on
from jupyter_export.magic.options import all_formats, read

from .shells import FLIGHTS

NAMES = {"name": "out", "n": 2, "spec": {"source": {}}, "text": '{"a": 1}', "folder": "a/b"} | {
    "blank": "a --replace", "flags": "--limit 1", "marks": 'say "hi" $n.csv', "cost": "a$n",
    "empty": "", "frame": FLIGHTS,
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("df {name}.csv", "df out.csv"),
        ("df {name}_{n + 1}.csv", "df out_3.csv"),
        ("df {name.upper()}.csv", "df OUT.csv"),
        ("df $folder/$name.csv", "df a/b/out.csv"),
        ("df '$name' \"$name\"", "df '$name' \"$name\""),
        ("{spec} {name}.csv", "{spec} out.csv"),
        ("{text}", "{text}"),
        ("df x --where \"a ~ '\\d{2}$'\"", "df x --where \"a ~ '\\d{2}$'\""),
        ("df x_{{name}}.csv", "df x_{{name}}.csv"),
        ("df {nobody}.csv $nobody", "df {nobody}.csv $nobody"),
        ('df x --option a={"n": 1}', 'df x --option a={"n": 1}'),
        ("df {n/0}", "df {n/0}"),
        ("df {__import__('os')}", "df {__import__('os')}"),
        ("df {blank}.csv", 'df "a --replace".csv'),
        ("df {blank}", 'df "a --replace"'),
        ("df $blank.csv x", 'df "a --replace".csv x'),
        ("df '{blank}.csv'", "df 'a --replace.csv'"),
        ("df {flags} $flags", "df --limit 1 --limit 1"),
        ('df "{marks}"', 'df "say \\"hi\\" $n.csv"'),
        ("df {marks}", """df 'say "hi" $n.csv'"""),
        ("df {cost}", "df a$n"),
        ("df.query('x > {n}')[{n}:] x", "df.query('x > 2')[2:] x"),
        ("df {n!r}.csv", "df 2.csv"),
        ("df x {empty}", "df x "),
        ("{frame} {frame.head(1)} x", "frame (frame.head(1)) x"),
    ],
)  # fmt: skip
def test_variables_of_the_notebook_stand_in_a_line(line: str, expected: str) -> None:
    assert expanded(line, NAMES) == expected


def test_an_expression_in_braces_is_evaluated_once() -> None:
    called: list[int] = []
    names: dict[str, Any] = {"called": called}
    assert expanded("df {called.append(1) or 'x'}.csv", names) == "df x.csv"
    assert expanded("df {called.append(2) or 1/0}.csv", names).endswith("1/0}.csv")
    assert called == [1, 2]


@pytest.mark.parametrize(
    ("format", "text", "expected"),
    [
        ("csv", "null=NA", "NA"),
        ("csv", "null=5", "5"),
        ("csv", "null=no", "no"),
        ('csv', 'null="5"', "5"),
        ("csv", 'delimiter="\\t"', "\t"),
        ("csv", "header=no", False),
        ("csv", "header=Yes", True),
        ("csv", "header=a,b c", ["a", "b c"]),
        ("csv", "header=a", ["a"]),
        ("csv", 'header=["a", "b"]', ["a", "b"]),
        ("csv", "booleans=yes,no", ["yes", "no"]),
        ("csv", "decimals=2", 2),
        ("csv", "decimals=null", None),
        ("csv", "decimals=many", "many"),
        ("csv", "line_terminator=crlf", "crlf"),
        ("excel", "freeze_panes=A2", "A2"),
        ("excel", "freeze_panes=no", False),
        ("excel", "autofilter=off", False),
        ("excel", "widths=auto", "auto"),
        ("excel", 'widths={"a": 12}', {"a": 12}),
        ("excel", 'charts=[{"type": "line", "y": ["a"]}]', [{"type": "line", "y": ["a"]}]),
        ("parquet", "row_group_rows=1_000", 1000),
        ("parquet", "dictionary=auto", "auto"),
        ("parquet", "dictionary=yes", True),
        ("parquet", "partition_by=origin,carrier", ["origin", "carrier"]),
        ("parquet", "page_version=2.0", "2.0"),
    ],
)  # fmt: skip
def test_an_option_has_the_type_of_its_schema(format: str, text: str, expected: Any) -> None:
    line = f"df x --option '{text}'" if " " in text or "{" in text else f"df x --option {text}"
    places = parse(line).places
    key, plain, raw = key_and_value(places.of("--option")[0], line)
    schema = registry.format_named(format).options.model_json_schema()
    found = read(plain, raw, schema["properties"][key], schema.get("$defs", {}))
    assert found == expected
    assert type(found) is type(expected)


# ----------------------------------------------------------------- help


def test_the_page_fits_a_screen_and_has_every_flag(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = PAGE.splitlines()
    assert len(lines) <= 36, "IPython adds lines of its own"
    assert max(map(len, lines)) <= 100
    for flag in FLAGS:
        assert flag in PAGE or flag in ("--wait", "--help")
    for line in ("", "--help", "-h"):
        shell.run_line_magic("export", line)
        assert capsys.readouterr().out == PAGE
    page = shell.object_inspect_mime("%export")["text/plain"]
    assert PAGE.strip() in page
    assert len(page.splitlines()) <= 40


def test_a_format_and_a_flag_are_explained() -> None:
    class Client:
        formats = staticmethod(all_formats)

    client: Any = Client
    excel = help_on(["excel"], client)
    assert help_on([".xlsx"], client) == excel == help_on(["xlsx"], client)
    assert "  --option freeze_panes=text|yes|no   (unset: yes)\n      The header stays" in excel
    for each in all_formats():
        told = help_on([each["type"]], client)
        assert all(f"--option {name}=" in told for name in each["options"]["properties"])
        assert max(map(len, told.splitlines())) <= 100
    for word in ("--group-by", "group-by", "group_by"):
        assert help_on([word], client).startswith("--group-by A,B\n  A row for each group")
    for word, meant in (("exel", "excel"), ("colums", "columns"), ("filter", "--where")):
        with pytest.raises(InvalidRequest, match=f"Did you mean {meant}?"):
            help_on([word], client)
