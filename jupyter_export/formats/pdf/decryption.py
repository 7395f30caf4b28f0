"""Opens streams of a file that AES-256 protects (ISO 32000-2, 7.6.4.3.3, algorithm 2.A)."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from .encryption import prepared

_STRING = rb"\s*<([0-9A-Fa-f\s]*)>"


class Decryption:
    """The key of one file, found with its user password. Raises ``ValueError`` for a wrong one."""

    def __init__(self, dictionary: bytes, password: str) -> None:
        from cryptography.hazmat.primitives import ciphers

        self._ciphers: Any = ciphers
        entries = {
            name: bytes.fromhex(found[1].decode("ascii"))
            for name in (b"U", b"UE")
            if (found := re.search(b"/" + name + rb"(?![A-Za-z])" + _STRING, dictionary))
        }
        if len(entries) != 2:
            raise ValueError("the encryption dictionary has no user key")
        secret = prepared(password)
        check, validation, salt = entries[b"U"][:32], entries[b"U"][32:40], entries[b"U"][40:48]
        if self._hash(secret, validation) != check:
            raise ValueError("the password does not open the file")
        self._key = self._opened(self._hash(secret, salt), bytes(16), entries[b"UE"])

    def decrypt(self, data: bytes) -> bytes:
        """Return what ``data`` (a vector of 16 bytes, then blocks) hides; for any thread."""
        plain = self._opened(self._key, data[:16], data[16:])
        return plain[: -plain[-1]]

    def _opened(self, key: bytes, vector: bytes, data: bytes) -> bytes:
        mode = self._ciphers.modes.CBC(vector)
        cipher = self._ciphers.Cipher(self._ciphers.algorithms.AES(key), mode).decryptor()
        return bytes(cipher.update(data) + cipher.finalize())

    def _hash(self, password: bytes, salt: bytes) -> bytes:
        """Algorithm 2.B, for the user's password."""
        key = hashlib.sha256(password + salt).digest()
        done = 0
        while True:
            mode = self._ciphers.modes.CBC(key[16:32])
            cipher = self._ciphers.Cipher(self._ciphers.algorithms.AES(key[:16]), mode).encryptor()
            mixed = cipher.update((password + key) * 64)
            which = int.from_bytes(mixed[:16], "big") % 3
            key = (hashlib.sha256, hashlib.sha384, hashlib.sha512)[which](mixed).digest()
            done += 1
            if done >= 64 and mixed[-1] <= done - 32:
                return key[:32]
