"""What stands between two rows of a nested document that follow one another."""

from __future__ import annotations

from typing import NamedTuple

from .frame import Frame
from .relations import Tree


class Node(NamedTuple):
    """A place in the document: rows of ``dataset``, somewhere below the array of ``top``."""

    top: str
    dataset: str


class Between:
    """Finds the text between two rows of a tree that is walked through from above, in order.

    A row is written as its members alone; its braces, the arrays inside of it that have no rows
    and everything around it are told by its node and the next row's. A row's depth is 1 in an
    array of the document itself, 2 in an array of such a row, and so on.
    """

    def __init__(self, tree: Tree, frame: Frame, level: int) -> None:
        self._tree = tree
        self._frame = frame
        self._level = level
        self.tops = [*tree.roots, *(name for name in tree.names if name in tree.link)]
        """The arrays of the document: those of the roots, and of rows that found no parent."""

    def nodes(self) -> list[Node]:
        return [Node(top, name) for top in self.tops for name in self._below(top)]

    def row_level(self, depth: int) -> int:
        """Return how many times the rows of that depth are indented."""
        return self._level + 2 * depth

    def indentations(self, node: Node) -> tuple[str, str]:
        """Return the line and indentation that a row's members were written with, and its own."""
        written = len(self._tree.chain(node.dataset))
        lines = [self._frame.line(self.row_level(d) + 1) for d in (written, len(self._chain(node)))]
        return lines[0], lines[1]

    def text(self, before: Node | None, after: Node | None, *, bare: bool = False) -> str:
        """Return the text between the rows; None is the beginning, or the end.

        ``bare``: the row before has no members, so that what follows in it needs no comma.
        """
        if before is None or after is None or before.top != after.top:
            return self._other_top(before, after, bare)
        chain, wanted = self._chain(before), self._chain(after)
        depth = len(wanted)
        if depth > len(chain):
            # the first row inside of the row before
            skipped = self._empty_arrays(before.dataset, None, after.dataset, depth)
            members = [*skipped, self._array(after.dataset, depth)]
            return ("" if bare else ",") + ",".join(members)
        closed = self._closed(before, depth, bare)
        if chain[depth - 1] == after.dataset:
            return closed + "," + self._row(depth)
        # the next array inside of the same row
        skipped = self._empty_arrays(wanted[-2], chain[depth - 1], after.dataset, depth)
        members = ["", *skipped, self._array(after.dataset, depth)]
        return closed + self._array_end(depth) + ",".join(members)

    def _other_top(self, before: Node | None, after: Node | None, bare: bool) -> str:
        opening = "{" if before is None else self._closed(before, 0, bare)
        done = 0 if before is None else self.tops.index(before.top) + 1
        until = len(self.tops) if after is None else self.tops.index(after.top)
        # a dataset all of whose rows found their parents has no array of its own
        members = [self._empty(top, 1) for top in self.tops[done:until] if top in self._tree.roots]
        if after is not None:
            members.append(self._array(after.top, 1))
        comma = "," if members and before is not None else ""
        ending = "" if after is not None else f"{self._frame.line(self._level)}}}"
        return opening + comma + ",".join(members) + ending

    def _closed(self, node: Node, depth: int, bare: bool) -> str:
        """Return the end of a row, and of all around it that is deeper than ``depth``."""
        chain = self._chain(node)
        at = len(chain)
        text = self._row_end(node.dataset, None, at, bare)
        while at > depth:
            text += self._array_end(at)
            if at > 1:
                text += self._row_end(chain[at - 2], chain[at - 1], at - 1, False)
            at -= 1
        return text

    def _row_end(self, name: str, last: str | None, depth: int, bare: bool) -> str:
        empty = self._empty_arrays(name, last, None, depth + 1)
        comma = "," if empty and not bare else ""
        line = self._frame.line(self.row_level(depth)) if self._frame.pretty else ""
        return comma + ",".join(empty) + line + "}"

    def _empty_arrays(
        self, parent: str, last: str | None, until: str | None, depth: int
    ) -> list[str]:
        """Return the arrays of ``parent`` behind ``last`` and before ``until``, all empty."""
        names = self._tree.children[parent]
        start = 0 if last is None else names.index(last) + 1
        end = len(names) if until is None else names.index(until)
        return [self._empty(name, depth) for name in names[start:end]]

    def _empty(self, name: str, depth: int) -> str:
        return f"{self._member_line(depth)}{self._frame.member(name)}[]"

    def _array(self, name: str, depth: int) -> str:
        return f"{self._member_line(depth)}{self._frame.member(name)}[{self._row(depth)}"

    def _array_end(self, depth: int) -> str:
        return f"{self._frame.line(self.row_level(depth) - 1)}]"

    def _row(self, depth: int) -> str:
        return f"{self._frame.line(self.row_level(depth))}{{"

    def _member_line(self, depth: int) -> str:
        # a row that is not pretty has all its members on its line
        if depth > 1 and not self._frame.pretty:
            return ""
        return self._frame.line(self.row_level(depth) - 1)

    def _chain(self, node: Node) -> list[str]:
        chain = self._tree.chain(node.dataset)
        return chain[chain.index(node.top) :]

    def _below(self, top: str) -> list[str]:
        return [name for name in self._tree.names if top in self._tree.chain(name)]
