"""``jupyter export``: the same documents and the same jobs, from a shell.

Exit codes: 0 done, 1 the export failed (or was cancelled, or no service answered), 2 the command
or the document is wrong. Answers go to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NoReturn

from . import cli_audit, cli_templates
from .client import ExportClient, LocalClients, card, listing, preview
from .client.find import ROOT, SERVER, TOKEN
from .client.job import Job
from .client.protocol import FINAL
from .errors import (
    Cancelled,
    ExportError,
    Forbidden,
    InvalidRequest,
    NotFound,
    OutputExists,
    nearest,
)
from .spec import parse as parse_spec
from .spec.written import from_yaml

DONE, FAILED, WRONG = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        asked = _parse(words)
        run: Callable[[argparse.Namespace], int] = asked.run
        return run(asked)
    except (InvalidRequest, OutputExists, NotFound, Forbidden) as error:
        _say(error, "--debug" in words)
        return WRONG
    except ExportError as error:
        _say(error, "--debug" in words)
        return FAILED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has gone; say nothing more, also not at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _say(error: ExportError, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exception(error)
    print(f"jupyter export: {error}", file=sys.stderr)


# ----------------------------------------------------------------- the command line


class _Parser(argparse.ArgumentParser):
    """Faults become ``InvalidRequest``, so that they look like all our errors."""

    def error(self, message: str) -> NoReturn:
        said = message.rstrip(".")
        raise InvalidRequest(f"{said[:1].upper()}{said[1:]}.", hint=f"See {self.prog} --help.")


def _parser() -> _Parser:
    common = _Parser(add_help=False)
    common.add_argument(
        "--server",
        metavar="URL",
        default=os.environ.get(SERVER) or None,
        help="address of a Jupyter server that runs the jobs; unset: this process does",
    )
    common.add_argument(
        "--token",
        default=os.environ.get(TOKEN, ""),
        help=f"its token; better given as {TOKEN}, which no list of processes shows",
    )
    common.add_argument("--json", action="store_true", help="answer with JSON")
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(prog="jupyter export", description="Export data as jobs.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> _Parser:
        command = commands.add_parser(
            name, help=text, description=text, parents=[common], allow_abbrev=False
        )
        command.set_defaults(run=run)
        return command

    run = add("run", _run, "run the export that a document describes")
    cli_templates.add_document(run)
    run.add_argument(
        "--path",
        help="write here, whatever the document says; - for stdout, as the bytes are made: no job, "
        "no file, and where the exit code is not 0, only a part",
    )
    run.add_argument("--replace", action="store_true", help="overwrite a file that exists")
    run.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait for the end (--no-wait needs --server)",
    )
    look = add("preview", _preview, "show the first rows of a document, and what would be lost")
    cli_templates.add_document(look)
    look.add_argument("--rows", type=int, default=20, help="rows to show, at most 1000 (20)")
    jobs = add("jobs", _jobs, "list jobs, newest first")
    jobs.add_argument("--status", help="only jobs of this status")
    jobs.add_argument("--limit", type=int, default=20, help="at most so many (default 20)")
    for name, function, text in (
        ("show", _show, "show a job"),
        ("cancel", _cancel, "cancel a job"),
    ):
        add(name, function, text).add_argument("id", metavar="ID")
    download = add("download", _download, "copy a finished file")
    download.add_argument("id", metavar="ID")
    download.add_argument("to", nargs="?", default=".", help="file or folder (default: here)")
    add("formats", _formats, "list the formats")
    add(
        "connections",
        _connections,
        "list the databases that a document may name. Without --server they come from "
        "jupyter_export_config.py in Jupyter's config folders and from JUPYTER_EXPORT_CONNECTIONS",
    )
    tables = add("tables", _tables, "list the tables of a connection")
    tables.add_argument("name", metavar="NAME", help="the connection")
    tables.add_argument("--schema", help="only tables of this schema")
    tables.add_argument("--match", metavar="TEXT", help="only tables whose name holds this text")
    cli_templates.add_commands(add, _with_client, _document)
    audit = commands.add_parser("audit", help=cli_audit.HELP, description=cli_audit.HELP)
    cli_audit.add_commands(audit, _Parser)
    return parser


COMMANDS = (
    "run", "preview", "jobs", "show", "cancel", "download", "formats", "connections", "tables",
    *cli_templates.COMMANDS, "audit",
)  # fmt: skip


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = _parser()
    named = next((word for word in words if not word.startswith("-")), None)
    if named is None and not {"-h", "--help"} & set(words):
        parser.print_help(sys.stderr)
        raise InvalidRequest("No command is given.", hint=f"One of {', '.join(COMMANDS)}.")
    if named is not None and named not in COMMANDS:
        close = nearest(named, COMMANDS)
        hint = f"Did you mean {close}?" if close else f"One of {', '.join(COMMANDS)}."
        raise InvalidRequest(f"“{named}” is not a command.", hint=hint)
    asked, unknown = parser.parse_known_args(list(words))
    if unknown:
        raise InvalidRequest(
            f"“{unknown[0]}” is not an argument of “{named}”.",
            hint=f"See jupyter export {named} --help.",
        )
    return asked


@contextmanager
def _client(asked: argparse.Namespace) -> Iterator[ExportClient]:
    if not asked.server:
        yield LocalClients.here()
        return
    from .client.server import ServerClient

    # The server's folder is known only where the server itself told this process.
    ours = asked.server == os.environ.get(SERVER)
    root = os.environ.get(ROOT, "") if ours else ""
    client = ServerClient(asked.server, asked.token, root=root)
    try:
        yield client
    finally:
        client.close()


def _with_client(
    command: Callable[[ExportClient, argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    def run(asked: argparse.Namespace) -> int:
        with _client(asked) as client:
            return command(client, asked)

    return run


# ----------------------------------------------------------------- commands


def _chosen(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the spec that a command names."""

    def template(name: str) -> dict[str, Any]:
        with _client(asked) as client:
            return client.template(name)

    return parse_spec(cli_templates.chosen(asked, _document, template)).to_json()


