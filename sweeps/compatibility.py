"""Runs of one sweep agree: one recipe, the same images, energies that cover the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eahas.energy.energy_facts import EnergyFacts
from eahas.energy.energy_source import KNOWN_SOURCES
from eahas.errors import RecordError, SpecError, SweepError
from eahas.records.energies import PARTS, energies_of
from eahas.spec.spec import Spec

if TYPE_CHECKING:
    from regnet_hpo.data import DataSet

FIXED = ("network", "data", "training", "measurement")


def recipe(spec: Spec) -> str:
    """A hash (12 hex digits) of the sections network, data, training and measurement."""
    fixed = {name: spec.source.get(name) for name in FIXED}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:12]


def require_recipe(spec: Spec, row: Mapping[str, Any], where: str) -> None:
    """Raise SweepError if the record states another recipe than that of the spec."""
    given = row.get("recipe")
    if given and given != recipe(spec):
        raise SweepError(
            f"{where}: {row['run_id']} was made with other settings ({', '.join(FIXED)}) than "
            f"those of {spec.name} now; use the spec that it was made with, or start another store"
        )


def require_compatible(done: Path, data: DataSet, source: str) -> None:
    """Raise SweepError if a record in `done` has other images or energies of another boundary.

    `source` is the energy source of the next runs. Energies of different boundaries must not be
    mixed, nor measured and estimated ones; the two NVML sources of a GPU may be.
    """
    for path in sorted(done.glob("*.json")):
        row = record_in(path) or {}
        images, kind = row.get("data_fingerprint"), row.get("energy_source")
        if images and images != data.fingerprint:
            raise SweepError(
                f"{path.stem} was trained on other images ({row.get('data_source')}, {images}) "
                f"than the ones here ({data.source}, {data.fingerprint}); select the former with "
                "--data-dir, or start another sweep"
            )
        boundary = row.get("energy_boundary")
        if kind and _covered(kind, boundary) != _covered(source):
            existing = f"{kind} (boundary {boundary})" if boundary else kind
            raise SweepError(
                f"{path.stem} has energies from {existing}, but the source here is {source}; use "
                "a --device like that of the sweep so far, or start another sweep"
            )


def _covered(source: str, boundary: str | None = None) -> tuple[str | None, bool | str]:
    """What energies of a source cover, and whether they are measured; another's by its name."""
    known = KNOWN_SOURCES.get(source)
    if known is None:
        return boundary, source
    return boundary or known.boundary, known.measured


def require_stated_sources(spec: Spec, source: str) -> None:
    """Raise SpecError where a spec states another source or boundary than the meter here has.

    Every run would be refused when it is collected. Parts of a node have meters of their own.
    """
    meter = KNOWN_SOURCES[source]
    for target in spec.energies:
        stated = target.energy
        if stated is None or target.name in PARTS:
            continue
        if stated.source is not None and stated.source.name != source:
            raise SpecError(
                f"{spec.name}: {target.name} states the source {stated.source.name}, but runs here "
                f"are metered by {source}; leave the source out, or use another --device"
            )
        if stated.boundary not in (None, meter.boundary):
            raise SpecError(
                f"{spec.name}: {target.name} states the boundary {stated.boundary}, but {source} "
                f"covers {meter.boundary}"
            )


def require_one_boundary(spec: Spec, rows: Sequence[Mapping[str, Any]]) -> dict[str, EnergyFacts]:
    """The facts of each energy, by the name of its target.

    Raises SweepError where the energies of some runs cover something else than those of others.
    """
    try:
        return energies_of(rows, spec)
    except RecordError as error:
        raise SweepError(str(error)) from None


def record_in(path: Path) -> dict[str, Any] | None:
    """The content of a record file; None if it is damaged, which collect reports."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
