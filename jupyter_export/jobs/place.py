"""Which state folder this is: a name that moves with it, made once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

FILE = "place"


def place_of(state_dir: Path) -> str:
    """Return the name of ``state_dir``, 32 hexadecimal digits.

    Jobs remember it: their uploads are in that folder, so only a service over it can run them
    again. Safe when several processes ask for the first time at once.
    """
    path = state_dir / FILE
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    mine = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    try:
        mine.write_text(secrets.token_hex(16))
        try:
            os.link(mine, path)
        except FileExistsError:
            pass  # Somebody else was quicker; his name counts.
        except OSError:
            os.replace(mine, path)  # A file system without hard links.
    finally:
        mine.unlink(missing_ok=True)
    return path.read_text().strip()
