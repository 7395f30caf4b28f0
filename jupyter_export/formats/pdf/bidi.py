"""Directions of mixed text: the Unicode Bidirectional Algorithm (UAX #9) for one line."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

_DEEPEST = 125
"""Levels beyond it are not opened (BD2)."""
_STRONG = frozenset(("L", "R", "AL"))
_ISOLATES = frozenset(("LRI", "RLI", "FSI"))
_EMBEDDINGS = frozenset(("LRE", "RLE", "LRO", "RLO"))
_REMOVED = _EMBEDDINGS | {"PDF", "BN"}
"""Left out of the rules W and N (X9)."""
_NEUTRAL = frozenset(("B", "S", "WS", "ON", "PDI")) | _ISOLATES
_EXPLICIT = _REMOVED | _ISOLATES | {"PDI"}
_TURNS = _EMBEDDINGS | _ISOLATES | {"R", "AL", "AN"}
_ALL_RIGHT = frozenset(("R", "AL", "NSM", "WS", "ON", "CS", "ES", "ET", "BN", "S", "B"))
"""What only has the direction of its neighbours, where there are no numbers."""
_UNEVEN_BRACKETS = {"⦍": "⦐", "⦏": "⦎"}
"""The pairs that do not stand side by side in Unicode."""


def base_level(text: str) -> int:
    """Return 1 for text that starts from the right, else 0 (P2 and P3)."""
    return _first_strong([_kind(char) for char in text])


def levels(text: str) -> tuple[list[int], int]:
    """Return the level of each character, odd for right to left, and that of the line."""
    kinds = [_kind(char) for char in text]
    met = frozenset(kinds)
    # most cells go one way, and no rule changes anything then
    if met.isdisjoint(_TURNS):
        return [0] * len(text), 0
    if met <= _ALL_RIGHT and not met.isdisjoint(("R", "AL")):
        return [1] * len(text), 1
    if met & _EXPLICIT or any(map(unicodedata.mirrored, text)):
        return _levels(kinds, text)
    # No rule tells two from three of a kind: so there are few patterns, and they come again.
    spans = [(kind, len(list(span))) for kind, span in groupby(kinds)]
    pattern = tuple([kind if span == 1 else _SEVERAL.get(kind, kind) for kind, span in spans])
    of_spans, base = _pattern_levels(pattern)
    found = []
    for level, (_, span) in zip(of_spans, spans, strict=True):
        found += [level] * span
    return found, base


_SEVERAL = {"ES": "ES ES", "CS": "CS CS"}
"""Only one sign, not several, joins two numbers (W4)."""


@lru_cache(4096)
def _pattern_levels(pattern: tuple[str, ...]) -> tuple[list[int], int]:
    """Return one level for each part of a pattern, and that of the line."""
    kinds: list[str] = []
    firsts = []
    for part in pattern:
        firsts.append(len(kinds))
        kinds += part.split()
    found, base = _levels(kinds, "x" * len(kinds))
    return [found[first] for first in firsts], base


def _levels(kinds: Sequence[str], text: str) -> tuple[list[int], int]:
    """Return what ``levels`` does; of ``text``, only the brackets matter."""
    base = _first_strong(kinds)
    pairs = _isolate_pairs(kinds)
    overridden = list(kinds)
    explicit = _explicit(overridden, pairs, base)
    found = list(explicit)
    for sequence in _sequences(overridden, explicit, pairs):
        start, end = _ends(overridden, explicit, sequence, base, pairs)
        _resolve(text, overridden, found, sequence, start, end)
    _leave_removed(kinds, found, base)
    return found, base


def visual(segments: Sequence[int]) -> list[int]:
    """Return the order, from left to right, of segments that have these levels (L2)."""
    order = list(range(len(segments)))
    highest = max(segments, default=0)
    for level in range(highest, 0, -1):
        start = 0
        while start < len(order):
            end = start
            while end < len(order) and segments[order[end]] >= level:
                end += 1
            order[start:end] = reversed(order[start:end])
            start = end + 1
    return order


@lru_cache(4096)
def _kind(char: str) -> str:
    return unicodedata.bidirectional(char) or "L"


def _first_strong(kinds: Sequence[str]) -> int:
    inside = 0
    for kind in kinds:
        if kind in _ISOLATES:
            inside += 1
        elif kind == "PDI":
            inside = max(0, inside - 1)
        elif kind in _STRONG and not inside:
            return int(kind != "L")
    return 0


def _isolate_pairs(kinds: Sequence[str]) -> dict[int, int]:
    """Return the place of each isolate's end by that of its start (BD9)."""
    pairs = {}
    waiting: list[int] = []
    for place, kind in enumerate(kinds):
        if kind in _ISOLATES:
            waiting.append(place)
        elif kind == "PDI" and waiting:
            pairs[waiting.pop()] = place
    return pairs


