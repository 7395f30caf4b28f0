"""Encryption of a PDF file by passwords: AES-256, revision 6 (ISO 32000-2, 7.6)."""

from __future__ import annotations

import hashlib
import os
import secrets
import stringprep
import unicodedata
from collections.abc import Collection
from typing import Any

from ...errors import InvalidSpec
from ...registry import missing

_FIELD = "format.password"
_LONGEST = 127
"""Bytes of UTF-8 that are looked at (7.6.4.3.3)."""
_BITS = {
    "print": 3,
    "modify": 4,
    "copy": 5,
    "annotate": 6,
    "fill": 9,
    "assemble": 11,
    "print_well": 12,
}
"""Permission -> its bit, counted from 1 (table 22)."""
PERMISSIONS: tuple[str, ...] = tuple(_BITS)
_RESERVED = 0xFFFFF2C0
"""Bits 7, 8, from 13 on, and 10 (reading aloud), which are always set."""


class Encryption:
    """A file's key, and what lets a reader with one of the passwords find it.

    ``permissions`` bind those who open the file with the user password. Without an owner password
    the user's is taken for it where nothing is forbidden, else a random one that nobody knows.

    Raises ``InvalidSpec`` for a password that cannot be one, and ``MissingDependency``.
    """

    def __init__(
        self,
        user_password: str,
        owner_password: str | None = None,
        permissions: Collection[str] = PERMISSIONS,
    ) -> None:
        try:
            from cryptography.hazmat.primitives import ciphers
        except ModuleNotFoundError as error:
            raise missing(error.name, "A PDF with a password") from error
        self._ciphers: Any = ciphers
        self._key = os.urandom(32)
        user = prepared(user_password)
        if owner_password is not None:
            owner = prepared(owner_password)
        elif set(permissions) >= set(PERMISSIONS):
            owner = user
        else:
            owner = secrets.token_hex(16).encode("ascii")
        allowed = _RESERVED
        for permission in permissions:
            allowed |= 1 << (_BITS[permission] - 1)
        self._allowed = allowed
        self._user, self._user_key = self._locked(user, b"")
        self._owner, self._owner_key = self._locked(owner, self._user)

    def encrypt(self, data: bytes) -> bytes:
        """Return a random vector and ``data`` in AES-256-CBC (algorithm 1.A); for any thread."""
        vector = os.urandom(16)
        padding = 16 - len(data) % 16
        cipher = self._cipher(self._key, vector)
        return b"".join((vector, cipher.update(data), cipher.update(bytes((padding,)) * padding)))

    def dictionary(self) -> bytes:
        """Return the encryption dictionary (tables 20, 21 and 25)."""
        permissions = self._allowed - 2**32
        return b"".join(
            (
                b"<< /Filter /Standard /V 5 /R 6 /Length 256 /P %d /EncryptMetadata true"
                % permissions,
                b" /CF << /StdCF << /AuthEvent /DocOpen /CFM /AESV3 /Length 32 >> >>",
                b" /StmF /StdCF /StrF /StdCF",
                b" /U %b /UE %b" % (_hex(self._user), _hex(self._user_key)),
                b" /O %b /OE %b" % (_hex(self._owner), _hex(self._owner_key)),
                b" /Perms %b >>" % _hex(self._checked_permissions()),
            )
        )

    def _locked(self, password: bytes, user: bytes) -> tuple[bytes, bytes]:
        """Return (U, UE) or, with ``user`` = U, (O, OE): algorithms 8 and 9."""
        validation, key = os.urandom(8), os.urandom(8)
        check = self._hash(password, validation, user) + validation + key
        cipher = self._cipher(self._hash(password, key, user), bytes(16))
        return check, cipher.update(self._key)

    def _checked_permissions(self) -> bytes:
        """Return Perms (algorithm 10), by which a reader sees that P was not tampered with."""
        plain = self._allowed.to_bytes(4, "little") + b"\xff\xff\xff\xffTadb" + os.urandom(4)
        ecb = self._ciphers.modes.ECB()
        cipher = self._ciphers.Cipher(self._ciphers.algorithms.AES(self._key), ecb)
        return bytes(cipher.encryptor().update(plain))

    def _hash(self, password: bytes, salt: bytes, user: bytes) -> bytes:
        """Return the 32 bytes of algorithm 2.B."""
        digests = (hashlib.sha256, hashlib.sha384, hashlib.sha512)
        key = hashlib.sha256(password + salt + user).digest()
        rounds = 0
        while True:
            block = (password + key + user) * 64
            mixed = self._cipher(key[:16], key[16:32]).update(block)
            # a number of 16 bytes modulo 3 is the sum of its bytes modulo 3, as 256 = 1 (mod 3)
            key = digests[sum(mixed[:16]) % 3](mixed).digest()
            rounds += 1
            if rounds >= 64 and mixed[-1] <= rounds - 32:
                return key[:32]

    def _cipher(self, key: bytes, vector: bytes) -> Any:
        mode = self._ciphers.modes.CBC(vector)
        return self._ciphers.Cipher(self._ciphers.algorithms.AES(key), mode).encryptor()


def prepared(password: str) -> bytes:
    """Return the UTF-8 of ``password`` after SASLprep (RFC 4013), so that all keyboards agree."""
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in password
        if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    for char in prepared:
        if any(forbidden(char) for forbidden in _FORBIDDEN):
            raise InvalidSpec(
                f"A PDF's password cannot have the character U+{ord(char):04X}.",
                hint="Choose a password without it.",
                field=_FIELD,
            )
    if any(map(stringprep.in_table_d1, prepared)):
        ends = (prepared[0], prepared[-1])
        if any(map(stringprep.in_table_d2, prepared)) or not all(map(stringprep.in_table_d1, ends)):
            raise InvalidSpec(
                "A PDF's password cannot mix writing from right to left with writing from left to"
                " right, nor have digits or signs at its ends then.",
                hint="Choose a password in one script.",
                field=_FIELD,
            )
    coded = prepared.encode("utf-8")
    if len(coded) > _LONGEST:
        raise InvalidSpec(
            f"The password has {len(coded)} bytes as UTF-8; a PDF takes at most {_LONGEST}.",
            hint="Choose a shorter one.",
            field=_FIELD,
        )
    return coded


_FORBIDDEN = (
    # RFC 4013, 2.3 and 2.5: control and private characters, surrogates, and what has no meaning
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def _hex(data: bytes) -> bytes:
    return b"<" + data.hex().encode("ascii") + b">"
