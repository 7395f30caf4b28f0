"""What somebody else is asked for while a line is typed: asked aside, so that typing never waits.

An answer is given again for a while, and asked for anew behind that; whoever does not answer, or
answers with an error, has nothing to offer.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE = 0.8
"""Longest time that a key press waits for a first answer, in seconds."""
AT_FIRST = 2.0
"""The same for libraries that are imported once in a process."""
LESS_PATIENCE = 0.2
"""The same where an earlier answer is known."""
FRESH = 5.0
"""Seconds for which an answer is not asked for again."""
CHANGING = 0.5
"""The same for what changes with every line that is run."""

log = logging.getLogger(__name__)


class Answers:
    """Answers by their questions. ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Hashable, tuple[float, Any]] = {}
        self._asked: dict[Hashable, threading.Event] = {}

    def get(
        self,
        question: Hashable,
        ask: Callable[[], T],
        otherwise: T,
        *,
        fresh: float = FRESH,
        patience: float = PATIENCE,
    ) -> T:
        """Return what ``ask`` returned in this folder less than ``fresh`` seconds ago, or returns
        now, or returned at last; ``otherwise`` while it has never answered."""
        question = (question, os.getcwd())
        with self._lock:
            known = self._known.get(question)
            if known is not None and self._clock() - known[0] < fresh:
                answer: T = known[1]
                return answer
            answered = self._asked.get(question)
            if answered is None:
                answered = self._asked[question] = threading.Event()
                threading.Thread(
                    target=self._ask,
                    args=(question, ask, otherwise, answered),
                    name="jupyter-export-completion",
                    daemon=True,
                ).start()
        answered.wait(patience if known is None else min(patience, LESS_PATIENCE))
        with self._lock:
            answer = self._known.get(question, (0.0, otherwise))[1]
        return answer

    def _ask(
        self, question: Hashable, ask: Callable[[], T], otherwise: T, answered: threading.Event
    ) -> None:
        answer = otherwise
        try:
            answer = ask()
        except Exception:  # A server, a config file, a plug-in: none may disturb who types.
            log.debug("%s has no answer", question, exc_info=True)
        finally:
            with self._lock:
                self._known[question] = (self._clock(), answer)
                del self._asked[question]
            answered.set()


# ----------------------------------------------------------------- the questions


class Asked:
    """What completion asks of the service and of the settings, by name."""

    def __init__(self) -> None:
        self._answers = Answers()

    def formats(self, patience: float = AT_FIRST) -> Mapping[str, Any]:
        """Return the formats by type, which are imported for it."""
        from ... import registry

        return self._answers.get("formats", registry.formats, {}, patience=patience)

    def connections(self) -> tuple[str, ...]:
        """Return the names of the settings' connections."""
        return self._answers.get("connections", _connections, ())

    def tables(self, connection: str) -> tuple[dict[str, Any], ...]:
        """Return the tables of one of the settings' connections, as ``ExportClient.tables``."""
        return self._answers.get(("tables", connection), lambda: _client().tables(connection), ())

    def jobs(self) -> tuple[dict[str, Any], ...]:
        """Return the newest jobs, newest first."""
        return self._answers.get(
            "jobs", lambda: tuple(_client().list(limit=50)["jobs"]), (), fresh=CHANGING
        )

    def templates(self) -> tuple[dict[str, Any], ...]:
        """Return the saved templates, as ``ExportClient.templates``."""
        return self._answers.get(
            "templates", lambda: tuple(_client().templates()), (), fresh=CHANGING
        )


def _connections() -> tuple[str, ...]:
    from ...client.configured import connections
    from ...client.find import server_client

    if server_client() is None:  # The files that the service would read, without starting one.
        return tuple(connections())
    return tuple(str(each["name"]) for each in _client().connections())


def _client() -> Any:
    from ..service import answering_client

    return answering_client()
