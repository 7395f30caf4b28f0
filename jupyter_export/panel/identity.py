"""Which object is which, also after some are gone."""

from __future__ import annotations

import itertools
import threading
import weakref
from typing import Any

_numbers = itertools.count(1)
_known: dict[int, tuple[weakref.ref[Any], int]] = {}
_lock = threading.RLock()
"""Taken again by a thread that holds it, where collecting garbage calls ``gone``."""


def number_of(value: Any) -> int:
    """Return a number that no other object has or had.

    ``id`` is given again: a frame that a cell makes anew is often where the one before the last
    was. What cannot be referred to weakly is another one each time. Keeps nothing alive.
    """
    place = id(value)
    with _lock:
        known = _known.get(place)
        if known is not None and known[0]() is value:
            return known[1]
        number = next(_numbers)

        def gone(reference: weakref.ref[Any]) -> None:
            with _lock:
                kept = _known.get(place)
                if kept is not None and kept[0] is reference:
                    del _known[place]

        try:
            _known[place] = (weakref.ref(value, gone), number)
        except TypeError:
            _known.pop(place, None)
        return number
