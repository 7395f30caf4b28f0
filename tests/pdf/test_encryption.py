"""Passwords: what qpdf (pikepdf) and PDFium open, and what they refuse."""

from __future__ import annotations

import sys
from io import BytesIO

import pikepdf
import pypdfium2
import pytest

from jupyter_export.errors import InvalidSpec, MissingDependency
from jupyter_export.formats.pdf.encryption import PERMISSIONS, Encryption
from jupyter_export.formats.pdf.fonts import faces

from .one_page import page, problems, read


def locked(encryption: Encryption) -> bytes:
    fonts = faces()
    line = b"/%b 10 Tf (Secret) Tj " % fonts.simple()
    return page([line + fonts.runs(" Привет").show(b"10")], fonts, encryption)


@pytest.mark.parametrize("password", ["geheim", "пароль", "pä\u00adss\u00a0word", "①", "x" * 127])
def test_the_password_opens_and_others_do_not(password: str) -> None:
    data = locked(Encryption(password))
    # what SASLprep makes of it, as readers do before they look
    prepared = {"pä\u00adss\u00a0word": "päss word", "①": "1"}.get(password, password)
    assert data.startswith(b"%PDF-2.0\n")
    assert problems(data, prepared) == []
    assert read(data, prepared) == ["Secret Привет"]
    assert b"Secret" not in data
    for wrong in ("", prepared[:-1], "y" + prepared[1:] + "x"):
        with pytest.raises(pikepdf.PasswordError):
            pikepdf.open(BytesIO(data), password=wrong)
        with pytest.raises(pypdfium2.PdfiumError):
            pypdfium2.PdfDocument(data, password=wrong)


def test_what_is_encrypted_and_how() -> None:
    with pikepdf.open(BytesIO(locked(Encryption("geheim"))), password="geheim") as pdf:
        assert pdf.encryption.R == 6
        assert pdf.encryption.bits == 256
        assert pdf.encryption.stream_method == pikepdf.models.encryption.EncryptionMethod.aesv3
        assert pdf.encryption.string_method == pikepdf.models.encryption.EncryptionMethod.aesv3
        assert pdf.docinfo["/Title"] == "Überschrift (中文) \\"
        assert pdf.docinfo["/Author"] == "A (b)"
        assert pdf.Root.Lang == "en-GB"
        assert pdf.trailer.Encrypt.EncryptMetadata is True


def test_the_owner_may_do_everything_the_user_what_is_permitted() -> None:
    data = locked(Encryption("user", "owner", ["print", "print_well"]))
    with pikepdf.open(BytesIO(data), password="user") as pdf:
        assert (pdf.user_password_matched, pdf.owner_password_matched) == (True, False)
        assert pdf.allow.print_highres
        assert pdf.allow.accessibility
        assert not pdf.allow.extract
        assert not pdf.allow.modify_other
    with pikepdf.open(BytesIO(data), password="owner") as pdf:
        assert pdf.owner_password_matched
    assert read(data, "owner") == ["Secret Привет"]


def test_without_an_owner_password_what_is_forbidden_stays_so() -> None:
    data = locked(Encryption("user", permissions=["print"]))
    with pikepdf.open(BytesIO(data), password="user") as pdf:
        assert not pdf.owner_password_matched
    with pikepdf.open(BytesIO(locked(Encryption("user"))), password="user") as pdf:
        assert pdf.owner_password_matched


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_each_permission_is_one_bit(permission: str) -> None:
    with_it = int(Encryption("x", "y", [permission]).dictionary().split(b"/P ")[1].split()[0])
    without = int(Encryption("x", "y", []).dictionary().split(b"/P ")[1].split()[0])
    assert (with_it ^ without).bit_count() == 1
    assert with_it & 0b11 == 0


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("tab\tbed", "U+0009"),
        ("private \ue000", "U+E000"),
        ("x" * 128, "128 bytes"),
        ("שלום abc", "right to left"),
        ("1 שלום", "right to left"),
    ],
)
def test_passwords_that_cannot_be(password: str, said: str) -> None:
    with pytest.raises(InvalidSpec, match=said.replace("+", r"\+")) as refused:
        Encryption(password)
    assert refused.value.field == "format.password"
    assert password not in str(refused.value)


def test_a_password_from_right_to_left() -> None:
    assert read(locked(Encryption("סיסמה")), "סיסמה") == ["Secret Привет"]


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for loaded in [
        name for name in sys.modules if name.startswith("cryptography.hazmat.primitives")
    ]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(MissingDependency) as refused:
        Encryption("geheim")
    assert refused.value.hint == 'pip install "jupyter-export[pdf]"'
