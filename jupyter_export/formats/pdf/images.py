"""Pictures as image XObjects (ISO 32000-1, 8.9.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ...errors import InvalidSpec
from .objects import PdfFile

_MOST_PIXELS = 25_000_000


@dataclass(frozen=True)
class Image:
    """A picture's pixels as they stand in a stream."""

    width: int
    height: int
    colors: bytes
    data: bytes
    """Deflated by the writer, unless it is a JPEG."""
    jpeg: bool
    alpha: bytes | None

    def write(self, pdf: PdfFile, number: int) -> Iterator[bytes]:
        extra = self._size(self.colors)
        if self.alpha is not None:
            mask = pdf.reserve()
            yield pdf.stream(mask, self.alpha, self._size(b"/DeviceGray"))
            extra += b" /SMask %d 0 R" % mask
        if self.jpeg:
            yield pdf.stream(number, self.data, extra + b" /Filter /DCTDecode", compress=False)
        else:
            yield pdf.stream(number, self.data, extra)

    def _size(self, colors: bytes) -> bytes:
        return (
            b"/Type /XObject /Subtype /Image /Width %d /Height %d"
            b" /ColorSpace %s /BitsPerComponent 8" % (self.width, self.height, colors)
        )


def opened(file: BinaryIO, shown: str, field: str) -> Image:
    """Return the picture in a PNG or JPEG file; ``shown`` is its name in sentences.

    Raises ``InvalidSpec`` for any other.
    """
    from PIL import Image as pictures
    from PIL import UnidentifiedImageError

    try:
        picture = pictures.open(file, formats=("PNG", "JPEG"))
        if picture.width * picture.height > _MOST_PIXELS:
            raise InvalidSpec(
                f"“{shown}” has more than {_MOST_PIXELS // 10**6} million pixels.",
                hint="Make it smaller.",
                field=field,
            )
        if picture.format == "JPEG" and picture.mode in ("RGB", "L"):
            colors = b"/DeviceRGB" if picture.mode == "RGB" else b"/DeviceGray"
            file.seek(0)
            return Image(picture.width, picture.height, colors, file.read(), True, None)
        clear = picture.mode in ("RGBA", "LA") or "transparency" in picture.info
        alpha = picture.convert("RGBA").getchannel("A").tobytes() if clear else None
        plain = picture.convert("RGB")
    except (UnidentifiedImageError, OSError, pictures.DecompressionBombError) as error:
        raise InvalidSpec(
            f"“{shown}” cannot be read as a PNG or JPEG picture.",
            hint="Give a PNG or JPEG file.",
            field=field,
        ) from error
    return Image(plain.width, plain.height, b"/DeviceRGB", plain.tobytes(), False, alpha)