class _Open(NamedTuple):
    level: int
    override: str | None
    isolate: bool


def _explicit(kinds: list[str], pairs: dict[int, int], base: int) -> list[int]:
    """Return the levels that embeddings, overrides and isolates set (X1 to X8).

    Overrides change ``kinds``.
    """
    stack = [_Open(base, None, False)]
    found = []
    isolates = lost_isolates = lost_embeddings = 0
    for place, kind in enumerate(kinds):
        top = stack[-1]
        if kind in _EMBEDDINGS:
            found.append(top.level)
            level = _next(top.level, kind in ("RLE", "RLO"))
            if level <= _DEEPEST and not lost_isolates and not lost_embeddings:
                override = {"RLO": "R", "LRO": "L"}.get(kind)
                stack.append(_Open(level, override, False))
            elif not lost_isolates:
                lost_embeddings += 1
            continue
        if kind in _ISOLATES:
            found.append(top.level)
            right = kind == "RLI"
            if kind == "FSI":
                right = bool(_first_strong(kinds[place + 1 : pairs.get(place)]))
            level = _next(top.level, right)
            if level <= _DEEPEST and not lost_isolates and not lost_embeddings:
                isolates += 1
                stack.append(_Open(level, None, True))
            else:
                lost_isolates += 1
        elif kind == "PDI":
            if lost_isolates:
                lost_isolates -= 1
            elif isolates:
                lost_embeddings = 0
                while not stack.pop().isolate:
                    pass
                isolates -= 1
            top = stack[-1]
            found.append(top.level)
        elif kind == "PDF":
            if not lost_isolates:
                if lost_embeddings:
                    lost_embeddings -= 1
                elif not top.isolate and len(stack) > 1:
                    stack.pop()
            found.append(stack[-1].level)
            continue
        else:
            found.append(base if kind == "B" else top.level)
        if top.override is not None and kind != "BN":
            kinds[place] = top.override
    return found


def _next(level: int, right: bool) -> int:
    return (level + 1) | 1 if right else (level + 2) & ~1


def _sequences(
    kinds: Sequence[str], found: Sequence[int], pairs: dict[int, int]
) -> list[list[int]]:
    """Return the isolating run sequences as places of characters (BD13)."""
    runs: list[list[int]] = []
    for place, kind in enumerate(kinds):
        if kind in _REMOVED:
            continue
        if runs and found[runs[-1][-1]] == found[place]:
            runs[-1].append(place)
        else:
            runs.append([place])
    starting = {run[0]: run for run in runs}
    continued = set()
    joined = []
    for run in runs:
        if run[0] in continued:
            continue
        sequence = list(run)
        while (end := pairs.get(sequence[-1])) is not None and end in starting:
            continued.add(end)
            sequence += starting[end]
        joined.append(sequence)
    return joined


def _ends(
    kinds: Sequence[str],
    explicit: Sequence[int],
    sequence: Sequence[int],
    base: int,
    pairs: dict[int, int],
) -> tuple[str, str]:
    """Return the directions that a sequence starts and ends with (X10)."""
    level = explicit[sequence[0]]
    before = _neighbour(kinds, explicit, range(sequence[0] - 1, -1, -1), base)
    last = sequence[-1]
    after = base
    if kinds[last] not in _ISOLATES or last in pairs:
        after = _neighbour(kinds, explicit, range(last + 1, len(kinds)), base)
    return ("LR"[max(level, before) % 2], "LR"[max(level, after) % 2])


def _resolve(
    text: str,
    kinds: list[str],
    found: list[int],
    sequence: list[int],
    start: str,
    end: str,
) -> None:
    """Raise the levels of one isolating run sequence (W1 to W7, N0 to N2, I1 and I2)."""
    level = found[sequence[0]]
    along = "LR"[level % 2]
    types = [kinds[place] for place in sequence]
    _weak(types, start)
    _brackets(
        [text[place] for place in sequence], types, [kinds[p] for p in sequence], start, along
    )
    _neutral(types, start, end, along)
    for place, kind in zip(sequence, types, strict=True):
        if level % 2:
            found[place] += kind != "R"
        else:
            found[place] += {"R": 1, "AN": 2, "EN": 2}.get(kind, 0)


def _neighbour(kinds: Sequence[str], found: Sequence[int], places: range, base: int) -> int:
    for place in places:
        if kinds[place] not in _REMOVED:
            return found[place]
    return base


