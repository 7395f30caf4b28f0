"""``jupyter export audit``: the trail of a store, without a server. Who may read the store may."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import NotFound

if TYPE_CHECKING:
    from .jobs.audit_chain import Entry
    from .jobs.audit_trail import AuditTrail
    from .jobs.database import StoreDatabase
    from .jobs.settings import Settings
    from .jobs.store_audit import AuditQuery

WHOLE, BROKEN = 0, 1
HELP = "check, list or export the audit trail"


def add_commands(audit: argparse.ArgumentParser, parser_class: Any) -> None:
    """Give ``audit`` its own commands: verify, list, export."""
    store = parser_class(add_help=False)
    store.add_argument(
        "--state-dir",
        metavar="DIR",
        help="the state folder of the server; unset: what Jupyter's config files say",
    )
    store.add_argument(
        "--db-url",
        metavar="URL",
        help="its database, where that is not in the state folder; env:VARIABLE names a variable "
        "that holds it, which no list of processes shows",
    )
    store.add_argument(
        "--here",
        action="store_true",
        help="the store of this folder, which kernels and “jupyter export” without a server use",
    )
    store.add_argument("--json", action="store_true", help="answer with JSON")
    store.add_argument("--debug", action="store_true", help="show the traceback of an error")
    chosen = parser_class(add_help=False)
    chosen.add_argument("--since", metavar="TIME", help="from this time on: 2026-03-01[T12:00:00Z]")
    chosen.add_argument("--until", metavar="TIME", help="before this time")
    chosen.add_argument("--actor", metavar="USER", help="only what this user did")
    chosen.add_argument("--action", help="only this action: submit, download, share, …")
    chosen.add_argument("--subject", metavar="ID", help="only about this job, link or upload")
    commands = audit.add_subparsers(
        dest="audit_command", metavar="COMMAND", required=True, parser_class=parser_class
    )

    def add(name: str, run: Callable[..., int], text: str, *parents: Any) -> Any:
        command = commands.add_parser(
            name, help=text, description=text, parents=parents, allow_abbrev=False
        )
        command.set_defaults(run=run)
        return command

    verify = add(
        "verify", _verify, "check that no entry was changed, removed, put in or moved", store
    )
    verify.add_argument(
        "--head",
        metavar="N:HASH",
        action="append",
        default=[],
        help="an end of the trail that an earlier “verify” printed and you kept elsewhere",
    )
    listed = add("list", _list, "list entries, newest first", store, chosen)
    listed.add_argument("--limit", type=int, default=50, help="at most so many (default 50)")
    export = add("export", _export, "write entries to a file of any format", store, chosen)
    export.add_argument("path", metavar="PATH", help="such as audit.xlsx or audit.parquet")
    export.add_argument("--replace", action="store_true", help="overwrite a file that exists")


def _verify(asked: argparse.Namespace) -> int:
    from .jobs.audit_head import parse_head

    heads = [parse_head(text) for text in asked.head]
    with closing(_Store(asked)) as store:
        verdict = store.trail.verify(*heads)
    if asked.json:
        print(json.dumps(verdict.to_json(), ensure_ascii=False, indent=2))
    else:
        for fault in verdict.faults:
            print(_seen(fault.message))
        if verdict.more_faults:
            print(f"… and {verdict.more_faults:,} more faults.")
        if verdict.whole:
            span = f", from {verdict.first} on" if verdict.first not in (None, 1) else ""
            print(f"The audit trail is whole: {verdict.entries:,} entries{span}.")
        if verdict.last is not None:
            print(f"Head: {verdict.last}")
    return WHOLE if verdict.whole else BROKEN


def _list(asked: argparse.Namespace) -> int:
    query = _query(asked)
    with closing(_Store(asked)) as store:
        entries = store.table.page(query, limit=max(asked.limit, 1), before=None)
    if asked.json:
        listed = [entry.to_json() for entry in entries]
        print(json.dumps({"entries": listed}, ensure_ascii=False, indent=2))
    elif not entries:
        print("There are no such entries.")
    else:
        for entry in entries:
            print(_line(entry))
    return WHOLE


def _export(asked: argparse.Namespace) -> int:
    from .client import LocalClients
    from .client.job import Job
    from .jobs.audit_rows import reader

    output = {"path": asked.path, "if_exists": "replace" if asked.replace else "error"}
    query = _query(asked)
    with closing(_Store(asked)) as store:
        client = LocalClients.here()
        upload = client.upload(reader(store.table.entries(query)))
    source = {"type": "upload", "id": upload["id"]}
    job = Job(client, client.submit({"name": "audit", "source": source, "output": output}))
    job.wait()
    failed = job.state["status"] != "completed"
    if asked.json:
        print(json.dumps(job.state, ensure_ascii=False, indent=2))
    else:
        print(job.card().text(), file=sys.stderr if failed else sys.stdout)
    return BROKEN if failed else WHOLE


class _Store:
    """The store that a command names, opened for reading: nothing is migrated or made."""

    def __init__(self, asked: argparse.Namespace) -> None:
        from .jobs.audit_trail import AuditTrail
        from .jobs.database import FILE_NAME, StoreDatabase
        from .jobs.store_audit import AuditTable

        settings = _settings(asked)
        if settings.db_url is None and not (settings.state_dir / FILE_NAME).is_file():
            raise NotFound(
                f"There is no job store in {settings.state_dir}.",
                hint="Name the server's with --state-dir or --db-url.",
            )
        self._database: StoreDatabase = StoreDatabase(settings.state_dir, settings.db_url)
        self.table = AuditTable(self._database)
        self.trail: AuditTrail = AuditTrail(self._database, settings, now=_now)
        if not self.table.exists():
            self.close()
            raise NotFound(
                "The job store has no audit trail.",
                hint="It is of an older version; a start of the server makes one.",
            )

    def close(self) -> None:
        self._database.close()


def _settings(asked: argparse.Namespace) -> Settings:
    if asked.here:
        from .client.find import state_dir
        from .jobs.settings import Settings

        return Settings(root=Path.cwd(), state_dir=state_dir(Path.cwd()), confined=False)
    from .server.offline import configured_settings

    return configured_settings(state_dir=asked.state_dir, db_url=asked.db_url)


def _query(asked: argparse.Namespace) -> AuditQuery:
    from .jobs.store_audit import FILTERS, AuditQuery

    return AuditQuery.parse({name: getattr(asked, name) for name in FILTERS})


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _line(entry: Entry) -> str:
    shown = entry.to_json()
    who = f"{entry.actor or '–'}{f' @{entry.address}' if entry.address else ''}"
    what = f"{entry.action} {entry.outcome}"
    said = " ".join(f"{name}={value}" for name, value in shown["details"].items() if value)
    return _seen(
        f"{entry.seq:>6}  {shown['at']:<27}  {who:<24}  {what:<22}  {entry.subject}  {said}"
    )


def _seen(line: str) -> str:
    """Return a line without what a terminal would obey: whoever can write the store can put an end
    of a line into a row, and behind it what looks like an entry."""
    from .spec import limits

    return limits.shown(line, len(line))
