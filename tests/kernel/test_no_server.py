"""Plain IPython without a server: every flag of %export does what it does elsewhere, in text."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_export.magic.flags import FLAGS

from .conftest import configure

SHAPED = "carrier,late\nUA,61.0\n"
LINES = [
    # (line or cell, what is shown, the file and what is in it)
    ("%export flights a.csv", "● a.csv · 3 rows · 3 columns", "a.csv", None),
    ("%export flights a.csv", "“a.csv” exists already", "a.csv", None),
    ("%export flights a.csv --replace --name mine", "● a.csv · 3 rows", "a.csv", None),
    ("%export flights a.csv --if-exists rename --wait", "● a (1).csv", "a (1).csv", None),
    ("%export flights sub/a.parquet", "  sub/a.parquet\n  | import pyarrow", "sub/a.parquet", None),
    ("%export flights planes all.xlsx", "● all.xlsx · 5 rows · 2 datasets", "all.xlsx", None),
    ("%export flights planes all.csv.zip", "● all.csv.zip · 5 rows", "all.csv.zip", None),
    ("%export flights b.xlsx --sheet Delays --option freeze_panes=A2 --on-loss ignore",
     "● b.xlsx · 3 rows", "b.xlsx", None),
    ("%export flights b --format json --compress gzip", "● b · 3 rows", "b", None),
    (('%export flights c.csv --where "delay > 1" --columns "carrier, delay as late" --sort -delay '
     "--limit 1 --distinct --debug"), "● c.csv · 1 row", "c.csv", SHAPED),
    (('%export flights d.csv --sample 100% --seed 3 --compute "hours=delay/60" --rename '
     '"hours as h" --columns "carrier, hours" --sort "hours desc" --limit 1'), "● d.csv · 1 row",
     "d.csv", "carrier,h\nUA,1.016"),
    ('%export flights e.csv --group-by carrier --aggregate "sum(delay), n=count(*)" --sort carrier',
     "● e.csv · 2 rows", "e.csv", "carrier,sum_delay,n\nAA,,1\nUA,66.0,2\n"),
    ('%export dated f.csv --time-range "at 2013-01-02.." --pivot "on=kind values=max(x) index=at"',
     "● f.csv · 1 row", "f.csv", "at,b\n2013-01-02"),
    ("%export flights --preview", "Nothing would be lost in csv.", None, None),
    ("%export flights g.csv --no-wait", "g.csv", "g.csv", None),
    ("%export flights h.csv --save-template weekly", "Saved as the template “weekly”", "h.csv",
     None),
    ("%export --template weekly i.csv", "● i.csv · 3 rows", "i.csv", None),
    ("%export --template wekly j.csv", "Did you mean weekly?", None, None),
    ("%export report.json", "● of_spec.csv · 3 rows", "of_spec.csv", None),
    ('%export flights.query("delay > 10") k.csv', "● k.csv · 1 row", "k.csv", None),
    ("%%export l.csv\nSELECT count(*) AS n FROM flights", "● l.csv · 1 row", "l.csv", "n\n3\n"),
    ("%%export m.csv --connection shop --param least=2\nSELECT * FROM t WHERE a >= :least",
     "● m.csv · 1 row", "m.csv", "a,b\n2,y\n"),
    ("%%export n.csv --connection own\nSELECT 1 AS one", "● n.csv · 1 row", "n.csv", "one\n1\n"),
    ("%export flights --panel", "ExportPanel · flights (3 rows, 3 columns)", None, None),
    ("%export --jobs", "i.csv", None, None),
    ("%export --help sample", "--sample", None, None),
]  # fmt: skip
ELSEWHERE = {"--status", "--cancel", "--to"}
"""Flags that need more than a line here: an id, a clipboard."""


def test_every_flag_has_a_line_here() -> None:
    named = set(re.findall(r"--[a-z-]+", " ".join(each[0] for each in LINES)))
    assert named | ELSEWHERE == set(FLAGS)


def test_every_flag_without_a_server(
    shell: InteractiveShell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as shop:
        shop.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    shop.close()
    configure(tmp_path / "settings", {"shop": f"sqlite:///{tmp_path}/shop.db"}, monkeypatch)
    spec = {"source": {"type": "upload", "id": "{{flights}}"}, "output": {"path": "of_spec.csv"}}
    Path("report.json").write_text(json.dumps(spec))
    dates = pd.to_datetime(["2013-01-01", "2013-01-02"])
    dated = pd.DataFrame({"at": dates, "kind": ["a", "b"], "x": [1, 2]})
    own = duckdb.connect()
    shell.user_ns.update(dated=dated, own=own)
    shell.colors = "nocolor"

    def typed(line: str) -> str:
        ran = shell.run_cell(line, store_history=True)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err, line
        if ran.success and hasattr(ran.result, "wait"):
            ran.result.wait(60)
        return said.out + said.err

    for line, shown, path, content in LINES:
        said = typed(line)
        assert shown in said, f"{line}\n{said}"
        assert path is None or Path(path).exists(), line
        if path is not None and content is not None:
            assert Path(path).read_text().replace("\r\n", "\n").startswith(content), line

    table = typed("%export --jobs")
    job_id = re.search(r"^(\w{16}) +n\.csv", table, re.MULTILINE)
    assert job_id is not None
    assert "● n.csv · 1 row" in typed(f"%export --status {job_id[1]}")
    assert "● n.csv · 1 row" in typed(f"%export --cancel {job_id[1][:10]}")  # finished already
    assert "There is no job “nothing”." in typed("%export --status nothing")
    own.close()
