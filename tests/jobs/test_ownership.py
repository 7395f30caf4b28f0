"""One function decides whose job it is."""

from __future__ import annotations

import pytest

from jupyter_export.errors import Forbidden
from jupyter_export.jobs.model import Caller
from jupyter_export.jobs.ownership import caller_for


def test_with_the_stock_provider_every_request_is_the_one_owner() -> None:
    names = {
        caller_for(made_up, provider_is_stock=True, os_user="ada")
        for made_up in ("Anonymous Io", "Anonymous Europa", None)
    }
    assert names == {Caller("ada", admin=False)}


def test_a_provider_of_stable_names_gives_the_owner() -> None:
    assert caller_for("grace", provider_is_stock=False, os_user="jovyan") == Caller("grace")


def test_administrators_are_named_by_the_setting() -> None:
    admins = frozenset({"grace"})
    grace = caller_for("grace", provider_is_stock=False, os_user="jovyan", admin_users=admins)
    ada = caller_for("ada", provider_is_stock=False, os_user="jovyan", admin_users=admins)
    owner = caller_for("made up", provider_is_stock=True, os_user="grace", admin_users=admins)
    assert (grace.admin, ada.admin, owner.admin) == (True, False, True)


def test_a_kernel_is_its_owner_and_never_an_administrator() -> None:
    caller = caller_for(
        "kernel",
        provider_is_stock=False,
        os_user="jovyan",
        admin_users=frozenset({"grace"}),
        kernel_owner="grace",
    )
    assert caller == Caller("grace", admin=False)


@pytest.mark.parametrize("name", ["", None])
def test_a_request_without_a_name_owns_nothing(name: str | None) -> None:
    with pytest.raises(Forbidden):
        caller_for(name, provider_is_stock=False, os_user="jovyan")
