"""Compatibility of the runs of a sweep: the same recipe, images and kind of energy source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eahas.energy.reading import NVML_COUNTER, NVML_SAMPLED
from eahas.errors import SweepError
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
    """Raise SweepError if a record in `done` has other images or another kind of energy source.

    `source` is the energy source of the next runs. Energies of a GPU, of a processor and estimates
    must not be mixed; the two NVML sources of a GPU may be.
    """
    for path in sorted(done.glob("*.json")):
        row = record_in(path) or {}
        images, existing = row.get("data_fingerprint"), row.get("energy_source")
        if images and images != data.fingerprint:
            raise SweepError(
                f"{path.stem} was trained on other images ({row.get('data_source')}, {images}) "
                f"than the ones here ({data.source}, {data.fingerprint}); select the former with "
                "--data-dir, or start another sweep"
            )
        if existing and _kind(existing) != _kind(source):
            raise SweepError(
                f"{path.stem} has energies from {existing}, but the source here is {source}; use "
                "a --device of the same kind as the sweep so far, or start another sweep"
            )


def _kind(source: str) -> str:
    return "nvml" if source in (NVML_COUNTER, NVML_SAMPLED) else source


def record_in(path: Path) -> dict[str, Any] | None:
    """The content of a record file; None if it is damaged, which collect reports."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
