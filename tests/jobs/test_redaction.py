"""Secrets of connections in what a worker says."""

from __future__ import annotations

import logging
import sys
from typing import Any

import pytest

from jupyter_export.jobs.redaction import Redactor, secrets_of


@pytest.mark.parametrize(
    ("connection", "hidden"),
    [
        ({"url": "postgresql://me:hunter2@db/shop"}, ["hunter2"]),
        ({"url": "postgresql://me:hunter2@db:port/shop"}, ["hunter2"]),
        ({"url": "postgresql://me:hun%2Fter@db/shop"}, ["hun%2Fter", "hun/ter"]),
        ({"url": "postgresql://me:p@ss/w:rd@db/shop"}, ["p@ss/w:rd"]),
        ({"url": "x://me:h%22u%2Fn@db"}, ['h"u/n', 'h\\"u/n', "h%22u%2fn", "h%22u/n"]),
        ({"url": "https://me:hunter2@db/shop"}, ["bWU6aHVudGVyMg=="]),
        ({"url": "postgresql://db/shop?password=hunter2&sslmode=require"}, ["hunter2"]),
        ({"url": "s3://b", "options": {"secret": "hunter2", "anon": False}}, ["hunter2"]),
        ({"url": "x://h", "options": {"storage": {"sas_token": ["hunter2"]}}}, ["hunter2"]),
        ({"url": "x://h", "options": {"credentials": {"a": "hunter2"}}}, ["hunter2"]),
    ],
)
def test_what_is_secret(connection: dict[str, Any], hidden: list[str]) -> None:
    found = set(secrets_of(connection))
    assert {*hidden, connection["url"]} <= found
    assert not {"db", "shop", "require", "me", ""} & found


def test_logs_hide_it_tracebacks_included() -> None:
    redactor = Redactor("%(name)s: %(message)s")
    redactor.keep({"shop": {"url": "postgresql://me:hunter2@db/shop"}, "b": "x://u:other@h"})
    try:
        raise ValueError("invalid port: 'hunter2'")
    except ValueError:
        record = logging.LogRecord("a", 10, "f", 1, "of %s", ("x://u:other@h",), sys.exc_info())
    said = redactor.format(record)
    assert said.startswith("a: of ***\nTraceback")
    assert said.endswith("ValueError: invalid port: '***'")
    redactor.keep({"c": "x://u:third@h"})
    assert redactor.hide("hunter2, other and third") == "***, *** and ***"
