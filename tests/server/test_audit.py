"""The routes of the audit trail."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jupyter_export.server.app import ExportApp
from jupyter_export.server.kernel_tokens import os_user

from .client import Api, NamedUsers, numbers, problem


async def test_the_owner_of_a_server_reads_its_trail(api: Api) -> None:
    job = await api.export(numbers(), output={"path": "a.csv"})
    await api("GET", f"jobs/{job['id']}/download")
    page = await api.json("GET", "audit", subject=job["id"], limit=2)
    assert len(page["entries"]) == 2
    rest = await api.json("GET", "audit", subject=job["id"], cursor=page["next_cursor"])
    entries = [*page["entries"], *rest["entries"]][::-1]
    assert rest["next_cursor"] is None
    told = [(each["action"], each["outcome"]) for each in entries]
    assert told[:4] == [
        ("submit", "ok"), ("run", "started"), ("run", "completed"), ("download", "begun"),
    ]  # fmt: skip
    assert {each["actor"] for each in entries} == {os_user()}
    assert (entries[0]["address"], entries[1]["address"]) == ("127.0.0.1", "")
    assert (await api.json("GET", "audit", actor="nobody"))["entries"] == []
    assert (await api.json("GET", "audit", until="2020-01-01"))["entries"] == []
    for wrong in ({"since": "soon"}, {"cursor": "x"}, {"limit": 0}, {"limit": 501}):
        response = await api("GET", "audit", **wrong)
        assert (response.code, problem(response)["field"]) == (400, next(iter(wrong)))


async def test_it_is_exported_as_any_other_data(api: Api, jp_root_dir: Any) -> None:
    job = await api.export(numbers(), output={"path": "a.csv"})
    upload = await api.json("POST", "audit/uploads", {"subject": job["id"]})
    assert upload["rows"] == 3
    spec = {"source": {"type": "upload", "id": upload["id"]}, "output": {"path": "audit.parquet"}}
    done = await api.json("POST", "jobs", spec, wait=30)
    assert done["status"] == "completed", done["error"]
    table = pq.read_table(jp_root_dir / "audit.parquet")
    assert table.column("action").to_pylist() == ["submit", "run", "run"]
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")
    everything = await api.json("POST", "audit/uploads", b"")
    assert everything["rows"] > 3
    for body, field in (({"who": "x"}, "who"), ({"actor": 1}, "actor"), ([], None)):
        response = await api("POST", "audit/uploads", body)
        assert (response.code, problem(response)["field"]) == (400, field)


class TestWithNames:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        jp_server_config["ExportApp"]["admin_users"] = ["root"]
        return jp_server_config

    async def test_only_administrators(
        self, api: Api, app: ExportApp, named_users: NamedUsers
    ) -> None:
        ada, root = {"X-User": "ada"}, {"X-User": "root"}
        upload = await api.upload(numbers(), headers=ada)
        spec = {"source": {"type": "upload", "id": upload["id"]}}
        job = await api.json("POST", "jobs", spec, headers=ada, wait=30)
        assert (await api("GET", f"jobs/{job['id']}", headers={"X-User": "bob"})).code == 404
        for method, path in (("GET", "audit"), ("POST", "audit/uploads")):
            body = b"{}" if method == "POST" else None
            response = await api(method, path, body, headers=ada)
            assert (response.code, problem(response)["code"]) == (403, "forbidden")
            assert (await api(method, path, body, headers=root)).code < 300
        page = await api.json("GET", "audit", headers=root, actor="bob")
        [tried] = page["entries"]
        assert (tried["action"], tried["outcome"], tried["owner"]) == ("read", "refused", "ada")
        assert tried["address"] == "127.0.0.1"
        assert json.dumps(page).count(job["id"]) == 1

    async def test_a_kernel_is_no_administrator(self, api: Api, app: ExportApp) -> None:
        token = {"Authorization": f"token {app._tokens.issue('kernel-1')}"}
        assert (await api("GET", "audit", headers=token)).code == 403
