"""Every route as each kind of caller, with somebody's real jobs, uploads and connections behind."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPResponse

from jupyter_export.server.app import ExportApp
from jupyter_export.server.kernel_tokens import os_user

from .client import Api, NamedUsers, arrow, numbers, problem
from .test_access import FOR_ADMINISTRATORS, TABLE

ADA, BOB, CHIEF = {"X-User": "ada"}, {"X-User": "bob"}, {"X-User": "chief"}

STATUS = {
    ("POST", "uploads"): 201,
    ("POST", "jobs"): 201,
    ("POST", "jobs/{id}/links"): 201,
    ("POST", "jobs/{id}/cancel"): 202,
    ("POST", "jobs/{id}/retry"): 400,  # It is completed.
    ("DELETE", "jobs/{id}"): 204,
    ("DELETE", "links/{id}"): 204,
    ("DELETE", "templates/{name}"): 204,
    ("POST", "audit/uploads"): 201,
}
"""What the owner is answered; 200 where nothing stands."""
OWN_TEMPLATES = {
    ("GET", "templates/{name}"): 404,
    ("PUT", "templates/{name}"): 201,
    ("DELETE", "templates/{name}"): 204,
}
"""What others are answered, administrators too: ada's template is not there, and they make and
remove one of that name for themselves."""


TEMPLATE = {"source": {"type": "upload", "id": "{{flights}}"}, "limit": "{{n}}"}


class Only(Authorizer):
    """Allows some actions to everybody."""

    def __init__(self, *actions: str) -> None:
        super().__init__()
        self.actions = actions

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action in self.actions


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE orders (id INTEGER)")
    database.close()
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    jp_server_config["ExportApp"] |= {
        "connections": {"shop": {"url": url, "users": ["ada", "chief"]}},
        "admin_users": ["chief", os_user()],
    }
    return jp_server_config


class World:
    """A completed job, an upload, a link, a connection and a template of ada's; who asks, and is
    answered."""

    job = ""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def begin(self) -> None:
        upload = await self.api.upload(numbers(), headers=ADA)
        self.upload = upload["id"]
        spec = {"source": {"type": "upload", "id": self.upload}, "format": {"type": "csv"}}
        job = await self.api.json("POST", "jobs", spec, headers=ADA, wait=30)
        assert job["status"] == "completed"
        self.job = job["id"]
        link = await self.api.json("POST", f"jobs/{self.job}/links", {}, headers=ADA)
        self.link = link["id"]
        await self.api.json("PUT", "templates/shop", TEMPLATE, headers=ADA)

    async def ask(self, method: str, path: str, headers: dict[str, str]) -> HTTPResponse:
        address = path.format(id=self.link if path == "links/{id}" else self.job, name="shop")
        return await self.api(method, address, self.body(method, path), headers=dict(headers))

    def body(self, method: str, path: str) -> Any:
        spec = {"source": {"type": "upload", "id": self.upload}, "format": {"type": "csv"}}
        bodies: dict[str, Any] = {
            "uploads": arrow(numbers(3)),
            "preview": {"spec": spec},
            "jobs": spec,
            "stream": spec,
            "templates/{name}": TEMPLATE,
        }
        return bodies.get(path, b"{}") if method in ("POST", "PUT") else None

    async def answers(self, headers: dict[str, str]) -> dict[tuple[str, str], HTTPResponse]:
        """Return what each route of the table answers; what is deleted is asked for last."""
        if not self.job:
            await self.begin()
        rows = sorted(TABLE, key=lambda row: (row[0] == "DELETE", row[1] == "jobs/{id}"))
        return {(row[0], row[1]): await self.ask(row[0], row[1], headers) for row in rows}

    async def statuses(self, headers: dict[str, str]) -> dict[tuple[str, str], int]:
        found = await self.answers(headers)
        for response in found.values():
            check_headers(response)
        return {row: response.code for row, response in found.items()}


def check_headers(response: HTTPResponse) -> None:
    """Hold an answer to what those of Jupyter's own API have, and an error to our contract."""
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    policy = response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "default-src 'none'" in policy
    # Jupyter repeats the Origin to who sends a token; none was sent.
    assert not response.headers.get("Access-Control-Allow-Origin")
    if response.code >= 400 and response.body:
        assert response.headers["Content-Type"].startswith("application/json")
        error = problem(response)
        # Nothing of the machine, and nothing that a page could run.
        for word in ("/tmp", "/home", "/root", "Traceback", "<"):
            assert word not in error["message"] + (error["hint"] or ""), error


