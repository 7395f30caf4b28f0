"""Templates: documents with slots, kept under a name. Everybody has their own.

What is kept was checked as far as can be with slots in it (``spec.outline``). Whether a connection
is there, and a path allowed, is seen when the template is used: a notebook runs it with its own
connections and in its own folder. No secret is kept: neither a URL with a password, nor the
password of a file, which is to be a parameter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from .. import registry
from ..errors import InvalidRequest, InvalidSpec, NotFound, did_you_mean
from ..spec import limits, outline
from ..spec.template import DESCRIPTION, MAX_NAME, check_name, holds_slot
from ..spec.template_secrets import check_secrets
from .audit_chain import details_text
from .audit_trail import AuditTrail
from .database import StoreDatabase
from .model import Caller
from .store_templates import Template, TemplateTable


class Templates:
    """One for each service; thread-safe."""

    def __init__(
        self, database: StoreDatabase, audit: AuditTrail, *, now: Callable[[], datetime]
    ) -> None:
        self._table = TemplateTable(database)
        self._audit = audit
        self._now = now

    def list(self, caller: Caller) -> tuple[Template, ...]:
        """Return the caller's templates, by name."""
        return self._table.of_owner(caller.name)

    def get(self, name: str, caller: Caller) -> Template:
        """Raises ``NotFound`` with the nearest name."""
        try:
            found = self._table.get(caller.name, check_name(name))
        except InvalidRequest:
            found = None
        if found is None:
            known = [each.name for each in self.list(caller)]
            raise NotFound(
                f"You have no template “{limits.shown(name, MAX_NAME)}”.",
                hint=did_you_mean(name[:MAX_NAME], known) if known else "You have none yet.",
            )
        return found

    def save(self, name: str, document: Any, caller: Caller) -> tuple[Template, bool]:
        """Keep ``document`` under a name, in the place of the caller's of that name; return it,
        and whether it is new.

        Raises ``InvalidRequest`` for a name that is none, and for one template too many,
        ``InvalidSpec``, ``TooLarge``, ``ServerUnavailable``.
        """
        name = check_name(name)
        if not isinstance(document, Mapping):
            raise InvalidSpec("The template is not a JSON object.")
        sure = outline.check(document)
        check_secrets({**sure.document, DESCRIPTION: document.get(DESCRIPTION)})
        self._table.check_room(caller.name, name)  # before the trail says that it was saved
        now = self._now()
        template = Template(
            name,
            caller.name,
            {key: each for key, each in document.items() if key != DESCRIPTION},
            document.get(DESCRIPTION) or None,
            _format(sure),
            now,
            now,
        )
        digest = hashlib.sha256(details_text(template.document).encode()).hexdigest()
        self._audit.require(
            "save_template", caller, name, owner=caller.name, template=name, spec=digest
        )
        return self._table.save(template)

    def delete(self, name: str, caller: Caller) -> None:
        """Raises ``NotFound``, ``ServerUnavailable``."""
        found = self.get(name, caller)
        self._audit.require(
            "delete_template", caller, found.name, owner=caller.name, template=found.name
        )
        self._table.delete(caller.name, found.name)


def _format(sure: outline.Outline) -> str | None:
    """Return the format's type, or None where it cannot be told yet. Raises ``InvalidSpec``."""
    if not sure.format_known:
        return None
    if not sure.options_known and sure.spec.format is not None:
        chosen = registry.format_named(sure.spec.format.type)
        given = sure.document["format"]
        unknown = {*given} - {"type", *chosen.options.model_fields}
        for option in sorted(each for each in unknown if not holds_slot(each)):
            registry.check_options(chosen, {option: given[option]})
    try:
        return registry.choose(sure.spec, sure.file_name).format.type
    except InvalidSpec as error:
        # Options that need each other may be among those that have no value yet.
        if sure.options_known or error.field != "format" or sure.spec.format is None:
            raise
        return registry.format_named(sure.spec.format.type).type
