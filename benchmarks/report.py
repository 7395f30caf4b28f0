"""Tables for people, and targets that are reached or missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from . import OURS
from .suite import Case, Figures


@dataclass(frozen=True)
class Target:
    """One promise about speed or size: what was measured, what was promised."""

    what: str
    measured: str
    promised: str
    met: bool

    def __str__(self) -> str:
        return f"{self.what}: {self.measured} (target {self.promised}) " + (
            "ok" if self.met else "MISSED"
        )


def at_most(what: str, value: float, limit: float, unit: str, digits: int = 2) -> Target:
    return Target(what, f"{value:.{digits}f} {unit}", f"≤ {limit:g} {unit}", value <= limit)


def at_least(what: str, value: float, limit: float, unit: str, digits: int = 2) -> Target:
    return Target(what, f"{value:.{digits}f} {unit}", f"≥ {limit:g} {unit}", value >= limit)


def unmeasured(what: str, why: str) -> Target:
    return Target(what, f"not measured, {why}", "a figure", False)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is text, the others are numbers."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]

    def draw(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths))
    return "\n".join([draw(head), f"|{rule}|", *(draw(line) for line in lines[1:])])


def fastest_peer(figures: Mapping[Case, Figures]) -> float | None:
    """Return the wall seconds of the fastest peer; None when none of them ran."""
    walls = [f.wall_s for case, f in figures.items() if case.name != OURS and f.wall]
    return min(walls, default=None)


def comparison(figures: Mapping[Case, Figures]) -> str:
    """Return the table of one format, fastest first; what failed stands last, with its reason."""
    fastest = fastest_peer(figures)
    ran = sorted((f.wall_s, case.name, f) for case, f in figures.items() if not f.problem)
    rows = [
        (
            f"**{name}**" if name == OURS else name,
            f"{wall:.2f}",
            f"{f.cpu_s:.2f}",
            "–" if f.anon_mb is None else f"{f.anon_mb:.0f}",
            f"{f.bytes / 1e6:.1f}",
            "–" if fastest is None else f"{wall / fastest:.2f}",
        )
        for wall, name, f in ran
    ]
    failed = [
        (f"{case.name}: {f.problem}", "–", "–", "–", "–", "–")
        for case, f in figures.items()
        if f.problem
    ]
    head = ("", "wall s", "CPU s", "peak anon MB", "file MB", "to fastest peer")
    return table(head, [*rows, *failed])
