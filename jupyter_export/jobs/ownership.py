"""Whose job it is: the one function that decides, for every surface."""

from __future__ import annotations

from collections.abc import Container

from ..errors import Forbidden
from .model import Caller, Job


def caller_for(
    username: str | None,
    *,
    provider_is_stock: bool,
    os_user: str,
    admin_users: Container[str] = frozenset(),
    kernel_owner: str | None = None,
) -> Caller:
    """Return the caller that a request speaks for.

    ``username`` is what the identity provider calls the request's user. The stock provider (token,
    password) makes up another one for each browser session and each token request, so with it
    every request is the one owner of the server, ``os_user``. JupyterHub and other providers give
    stable names; those are the owners.

    ``kernel_owner`` is the owner that a kernel's own token names: a kernel acts for its owner, and
    is never an administrator, because its code may be anybody's.

    With the stock provider the owner owns all that the server made and needs no further right; he
    is an administrator (of a store that several servers share) only if ``admin_users`` names him.
    Raises ``Forbidden`` when a provider of stable names gives none.
    """
    if kernel_owner is not None:
        return Caller(kernel_owner)
    name = os_user if provider_is_stock else username
    if not name:
        raise Forbidden(
            "The request has no user, so its exports would belong to nobody.",
            hint="Sign in, or use an identity provider that names its users.",
        )
    return Caller(name, admin=name in admin_users, sole=provider_is_stock)


def author_of(job: Job, caller: Caller, admin_users: Container[str]) -> Caller:
    """Return with whose rights a job is run once more: its owner's, whoever asks for it."""
    if caller.name == job.created_by:
        return caller
    return Caller(job.created_by, admin=job.created_by in admin_users)
