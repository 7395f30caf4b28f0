"""``jupyter export templates``, ``save-template``, ``delete-template``; parameters of ``run``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from typing import Any

from .client import ExportClient, listing
from .errors import InvalidRequest, InvalidSpec
from .spec import limits
from .spec.template import check_name, filled, frames

COMMANDS = ("templates", "save-template", "delete-template")

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
Ask = Callable[[ExportClient, argparse.Namespace], int]


def add_commands(
    add: Add,
    with_client: Callable[[Ask], Callable[[argparse.Namespace], int]],
    read: Callable[[str], Any],
) -> None:
    """Add the commands; ``read`` returns what a file of a document holds."""
    add("templates", with_client(_list), "list your templates, and the parameters that they take")

    def save_file(client: ExportClient, asked: argparse.Namespace) -> int:
        return _save(client, asked, document(read(asked.spec), asked.spec))

    save = add("save-template", with_client(save_file), "keep a document as a template")
    save.add_argument("name", metavar="NAME", help="letters, digits, “-”, “_” and “.”")
    save.add_argument(
        "spec",
        metavar="SPEC",
        help="a .json, .yaml or .yml file, or - for stdin; {{year}} or {{year=2013}} in the place "
        "of a value is a parameter",
    )
    save.add_argument("--replace", action="store_true", help="overwrite a template that exists")
    delete = add("delete-template", with_client(_delete), "remove a template")
    delete.add_argument("name", metavar="NAME")


def add_document(command: argparse.ArgumentParser) -> None:
    """Let a command take a document: a file, or a template, and values for its parameters."""
    command.add_argument(
        "spec", metavar="SPEC", nargs="?", help="a .json, .yaml or .yml file, or - for stdin"
    )
    command.add_argument("--template", metavar="NAME", help="a template of yours, instead of SPEC")
    command.add_argument(
        "--param",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="the value of {{NAME}} in the template or document; JSON, or else a text",
    )


def chosen(
    asked: argparse.Namespace,
    read: Callable[[str], Any],
    template: Callable[[str], Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the document that a command names, its parameters filled in.

    Raises ``InvalidRequest`` and ``InvalidSpec``, also for a document that needs a frame.
    """
    if (asked.spec is None) == (asked.template is None):
        raise InvalidRequest(
            "No document is given." if asked.spec is None else "Two documents are given.",
            hint="Name a file (SPEC), or a template with --template NAME.",
        )
    if asked.template is not None:
        given = template(asked.template)["spec"]
    else:
        given = document(read(asked.spec), asked.spec)
    made = filled(given, dict(map(_key_value, asked.param)))
    for number, frame in frames(made).items():
        raise InvalidSpec(
            f"The document needs the frame “{frame}” of a notebook.",
            hint="Export it there: %export … --template NAME. Here a source is a file or a table.",
            field=f"datasets[{number}].source",
        )
    return made


def document(given: Any, name: str) -> Any:
    """Return what a file holds, its JSON read."""
    what = "The spec" if name == "-" else f"“{name}”"
    return limits.read(given, what) if isinstance(given, str) else given


def _key_value(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise InvalidRequest(
            f"“{text}” is not NAME=VALUE.", hint="Write --param year=2013.", field="param"
        )
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value


def _list(client: ExportClient, asked: argparse.Namespace) -> int:
    found = client.templates()
    if asked.json:
        _print_json({"templates": list(found)})
    else:
        print(listing.templates_text(found))
    return 0


def _save(client: ExportClient, asked: argparse.Namespace, given: Any) -> int:
    if not isinstance(given, Mapping):
        raise InvalidSpec(f"“{asked.spec}” does not hold a JSON object.")
    there = check_name(asked.name) in {each["name"] for each in client.templates()}
    if there and not asked.replace:
        raise InvalidRequest(
            f"There is a template “{asked.name}” already.", hint="Use --replace to overwrite it."
        )
    kept = client.save_template(asked.name, given)
    if asked.json:
        _print_json(kept)
    else:
        said = listing.template_facts(kept)
        print(f"● {kept['name']} {'replaced' if there else 'saved'}{f' · {said}' if said else ''}")
    return 0


def _delete(client: ExportClient, asked: argparse.Namespace) -> int:
    client.delete_template(asked.name)
    if asked.json:
        _print_json({"name": asked.name})
    else:
        print(f"The template “{asked.name}” was deleted.")
    return 0


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
