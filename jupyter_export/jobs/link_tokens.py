"""Signs download links, and knows its own signature; the key is the installation's."""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from itsdangerous import BadData, URLSafeSerializer

from ..errors import ServerUnavailable
from .filelock import Waiting
from .settings import Settings

KEY_FILE = "link-secret"
LOCK_SECONDS = 10.0
LONGEST_TOKEN = 500
ARTIFACT_DIGITS = 32
"""Hexadecimal digits of the file's SHA-256 that the signature covers: 128 bits."""


@dataclass(frozen=True)
class Signed:
    """What a token says, and its signature proves."""

    link: str
    artifact: str
    """The first ``ARTIFACT_DIGITS`` of the file's SHA-256."""
    expires_at: int
    """Whole seconds since 1970 UTC."""


class LinkTokens:
    """HMAC-SHA-256 by itsdangerous, which compares signatures in constant time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._serializer: URLSafeSerializer | None = None

    def sign(self, signed: Signed) -> str:
        """Return the token, the same each time. Raises ``ServerUnavailable`` without a key."""
        token: str = self._signer().dumps([signed.link, signed.artifact, signed.expires_at])
        return token

    def read(self, token: str) -> Signed | None:
        """Return what ``token`` says; None unless it was signed here."""
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            link, artifact, expires_at = self._signer().loads(token)
        except (BadData, ValueError, TypeError):
            return None
        return Signed(link, artifact, expires_at)

    def _signer(self) -> URLSafeSerializer:
        if self._serializer is None:
            self._serializer = URLSafeSerializer(
                self._settings.link_secret or _own_key(self._settings.state_dir),
                salt="jupyter_export download link",
                signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
            )
        return self._serializer


def _own_key(folder: Path) -> str:
    """Return the key of the state folder; made once, readable for its owner only."""
    path = folder / KEY_FILE
    try:
        # Two services that start at once: one makes it, the other reads it.
        with Waiting(folder / f"{KEY_FILE}.lock", LOCK_SECONDS):
            if not path.exists():
                _make_key(path)
            key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        key = ""
    if len(key) < ARTIFACT_DIGITS:
        raise ServerUnavailable(
            f"The secret of the download links in “{KEY_FILE}” of state_dir cannot be used.",
            hint="Remove the file: a new one is made, and links given out before stop working.",
        )
    return key


def _make_key(path: Path) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
