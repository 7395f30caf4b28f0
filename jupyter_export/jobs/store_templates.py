"""Templates in the store's database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from ..errors import InvalidRequest
from ..spec.template import frames, parameters
from .database import StoreDatabase
from .model import rfc3339
from .store import microseconds, moment
from .tables import templates

LOCK = 0x6A65_7470
"""The number of the lock under which templates are added (PostgreSQL's advisory lock)."""
MOST_TEMPLATES = 200
"""Templates of one user."""


@dataclass(frozen=True)
class Template:
    """A document with slots, under a name that is its owner's."""

    name: str
    owner: str
    document: dict[str, Any]
    """As it was given, without its description."""
    description: str | None
    format: str | None
    """The format's type, where it can be told before the parameters have values."""
    created_at: datetime
    updated_at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the template as a list shows it."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": [each.to_json() for each in parameters(self.document)],
            "frames": list(frames(self.document).values()),
            "format": self.format,
            "created_at": rfc3339(self.created_at),
            "updated_at": rfc3339(self.updated_at),
        }

    def with_spec(self) -> dict[str, Any]:
        """Return the template whole."""
        return {**self.to_json(), "spec": self.document}


class TemplateTable:
    """Safe from several threads and processes."""

    def __init__(self, database: StoreDatabase) -> None:
        self._database = database

    def save(self, template: Template) -> tuple[Template, bool]:
        """Keep a template, in the place of the owner's of that name; return it as it is kept
        (with the time at which the first of that name was made), and whether it is new.

        Raises ``InvalidRequest`` when the owner has ``MOST_TEMPLATES`` others.
        """
        here = _of(template.owner, template.name)
        with self._database.exclusive(LOCK) as connection:
            before = connection.execute(select(templates).where(here)).one_or_none()
            if before is not None:
                row = {**_row(template), "created_at": before.created_at}
                connection.execute(update(templates).where(here).values(row))
            else:
                _check_room(connection, template.owner)
                row = _row(template)
                connection.execute(insert(templates).values(row))
        return _template(row), before is None

    def check_room(self, owner: str, name: str) -> None:
        """Raise ``InvalidRequest`` where ``save`` would for one template too many, as far as can
        be seen before."""
        with self._database.reading() as connection:
            before = select(templates.c.name).where(_of(owner, name))
            if connection.execute(before).one_or_none() is None:
                _check_room(connection, owner)

    def get(self, owner: str, name: str) -> Template | None:
        with self._database.reading() as connection:
            row = connection.execute(select(templates).where(_of(owner, name))).one_or_none()
        return _template(row._mapping) if row is not None else None

    def of_owner(self, owner: str) -> tuple[Template, ...]:
        """Return the templates of a user, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(templates).where(templates.c.owner == owner)).all()
        found = [_template(row._mapping) for row in rows]
        # by Python: databases sort texts by rules of their own
        return tuple(sorted(found, key=lambda each: (each.name.casefold(), each.name)))

    def delete(self, owner: str, name: str) -> None:
        with self._database.transaction() as connection:
            connection.execute(delete(templates).where(_of(owner, name)))


def _check_room(connection: Connection, owner: str) -> None:
    count = select(func.count()).select_from(templates).where(templates.c.owner == owner)
    if connection.execute(count).scalar_one() >= MOST_TEMPLATES:
        raise InvalidRequest(
            f"You have {MOST_TEMPLATES} templates already.",
            hint="Delete one of them first.",
        )


def _of(owner: str, name: str) -> Any:
    return and_(templates.c.owner == owner, templates.c.name == name)


def _row(template: Template) -> dict[str, Any]:
    return {
        "owner": template.owner,
        "name": template.name,
        "description": template.description,
        "format": template.format,
        "document": template.document,
        "created_at": microseconds(template.created_at),
        "updated_at": microseconds(template.updated_at),
    }


def _template(row: Any) -> Template:
    return Template(
        row["name"],
        row["owner"],
        row["document"],
        row["description"],
        row["format"],
        moment(row["created_at"]),
        moment(row["updated_at"]),
    )
