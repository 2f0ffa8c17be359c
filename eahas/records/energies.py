"""The source, boundary and method of each energy in records.

Facts that the spec states about a target have priority. Otherwise the columns `energy_source` and
`energy_boundary` of the row apply. A known source also implies its boundary.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eahas.energy.energy_facts import NOT_STATED, EnergyFacts
from eahas.energy.energy_source import BOUNDARIES, KNOWN_SOURCES, MIXED, EnergySource
from eahas.energy.reading import ESTIMATED
from eahas.errors import RecordError, shown, unknown
from eahas.spec.energies import HOW_TO_DECLARE, contradiction, declared_sources
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

ANCHOR = "anchor"
# Columns with a part of the training energy; `energy_parts` names the meter of each part.
PARTS = {
    "train_energy_gpu_j": "gpu",
    "train_energy_cpu_j": "cpu",
    "train_energy_dram_j": "dram",
    "train_energy_total_j": "total",
}
NO_REST = "0 W x wall_s"  # suffix in `energy_parts` if no power is given for the rest of a node
Row = Mapping[str, Any]


def known_sources(spec: Spec) -> dict[str, EnergySource]:
    """The sources allowed in records of a spec: the known sources and those that it declares."""
    return {**KNOWN_SOURCES, **declared_sources(target.energy for target in spec.targets)}


def check_energies(values: Row, spec: Spec) -> None:
    """Check the energies of a row.

    Raises RecordError if an energy has no source, if source or boundary are unknown, or if they
    contradict each other or the spec.
    """
    known = known_sources(spec)
    name, boundary = values.get("energy_source"), values.get("energy_boundary")
    if name and name not in known:
        raise RecordError(f"{unknown('energy_source', name, known)}; {HOW_TO_DECLARE}")
    if boundary and boundary not in BOUNDARIES:
        raise RecordError(unknown("energy_boundary", boundary, BOUNDARIES))
    conflict = contradiction(known[name], boundary) if name else None
    if conflict is not None:
        raise RecordError(f"energy_boundary is {boundary}, but {conflict}")
    given_targets = [target for target in spec.energies if values.get(target.name) is not None]
    for target in given_targets:
        if not name and not _stated(target, "source"):
            allowed = ", ".join(known)
            raise RecordError(
                f"{target.name} is given without its energy_source; allowed: {allowed}; or state "
                "it at the target in the spec, as source: {name: ..., description: ..., measured: "
                "true|false}"
            )
    for what, given in (("source", name), ("boundary", boundary)):
        stated = [_stated(target, what) for target in given_targets]
        named = [s.name if isinstance(s, EnergySource) else s for s in stated]
        if given and stated and None not in stated and given not in named:
            raise RecordError(
                f"energy_{what} is {shown(given)}, but the spec states the {what} "
                f"{', '.join(sorted({str(s) for s in named}))} for {given_targets[0].name}"
            )


def _stated(target: Target, what: str) -> Any:
    return None if target.energy is None else getattr(target.energy, what)


def sources_of(row: Row, target: Target, known: Mapping[str, EnergySource]) -> list[EnergySource]:
    """The sources of an energy in a row: several for a sum of parts, empty if none is stated."""
    stated = _stated(target, "source")
    if stated is not None:
        return [stated]
    parts, part = _parts_of(row), PARTS.get(target.name)
    names = [row.get("energy_source")]
    if part == "total" and parts:
        names = [source for each, source in parts.items() if each != "total"]
        names += [] if parts.get("total", NO_REST).endswith(f" {NO_REST}") else [ESTIMATED]
    elif part in parts:
        names = [parts[part]]
    return [known[name] for name in dict.fromkeys(names) if name and name in known]


def _parts_of(row: Row) -> dict[str, str]:
    """The source of each part, from `energy_parts`; entries that are not text are ignored."""
    given = _object(row.get("energy_parts"))
    return {part: source for part, source in given.items() if isinstance(source, str)}


def _object(text: str | None) -> Mapping[str, Any]:
    """The JSON object in a text; empty if the text is not a JSON object."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return given if isinstance(given, dict) else {}


