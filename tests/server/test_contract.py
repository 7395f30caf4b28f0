"""The running server keeps what its openapi.json promises: schemathesis tries to prove it wrong.

The statuses, media types, headers and bodies of every answer are compared with the document, for
requests that keep to it and requests that do not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .client import PREFIX
from .fuzzed import FUZZ, Fuzzed, fuzzed_server

SOURCE = Path(__file__).parents[2]
FILE = {"type": "file", "path": "rows.csv"}
TEMPLATE = {"source": FILE, "where": "n > {{least=0}}"}
NO_TABLE = {"type": "table", "connection": "shop", "table": "none"}

ALSO_REFUSED = {
    "GET /audit": 400,
    "GET /d/{token}": 416,
    "GET /jobs": 400,  # a cursor that we did not give
    "GET /jobs/{id}/download": 416,
    "POST /audit/uploads": 400,
    "POST /jobs": 400,  # no schema says which columns there are
    "POST /jobs/{id}/links": 400,
    "POST /jobs/{id}/retry": 400,
    "POST /preview": 400,
    "POST /stream": 400,
    "POST /uploads": 400,
    "PUT /templates/{name}": 400,  # the body is any object, for a slot may stand anywhere
}
"""Operation -> a status that its document has for requests of the right form."""

SAME_BODY = ("POST /jobs", "POST /stream")
"""Take what POST /preview takes, whose every field is tried; these only in the long form."""


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with fuzzed_server(tmp_path_factory.mktemp("contract")) as running:
        yield running


def configuration(fuzzed: Fuzzed) -> str:
    """Return schemathesis.toml: real ids for paths, most of the time."""
    file = fuzzed.job({"source": FILE})["id"]
    workbook = fuzzed.job({"source": FILE, "output": {"path": "a.xlsx"}})["id"]
    zipped = fuzzed.job({"source": FILE, "compression": "gzip"})["id"]
    failed = fuzzed.job({"source": NO_TABLE})["id"]
    once = fuzzed.job({"source": FILE, "retention": {"delete_after_download": True}})["id"]
    assert fuzzed.send("GET", f"jobs/{once}/download").status_code == 200
    links = [fuzzed.send("POST", f"jobs/{file}/links").json() for _ in range(5)]
    for name in ("monthly", "gone"):
        assert fuzzed.send("PUT", f"templates/{name}", json=TEMPLATE).status_code == 201
    gone = [fuzzed.job({"source": FILE})["id"] for _ in range(3)]
    expected = "\n".join(
        f"""
[[operations]]
include-name = "{name}"
[operations.checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "403", "404", "409", "410", "429", {status}]
[operations.phases.coverage]
enabled = {json.dumps(FUZZ > 1 or name not in SAME_BODY)}
"""
        for name, status in ALSO_REFUSED.items()
    )
    return f"""
hooks = "tests.server.contract_hooks"
max-failures = 20
request-timeout = 60
[generation]
deterministic = {json.dumps(FUZZ == 1)}
max-examples = {int(10 * FUZZ)}
no-shrink = true
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "403", "404", "409", "410", "429"]
[checks.negative_data_rejection]
expected-statuses = ["400", "403", "404", "405", "409", "410", "413", "429"]
[auth.openapi.token]
api_key = "token {fuzzed.server.token}"
[dictionaries.jobs]
values = {json.dumps([file, workbook, zipped, failed, once])}
[dictionaries.disposable]
values = {json.dumps(gone)}
[dictionaries.links]
values = {json.dumps([each["id"] for each in links[1:]])}
[dictionaries.tokens]
values = {json.dumps([links[0]["token"]])}
[dictionaries.connections]
values = ["shop"]
[dictionaries.templates]
values = ["monthly", "gone"]
[parameters]
"path.id" = {{ dictionary = "jobs", probability = 0.7 }}
"path.token" = {{ dictionary = "tokens", probability = 0.7 }}
"path.name" = {{ dictionary = "connections", probability = 0.7 }}
[[operations]]
include-name = "DELETE /jobs/{{id}}"
[operations.parameters]
"path.id" = {{ dictionary = "disposable", probability = 0.7 }}
[[operations]]
include-name = "DELETE /templates/{{name}}"
[operations.parameters]
"path.name" = {{ dictionary = "templates", probability = 0.7 }}
[[operations]]
include-name = "GET /templates/{{name}}"
[operations.parameters]
"path.name" = {{ dictionary = "templates", probability = 0.7 }}
[[operations]]
include-name = "DELETE /links/{{id}}"
[operations.parameters]
"path.id" = {{ dictionary = "links", probability = 0.7 }}
{expected}"""


@pytest.mark.timeout(0)
def test_every_answer_is_as_the_document_says(fuzzed: Fuzzed, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(configuration(fuzzed))
    address = f"{fuzzed.server.url}{PREFIX}/openapi.json"
    run = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", address, "--no-color",
            "--header", f"Authorization: token {fuzzed.server.token}",
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=600 * max(1, FUZZ),
    )  # fmt: skip
    # A body that it tried may be as long as a spec may be.
    said = "\n".join(line[:400] for line in (run.stdout + run.stderr).splitlines())
    assert run.returncode == 0, said[-30_000:]
    # An operation that could not be tested would pass.
    assert "Operations:       " in run.stdout
    assert "Serialization not possible" not in run.stdout
    fuzzed.check_alive()