@pytest.fixture
def world(api: Api, named_users: NamedUsers) -> World:
    return World(api)


def expected(*, admin: bool = False, **refused: int) -> dict[tuple[str, str], int]:
    """Return the status of each row: the owner's, or the one for its action in ``refused``."""
    found = {
        (method, path): refused.get(action, STATUS.get((method, path), 200))
        for method, path, action, _ in TABLE
    }
    return found | ({} if admin else dict.fromkeys(FOR_ADMINISTRATORS, 403))


async def test_who_owns_it_may_do_everything(world: World) -> None:
    assert await world.statuses(ADA) == expected()


async def test_an_administrator_may_too(world: World) -> None:
    assert await world.statuses(CHIEF) == expected(admin=True) | OWN_TEMPLATES


def of_a_stranger() -> dict[tuple[str, str], int]:
    """Return the statuses for who has nothing here: lists are empty, the rest does not exist."""
    lists = [("GET", "connections"), ("GET", "jobs"), ("POST", "uploads")]
    lists += [("GET", "formats"), ("GET", "schema"), ("GET", "openapi.json"), ("GET", "templates")]
    found = {row: STATUS.get(row, 200) for row in lists}
    return expected(read=404, write=404, execute=404) | found | OWN_TEMPLATES


async def test_for_another_user_none_of_it_is_there(world: World) -> None:
    answers = await world.answers(BOB)
    assert {row: response.code for row, response in answers.items()} == of_a_stranger()
    for response in answers.values():
        check_headers(response)
    assert json.loads(answers["GET", "connections"].body) == {"connections": []}
    assert json.loads(answers["GET", "jobs"].body)["jobs"] == []
    # And all of it still is for who owns it.
    assert await world.statuses(ADA) == expected()


async def test_who_may_only_read_changes_nothing(world: World, jp_serverapp: Any) -> None:
    await world.begin()
    jp_serverapp.web_app.settings["authorizer"] = Only("read")
    assert await world.statuses(ADA) == expected(write=403, execute=403)


async def test_who_may_not_execute_starts_nothing(world: World, jp_serverapp: Any) -> None:
    await world.begin()
    jp_serverapp.web_app.settings["authorizer"] = Only("read", "write")
    assert await world.statuses(ADA) == expected(execute=403)


async def test_who_may_only_execute_reads_nothing(world: World, jp_serverapp: Any) -> None:
    await world.begin()
    jp_serverapp.web_app.settings["authorizer"] = Only("execute")
    assert await world.statuses(ADA) == expected(read=403, write=403)


async def test_nobody_in_particular_may_nothing(world: World) -> None:
    statuses = await world.statuses({})
    assert statuses == expected(read=403, write=403, execute=403)


async def test_a_kernel_is_its_owner_and_never_an_administrator(
    world: World, app: ExportApp
) -> None:
    # The owner of the server is an administrator by the settings; a kernel's code is anybody's.
    token = {"Authorization": f"token {app._tokens.issue('kernel-1')}"}
    assert await world.statuses(token) == of_a_stranger()
    assert (await world.api.json("GET", "jobs", headers=token))["jobs"] == []


@pytest.mark.parametrize("way", ["token", "access_token"])
async def test_a_kernels_token_in_the_address_opens_nothing(
    world: World, app: ExportApp, way: str
) -> None:
    await world.begin()
    token = app._tokens.issue("kernel-1")
    for method, path, _, _ in TABLE:
        address = path.format(id=world.job, name="shop")
        response = await world.api(method, address, world.body(method, path), **{way: token})
        assert response.code == 403, (method, path)
