"""The settings of a server that need not run, for what looks after its store."""

from __future__ import annotations

from pathlib import Path

from traitlets.config import Application

from ..errors import InvalidRequest
from ..jobs.settings import Settings
from .app import ExportApp
from .configuration import settings_from

SERVER_FILE = "jupyter_server_config"


def configured_settings(*, state_dir: str | None = None, db_url: str | None = None) -> Settings:
    """Return the settings that the config files of Jupyter give, as a server reads them.

    What the server's command line says is not known here: ``state_dir`` and ``db_url`` (a URL or
    ``env:VARIABLE``) stand for it. Raises ``InvalidRequest`` for files that cannot be read.
    """
    app = ExportApp()
    # What a server leaves out and goes on without could be the very setting.
    app.raise_config_file_errors = True
    try:
        # The server's own file may hold our settings, too; ours comes first.
        Application.load_config_file(app, SERVER_FILE, path=app.config_file_paths)
        app.load_config_file(suppress_errors=False)
    except Exception as error:  # a file of the user's, that may do anything
        raise InvalidRequest(
            f"The settings in Jupyter's config folders cannot be read ({type(error).__name__}).",
            hint="“jupyter server” reads them too, and says more.",
        ) from None
    # Nothing is signed here, so its secret need not be.
    app.link_secret = None
    if state_dir is not None:
        app.state_dir = state_dir
        app.db_url = None
    if db_url is not None:
        app.db_url = db_url
    return settings_from(app, root=Path.cwd())
