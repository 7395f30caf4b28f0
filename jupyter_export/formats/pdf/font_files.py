"""Font files: the ones that ship, the ones that a user names, the ones of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ...errors import InvalidSpec, did_you_mean
from ...registry import Surroundings

SHIPPED = Path(__file__).with_name("typeface")
_ENDINGS = (".ttf", ".otf", ".ttc", ".otc")
_SINGLE = (b"\x00\x01\x00\x00", b"true", b"OTTO")
"""How a file of one face begins; a collection begins with “ttcf”."""
_LARGEST = 256 * 1024**2
"""Bytes of a font file that is read: the largest collections have half of that."""
_BOLD = 600
"""Weights (OS/2, usWeightClass) from here on count as bold."""


@dataclass(frozen=True)
class FontFile:
    """One face of a font file; its tables are read when they are asked for (ISO 14496-22)."""

    path: Path
    index: int = 0
    """Place in a collection (.ttc)."""
    bold_variation: bool = False
    """Drawn with the axis ``wght`` of a variable font at 700."""
    data: bytes | None = field(default=None, compare=False, repr=False)
    """What is in the file, where it was read; else it is mapped when it is needed."""

    @cached_property
    def face(self) -> Any:
        import uharfbuzz

        if self.data is not None:
            return uharfbuzz.Face(uharfbuzz.Blob(self.data), self.index)
        return uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(self.path)), self.index)

    @cached_property
    def tables(self) -> frozenset[str]:
        return frozenset(self.face.table_tags)

    @cached_property
    def family(self) -> str:
        return self.face.get_name(16) or self.face.get_name(1) or self.path.stem

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that a user may mean it by, folded: family, full name, PostScript name."""
        named = [self.face.get_name(number) for number in (1, 4, 6, 16)]
        return frozenset(name.casefold() for name in named if name)

    @cached_property
    def postscript_name(self) -> str:
        given = self.face.get_name(6) or self.family
        name = "".join(
            char for char in given if char.isascii() and (char.isalnum() or char in "-_")
        )
        return f"{name or 'Font'}-Bold" if self.bold_variation else name or "Font"

    @cached_property
    def _os2(self) -> bytes:
        return bytes(self.face.reference_table("OS/2").data) if "OS/2" in self.tables else b""

    @cached_property
    def weight(self) -> int:
        if self.bold_variation:
            return 700
        return int.from_bytes(self._os2[4:6], "big") or 400

    @property
    def bold(self) -> bool:
        return self.weight >= _BOLD

    @cached_property
    def slanted(self) -> bool:
        return bool(int.from_bytes(self._os2[62:64], "big") & 0x201)

    @cached_property
    def outlines(self) -> bool:
        """Whether it has shapes that a PDF can hold: colour bitmaps alone cannot be embedded."""
        return bool(self.tables & {"glyf", "CFF ", "CFF2"}) and "cmap" in self.tables

    @cached_property
    def may_be_embedded(self) -> bool:
        """Whether its licence bits (fsType) allow the embedding of outlines, and of a subset."""
        bits = int.from_bytes(self._os2[8:10], "big")
        return (bits & 0xF) != 2 and not bits & 0x300

    @cached_property
    def coverage(self) -> Any:
        """The code points that it draws."""
        return self.face.unicodes

    @cached_property
    def has_weights(self) -> bool:
        return any(axis.tag == "wght" for axis in self.face.axis_infos)


def shipped(bold: bool) -> FontFile:
    """Return the face that comes with this package: Latin, Greek, Cyrillic, Arabic, Hebrew …"""
    return FontFile(SHIPPED / f"DejaVuSansCondensed{'-Bold' if bold else ''}.ttf")


def named(font: str, here: Surroundings | None, field: str) -> list[FontFile]:
    """Return the faces that a user means by a family's name or by the path of a file.

    Raises ``InvalidSpec``, or what ``here.file`` raises for a path.
    """
    if font.lower().endswith(_ENDINGS) or "/" in font:
        found = _given(font, here, field)
        if not found:
            raise InvalidSpec(
                f"“{font}” is not a font that can be read.",
                hint="Give a TrueType or OpenType file: .ttf, .otf or .ttc.",
                field=field,
            )
    else:
        found = [file for file in system_fonts() if font.casefold() in file.names]
        if not found:
            families = {file.family for file in system_fonts()}
            hint = did_you_mean(font, families) if families else "No fonts were found."
            raise InvalidSpec(
                f"There is no font “{font}” on this machine.",
                hint=f"{hint} Or give the path of a font file.",
                field=field,
            )
    usable = [file for file in found if file.outlines]
    if not usable:
        raise InvalidSpec(
            f"The font “{font}” has no outlines, only bitmaps, which a PDF cannot hold.",
            hint="Choose another font.",
            field=field,
        )
    if not any(file.may_be_embedded for file in usable):
        raise InvalidSpec(
            f"The licence of the font “{font}” forbids embedding it in documents.",
            hint="Choose another font.",
            field=field,
        )
    return [file for file in usable if file.may_be_embedded]


