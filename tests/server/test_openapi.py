"""The OpenAPI document: valid, complete, and true of what the server answers."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from jupyter_export.server.base import _methods
from jupyter_export.server.openapi import OPERATIONS, document
from jupyter_export.server.routes import ROUTES

from .client import Api, numbers


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER, note TEXT)")
    database.close()
    given = {"shop": f"sqlite:///{tmp_path / 'shop.db'}", "unset": "env:NOT_SET_ANYWHERE"}
    jp_server_config["ExportApp"]["connections"] = given
    return jp_server_config


def test_it_is_a_valid_document() -> None:
    OpenAPIV31SpecValidator(document("/")).validate()


def test_it_names_every_route_and_no_other() -> None:
    documented = {(operation.path, operation.method.upper()) for operation in OPERATIONS}
    registered = {
        (path, method) for path, handler in ROUTES.items() for method in _methods(handler)
    }
    assert documented == registered


def test_it_knows_the_steps_of_a_dataset_and_the_codes_of_errors() -> None:
    schemas = document("/")["components"]["schemas"]
    steps = {"time_range", "sample", "computed", "group_by", "aggregates", "pivot", "distinct"}
    assert steps | {"sort", "limit"} <= set(schemas["Dataset"]["properties"])
    codes = schemas["Error"]["properties"]["code"]["description"]
    for code in ("login_refused", "connection_lost", "statement_timeout", "query_cancelled"):
        assert code in codes


async def test_the_answers_are_as_it_says(api: Api, jp_base_url: str) -> None:
    served = await api.json("GET", "openapi.json")
    assert served["servers"] == [{"url": f"{jp_base_url}jupyter-export/v1"}]

    def check(name: str, value: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": served["components"]}
        Draft202012Validator(schema).validate(value)

    check("Upload", await api.upload(numbers()))
    job = await api.export(numbers(), output={"path": "a.csv"})
    failed = await api.export(numbers(), columns={"include": ["x"]}, output={"path": "b.csv"})
    check("Job", job)
    check("Job", failed)
    lossy = pa.table({"l": [[1], [2, 3]]})
    check("Job", await api.export(lossy, output={"path": "c.csv"}))
    upload = await api.upload(lossy)
    spec = {"source": {"type": "upload", "id": upload["id"]}, "output": {"path": "d.csv"}}
    preview = await api.json("POST", "preview", {"spec": spec})
    assert preview["losses"]
    check("Preview", preview)
    for each in (await api.json("GET", "connections"))["connections"]:
        check("Connection", each)
    for each in (await api.json("GET", "connections/shop/tables"))["tables"]:
        check("Table", each)
    template = {"source": {"type": "upload", "id": "{{f}}"}, "limit": "{{n}}"}
    check("TemplateDocument", template)
    check("TemplateWithSpec", await api.json("PUT", "templates/few", template))
    for each in (await api.json("GET", "templates"))["templates"]:
        check("Template", each)
    check("JobPage", await api.json("GET", "jobs"))
    check("Failure", json.loads((await api("GET", "jobs/none")).body))
    formats = (await api.json("GET", "formats"))["formats"]
    for each in formats:
        check("Format", each)
    assert {"csv", "json", "jsonl", "parquet", "arrow"} <= {each["type"] for each in formats}
    schema = await api.json("GET", "schema")
    Draft202012Validator.check_schema(schema)
