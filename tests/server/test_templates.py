"""The routes of templates."""

from __future__ import annotations

import json

from .client import Api, problem

TEMPLATE = {
    "description": "Delays",
    "source": {"type": "upload", "id": "{{flights}}"},
    "where": {"column": "n", "op": ">", "value": "{{least=0}}"},
}


async def test_a_template_is_put_listed_got_and_deleted(api: Api) -> None:
    assert await api.json("GET", "templates") == {"templates": []}
    new = await api("PUT", "templates/été.1", TEMPLATE)
    assert new.code == 201
    kept = json.loads(new.body)
    assert (kept["name"], kept["frames"], kept["format"]) == ("été.1", ["flights"], "csv")
    assert kept["parameters"] == [{"name": "least", "default": 0, "required": False}]
    assert await api.json("GET", "templates/été.1") == kept
    spec = kept.pop("spec")
    assert spec == {key: each for key, each in TEMPLATE.items() if key != "description"}
    assert await api.json("GET", "templates") == {"templates": [kept]}
    replaced = await api("PUT", "templates/été.1", {**TEMPLATE, "format": "json"})
    assert (replaced.code, json.loads(replaced.body)["format"]) == (200, "json")
    assert (await api("DELETE", "templates/été.1")).code == 204
    assert (await api("DELETE", "templates/été.1")).code == 404
    entries = (await api.json("GET", "audit", action="save_template"))["entries"]
    assert [each["subject"] for each in entries] == ["été.1", "été.1"]


async def test_what_is_wrong_is_said(api: Api) -> None:
    for body, code, status in (
        (b"[]", "invalid_spec", 400),
        (b"{", "invalid_request", 400),
        ({**TEMPLATE, "wher": 1}, "invalid_spec", 400),
        ({**TEMPLATE, "columns": ["x" * 9000] * 40}, "too_large", 413),
    ):
        answer = await api("PUT", "templates/a", body)
        assert (answer.code, problem(answer)["code"]) == (status, code)
    named = await api("PUT", "templates/a%2Fb", TEMPLATE)
    assert (named.code, problem(named)["field"]) == (400, "name")
    assert (await api("GET", "templates/a%2Fb")).code == 404
    missing = await api("GET", "templates/a")
    assert problem(missing)["message"] == "You have no template “a”."
