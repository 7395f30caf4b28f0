"""What a path of a cell means: which service writes the file, and what it is called there.

A path is relative to the kernel's working directory, as in any other line of the cell. Below the
server's root the server writes it; elsewhere the kernel does, with its own rights.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

from ..errors import InvalidRequest


@dataclass(frozen=True)
class Place:
    """``path`` is what the spec says: relative to the server's root, or absolute for the kernel.

    ``note`` is a sentence for the user where the place is not what they would expect.
    """

    runner: Literal["server", "kernel"]
    path: str | None
    note: str | None = None


def place_for(
    path: str | os.PathLike[str] | None,
    *,
    cwd: Path,
    has_server: bool,
    server_root: str = "",
    root_visible: bool = False,
) -> Place:
    """Decide where ``path`` (None: the service names the file) is written.

    ``server_root`` is the server's folder as the server said, ``root_visible`` whether this
    machine has it. Raises ``InvalidRequest`` for what is no path.
    """
    if path is None:
        return Place("server" if has_server else "kernel", None)
    given = os.fspath(path)
    if not given.strip():
        raise InvalidRequest("The path is empty.", hint="Name a file, such as flights.csv.")
    if "://" in given:
        bare = re.sub(r"//[^/@]*@", "//", given)  # a login may hold a password
        raise InvalidRequest(
            f"“{bare}” is an address, not a path.", hint="Name a file, such as flights.csv."
        )
    expanded = Path(given).expanduser()
    if not has_server:
        return Place("kernel", _kept_end(os.path.normpath(cwd / expanded), given))
    if not root_visible:
        return _unseen(given, expanded, server_root)
    absolute = Path(os.path.normpath(cwd / expanded))
    relative = _below(absolute, Path(server_root))
    if relative is None or _hidden(relative):
        return Place("kernel", _kept_end(str(absolute), given))
    return Place("server", _kept_end(relative, given))


def _unseen(given: str, expanded: Path, server_root: str) -> Place:
    """The kernel runs on another machine than its server, or the server's files are no folder."""
    if expanded.is_absolute() or PureWindowsPath(given).is_absolute():
        if server_root and expanded.is_relative_to(server_root):
            relative = expanded.relative_to(server_root).as_posix()
            return Place("server", _kept_end(relative, given))
        return Place("kernel", given, f"Written on the kernel's machine as {given}.")
    relative = _kept_end(PurePosixPath(os.path.normpath(given)).as_posix(), given)
    return Place(
        "server",
        relative,
        f"Written under the server's root as {relative}: this kernel does not see that folder.",
    )


def _below(path: Path, root: Path) -> str | None:
    """Return ``path`` relative to ``root``, compared as written and with links followed."""
    if path.is_relative_to(root) and path != root:
        followed = path.parent.resolve() / path.name
        if followed.is_relative_to(root.resolve()):
            return path.relative_to(root).as_posix()
        return None  # A link leads out of the root: the server would refuse it.
    followed, root = path.parent.resolve() / path.name, root.resolve()
    if followed.is_relative_to(root) and followed != root:
        return followed.relative_to(root).as_posix()
    return None


def _hidden(relative: str) -> bool:
    """The server writes nothing hidden; the kernel may."""
    return any(part.startswith(".") for part in relative.split("/"))


def _kept_end(path: str, given: str) -> str:
    """A slash at the end means a folder, which the service refuses where the export is one file."""
    return f"{path}/" if given.endswith(("/", os.sep)) and not path.endswith("/") else path