def facts_of(row: Row, target: Target, known: Mapping[str, EnergySource]) -> EnergyFacts:
    """The facts of an energy in a row. The row has passed `check_energies`."""
    stated = target.energy or EnergyFacts()
    sources = sources_of(row, target, known)
    source = one_source(sources)
    is_training = target.name == "train_energy_j" or target.name in PARTS
    return EnergyFacts(
        source=source,
        boundary=stated.boundary or _boundary_of(row, target, source),
        idle=stated.idle or source.idle,
        method=stated.method or (row.get("energy_method") if is_training else None) or None,
        composed=stated.composed,
        device=target.device or _device_of(row),
    )


def one_source(sources: Iterable[EnergySource]) -> EnergySource:
    """The only one of some sources; the source `mixed` for several, `none` for no source."""
    named = {source.name: source for source in sources}
    if not named:
        return NOT_STATED
    if len(named) == 1:
        return next(iter(named.values()))
    return EnergySource(
        name=MIXED,
        description=", ".join(sorted(named)),
        measured=all(source.measured for source in named.values()),
        idle=_common(source.idle for source in named.values()),
        boundary=_common(source.boundary for source in named.values()),
        from_time=all(source.from_time for source in named.values()),
    )


def _common(values: Iterable[str | None]) -> str | None:
    """The value if all are equal, else None."""
    distinct = {*values}
    return distinct.pop() if len(distinct) == 1 else None


def _boundary_of(row: Row, target: Target, source: EnergySource) -> str | None:
    part, parts = PARTS.get(target.name), _parts_of(row)
    if part == "total":
        if not parts:
            return None
        rest = not parts.get("total", NO_REST).endswith(f" {NO_REST}")
        return "node" if rest else "gpu+cpu" if "gpu" in parts else "cpu"
    if part is not None:
        return None if part == "dram" else part
    same_source = row.get("energy_source") in (None, "", source.name)
    boundary = row.get("energy_boundary") if same_source else None
    return boundary or source.boundary


def _device_of(row: Row) -> str | None:
    device = _object(row.get("energy_reading")).get("device")
    return device if isinstance(device, str) else None


def energies_of(rows: Sequence[Row], spec: Spec) -> dict[str, EnergyFacts]:
    """The facts of each energy of a spec, pooled over the successful runs without anchor runs.

    The source is `mixed` if the runs have several sources, and `none` if none is stated or no run
    has a value. Raises RecordError if the energies of two runs cover different things, because such
    runs cannot be pooled.
    """
    known = known_sources(spec)
    ok = [row for row in rows if row["status"] == "ok" and row.get("role") != ANCHOR]
    energies = {}
    for target in spec.energies:
        with_value = [row for row in ok if row.get(target.name) is not None]
        energies[target.name] = _pooled(target, with_value, known)
    return energies


def _pooled(target: Target, rows: Sequence[Row], known: Mapping[str, EnergySource]) -> EnergyFacts:
    if not rows:
        rows = [{}]
    each = [facts_of(row, target, known) for row in rows]
    for row, facts in zip(rows, each, strict=True):
        if not facts.is_comparable(each[0]):
            raise RecordError(
                f"{target.name}: runs that cover different things are never pooled: "
                f"{rows[0].get('run_id')} ({each[0].label}: {each[0].scope}) and "
                f"{row.get('run_id')} ({facts.label}: {facts.scope})"
            )
    return EnergyFacts(
        source=one_source(source for row in rows for source in sources_of(row, target, known)),
        boundary=each[0].boundary,
        idle=each[0].idle,
        method=_joined(facts.method for facts in each),
        composed=each[0].composed,
        device=_joined(facts.device for facts in each),
    )


def _joined(texts: Iterable[str | None]) -> str | None:
    return "; ".join(sorted({text for text in texts if text})) or None
