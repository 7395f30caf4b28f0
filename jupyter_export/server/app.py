"""The extension as Jupyter starts it: its settings, its routes, its beginning and its end."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NoReturn

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.contents.fileio import FileManagerMixin
from traitlets import Enum, Int, List, TraitError, Unicode, Union, default

from ..errors import ExportError
from ..jobs.settings import CONFIG_FILE, Settings
from .configuration import default_state_dir, settings_from
from .events import SCHEMA_FILE
from .host import ServiceHost
from .kernel_tokens import KernelIdentity, KernelTokens, equip_kernels
from .routes import url_patterns
from .secret_traits import SecretDict, SecretUnicode


class ExportApp(ExtensionApp):
    """Export data of notebooks, databases and files: REST routes, live jobs and their settings."""

    name = "jupyter_export"
    extension_url = "/"
    load_other_extensions = True

    output_dir = Unicode(
        "exports",
        help="""Folder for exports without a path of their own, relative to the server's root.""",
    ).tag(config=True)

    state_dir = Unicode(
        help="""Folder of the job store, the uploads and the spilled data of running jobs.
        Only the user of the server should be able to read it. It needs as much free space as the
        largest frame that is exported. Default: the state folder of the user.""",
    ).tag(config=True)

    db_url = SecretUnicode(
        None,
        allow_none=True,
        help="""SQLAlchemy URL of the job store, or “env:VARIABLE” that holds one.
        Default: SQLite in the state folder. Several servers share a PostgreSQL.""",
    ).tag(config=True)

    connections = SecretDict(
        help="""Databases, and places with files, that a spec may name. {name: URL}: an SQLAlchemy
        URL, an fsspec URL, or “env:VARIABLE” that holds one. Or {name: {“url”: URL, “users”: names
        of those who may use it (unset: everybody), “read_only”: True (the default: the database
        refuses to write), “statement_timeout”: “10m” or seconds (unset: job_timeout), “options”:
        what the driver or file system is opened with, “env:VARIABLE” where it is secret}}.
        Nobody can read the URLs back through this extension; Jupyter's own debug log shows what
        stands in its settings, and of “env:VARIABLE” only the name. What jupyter_export_config.py
        defines holds for kernels and “jupyter export” without a server, too.""",
    ).tag(config=True)

    max_workers = Int(
        os.cpu_count() or 1,
        help="""Jobs that run at the same time, each in a process of its own.
        Default: the number of cores.""",
    ).tag(config=True)

    memory_limit_per_job = Union(
        [Unicode(), Int()],
        default_value="512MB",
        help="""Memory that the engine of one job may use, as text with a unit (“512MB”, “2GB”)
        or in bytes; what exceeds it is spilled to the state folder.""",
    ).tag(config=True)

    job_timeout = Union(
        [Unicode(), Int()],
        default_value="",
        help="""Longest run of one job, as text with a unit (“90s”, “30m”, “2h”) or in seconds.
        Empty: no limit.""",
    ).tag(config=True)

    max_rows = Int(
        None,
        allow_none=True,
        help="""Most rows that one job may export. None: no limit.""",
    ).tag(config=True)

    max_bytes = Union(
        [Unicode(), Int()],
        default_value="",
        help="""Largest file that one job may write, as text with a unit (“10GB”) or in bytes.
        Empty: no limit.""",
    ).tag(config=True)

    max_pending_per_user = Int(
        100,
        help="""Jobs of one user that may wait; more are refused until some have run.""",
    ).tag(config=True)

    max_running_per_user = Int(
        None,
        allow_none=True,
        help="""Jobs of one user that run at the same time. None: as many as there are workers.""",
    ).tag(config=True)

    max_attempts = Int(
        3,
        help="""Tries of one job, the first included, when it fails for a reason that may pass: a
        lost connection, a full disk, a worker that was killed. 1: never again by itself.""",
    ).tag(config=True)

    retry_backoff = Enum(
        ["exponential", "linear"],
        "exponential",
        help="""How the waits between tries grow: doubled each time, or by “retry_delay”.""",
    ).tag(config=True)

    retry_delay = Union(
        [Unicode(), Int()],
        default_value="2s",
        help="""Wait before the second try, as text with a unit (“2s”, “1m”) or in seconds; each
        wait is varied by up to half, so that many jobs do not come back at once.""",
    ).tag(config=True)

    retry_max_delay = Union(
        [Unicode(), Int()],
        default_value="5m",
        help="""Longest wait between two tries, as text with a unit or in seconds.""",
    ).tag(config=True)

    stop_timeout = Union(
        [Unicode(), Int()],
        default_value="10s",
        help="""How long a server that is stopped lets running jobs finish, as text with a unit or
        in seconds; the rest is run again by the next start.""",
    ).tag(config=True)

    max_disk = Union(
        [Unicode(), Int()],
        default_value="",
        help="""Room that uploads, spilled data and temporary downloads may take together, as text
        with a unit (“50GB”) or in bytes. Empty: no limit.""",
    ).tag(config=True)

    min_free_disk = Union(
        [Unicode(), Int()],
        default_value="200MB",
        help="""Room that stays free on each disk, as text with a unit or in bytes: uploads and
        exports that would need it are refused. 0: none.""",
    ).tag(config=True)

    link_secret = SecretUnicode(
        None,
        allow_none=True,
        help="""Secret that signs download links, or “env:VARIABLE” that holds one, at least 32
        characters. Default: one that the state folder keeps. Servers that share a job store and
        open each other's links need the same one.""",
    ).tag(config=True)

    link_max_expiry = Unicode(
        "30d",
        help="""Longest time that a download link may be valid: a number with s, m, h or d.""",
    ).tag(config=True)

    audit_retention = Unicode(
        "365d",
        help="""How long entries of the audit trail are kept: a number with s, m, h or d.""",
    ).tag(config=True)

    retention = Unicode(
        "24h",
        help="""How long a file is kept that nobody gave a path: a number with s, m, h or d.""",
    ).tag(config=True)

    admin_users = List(
        Unicode(),
        help="""Names of the users who see, cancel and delete everybody's jobs.""",
    ).tag(config=True)

    host: ServiceHost | None = None
    """The job service of this server, once the extension is loaded."""

    def _config_file_name_default(self) -> str:
        return CONFIG_FILE

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return str(default_state_dir())

    # ------------------------------------------------------------- start

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        try:
            super()._link_jupyter_server_extension(serverapp)
        except TraitError as error:
            self._refuse_settings(str(error))

    def initialize_settings(self) -> None:
        serverapp = self._server()
        try:
            settings = settings_from(
                self,
                root=server_root(serverapp),
                allow_hidden=serverapp.contents_manager.allow_hidden,
            )
        except ExportError as error:
            self._refuse_settings(str(error))
        events = serverapp.event_logger
        assert events is not None
        events.register_event_schema(SCHEMA_FILE)
        self.host = ServiceHost(
            settings,
            events=events,
            web_settings=serverapp.web_app.settings,
            log=serverapp.log,
        )
        self._tokens = KernelTokens()
        equip_kernels(serverapp, self._tokens, _kernel_root(serverapp, settings))
        # The loop may not run yet; the service is started, off the loop, as soon as it does.
        serverapp.io_loop.add_callback(self._begin)

    def initialize_handlers(self) -> None:
        identity = KernelIdentity(config=self.config)
        identity.host_provider = self._server().identity_provider
        self.handlers.extend(
            url_patterns(host=self.host, tokens=self._tokens, kernel_identity=identity)
        )

    # ------------------------------------------------------------- while it runs

    def current_activity(self) -> dict[str, Any] | None:
        """Tell Jupyter, which may stop an idle server, of jobs that are not finished."""
        if self.host is None or not self.host.feed.active:
            return None
        return {"active_jobs": self.host.feed.active}

    async def stop_extension(self) -> None:
        if self.host is not None:
            await self.host.stop()

    # ------------------------------------------------------------- inside

    def _begin(self) -> None:
        # Returns nothing: tornado would log a failure, which the host has told of in a sentence.
        if self.host is not None:
            self.host.start()

    def _server(self) -> ServerApp:
        assert self.serverapp is not None
        return self.serverapp

    def _refuse_settings(self, sentence: str) -> NoReturn:
        """Stop the server with one sentence, as Jupyter does for its own settings."""
        self._server().log.critical("jupyter_export: wrong setting. %s", sentence)
        self.exit(1)
        raise SystemExit(1)  # Where exit() is a test's.


def server_root(serverapp: ServerApp) -> Path:
    """Return the absolute folder that paths are relative to: that of the contents manager."""
    manager = serverapp.contents_manager
    folder = manager.root_dir if isinstance(manager, FileManagerMixin) else serverapp.root_dir
    return Path(os.path.abspath(os.path.expanduser(folder)))


def _kernel_root(serverapp: ServerApp, settings: Settings) -> str:
    """Return the root for kernels; "" where the notebooks are not in a folder of this machine."""
    local = isinstance(serverapp.contents_manager, FileManagerMixin)
    return str(settings.root) if local else ""
