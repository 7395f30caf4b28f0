"""What a line of ``%export`` may go on with: frames, flags and their values, paths."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, get_args

from ...client.notebook import Namespace, connections, frames
from ...registry import FORMATS, Compression
from ..flags import FLAGS
from ..typed import TypedLine, Word
from . import sql_values
from .said import PACKED, Offer, Said, starts

if TYPE_CHECKING:
    from .answers import Asked

MANY = 2_000
"""Entries of a folder that are looked at: a key press waits for them."""
SHOWN = 200
"""Entries of a folder that are offered."""
OF_CELLS = ("--connection",)
OF_LINES = ("--jobs", "--status", "--cancel", "--panel")
TOGETHER = ({"--wait", "--no-wait"}, {"--replace", "--if-exists"})
"""Flags that say different things."""
SPECS = (".yaml", ".yml", ".json")


def offers(
    typed: TypedLine, names: Namespace, asked: Asked, *, reads: Sequence[str], query: str
) -> tuple[int, Iterator[Offer], bool]:
    """Return which letters of the typed word are replaced (from there to its end), and with what,
    and whether the word may be an expression, which Python's own completion goes on.

    ``reads`` are the frames that a cell's SQL, ``query``, reads.
    """
    said = Said(typed, names, asked, reads, query)
    word, flag = typed.word, said.pending
    name, sign, _ = word.text.partition("=")
    if flag is None and sign and name in FLAGS and FLAGS[name].takes is not None:
        flag, skipped = name, len(name) + 1
        since, found = _value(said, flag, word.after(skipped))
        return skipped + since, found, False
    if flag is not None:
        return *_value(said, flag, word), False
    if word.text.startswith("-"):
        return 0, _flag_names(said), False
    return 0, _plain(said, word), not typed.is_cell


def connection_on(typed: TypedLine, names: Namespace, asked: Asked) -> str | None:
    """Return the connection that a whole line names."""
    return next(iter(Said(typed, names, asked).values.get("--connection", [])), None)


def _flag_names(said: Said) -> Iterator[Offer]:
    given = set(said.values)
    for either in TOGETHER:
        given |= either if either & given else set()
    hidden = OF_LINES if said.typed.is_cell else OF_CELLS
    for name, flag in FLAGS.items():
        fits = flag.many or (name not in given and name not in hidden)
        if fits and name.startswith(said.typed.word.text):
            yield Offer(name, "flag")


def _plain(said: Said, word: Word) -> Iterator[Offer]:
    """Yield frames, and files: to write behind the first frame, to read a spec from before."""
    if re.search(r"[(\[{]", word.text):
        return  # an expression
    if "--help" in said.values:
        yield from (Offer(each, "format") for each in FORMATS if each.startswith(word.text))
        return
    frames_here: list[Offer] = []
    if not said.typed.is_cell and word.quotes[0] == "":
        taken = {each.text for each in (*said.words, *said.later)}
        known = (name for name in frames(said.names) if name not in taken)
        frames_here = [Offer(name, "frame") for name in known if name.startswith(word.text)]
    if not said.words and not said.typed.is_cell:
        deep = _taken_apart(word.text)[0] != ""
        files = (o for o in paths(word.text) if deep or o.text.lower().endswith(SPECS))
        yield from (*frames_here, *_written(word, 0, files))
        return
    named = [*_written(word, 0, _with_endings(said, word.text))]
    # Frames are named before the file is.
    yield from (*named, *frames_here) if word.text else (*frames_here, *named)
    yield from _written(word, 0, paths(word.text))


def _written(word: Word, since: int, found: Iterable[Offer]) -> Iterator[Offer]:
    """Yield the offers as the quotes of the line want them."""
    for each in found:
        text = word.written(each.text, since)
        if text is not None:
            yield Offer(text, each.kind)


def _with_endings(said: Said, begun: str) -> Iterator[Offer]:
    """Yield files named by what was typed, or by the frame, with the endings of the formats."""
    folder, base = _taken_apart(begun)
    chosen = said.values.get("--format", [None])[-1]
    known = [each for each in said.formats if chosen in (None, each.type)]
    endings = [end for each in known for end in each.endings[:1]]
    others = [end for each in known for end in each.endings[1:]]
    if "." not in base:
        stem = said.frame or (said.reads[0] if said.reads else "")
        stem = stem if stem.startswith(base) else base
        yield from (Offer(f"{folder}{stem}{end}", "path") for end in endings if stem)
        return
    packed = {end for each in known if each.capabilities.outer_compression for end in each.endings}
    for end in (*endings, *others):
        yield from (Offer(f"{folder}{each}", "path") for each in _ending(base, end))
    for end in packed:
        for each in PACKED:
            yield from (Offer(folder + o, "path") for o in _ending(base, end + each, len(end)))


def _ending(base: str, ending: str, least: int = 1) -> Iterator[str]:
    """Yield ``base`` with the rest of ``ending``, of which it has ``least`` letters at least."""
    for count in range(len(ending), least - 1, -1):
        if base.lower().endswith(ending[:count]) and len(base) > count:
            yield base + ending[count:]
            return


def _taken_apart(path: str) -> tuple[str, str]:
    """Return the folder, with its last sign, and the begin of a name in it."""
    cut = max(path.rfind(sign) for sign in ("/", os.sep)) + 1
    return path[:cut], path[cut:]


def paths(begun: str) -> Iterator[Offer]:
    """Yield the files and folders that a path may go on with."""
    folder, base = _taken_apart(begun)
    with suppress(OSError), os.scandir(os.path.expanduser(folder) or ".") as entries:
        found = [
            f"{each.name}/" if each.is_dir() else each.name
            for each in islice(entries, MANY)
            if each.name.startswith(base) and (base or not each.name.startswith("."))
        ]
        yield from (Offer(f"{folder}{name}", "path") for name in sorted(found)[:SHOWN])


# ----------------------------------------------------------------- the value of a flag


def _value(said: Said, flag: str, word: Word) -> tuple[int, Iterator[Offer]]:
    """Return from which letter on the value is replaced, and with what."""
    if flag in sql_values.KNOWN:
        return sql_values.in_value(said, flag, word)
    if flag == "--option":
        known = _option(said, word.text)
    elif flag == "--param":
        known = _parameters(said)
    else:
        known = _simple(said, flag)
    return 0, _written(word, 0, (each for each in known if starts(each.text, word.text)))


def _simple(said: Said, flag: str) -> Iterator[Offer]:
    if flag == "--format":
        yield from (Offer(each, "format") for each in said.asked.formats() or FORMATS)
    elif flag == "--compress":
        yield from (Offer(each, "compression") for each in get_args(Compression))
    elif flag == "--connection":
        yield from (Offer(each, "connection") for each in connections(said.names))
        yield from (Offer(each, "connection") for each in said.asked.connections())
    elif flag in ("--template", "--save-template"):
        yield from (Offer(each["name"], "template") for each in said.asked.templates())
    elif flag in ("--status", "--cancel"):
        for job in said.asked.jobs():
            if flag == "--status" or job["status"] in ("pending", "running"):
                yield Offer(str(job["id"]), f"{job['name']}, {job['status']}")
    else:
        yield from (Offer(each, "value") for each in _choices(FLAGS[flag].takes or ""))


def _choices(takes: str) -> list[str]:
    """Return the words that a flag's help names: ``error|replace|rename``."""
    return takes.split("|") if re.fullmatch(r"[a-z|]+", takes) else []