def _weak(types: list[str], start: str) -> None:
    """Resolve numbers, their signs and marks (W1 to W7)."""
    previous = start
    for at, kind in enumerate(types):  # W1
        if kind == "NSM":
            types[at] = "ON" if previous in _ISOLATES or previous == "PDI" else previous
        previous = types[at]
    strong = start
    for at, kind in enumerate(types):  # W2 and W3
        if kind in _STRONG:
            strong = kind
            if kind == "AL":
                types[at] = "R"
        elif kind == "EN" and strong == "AL":
            types[at] = "AN"
    for at in range(1, len(types) - 1):  # W4
        left, right = types[at - 1], types[at + 1]
        if left == right and (
            (types[at] in ("ES", "CS") and left == "EN") or (types[at] == "CS" and left == "AN")
        ):
            types[at] = left
    at = 0
    while at < len(types):  # W5
        stop = at
        while stop < len(types) and types[stop] == "ET":
            stop += 1
        if stop > at and (
            (at and types[at - 1] == "EN") or (stop < len(types) and types[stop] == "EN")
        ):
            types[at:stop] = ["EN"] * (stop - at)
        at = stop + 1
    strong = start
    for at, kind in enumerate(types):  # W6 and W7
        if kind in ("ES", "ET", "CS"):
            types[at] = "ON"
        elif kind in ("L", "R"):
            strong = kind
        elif kind == "EN" and strong == "L":
            types[at] = "L"


def _brackets(
    chars: Sequence[str], types: list[str], first: Sequence[str], start: str, along: str
) -> None:
    """Give the two brackets of a pair one direction (N0)."""
    for opened, closed in _bracket_pairs(chars, types):
        inside = {_side(types[at]) for at in range(opened + 1, closed)}
        if along in inside:
            side = along
        elif inside & {"L", "R"}:
            side = next(
                (s for at in range(opened - 1, -1, -1) if (s := _side(types[at])) is not None),
                start,
            )
        else:
            continue
        for at in (opened, closed):
            types[at] = side
            for mark in range(at + 1, len(types)):
                if first[mark] != "NSM":
                    break
                types[mark] = side


def _bracket_pairs(chars: Sequence[str], types: Sequence[str]) -> list[tuple[int, int]]:
    waiting: list[tuple[str, int]] = []
    pairs = []
    for at, char in enumerate(chars):
        if types[at] != "ON":
            continue
        close = _closing(char)
        if close is not None:
            if len(waiting) == 63:  # BD16
                return []
            waiting.append((close, at))
        elif waiting and unicodedata.category(char) == "Pe":
            same = unicodedata.normalize("NFD", char)
            for depth in range(len(waiting) - 1, -1, -1):
                if waiting[depth][0] == same:
                    pairs.append((waiting[depth][1], at))
                    del waiting[depth:]
                    break
    return sorted(pairs)


@lru_cache(256)
def _closing(char: str) -> str | None:
    """Return the bracket that closes ``char``, if it opens one."""
    if unicodedata.category(char) != "Ps" or not unicodedata.mirrored(char):
        return None
    char = unicodedata.normalize("NFD", char)
    step = 1 if char not in "[{" else 2
    close = _UNEVEN_BRACKETS.get(char, chr(ord(char) + step))
    return close if unicodedata.category(close) == "Pe" else None


def _side(kind: str) -> str | None:
    """Return the direction that a strong character or a number counts as in N0 to N2."""
    if kind in ("EN", "AN"):
        return "R"
    return kind if kind in ("L", "R") else None


def _neutral(types: list[str], start: str, end: str, along: str) -> None:
    """Give spaces and signs the direction of both neighbours, or else the line's (N1 and N2)."""
    at = 0
    while at < len(types):
        stop = at
        while stop < len(types) and types[stop] in _NEUTRAL:
            stop += 1
        if stop > at:
            left = _side(types[at - 1]) if at else start
            right = _side(types[stop]) if stop < len(types) else end
            types[at:stop] = [left if left == right and left else along] * (stop - at)
        at = stop + 1


def _leave_removed(kinds: Sequence[str], found: list[int], base: int) -> None:
    """Give what X9 removed its neighbour's level, and the spaces at the end the line's (L1)."""
    for place, kind in enumerate(kinds):
        if kind in _REMOVED:
            found[place] = found[place - 1] if place else base
    trailing = True
    for place in range(len(kinds) - 1, -1, -1):
        kind = kinds[place]
        if kind in ("S", "B"):
            found[place] = base
            trailing = True
        elif kind in ("WS", "PDI") or kind in _ISOLATES or kind in _REMOVED:
            if trailing:
                found[place] = base
        else:
            trailing = False
