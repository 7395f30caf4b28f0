"""Connections by name: secrets stay in the configuration or the environment, never in a spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import InvalidSpec, SourceFailed, did_you_mean
from ..spec import ExportSpec, SqlSource, TableSource

FROM_ENVIRONMENT = "env:"


def check(spec: ExportSpec, known: Mapping[str, str]) -> None:
    """Raise ``InvalidSpec`` with the nearest name when the spec names a connection nobody knows."""
    for field, name in _named(spec):
        if name not in known:
            raise InvalidSpec(
                f"“{name}” is not a known connection.",
                hint=did_you_mean(name, known)
                if known
                else "None is defined yet: add it to the setting connections.",
                field=field,
            )


def resolve(
    spec: ExportSpec, known: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the URLs of the connections that the spec names, and of no others.

    Raises ``SourceFailed`` when the environment lacks a variable, ``InvalidSpec`` as ``check``.
    """
    check(spec, known)
    return {name: _url(name, known[name], environ) for _, name in _named(spec)}


def _url(name: str, value: str, environ: Mapping[str, str]) -> str:
    if not value.startswith(FROM_ENVIRONMENT):
        return value
    variable = value[len(FROM_ENVIRONMENT) :]
    url = environ.get(variable)
    if not url:
        raise SourceFailed(
            f"The connection “{name}” is not set up: the environment variable {variable} is empty.",
            hint="Set it where Jupyter starts, to an SQLAlchemy URL.",
        )
    return url


def _named(spec: ExportSpec) -> Iterator[tuple[str, str]]:
    for index, dataset in enumerate(spec.datasets):
        if isinstance(dataset.source, (TableSource, SqlSource)):
            yield f"datasets[{index}].source.connection", dataset.source.connection