def _given(font: str, here: Surroundings | None, field: str) -> list[FontFile]:
    """Return the first face of the file that a user names, and nothing for what is no font."""
    if here is None:
        return list(_faces_of(Path(font)))[:1]
    # read from what was opened: its path may lead elsewhere by now
    with here.open_file(font, field) as file:
        start = file.read(4)
        known = start == b"ttcf" or start in _SINGLE
        if not known or os.fstat(file.fileno()).st_size > _LARGEST:
            return []
        return [FontFile(Path(font), data=start + file.read())]


def pair(files: list[FontFile]) -> tuple[FontFile, FontFile]:
    """Return the plain and the bold face of one family, the same one where it has but one."""
    upright = [file for file in files if not file.slanted] or files
    plain = min(upright, key=lambda file: abs(file.weight - 400))
    heavy = min(upright, key=lambda file: abs(file.weight - 700))
    if not heavy.bold and plain.has_weights:
        heavy = replace(plain, bold_variation=True)
    return plain, heavy if heavy.bold else plain


@cache
def system_fonts() -> tuple[FontFile, ...]:
    """Return the faces of the fonts that are installed, in the order of their paths."""
    return tuple(face for path in sorted(set(_installed())) for face in _faces_of(path))


def covering(char: str, family: str, bold: bool) -> FontFile | None:
    """Return the best installed face for a character; ``family`` breaks ties of Han forms.

    ``family`` is one of the endings of pan-CJK families: SC, JP, KR.
    """
    code = ord(char)
    candidates = [
        file
        for file in system_fonts()
        if file.outlines and not file.slanted and code in file.coverage and file.may_be_embedded
    ]
    if not candidates:
        return None
    best = min(candidates, key=lambda file: _distance(file, family, bold))
    if bold and not best.bold and best.has_weights:
        return replace(best, bold_variation=True)
    return best


_HAN = {
    "SC": ("SC", "CN", "GB", "Hei", "YaHei", "SimSun", "Zen", "WenQuanYi", "Simplified"),
    "JP": ("JP", "J", "Gothic", "Hiragino", "Meiryo", "IPA", "Japanese"),
    "KR": ("KR", "K", "Malgun", "Nanum", "Gothic", "Batang", "Dotum", "Korean"),
}
_FANCY = ("Serif", "Mono", "Display", "Looped", "Condensed", "Song", "Ming", "Mincho", "Batang")
_LAST = ("Unifont", "Last", "LastResort", "Fallback", "Nastaliq")
"""Words in the names of fonts that draw everything, roughly, or in a hand of its own."""


def _distance(file: FontFile, family: str, bold: bool) -> tuple[Any, ...]:
    """Return how far a face is from what a table of plain text wants."""
    words = file.family.replace("-", " ").split()
    return (
        any(word in _LAST for word in words),
        not any(word in _HAN[family] for word in words),
        any(word in file.family for word in _FANCY),
        "Noto" not in words,
        abs(file.weight - (700 if bold else 400)),
        "Sans" not in words,
        len(words),
        file.family,
        str(file.path),
        file.index,
    )


def _faces_of(path: Path) -> Iterator[FontFile]:
    """Yield the faces of a file; nothing for a file that is no font or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return
    if start in _SINGLE:
        yield FontFile(path)
    elif start == b"ttcf":
        for index in range(FontFile(path).face.count):
            yield FontFile(path, index)


def _installed() -> Iterator[Path]:
    """Yield the paths of installed fonts: fontconfig's, or what the usual folders hold."""
    command = shutil.which("fc-list")
    if command is not None:
        try:
            listed = subprocess.run(
                [command, "--format", "%{file}\\n"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=20,
                check=True,
            ).stdout
        except (OSError, subprocess.SubprocessError):
            pass
        else:
            yield from (
                Path(os.fsdecode(line))
                for line in listed.splitlines()
                if line.lower().endswith(tuple(ending.encode() for ending in _ENDINGS))
            )
            return
    for folder in _folders():
        for within, _, names in os.walk(folder):
            yield from (Path(within, name) for name in names if name.lower().endswith(_ENDINGS))


def _folders() -> Iterator[Path]:
    # unlike Path.home, this never raises
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", r"C:\Windows"), "Fonts")
        yield home / "AppData" / "Local" / "Microsoft" / "Windows" / "Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"))
        yield home / "Library" / "Fonts"
    else:
        yield from (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
        yield from (home / ".local" / "share" / "fonts", home / ".fonts")