def _parameters(said: Said) -> Iterator[Offer]:
    given = {each.partition("=")[0] for each in said.values.get("--param", ())}
    known = re.findall(r"(?<![:\w]):([^\W\d]\w*)", said.query)
    for template in said.asked.templates() if "--template" in said.values else ():
        if template["name"] in said.values["--template"]:
            known += [each["name"] for each in template["parameters"]]
    yield from (Offer(f"{each}=", "parameter") for each in known if each not in given)


def _option(said: Said, text: str) -> Iterator[Offer]:
    """Yield the format's options, or behind ``key=`` the values of one that has few."""
    chosen = said.asked.formats().get(said.format or "")
    if chosen is None:
        return
    key, sign, _ = text.partition("=")
    schema = _schema(chosen.options)
    if sign:
        described = schema["properties"].get(key.replace("-", "_"), {})
        for value in _values(described, schema.get("$defs", {})):
            yield Offer(f"{key}={value}", "value")
        return
    given = {each.partition("=")[0] for each in said.values.get("--option", ())}
    yield from (Offer(f"{each}=", "option") for each in schema["properties"] if each not in given)


_SCHEMAS: dict[type, dict[str, Any]] = {}


def _schema(options: Any) -> dict[str, Any]:
    if options not in _SCHEMAS:
        _SCHEMAS[options] = options.model_json_schema()
    return _SCHEMAS[options]


def _values(described: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in described:
        yield from _values(shared[described["$ref"].rpartition("/")[2]], shared)
    for each in described.get("anyOf", ()):
        yield from _values(each, shared)
    if described.get("type") == "boolean":
        yield from ("true", "false")
    constant = [described["const"]] if "const" in described else []
    for value in [*described.get("enum", ()), *constant]:
        yield value if isinstance(value, str) else json.dumps(value)
