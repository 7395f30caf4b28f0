"""Who may do what: one table of all routes, and the ways to be turned away."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from tornado import web

from jupyter_export.server.app import ExportApp
from jupyter_export.server.base import _methods
from jupyter_export.server.kernel_tokens import KernelIdentity, os_user
from jupyter_export.server.routes import ROUTES

from .client import PREFIX, Api, NamedUsers, RecordingAuthorizer, arrow, numbers, problem

JOBS, UPLOADS = "jupyter_export:jobs", "jupyter_export:uploads"
CONNECTIONS = "jupyter_export:connections"
TEMPLATES = "jupyter_export:templates"
AUDIT = "jupyter_export:audit"
TABLE = [
    ("GET", "formats", "read", JOBS),
    ("GET", "schema", "read", JOBS),
    ("GET", "openapi.json", "read", JOBS),
    ("GET", "connections", "read", CONNECTIONS),
    ("GET", "connections/{name}/tables", "read", CONNECTIONS),
    ("POST", "uploads", "write", UPLOADS),
    ("POST", "preview", "execute", JOBS),
    ("POST", "stream", "execute", JOBS),
    ("POST", "jobs", "execute", JOBS),
    ("GET", "jobs", "read", JOBS),
    ("GET", "jobs/{id}", "read", JOBS),
    ("DELETE", "jobs/{id}", "write", JOBS),
    ("POST", "jobs/{id}/cancel", "execute", JOBS),
    ("POST", "jobs/{id}/retry", "execute", JOBS),
    ("GET", "jobs/{id}/events", "read", JOBS),
    ("GET", "jobs/{id}/download", "read", JOBS),
    ("HEAD", "jobs/{id}/download", "read", JOBS),
    ("GET", "jobs/{id}/links", "read", JOBS),
    ("POST", "jobs/{id}/links", "write", JOBS),
    ("DELETE", "links/{id}", "write", JOBS),
    ("GET", "templates", "read", TEMPLATES),
    ("GET", "templates/{name}", "read", TEMPLATES),
    ("PUT", "templates/{name}", "write", TEMPLATES),
    ("DELETE", "templates/{name}", "write", TEMPLATES),
    ("GET", "audit", "read", AUDIT),
    ("POST", "audit/uploads", "execute", AUDIT),
]


FOR_ADMINISTRATORS = [("GET", "audit"), ("POST", "audit/uploads")]
"""Forbidden to everybody else, whatever the authorizer says; so to every kernel."""
OPEN = [("GET", "d/{token}"), ("HEAD", "d/{token}")]
"""Need no login: the address itself is the right."""


def body_for(method: str) -> bytes | None:
    return b"{}" if method in ("POST", "PUT") else None


def test_the_table_names_every_route() -> None:
    listed = [*OPEN, *((method, path) for method, path, _, _ in TABLE)]
    answered = [(method, path) for path, each in ROUTES.items() for method in _methods(each)]
    assert sorted(listed) == sorted(answered)


def test_no_method_goes_without_the_decorators() -> None:
    for path, handler in ROUTES.items():
        for method in _methods(handler):
            function = getattr(handler, method.lower())
            is_open = getattr(function, "__allow_unauthenticated", False)
            assert is_open == ((method, path) in OPEN), (method, path)


async def test_each_route_asks_the_authorizer(api: Api, authorizer: RecordingAuthorizer) -> None:
    for method, path, action, resource in TABLE:
        authorizer.asked.clear()
        response = await api(method, path.format(id="none", name="none"), body_for(method))
        assert response.code == 403, (method, path)
        asked = [(what, on) for _, what, on in authorizer.asked]
        assert asked == [(action, resource)], (method, path)
        if method != "HEAD":
            assert problem(response)["code"] == "forbidden"


async def test_nobody_in_particular_gets_403(api: Api) -> None:
    for method, path, _, _ in TABLE:
        address = path.format(id="none", name="none")
        response = await api(method, address, body_for(method), headers={"Authorization": ""})
        assert response.code == 403, (method, path)
        if method == "GET":
            assert problem(response)["message"] == "You are not logged in."


async def test_other_addresses_and_methods_answer_in_json(api: Api) -> None:
    missing = await api("GET", "jobz")
    assert (missing.code, problem(missing)["code"]) == (404, "not_found")
    wrong = await api("DELETE", "formats")
    assert (wrong.code, problem(wrong)["code"]) == (405, "invalid_request")
    assert wrong.headers["Allow"] == "GET"


async def test_a_cookie_alone_needs_the_xsrf_token(
    api: Api, app: ExportApp, jp_serverapp: Any
) -> None:
    class Cookie(NamedUsers):
        def is_token_authenticated(self, handler: Any) -> bool:
            return False

    jp_serverapp.web_app.settings["identity_provider"] = Cookie()
    for path in ("jobs", "uploads"):
        response = await api("POST", path, arrow(numbers()), headers={"X-User": "ada"})
        assert response.code == 403
        assert "_xsrf" in problem(response)["message"]
    # Refused before a byte of the body was taken.
    assert list(app.host.settings.uploads.glob("*")) == []  # type: ignore[union-attr]


async def test_the_owner_of_a_stock_server_is_one_person(api: Api) -> None:
    # Each of these requests is another anonymous user to Jupyter.
    job = await api.export(numbers(), output={"path": "a.csv"})
    assert job["created_by"] == os_user()
    assert [each["id"] for each in (await api.json("GET", "jobs"))["jobs"]] == [job["id"]]


async def test_other_peoples_jobs_do_not_exist(api: Api, named_users: NamedUsers) -> None:
    ada, bob = {"X-User": "ada"}, {"X-User": "bob"}
    upload = await api.upload(numbers(), headers=ada)
    spec = {"source": {"type": "upload", "id": upload["id"]}}
    assert (await api("POST", "jobs", spec, headers=bob)).code == 404
    job = await api.json("POST", "jobs", spec, headers=ada, wait=30)
    assert job["created_by"] == "ada"
    assert (await api.json("GET", "jobs", headers=bob))["jobs"] == []
    for method, path, _, _ in TABLE:
        if "{id}" in path:
            response = await api(method, path.format(id=job["id"]), body_for(method), headers=bob)
            assert response.code == 404, (method, path)
    assert (await api("GET", f"jobs/{job['id']}", headers=ada)).code == 200


class TestKernels:
    async def test_the_token_opens_our_routes_and_no_other(
        self, api: Api, app: ExportApp, jp_fetch: Any, authorizer: RecordingAuthorizer
    ) -> None:
        authorizer.allow = True
        token = {"Authorization": f"token {app._tokens.issue('kernel-1')}"}
        for method, path, _, _ in TABLE:
            response = await api(
                method, path.format(id="none", name="none"), body_for(method), headers=dict(token)
            )
            forbidden = (method, path) in FOR_ADMINISTRATORS
            assert (response.code == 403) == forbidden, (method, path)
            assert response.code < 500, (method, path)
        for path in ("api/contents", "api/kernels", "api/sessions", "api/me"):
            response = await jp_fetch(path, headers=dict(token), raise_error=False)
            assert response.code == 403, path

    async def test_it_acts_for_the_owner_of_the_server(self, api: Api, app: ExportApp) -> None:
        token = {"Authorization": f"token {app._tokens.issue('kernel-1')}"}
        upload = await api.upload(numbers(), headers=token)
        spec = {"source": {"type": "upload", "id": upload["id"]}}
        job = await api.json("POST", "jobs", spec, headers=token, wait=30)
        assert job["created_by"] == os_user()
        assert (await api("GET", f"jobs/{job['id']}")).code == 200

    async def test_forged_or_in_the_query_it_opens_nothing(self, api: Api, app: ExportApp) -> None:
        good = app._tokens.issue("kernel-1")
        other_kernel = app._tokens.issue("kernel-2").split(".")[1]
        version, _, signature = good.split(".")
        for forged in (
            good[:-1] + ("0" if good[-1] != "0" else "1"),
            f"{version}.{other_kernel}.{signature}",
            f"{version}.{signature}",
            "je1.a.é",
            "je1..",
        ):
            headers = {"Authorization": f"token {forged}".encode().decode("latin1")}
            assert (await api("GET", "jobs", headers=headers)).code == 403, forged
        response = await api("GET", "jobs", headers={"Authorization": ""}, token=good)
        assert response.code == 403

    async def test_a_kernel_is_started_with_address_and_token(
        self, app: ExportApp, jp_serverapp: Any, jp_root_dir: Any, jp_base_url: str
    ) -> None:
        kwargs: dict[str, Any] = {"env": {"OWN": "1"}, "kernel_id": "k1"}
        jp_serverapp.kernel_manager.pre_start_kernel(None, kwargs)
        env = kwargs["env"]
        assert env["OWN"] == "1"
        assert env["JUPYTER_EXPORT_SERVER"].endswith(jp_base_url)
        assert env["JUPYTER_EXPORT_ROOT"] == str(jp_root_dir)
        assert app._tokens.verify(f"token {env['JUPYTER_EXPORT_TOKEN']}") == "k1"

    async def test_a_real_kernel_has_them_in_its_environment(
        self, app: ExportApp, jp_serverapp: Any, jp_fetch: Any
    ) -> None:
        response = await jp_fetch("api", "kernels", method="POST", body='{"name": "python3"}')
        kernel_id = json.loads(response.body)["id"]
        kernel = jp_serverapp.kernel_manager.get_kernel(kernel_id)
        env = psutil.Process(kernel.provisioner.pid).environ()
        assert app._tokens.verify(f"token {env['JUPYTER_EXPORT_TOKEN']}") == kernel_id
        assert env["JUPYTER_EXPORT_SERVER"].startswith("http://")
        assert "PATH" in env
        await jp_fetch("api", "kernels", kernel_id, method="DELETE")

    @pytest.mark.parametrize(
        ("server", "expected"),
        [
            ({"ip": "0.0.0.0"}, "http://127.0.0.1:"),
            ({"ip": "::"}, "http://[::1]:"),
            ({"ip": "localhost"}, "http://localhost:"),
            ({"ip": "0.0.0.0", "certfile": "/c.pem"}, "https://127.0.0.1:"),
            ({"sock": "/run/a.sock"}, "http+unix://%2Frun%2Fa.sock/"),
        ],
    )
    async def test_the_address_fits_how_the_server_listens(
        self, app: ExportApp, jp_serverapp: Any, server: dict[str, str], expected: str
    ) -> None:
        for name, value in server.items():
            setattr(jp_serverapp, name, value)
        kwargs: dict[str, Any] = {}
        jp_serverapp.kernel_manager.pre_start_kernel(None, kwargs)
        assert kwargs["env"]["JUPYTER_EXPORT_SERVER"].startswith(expected)
        assert "PATH" in kwargs["env"]
        for name in server:
            setattr(jp_serverapp, name, "")

    def test_on_a_hub_the_owner_is_the_hubs_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JUPYTERHUB_USER", "ada")
        identity = KernelIdentity()
        scope = "access:servers!server=ada/"
        identity.host_provider = SimpleNamespace(hub_auth=SimpleNamespace(access_scopes={scope}))
        user: Any = identity.get_user(web.RequestHandler.__new__(web.RequestHandler))
        assert user.username == "ada"
        # What JupyterHub's authorizer reads.
        assert user.hub_user == {"name": "ada", "scopes": [scope]}

    async def test_a_remote_kernel_gets_the_public_address_and_no_root(
        self, app: ExportApp, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = jp_serverapp.kernel_spec_manager.get_kernel_spec("python3")
        spec.metadata["kernel_provisioner"] = {"provisioner_name": "far-away"}
        monkeypatch.setattr(
            type(jp_serverapp.kernel_spec_manager), "get_kernel_spec", lambda *_: spec
        )
        kwargs: dict[str, Any] = {}
        jp_serverapp.kernel_manager.pre_start_kernel("python3", kwargs)
        assert kwargs["env"]["JUPYTER_EXPORT_ROOT"] == ""
        assert kwargs["env"]["JUPYTER_EXPORT_SERVER"] == jp_serverapp.connection_url


async def test_no_page_of_jupyter_is_lost(jp_fetch: Any, app: ExportApp) -> None:
    response = await jp_fetch("api/status")
    assert json.loads(response.body)["kernels"] == 0
    assert PREFIX not in response.effective_url
