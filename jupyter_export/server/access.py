"""jupyter_server's ``authorized``, with types. For leaf methods only: it keeps the first resource
that it sees, and so must not stand on a method that several handlers inherit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from jupyter_server.auth import decorator

Method = TypeVar("Method", bound=Callable[..., Any])


def authorized(action: Literal["read", "write", "execute"]) -> Callable[[Method], Method]:
    """Ask the server's authorizer whether the user may do ``action`` on ``auth_resource``."""
    decorate: Callable[[Method], Method] = decorator.authorized(action)
    return decorate