def _run(asked: argparse.Namespace) -> int:
    document = _chosen(asked)
    if asked.path == "-":
        return _stream(asked, document)
    output = dict(document.get("output", {}))
    if asked.path:
        output["path"] = asked.path
    if asked.replace:
        output["if_exists"] = "replace"
    if output:
        document["output"] = output
    if not asked.wait and not asked.server:
        raise InvalidRequest(
            "--no-wait needs --server.", hint="Without one the job would end with this command."
        )
    with _client(asked) as client:
        job = Job(client, client.submit(document))
        if asked.wait:
            _follow(job)
        _answer(asked, job)
    if asked.wait and job.state["status"] != "completed":
        return FAILED
    return DONE


def _stream(asked: argparse.Namespace, document: dict[str, Any]) -> int:
    """Write the bytes to stdout; whatever is said goes to stderr."""
    if asked.json or not asked.wait:
        other = "--json" if asked.json else "--no-wait"
        raise InvalidRequest(f"--path - and {other} do not go together.", hint="Leave out one.")
    with _client(asked) as client, closing(client.stream(document)) as pieces:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
    return DONE


def _preview(asked: argparse.Namespace) -> int:
    document = _chosen(asked)
    with _client(asked) as client:
        found = client.preview(document, asked.rows)
    if asked.json:
        _print_json(found)
    else:
        print(preview.text(found))
    return DONE


def _follow(job: Job) -> None:
    """Show progress on stderr where somebody looks at it; Ctrl-C cancels the job."""
    shown = sys.stderr.isatty()
    width = 0
    try:
        for state in job.watch():
            if shown and state["status"] not in FINAL:
                text = card.line(state)
                sys.stderr.write("\r" + text.ljust(width))
                sys.stderr.flush()
                width = len(text)
    except KeyboardInterrupt:
        job.cancel().wait(5)
        if job.state["status"] != "completed":
            raise Cancelled(f"The export of {job.title} was cancelled.") from None
    finally:
        if width:
            sys.stderr.write("\r" + " " * width + "\r")
            sys.stderr.flush()


def _answer(asked: argparse.Namespace, job: Job) -> None:
    if asked.json:
        _print_json(job.state)
    elif job.state["status"] == "failed":
        print(card.line(job.state), file=sys.stderr)
    else:
        shown = job.card().text()
        path = job.path
        print(f"{shown}\n  {path}" if path and job.state["status"] == "completed" else shown)


def _document(name: str) -> Any:
    """Read a spec from a file or from stdin; YAML where the file says so."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidRequest(f"There is no file “{name}”.") from None
    except UnicodeDecodeError:
        raise InvalidRequest(f"“{name}” is not UTF-8 text.") from None
    except OSError as error:
        raise InvalidRequest(f"“{name}” cannot be read: {error.strerror}.") from None
    if not name.lower().endswith((".yaml", ".yml")):
        return text
    import yaml

    try:
        return from_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidRequest(f"“{name}” is not valid YAML{where}.") from None


def _jobs(asked: argparse.Namespace) -> int:
    with _client(asked) as client:
        page = client.list(status=asked.status, limit=asked.limit)
    if asked.json:
        _print_json(page)
    else:
        print(listing.table_text(page["jobs"]))
    return DONE


def _show(asked: argparse.Namespace) -> int:
    with _client(asked) as client:
        _answer(asked, Job(client, client.show(asked.id)))
    return DONE


def _cancel(asked: argparse.Namespace) -> int:
    with _client(asked) as client:
        _answer(asked, Job(client, client.cancel(asked.id)).wait(5))
    return DONE


def _download(asked: argparse.Namespace) -> int:
    with _client(asked) as client:
        where = client.download(asked.id, Path(asked.to))
    if asked.json:
        _print_json({"path": str(where), "bytes": where.stat().st_size})
    else:
        print(where)
    return DONE


def _formats(asked: argparse.Namespace) -> int:
    with _client(asked) as client:
        found = client.formats()
    if asked.json:
        _print_json({"formats": list(found)})
        return DONE
    for each in found:
        options = ", ".join(each["options"].get("properties", {}))
        print(f"{each['type']:<9}{', '.join(each['endings'])}")
        if options:
            print(f"{'':<9}options: {options}")
    return DONE


def _connections(asked: argparse.Namespace) -> int:
    with _client(asked) as client:
        found = client.connections()
    if asked.json:
        _print_json({"connections": list(found)})
    else:
        print(listing.connections_text(found))
    return DONE


def _tables(asked: argparse.Namespace) -> int:
    with _client(asked) as client:
        found = client.tables(asked.name, schema=asked.schema, q=asked.match)
    if asked.json:
        _print_json({"tables": list(found)})
    else:
        print(listing.tables_text(found))
    return DONE


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    sys.exit(main())
