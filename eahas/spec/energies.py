"""What a spec states of an energy: its source, boundary, idle power and method."""

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
    """The facts in the mapping of a target, None where it states none.

    Raises SpecError naming the field, what was given and what is allowed.
    """
    if not any(given.get(name) is not None for name in ENERGY_FIELDS):
        return None
    composed = given.get("composed", False)
    if not isinstance(composed, bool):
        raise SpecError(f"{where}: composed is true or false, got {shown(composed)}")
    method = given.get("method")
    source = None if given.get("source") is None else source_from(where, given["source"])
    boundary = _one_of(f"{where}: boundary", given.get("boundary"), BOUNDARIES)
    wrong = None if source is None else contradiction(source, boundary)
    if wrong is not None:
        raise SpecError(f"{where}: {wrong}")
    return EnergyFacts(
        source=source,
        boundary=boundary,
        idle=_one_of(f"{where}: idle", given.get("idle"), IDLE),
        method=None if method is None else text(f"{where}: method", method),
        composed=composed,
        device=device,
    )


def source_from(where: str, given: Any) -> EnergySource:
    """A known source by its name, or one that is declared by a mapping; SpecError otherwise."""
    if isinstance(given, str):
        if given not in KNOWN_SOURCES:
            raise SpecError(f"{where}: {unknown('source', given, KNOWN_SOURCES)}; {HOW_TO_DECLARE}")
        return KNOWN_SOURCES[given]
    if not isinstance(given, Mapping):
        raise SpecError(f"{where}: source is a name or a mapping, got {shown(given)}")
    known_fields(f"{where}: source", given, ("name", "description", "measured", "from_time"))
    name = text(f"{where}: source: name", given.get("name"))
    taken = (*KNOWN_SOURCES, MIXED, NO_SOURCE)
    if name in taken:
        raise SpecError(
            f"{where}: source: name {shown(name)} has a meaning already; taken are "
            f"{', '.join(taken)}, so choose another name, or give a known source by its name alone"
        )
    if name != name.strip() or not name.isprintable():
        raise SpecError(f"{where}: source: name is plain text, got {shown(name)}")
    measured, from_time = given.get("measured"), given.get("from_time", False)
    for field, value in (("measured", measured), ("from_time", from_time)):
        if not isinstance(value, bool):
            raise SpecError(f"{where}: source: {field} is true or false, got {shown(value)}")
    if measured and from_time:
        raise SpecError(f"{where}: source: what is measured is not from_time, a formula of time")
    description = text(f"{where}: source: description", given.get("description"))
    return EnergySource(name, description, bool(measured), from_time=bool(from_time))


def _one_of(what: str, given: Any, allowed: Mapping[str, str]) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or given not in allowed:
        raise SpecError(unknown(what, given, allowed))
    return given


def declared_sources(facts: Iterable[EnergyFacts | None]) -> dict[str, EnergySource]:
    """The sources in the facts of some targets by name; SpecError where two differ in more."""
    found: dict[str, EnergySource] = {}
    for each in facts:
        if each is not None and each.source is not None:
            first = found.setdefault(each.source.name, each.source)
            if first != each.source:
                raise SpecError(
                    f"targets: source {each.source.name!r} is declared twice and not alike; one "
                    "name stands for one source"
                )
    return found


def contradiction(source: EnergySource, boundary: str | None) -> str | None:
    """What is wrong with a boundary of a source; None where nothing is.

    The sensors that are known cover what they cover. An estimate may be of anything.
    """
    fixed = source.boundary if source.measured else None
    if boundary is None or fixed is None or boundary == fixed:
        return None
    return f"{source.name} covers {fixed} ({BOUNDARIES[fixed]}), not {boundary}"
