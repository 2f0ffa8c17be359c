"""The facts about energies in a spec: source, boundary, idle power and method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eahas.energy.energy_facts import EnergyFacts
from eahas.energy.energy_source import (
    BOUNDARIES,
    IDLE,
    KNOWN_SOURCES,
    MIXED,
    NO_SOURCE,
    EnergySource,
)
from eahas.errors import SpecError, shown, unknown
from eahas.space.fields import known_fields, text

ENERGY_FIELDS = ("source", "boundary", "idle", "method", "composed")
HOW_TO_DECLARE = (
    "declare another as source: {name: ..., description: ..., measured: true|false} at the target"
)


def energy_from_dict(
    where: str, given: Mapping[str, Any], device: str | None = None
) -> EnergyFacts | None:
    """The energy facts in the mapping of a target; None if it has none.

    Raises SpecError, which names the field, the given value and the allowed values.
    """
    if not any(given.get(name) is not None for name in ENERGY_FIELDS):
        return None
    composed = given.get("composed", False)
    if not isinstance(composed, bool):
        raise SpecError(f"{where}: composed is true or false, got {shown(composed)}")
    method = given.get("method")
    source = None if given.get("source") is None else source_from(where, given["source"])
    boundary = _one_of(f"{where}: boundary", given.get("boundary"), BOUNDARIES)
    conflict = None if source is None else contradiction(source, boundary)
    if conflict is not None:
        raise SpecError(f"{where}: {conflict}")
    return EnergyFacts(
        source=source,
        boundary=boundary,
        idle=_one_of(f"{where}: idle", given.get("idle"), IDLE),
        method=None if method is None else text(f"{where}: method", method),
        composed=composed,
        device=device,
    )


def source_from(where: str, given: Any) -> EnergySource:
    """A known source by its name, or a source that a mapping declares; SpecError otherwise."""
    if isinstance(given, str):
        if given not in KNOWN_SOURCES:
            raise SpecError(f"{where}: {unknown('source', given, KNOWN_SOURCES)}; {HOW_TO_DECLARE}")
        return KNOWN_SOURCES[given]
    if not isinstance(given, Mapping):
        raise SpecError(f"{where}: source is a name or a mapping, got {shown(given)}")
    known_fields(f"{where}: source", given, ("name", "description", "measured", "from_time"))
    name = text(f"{where}: source: name", given.get("name"))
    reserved = (*KNOWN_SOURCES, MIXED, NO_SOURCE)
    if name in reserved:
        raise SpecError(
            f"{where}: source: name {shown(name)} is reserved, as are {', '.join(reserved)}; "
            "choose another name, or give a known source as a name instead of a mapping"
        )
    if name != name.strip() or not name.isprintable():
        raise SpecError(f"{where}: source: name is plain text, got {shown(name)}")
    measured, from_time = given.get("measured"), given.get("from_time", False)
    for field, value in (("measured", measured), ("from_time", from_time)):
        if not isinstance(value, bool):
            raise SpecError(f"{where}: source: {field} is true or false, got {shown(value)}")
    if measured and from_time:
        raise SpecError(
            f"{where}: source: measured and from_time (a formula of the time) exclude each other"
        )
    description = text(f"{where}: source: description", given.get("description"))
    return EnergySource(name, description, bool(measured), from_time=bool(from_time))


def _one_of(what: str, given: Any, allowed: Mapping[str, str]) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or given not in allowed:
        raise SpecError(unknown(what, given, allowed))
    return given


def declared_sources(facts: Iterable[EnergyFacts | None]) -> dict[str, EnergySource]:
    """The sources in some facts by name; SpecError for two different sources with one name."""
    sources: dict[str, EnergySource] = {}
    for each in facts:
        if each is not None and each.source is not None:
            first = sources.setdefault(each.source.name, each.source)
            if first != each.source:
                raise SpecError(
                    f"targets: source {each.source.name!r} is declared twice with different "
                    "fields; use one name for one source"
                )
    return sources


def contradiction(source: EnergySource, boundary: str | None) -> str | None:
    """Why a boundary is not possible for a source; None if it is possible.

    A known sensor has a fixed boundary. An estimate can have any boundary.
    """
    fixed = source.boundary if source.measured else None
    if boundary is None or fixed is None or boundary == fixed:
        return None
    return f"{source.name} covers {fixed} ({BOUNDARIES[fixed]}), not {boundary}"
