"""Where a file goes: the name of an export that has none, and the check of one that has."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PureWindowsPath

from ..errors import Forbidden, InvalidSpec, OutputExists, WriteFailed
from ..folders import Folder
from ..sinks.local import already_there, free_names
from ..spec import ExportSpec, limits
from .settings import Settings

MAX_NAME_BYTES = 255
"""The longest file name that the usual file systems hold."""
RESERVED = {
    "con", "prn", "aux", "nul", "conin$", "conout$",
    *(f"{device}{n}" for device in ("com", "lpt") for n in "123456789¹²³"),
}  # fmt: skip
"""Names that Windows gives to devices, whatever their ending."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
FIELD = "output.path"
_ADD_NAME = "Add the name of the file."


@dataclass(frozen=True)
class Target:
    """What to write, a file or a folder: as users see it, where it is, whether we named it, and
    the folders that were made for it (the innermost first)."""

    path: str
    absolute: Path
    temporary: bool
    made: tuple[str, ...] = ()


def part_of(target: Path, job_id: str, attempt: int = 1) -> Path:
    """Return the hidden file (or folder) beside ``target`` that a job writes until it is whole.

    Each attempt has its own: one that is believed dead, and is not, spoils nothing.
    """
    tail = f".{job_id}.{attempt}.part"
    # A folder that is replaced waits under the name of its part and “.old”.
    room = MAX_NAME_BYTES - len(f".{tail}.old".encode())
    head = target.name.encode()[:room].decode(errors="ignore")
    return target.with_name(f".{head}{tail}")


def inside(
    path: str,
    settings: Settings,
    *,
    field: str = FIELD,
    windows: bool = os.name == "nt",
) -> Path:
    """Return the absolute path that ``path`` means, every link in its folders followed.

    Relative paths start at the root. In a confined installation nothing outside the root and
    nothing hidden is named, unless the server shows what is. Raises ``Forbidden`` or
    ``InvalidSpec``; the sentence repeats the path as it was given, never the machine's own.
    """
    shown = path if len(path) <= 200 else f"{path[:200]}…"
    if limits.unprintable(path) or any(0xD800 <= ord(each) <= 0xDFFF for each in path):
        raise InvalidSpec("The path holds a character that no file name can.", field=field)
    if _URL.match(path):
        raise InvalidSpec(
            f"“{shown}” is a URL, not a path.",
            hint="Give a path relative to the server's root.",
            field=field,
        )
    if settings.confined:
        _check_confined(path, shown, field, hidden=settings.allow_hidden)
    given = Path(path) if settings.confined else Path(path).expanduser()
    for part in given.parts:
        _check_component(part, field, windows)
    try:
        # The last component is not followed: a link there is what gets replaced, not its target.
        whole = (
            Path(os.path.normpath(settings.root / given))
            if settings.confined
            else (settings.root / given)
        )
        absolute = whole.parent.resolve() / whole.name
        root = settings.root.resolve()
    except (OSError, RuntimeError):
        raise InvalidSpec(
            f"“{shown}” cannot be followed: its links lead in a circle, or it is too long.",
            field=field,
        ) from None
    if settings.confined and (absolute == root or not absolute.is_relative_to(root)):
        raise _outside(shown, field)
    return absolute


def _check_confined(path: str, shown: str, field: str, *, hidden: bool) -> None:
    if path.startswith(("/", "\\", "~")) or PureWindowsPath(path).drive:
        raise _outside(shown, field)
    if "\\" in path:
        raise InvalidSpec(
            f"“{shown}” holds a backslash.", hint="Separate folders with “/”.", field=field
        )
    depth = 0
    for part in path.split("/"):
        if part == "..":
            depth -= 1
        elif part.startswith(".") and part != "." and not hidden:
            raise Forbidden(
                f"“{shown}” is hidden: “{part}” begins with a dot.",
                hint="Choose a name that does not.",
                field=field,
            )
        elif part not in ("", "."):
            depth += 1
        if depth < 0:
            raise _outside(shown, field)


def _check_component(part: str, field: str, windows: bool) -> None:
    if len(os.fsencode(part)) > MAX_NAME_BYTES:
        raise InvalidSpec(
            f"“{part[:40]}…” is longer than {MAX_NAME_BYTES} bytes.",
            hint="Choose a shorter name.",
            field=field,
        )
    if not windows or part in ("..", ".") or part == PureWindowsPath(part).anchor:
        return
    if part.split(".")[0].rstrip(" ").casefold() in RESERVED:
        raise InvalidSpec(
            f"“{part}” is the name of a device on Windows.", hint="Choose another.", field=field
        )
    if re.search(r'[<>:"|?*]', part) or part.endswith((" ", ".")):
        raise InvalidSpec(
            f"“{part}” cannot be a name on Windows.",
            hint='Leave out < > : " | ? * and a dot or a space at the end.',
            field=field,
        )


