"""Pages of other sites, and our own: XSRF, origins, hosts and headers are Jupyter's."""

from __future__ import annotations

from typing import Any

import pytest

from .client import PREFIX, Api, NamedUsers, problem
from .test_access import OPEN, TABLE, body_for

XSRF = "0123456789abcdef0123456789abcdef"
ELSEWHERE = "https://elsewhere.example"


class Cookie(NamedUsers):
    """Whoever is logged in is so by a cookie, as in a browser."""

    def is_token_authenticated(self, handler: Any) -> bool:
        return False


@pytest.fixture
def cookie(jp_serverapp: Any) -> dict[str, str]:
    jp_serverapp.web_app.settings["identity_provider"] = Cookie()
    return {"X-User": "ada", "Authorization": ""}


class TestXsrf:
    async def test_what_changes_something_needs_the_token(
        self, api: Api, cookie: dict[str, str]
    ) -> None:
        for method, path, _, _ in TABLE:
            address = path.format(id="none", name="none")
            headers = {**cookie, "Cookie": f"_xsrf={XSRF}"}
            answer = await api(method, address, body_for(method), headers=headers)
            if method in ("GET", "HEAD"):
                assert "_xsrf" not in answer.body.decode(), (method, path)
            else:
                assert answer.code == 403, (method, path)
                assert "_xsrf" in problem(answer)["message"]
            right = {**headers, "X-XSRFToken": XSRF}
            answer = await api(method, address, body_for(method), headers=right)
            assert b"_xsrf" not in answer.body, (method, path)
            if method not in ("GET", "HEAD"):
                wrong = {**headers, "X-XSRFToken": XSRF[::-1]}
                answer = await api(method, address, body_for(method), headers=wrong)
                assert answer.code == 403, (method, path)

    async def test_the_token_may_stand_in_the_address(
        self, api: Api, cookie: dict[str, str]
    ) -> None:
        headers = {**cookie, "Cookie": f"_xsrf={XSRF}"}
        answer = await api("POST", "jobs", b"{}", headers=headers, _xsrf=XSRF)
        assert problem(answer)["code"] == "invalid_spec"


async def as_jupyter(api: Api, jp_fetch: Any, method: str, **headers: str) -> tuple[Any, Any]:
    """Return the answers of one of our routes and of one of Jupyter's own."""
    theirs = await jp_fetch(
        "api/contents",
        method=method,
        headers=dict(headers),
        raise_error=False,
        allow_nonstandard_methods=True,
    )
    return await api(method, "jobs", headers=headers), theirs


def cors(response: Any) -> dict[str, str]:
    """Return the headers that say to a browser what another site's page may do."""
    return {
        name: value
        for name, value in response.headers.get_all()
        if name.startswith("Access-Control-")
    }


class TestOrigins:
    async def test_another_site_is_given_nothing(
        self, api: Api, jp_fetch: Any, cookie: dict[str, str]
    ) -> None:
        ours, theirs = await as_jupyter(api, jp_fetch, "GET", Origin=ELSEWHERE, **cookie)
        assert ours.code == theirs.code == 404
        assert cors(ours) == cors(theirs)
        assert "Access-Control-Allow-Origin" not in cors(ours)
        for method, path, _, _ in TABLE:
            headers = {**cookie, "Origin": ELSEWHERE, "Cookie": f"_xsrf={XSRF}"}
            headers["X-XSRFToken"] = XSRF
            address = path.format(id="none", name="none")
            answer = await api(method, address, body_for(method), headers=headers)
            assert answer.code == 404, (method, path)
            assert "Access-Control-Allow-Origin" not in answer.headers

    async def test_a_site_that_the_server_allows_is_told_so(
        self, api: Api, jp_fetch: Any, jp_serverapp: Any, cookie: dict[str, str]
    ) -> None:
        jp_serverapp.web_app.settings["allow_origin"] = ELSEWHERE
        for method in ("GET", "OPTIONS"):
            ours, theirs = await as_jupyter(api, jp_fetch, method, Origin=ELSEWHERE, **cookie)
            assert cors(ours) == cors(theirs)
            assert cors(ours)["Access-Control-Allow-Origin"] == ELSEWHERE

    async def test_options_answers_as_jupyters_own(self, api: Api, jp_fetch: Any) -> None:
        for headers in ({}, {"Origin": ELSEWHERE}):
            ours, theirs = await as_jupyter(api, jp_fetch, "OPTIONS", **headers)
            assert (ours.code, ours.body) == (theirs.code, theirs.body)
            assert cors(ours) == cors(theirs)

    async def test_another_host_name_is_refused_as_jupyter_does(
        self, api: Api, jp_fetch: Any, jp_serverapp: Any
    ) -> None:
        jp_serverapp.web_app.settings["allow_remote_access"] = False
        jp_serverapp.web_app.settings["local_hostnames"] = ["localhost"]
        ours, theirs = await as_jupyter(api, jp_fetch, "GET", Host="elsewhere.example")
        assert ours.code == theirs.code == 403


class TestAnswers:
    @pytest.mark.parametrize(
        "path",
        ["jobs/<script>alert(1)</script>", "<b>", "jobs?status=<b>", "connections/<b>/tables"],
    )
    async def test_markup_comes_back_as_json_or_not_at_all(self, api: Api, path: str) -> None:
        answer = await api("GET", path)
        assert answer.code in (400, 404)
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        problem(answer)

    async def test_each_wrong_method_says_which_are_right(self, api: Api) -> None:
        paths = {path for _, path, _, _ in TABLE} - {path for _, path in OPEN}
        for path in sorted(paths):
            right = sorted({method for method, each, _, _ in TABLE if each == path})
            for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - set(right):
                address = path.format(id="none", name="none")
                answer = await api(method, address, b"" if method[0] == "P" else None)
                assert answer.code == 405, (method, path)
                assert sorted(answer.headers["Allow"].split(", ")) == right, (method, path)
                if method != "HEAD":
                    assert problem(answer)["code"] == "invalid_request"

    async def test_half_a_surrogate_pair_is_answered(self, api: Api) -> None:
        answer = await api("POST", "jobs", rb'{"name": "\ud800", "source": "\ud800"}')
        assert answer.code == 400
        problem(answer)

    async def test_an_address_of_nothing_is_no_page(self, api: Api, jp_fetch: Any) -> None:
        for path in ("", "/", "jobs/", "jobs/a/b/c", "../v1", "%00", "jobs/%2e%2e/%2e%2e"):
            answer = await jp_fetch(PREFIX + "/" + path, raise_error=False)
            assert answer.code == 404, path
            assert answer.headers["Content-Type"].startswith("application/json"), path
