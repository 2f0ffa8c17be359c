"""The energies of a benchmark: source, boundary and so on of each, and which are comparable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

from eahas.benchmark.storage.manifest import Manifest
from eahas.energy.energy_facts import EnergyFacts
from eahas.energy.energy_source import BOUNDARIES, IDLE, MIXED, NO_SOURCE, EnergySource
from eahas.errors import EahasError, shown, unknown
from eahas.records.energies import known_sources
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

SOURCE, TARGETS = "energy.source", "energy.targets"


def read_energies(manifest: Manifest, spec: Spec) -> dict[str, EnergyFacts]:
    """The facts of each energy of a benchmark, by the name of its target.

    In a manifest without `energy.targets`, the source of the manifest applies to every energy for
    which the spec states no source. Raises CheckpointError for an entry that is missing, has the
    wrong type, or has a value that is not allowed.
    """
    known = known_sources(spec)
    allowed = (*known, MIXED, NO_SOURCE)
    source = manifest.text(SOURCE)
    if source not in allowed:
        manifest.refuse(unknown(SOURCE, source, allowed))
    if "targets" not in manifest.section("energy"):
        return {target.name: _by_manifest(target, source, known) for target in spec.energies}
    given = manifest.section(TARGETS)
    energies = {}
    for target in spec.energies:
        facts = manifest.entry(TARGETS, target.name)
        if not isinstance(facts, Mapping):
            manifest.refuse(f"{TARGETS}.{target.name} is an object, got {shown(facts)}")
        energies[target.name] = _read(manifest, f"{TARGETS}.{target.name}", facts, known)
    for name in given:
        if name not in energies:
            manifest.refuse(f"{TARGETS}: {unknown('energy', name, energies)}")
    return energies


def _by_manifest(target: Target, name: str, known: Mapping[str, EnergySource]) -> EnergyFacts:
    """The facts of an energy in a manifest with one source; `mixed` and `none` are not measured."""
    stated = target.energy or EnergyFacts()
    source = stated.source or known.get(name) or EnergySource(name, "", measured=False)
    return EnergyFacts(
        source=source,
        boundary=stated.boundary or source.boundary,
        idle=stated.idle or source.idle,
        method=stated.method,
        composed=stated.composed,
        device=target.device,
    )


def _read(
    manifest: Manifest, where: str, given: Mapping[str, Any], known: Mapping[str, EnergySource]
) -> EnergyFacts:
    names = (*known, MIXED, NO_SOURCE)
    texts = {name: given.get(name) for name in ("source", "boundary", "idle", "method", "device")}
    for name, value in texts.items():
        if not isinstance(value, str) and (value is not None or name == "source"):
            manifest.refuse(f"{where}.{name} is text, got {shown(value)}")
    for name, allowed in (("source", names), ("boundary", BOUNDARIES), ("idle", IDLE)):
        if texts[name] is not None and texts[name] not in allowed:
            manifest.refuse(unknown(f"{where}.{name}", texts[name], allowed))
    flags = {name: given.get(name) for name in ("measured", "composed")}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            manifest.refuse(f"{where}.{name} is true or false, got {shown(flag)}")
    source = known.get(str(texts["source"]))
    if source is not None and source.measured != flags["measured"]:
        manifest.refuse(
            f"{where}.measured is {flags['measured']}, but that of {source.name} is "
            f"{source.measured}"
        )
    return EnergyFacts(
        source=source or EnergySource(str(texts["source"]), "", bool(flags["measured"])),
        boundary=texts["boundary"],
        idle=texts["idle"],
        method=texts["method"],
        composed=bool(flags["composed"]),
        device=texts["device"],
    )


def without_sources(spec: Spec, energies: Mapping[str, EnergyFacts]) -> Spec:
    """The spec for reading records of an older benchmark, whose energies may have no source.

    In the returned spec, each energy that has no source in the benchmark has the source `none`, so
    that its rows pass the check without a source.
    """

    def stated(target: Target) -> Target:
        facts = energies.get(target.name)
        if facts is None or facts.source is None or facts.source.name != NO_SOURCE:
            return target
        return replace(target, energy=replace(target.energy or EnergyFacts(), source=facts.source))

    curves, scalars = (tuple(map(stated, targets)) for targets in (spec.curves, spec.scalars))
    return replace(spec, curves=curves, scalars=scalars)


def are_comparable(energies: Mapping[str, EnergyFacts], first: str, second: str) -> bool:
    """Whether two targets may be ranked together: two energies only if both cover the same."""
    a, b = energies.get(first), energies.get(second)
    return a is None or b is None or a.is_comparable(b)


def require_comparable(energies: Mapping[str, EnergyFacts], *names: str) -> None:
    """Raise EahasError if two of these targets are energies that cover different things."""
    for first, second in combinations(names, 2):
        if not are_comparable(energies, first, second):
            raise EahasError(
                f"{first} ({energies[first].scope}) and {second} ({energies[second].scope}) cover "
                "different things and are never combined in one front; if they do cover the same, "
                "state boundary and idle of each target in the spec"
            )
