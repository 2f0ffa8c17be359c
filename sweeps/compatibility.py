"""Runs of one sweep are made alike: by one recipe, of the same images, in joules of one kind."""

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
    """Twelve hex digits of the sections network, data, training and measurement."""
    fixed = {name: spec.source.get(name) for name in FIXED}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:12]


def require_recipe(spec: Spec, row: Mapping[str, Any], where: str) -> None:
    """Raise SweepError where a record says that it was made by another recipe."""
    given = row.get("recipe")
    if given and given != recipe(spec):
        raise SweepError(
            f"{where}: {row['run_id']} was made with other settings ({', '.join(FIXED)}) than "
            f"those of {spec.name} now; take the spec that it was made with, or begin another store"
        )


def require_alike(done: Path, data: DataSet, source: str) -> None:
    """Raise SweepError where a folder's records are of other images, or of joules of another kind.

    `source` is the energy source of the runs to come. A GPU's joules, a processor's and estimated
    ones do not belong together; two ways of metering a GPU do.
    """
    for path in sorted(done.glob("*.json")):
        row = record_in(path) or {}
        images, kind = row.get("data_fingerprint"), row.get("energy_source")
        if images and images != data.fingerprint:
            raise SweepError(
                f"{path.stem} was trained on other images ({row.get('data_source')}, {images}) "
                f"than those found here ({data.source}, {data.fingerprint}); give the former with "
                "--data-dir, or begin another sweep"
            )
        if kind and _kind(kind) != _kind(source):
            raise SweepError(
                f"{path.stem} has energies of {kind}, and here they would be {source}; use "
                "a --device like that of the sweep so far, or begin another sweep"
            )


def _kind(source: str) -> str:
    return "nvml" if source in (NVML_COUNTER, NVML_SAMPLED) else source


def record_in(path: Path) -> dict[str, Any] | None:
    """What a record file holds; None for a damaged one, of which collect complains."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None
