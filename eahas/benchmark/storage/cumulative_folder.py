"""Read and write models of cumulative curves. docs/checkpoint-format.md documents the format.

The folder has an ensemble for the shares of the curves in `shares/`, and an ensemble for the end
values of the curves without a total in `ends/`. The totals that are scalars of the spec are
predicted by other models of the benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage.ensemble_folder import ENDS, SHARES
from eahas.benchmark.storage.folder import read_file, save_folder, with_manifest
from eahas.benchmark.storage.manifest import (
    CUMULATIVE,
    ENSEMBLE,
    MANIFEST,
    Manifest,
    parse_manifest,
)
from eahas.errors import shown, unknown
from eahas.models.cumulative import Cumulative
from eahas.models.ensemble import Ensemble
from eahas.models.protocol import Model
from eahas.spec.spec import Spec
from eahas.spec.targets import Target


def load(folder: Path, manifest: Manifest, models: Mapping[str, Model]) -> Cumulative:
    """Read the model of a folder; `models` are the models of the scalars, by their names.

    Raises CheckpointError if the folder is malformed, or if `models` lacks a total.
    """
    spec = manifest.spec()
    curves = _curves(manifest, spec)
    totals = {}
    for name in totals_of(manifest):
        if name not in models:
            manifest.refuse(
                f"{name} is a total, which another model of the benchmark predicts; load the "
                "benchmark, or this model as BENCHMARK/NAME"
            )
        totals[name] = models[name]
    primary = manifest.text("primary")
    names = [curve.name for curve in curves]
    if primary not in names:
        manifest.refuse(unknown("primary", primary, names))
    without_total = [curve.name for curve in curves if curve.total is None]
    return Cumulative(
        spec=spec,
        name=manifest.text("name"),
        targets=curves,
        shares=_ensemble(folder, manifest, spec, SHARES, names),
        ends=_ensemble(folder, manifest, spec, ENDS, without_total) if without_total else None,
        totals=totals,
        primary=primary,
        manifest=manifest.content,
    )


def totals_of(manifest: Manifest) -> list[str]:
    """The names of the scalars that are totals of its curves."""
    curves = _curves(manifest, manifest.spec())
    return [curve.total for curve in curves if curve.total is not None]


def _curves(manifest: Manifest, spec: Spec) -> tuple[Target, ...]:
    known = {curve.name: curve for curve in spec.curves if curve.cumulative}
    names = manifest.texts("targets")
    for name in names:
        if name not in known:
            manifest.refuse(f"targets: {unknown('cumulative curve', name, known)}")
    if not names:
        manifest.refuse("targets is empty; at least one is needed")
    return tuple(known[name] for name in names)


def _ensemble(
    folder: Path, manifest: Manifest, spec: Spec, part: str, wanted: list[str]
) -> Ensemble:
    """The ensemble in the folder `part`, which must predict the curves `wanted` in this order."""
    content = read_file(folder, f"{part}/{MANIFEST}", manifest.content)
    inner = parse_manifest(content, folder / part / MANIFEST, ENSEMBLE)
    ensemble = ensembles.load(folder / part, inner)
    names = [target.name for target in ensemble.targets]
    if inner.text("head.kind") != part or names != wanted or ensemble.space != spec.space:
        inner.refuse(f"it must predict the {part} of {shown(wanted)} in space {spec.name}")
    return ensemble


def save(model: Cumulative, folder: Path) -> None:
    """Write a model as a folder, atomically; see `storage.folder.save_folder`."""
    manifest, files = contents(model)
    save_folder(folder, manifest, files)


def contents(model: Cumulative) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files of a model's folder."""
    own = {
        "name": model.name,
        "primary": model.primary,
        "targets": [target.name for target in model.targets],
        "spec": dict(model.spec.source),
    }
    files = {
        f"{part}/{name}": content
        for part, ensemble in model.parts.items()
        for name, content in with_manifest(*ensembles.contents(ensemble)).items()
    }
    return {"format": CUMULATIVE, **own}, files