def _outside(shown: str, field: str) -> Forbidden:
    return Forbidden(
        f"“{shown}” lies outside the folder that exports may use.",
        hint="Give a path relative to the server's root.",
        field=field,
    )


def place(
    spec: ExportSpec,
    settings: Settings,
    *,
    job_id: str,
    ending: str,
    moment: datetime,
    taken: Callable[[Path], bool],
    folder: bool = False,
) -> Target:
    """Decide the file of ``spec``, or the ``folder`` of its files, and make the folder around it.

    ``ending`` is for a file that has no name yet; ``taken`` tells a path that an active job is
    about to write. Raises ``OutputExists``, ``Forbidden``, ``InvalidSpec`` or ``WriteFailed``.
    Whether a folder may be replaced is decided by who writes it: it must hold nothing but what
    such an export has written.
    """
    given = spec.output.path
    if given is None:
        when = f"{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}"
        name = f"{plain_name(spec.name)}_{when}_{job_id[:8]}"
        # The setting is the administrator's, and may be hidden (".exports").
        absolute = (settings.root / settings.output_dir).resolve() / f"{name}{ending}"
    else:
        names_a_folder = given.endswith(("/", os.sep)) and not folder
        if names_a_folder or Path(given).name in ("", ".."):
            raise InvalidSpec(
                f"“{given}” names a folder.",
                hint="Add the name of the folder to make." if folder else _ADD_NAME,
                field=FIELD,
            )
        absolute = inside(given, settings)
    _check_occupant(absolute, given or absolute.name, spec.output.if_exists, folder=folder)
    if spec.output.if_exists == "rename":
        absolute = next(
            name for name in free_names(absolute) if not os.path.lexists(name) and not taken(name)
        )
    elif spec.output.if_exists == "error" and os.path.lexists(absolute):
        raise already_there(absolute)
    made = _make_folder(absolute.parent, settings)
    return Target(shown(absolute, settings.root), absolute, given is None, made)


def shown(absolute: Path, root: Path) -> str:
    """Return the path as users see it: relative to the root with “/”, or absolute outside it."""
    resolved = root.resolve()
    if absolute.is_relative_to(resolved):
        return absolute.relative_to(resolved).as_posix()
    return str(absolute)


def plain_name(name: str) -> str:
    """Return ``name`` as a part of a file name that every system takes."""
    composed = unicodedata.normalize("NFC", name)
    plain = re.sub(r"[^\w.-]+", "_", composed).strip("._-")
    return plain.encode()[:80].decode(errors="ignore") or "export"


def _check_occupant(absolute: Path, given: str, if_exists: str, *, folder: bool) -> None:
    try:
        mode = os.lstat(absolute).st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        if folder:
            return
        raise InvalidSpec(f"“{given}” is a folder.", hint=_ADD_NAME, field=FIELD)
    if folder:
        if if_exists == "replace":
            raise OutputExists(
                f"“{given}” is a file, and this export makes a folder.",
                hint="Choose another name, or one that ends in .zip.",
                field=FIELD,
            )
    elif not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
        raise InvalidSpec(
            f"“{given}” is a device or a pipe, not a file.", hint="Choose another.", field=FIELD
        )


def _make_folder(folder: Path, settings: Settings) -> tuple[str, ...]:
    """Make ``folder`` and those around it; return the ones that were not there, innermost first."""
    where = shown(folder, settings.root)
    missing = [each for each in (folder, *folder.parents) if not os.path.lexists(each)]
    try:
        _make(folder, settings.root.resolve() if settings.confined else None)
    except (FileExistsError, NotADirectoryError):
        raise InvalidSpec(
            f"“{where}” is a file, so nothing can be written into it.", field=FIELD
        ) from None
    except OSError as error:
        raise WriteFailed(
            f"The folder “{where}” could not be made: {os.strerror(error.errno or 0)}.",
            field=FIELD,
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise WriteFailed(
            f"The folder “{where}” cannot be written to.",
            hint="Choose a folder that you may write to.",
            field=FIELD,
        )
    return tuple(str(each) for each in missing)


def _make(folder: Path, root: Path | None) -> None:
    if root is None or not folder.is_relative_to(root):
        folder.mkdir(parents=True, exist_ok=True)
        return
    # a link that somebody puts there meanwhile must lead nowhere
    within = Folder(root)
    try:
        within.make(folder.relative_to(root).parts)
    finally:
        within.close()
    if not folder.is_dir():
        raise NotADirectoryError
