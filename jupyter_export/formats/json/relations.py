"""Which dataset stands inside which other one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from ...errors import InvalidSpec, did_you_mean
from ...registry import Table
from ...spec import Link


def check_columns(
    links: Sequence[Link], schemas: Mapping[str, pa.Schema], *, every: bool = False
) -> None:
    """Raise ``InvalidSpec`` for a relation that names a column which its dataset does not export.

    One that is followed may do so: its keys are the source's. ``every``: it may not either, for
    its columns are needed in the file.
    """
    for index, link in enumerate(links):
        if link.follow is not None and not every:
            continue
        for end, dataset, column in (
            ("from", link.child, link.child_column),
            ("to", link.parent, link.parent_column),
        ):
            names = schemas[dataset].names
            if column not in names:
                said = "has no such column" if link.follow is None else "does not export it"
                raise InvalidSpec(
                    f"The relation “{link.name}” names “{dataset}.{column}”, and “{dataset}” "
                    f"{said}.",
                    hint=did_you_mean(column, names)
                    if link.follow is None
                    else "Rows are put inside of one another by it: include it in columns.",
                    field=f"relations[{index}].{end}",
                )


def relationships(links: Sequence[Link], schemas: Mapping[str, pa.Schema]) -> list[dict[str, str]]:
    """Return ``{"name", "from", "to"}`` of each relation whose two columns are in the file."""
    return [
        {
            "name": link.name,
            "from": f"{link.child}.{link.child_column}",
            "to": f"{link.parent}.{link.parent_column}",
        }
        for link in links
        if link.child_column in schemas[link.child].names
        and link.parent_column in schemas[link.parent].names
    ]


class Tree:
    """The datasets, each one inside its parent: that of the first relation that it is child of."""

    def __init__(self, tables: Sequence[Table], links: Sequence[Link]) -> None:
        """Raise ``InvalidSpec`` for relations that go in a circle, and for names that meet."""
        self.names = [table.name for table in tables]
        self.link: dict[str, Link] = {}
        for link in links:
            self.link.setdefault(link.child, link)
        for name in self.names:
            self._refuse_circle(name)
        self.children = {
            name: [n for n in self.names if n in self.link and self.link[n].parent == name]
            for name in self.names
        }
        self.roots = [name for name in self.names if name not in self.link]
        schemas = {table.name: table.schema for table in tables}
        for link in self.link.values():
            if link.child in schemas[link.parent].names:
                raise InvalidSpec(
                    f"The rows of “{link.child}” go into those of “{link.parent}” under the name "
                    f"“{link.child}”, which is a column of it already.",
                    hint="Rename the column (columns.rename) or the dataset.",
                    field="format.structure",
                )

    def chain(self, name: str) -> list[str]:
        """Return the datasets from the outermost one down to ``name``."""
        chain = [name]
        while chain[0] in self.link:
            chain.insert(0, self.link[chain[0]].parent)
        return chain

    def downwards(self) -> list[str]:
        """Return all datasets, each after its parent."""
        return sorted(self.names, key=lambda name: len(self.chain(name)))

    def _refuse_circle(self, name: str) -> None:
        seen = [name]
        while seen[-1] in self.link:
            parent = self.link[seen[-1]].parent
            if parent in seen:
                circle = " in ".join(f"“{n}”" for n in [*seen[seen.index(parent) :], parent])
                raise InvalidSpec(
                    f"The relations go in a circle: {circle}.",
                    hint="Leave one of them out, or use structure=normalized.",
                    field="relations",
                )
            seen.append(parent)
