"""Traits whose values no message shows: traitlets' own sentence repeats what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from traitlets import Dict, TraitError, Unicode

if TYPE_CHECKING:
    AnyDict = Dict[Any, Any]
    AnyUnicode = Unicode[Any, Any]
else:
    AnyDict, AnyUnicode = Dict, Unicode  # Generic for type checkers only.


class SecretDict(AnyDict):
    """A dict."""

    def error(self, obj: Any, value: Any, error: Any = None, info: str | None = None) -> NoReturn:
        raise _unfit(self.name)


class SecretUnicode(AnyUnicode):
    """A text."""

    def error(self, obj: Any, value: Any, error: Any = None, info: str | None = None) -> NoReturn:
        raise _unfit(self.name)


def _unfit(name: str | None) -> TraitError:
    return TraitError(f"ExportApp.{name} is of the wrong type; see its help.")
