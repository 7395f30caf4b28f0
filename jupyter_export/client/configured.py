"""The named connections of a process without a Jupyter server: a kernel's, a script's, the shell's.

They come from the files ``jupyter_export_config.py`` and ``.json`` in Jupyter's config folders
(``jupyter --paths`` lists them), where a server finds its settings too, written alike:

    c.ExportApp.connections = {"warehouse": "env:WAREHOUSE_URL"}

and from the environment variable ``JUPYTER_EXPORT_CONNECTIONS``, which holds the same mapping as
JSON and comes first. So no notebook needs to hold a password. Both are read when the first export
of the process begins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest

VARIABLE = "JUPYTER_EXPORT_CONNECTIONS"
SECTION = "ExportApp"


def connections() -> dict[str, Any]:
    """Return the setting as it is written, name by name.

    Raises ``InvalidRequest`` for a file or variable that cannot be read, never with what it holds.
    """
    found: dict[str, Any] = {}
    for path in _files():
        found |= _of_file(path)
    return found | _of_environment()


def _files() -> Iterator[Path]:
    """Yield the config files that there are, those that overrule others last."""
    from jupyter_core.paths import jupyter_config_path

    from ..jobs.settings import CONFIG_FILE

    for folder in reversed(jupyter_config_path()):
        for ending in (".py", ".json"):
            path = Path(folder, f"{CONFIG_FILE}{ending}")
            if path.is_file():
                yield path


def _of_file(path: Path) -> dict[str, Any]:
    from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

    loader = PyFileConfigLoader if path.suffix == ".py" else JSONFileConfigLoader
    try:
        config = loader(path.name, str(path.parent)).load_config()
    except Exception as error:  # a file of the user's, that may do anything
        raise InvalidRequest(
            f"The settings in {path} cannot be read ({type(error).__name__}).",
            hint="Mend the file; “jupyter server” reads it too, and says more.",
        ) from None
    given = config.get(SECTION, {}).get("connections", {})
    # c.ExportApp.connections.update(…) keeps what is to be done for later
    given = given.get_value({}) if hasattr(given, "get_value") else given
    return _mapping(given, f"“connections” in {path}")


def _of_environment() -> dict[str, Any]:
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return {}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    return _mapping(given, f"The environment variable {VARIABLE}")


def _mapping(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidRequest(
            f"{where} holds no mapping of names to URLs.",
            hint='Write {"warehouse": "env:WAREHOUSE_URL"}.',
        )
    return dict(given)
