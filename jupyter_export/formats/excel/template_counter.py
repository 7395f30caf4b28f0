"""Counts the rows that were put into a template."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from isal import isal_zlib

from ...errors import SourceFailed
from ...registry import RowCounter
from .counter import SHEET, inflated

_PLAIN = b"<row>"
_TALL = re.compile(rb"<row\s(?![^>]*?\br=)")


class TemplateRowCounter(RowCounter):
    """Inflates every worksheet and counts the rows without a number.

    Rows of data may have the height of the template's, but never their number; the template's own
    rows all have it.
    """

    def finish(self, path: Path) -> int:
        """Raises ``SourceFailed`` where the file is not the workbook it should be."""
        rows = 0
        try:
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not SHEET.fullmatch(info.filename):
                        continue
                    crc, size, rest = 0, 0, b""
                    for data in inflated(archive, info):
                        crc = isal_zlib.crc32(data, crc)
                        size += len(data)
                        # a tag may be cut between two pieces
                        seen = rest + data
                        cut = seen.rfind(b"<")
                        whole, rest = seen[: max(cut, 0)], seen[max(cut, 0) :]
                        rows += whole.count(_PLAIN) + len(_TALL.findall(whole))
                    if (crc, size) != (info.CRC, info.file_size):
                        raise zipfile.BadZipFile(f"{info.filename} is damaged")
        # isal declares its error as a variable
        except (zipfile.BadZipFile, isal_zlib.error, OSError) as error:  # type: ignore[misc]
            raise SourceFailed(f"“{path.name}” is not a whole workbook: {error}.") from error
        return rows
