"""The data of investigation.ipynb: a small relational set, the same each time it is made.

Subjects browse in sessions, a session has web pages (with their HTML and a screenshot), entities
were found in the pages, and reviewers gave labels to some of them. Nobody in it exists.
"""

from __future__ import annotations

import random
import sqlite3
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

SUBJECTS, SESSIONS, PAGES, LABELS = 24, 180, 900, 600
_TABLES = """
CREATE TABLE subjects (id INTEGER PRIMARY KEY, alias TEXT NOT NULL, country TEXT);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, subject_id INTEGER NOT NULL REFERENCES subjects,
    started_at TIMESTAMP NOT NULL, device TEXT);
CREATE TABLE pages (
    id INTEGER PRIMARY KEY, session_id INTEGER NOT NULL REFERENCES sessions,
    url TEXT NOT NULL, title TEXT, visited_at TIMESTAMP NOT NULL,
    html TEXT, screenshot BLOB);
CREATE TABLE entities (
    id INTEGER PRIMARY KEY, page_id INTEGER NOT NULL REFERENCES pages,
    type TEXT NOT NULL, value TEXT NOT NULL, confidence REAL NOT NULL);
CREATE TABLE labels (
    id INTEGER PRIMARY KEY, page_id INTEGER NOT NULL REFERENCES pages,
    label TEXT NOT NULL, reviewer TEXT NOT NULL, given_at TIMESTAMP NOT NULL);
"""
_START = datetime(2026, 1, 5, 8)  # noqa: DTZ001 - SQLite keeps no time zone
_WORDS = (
    "invoice", "port", "transfer", "meeting", "harbour", "container", "broker", "ledger", "night",
)  # fmt: skip
_NAMES = ("Ada", "Boris", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas")
_SITES = ("forum.example", "mail.example", "market.example", "maps.example", "news.example")


def make(path: Path, seed: int = 7) -> Path:
    """Make the database at ``path`` and return its path."""
    draw = random.Random(seed)
    database = sqlite3.connect(path)
    try:
        database.executescript(_TABLES)
        for table, rows in (
            ("subjects", _subjects(draw)),
            ("sessions", _sessions(draw)),
            ("pages", _pages(draw)),
            ("entities", _entities(draw)),
            ("labels", _labels(draw)),
        ):
            for row in rows:
                marks = ", ".join("?" * len(row))
                database.execute(f"INSERT INTO {table} VALUES ({marks})", row)
        database.commit()
    finally:
        database.close()
    return path


def _subjects(draw: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in range(1, SUBJECTS + 1):
        yield number, f"S-{number:03}", draw.choice(["DE", "FR", "NL", "PT", None])


def _sessions(draw: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in range(1, SESSIONS + 1):
        started = _moment(draw, days=120)
        yield number, draw.randint(1, SUBJECTS), started, draw.choice(["phone", "laptop"])


def _pages(draw: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in range(1, PAGES + 1):
        title = " ".join(draw.sample(_WORDS, 3)).capitalize()
        site = draw.choice(_SITES)
        url = f"https://{site}/{title.replace(' ', '-').lower()}"
        text = " ".join(draw.choices(_WORDS, k=1500))
        html = f"<!doctype html><title>{title}</title><p>{text}</p>"
        session = draw.randint(1, SESSIONS)
        yield number, session, url, title, _moment(draw, days=120), html, _screenshot(draw)


def _entities(draw: random.Random) -> Iterator[tuple[Any, ...]]:
    number = 0
    for page in range(1, PAGES + 1):
        for _ in range(draw.randint(0, 8)):
            number += 1
            kind = draw.choice(["person", "email", "phone", "place"])
            name = draw.choice(_NAMES)
            value = {
                "person": name,
                "email": f"{name.lower()}@{draw.choice(_SITES)}",
                "phone": f"+49 30 {draw.randint(100_000, 999_999)}",
                "place": draw.choice(["Hamburg", "Lisboa", "Rotterdam", "Marseille"]),
            }[kind]
            yield number, page, kind, value, draw.randint(30, 100) / 100


def _labels(draw: random.Random) -> Iterator[tuple[Any, ...]]:
    for number in range(1, LABELS + 1):
        label = draw.choice(["relevant", "irrelevant", "irrelevant", "privileged"])
        reviewer = draw.choice(["north", "south"])
        yield number, draw.randint(1, PAGES), label, reviewer, _moment(draw, days=150)


def _moment(draw: random.Random, days: int) -> str:
    seconds = draw.randint(0, days * 86_400)
    return (_START + timedelta(seconds=seconds)).isoformat(" ", "microseconds")


def _screenshot(draw: random.Random) -> bytes:
    """Return a PNG (ISO/IEC 15948) of 64 x 48 grey pixels."""
    width, height = 64, 48
    pixels = b"".join(b"\0" + draw.randbytes(width) for _ in range(height))
    parts = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
