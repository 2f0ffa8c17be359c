"""Loading a benchmark folder: its manifest, its models, and what must agree between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage import table_folder as tables
from eahas.benchmark.storage.folder import read_file
from eahas.benchmark.storage.manifest import (
    BENCHMARK,
    ENSEMBLE,
    MANIFEST,
    MODELS,
    Manifest,
    parse_manifest,
    read_manifest,
)
from eahas.benchmark.storage.registry import locate
from eahas.checks import is_number
from eahas.errors import CheckpointError, shown, unknown
from eahas.models.ensemble import Ensemble
from eahas.models.protocol import Model
from eahas.records.schema import ENERGY_SOURCES, MIXED, NO_ENERGY

NAME = r"[A-Za-z0-9._-]+"


def load(folder: Path, manifest: Manifest | None = None) -> Benchmark:
    """The benchmark of a folder, whose manifest may have been read already.

    Raises CheckpointError for anything that is not whole and right.
    """
    folder = Path(folder).absolute()
    manifest = manifest or read_manifest(folder, BENCHMARK)
    spec = manifest.spec()
    _check_facts(manifest)
    models: list[Model] = []
    taken: dict[str, str] = {}
    for name in manifest.folders("models"):
        content = read_file(folder, f"{name}/{MANIFEST}", manifest.content)
        inner = parse_manifest(content, folder / name / MANIFEST, MODELS)
        model = load_model(folder / name, inner)
        if model.space != spec.space or not set(model.targets) <= set(spec.targets):
            inner.refuse(f"its space or its targets are not those of {manifest.path}")
        for target in model.targets:
            other = taken.setdefault(target.name, name)
            if other != name:
                manifest.refuse(f"models: {other} and {name} both predict {target.name}")
        models.append(_sharing(model, models))
    return Benchmark(folder, manifest.content, spec, tuple(models))


@lru_cache(maxsize=8)
def load_pickled(folder: str, identity: str, fingerprint: str) -> Benchmark:
    """The benchmark that a pickle refers to: in the same folder, else by its name and version.

    Raises CheckpointError where neither has the manifest with this fingerprint.
    """
    place = Path(folder)
    if not (place / MANIFEST).is_file():
        place = locate(identity).folder
    benchmark = load(place)
    if benchmark.fingerprint != fingerprint:
        raise CheckpointError(
            f"{place} no longer holds the {identity} that was pickled: its manifest differs"
        )
    return benchmark


def load_model(folder: Path, manifest: Manifest) -> Model:
    """The ensemble or the table of a folder; CheckpointError where it is not whole and right."""
    if manifest.kind == ENSEMBLE:
        return ensembles.load(folder, manifest)
    return tables.load(folder, manifest)


def _sharing(model: Model, others: Sequence[Model]) -> Model:
    """The model with the features of one that has the same, so that a query computes them once."""
    if isinstance(model, Ensemble):
        for other in others:
            if isinstance(other, Ensemble) and other.features == model.features:
                return replace(model, features=other.features)
    return model


def _check_facts(manifest: Manifest) -> None:
    """What is shown beside every answer must be there."""
    manifest.whole("version", 1)
    if "name" in manifest.content and not re.fullmatch(NAME, manifest.text("name")):
        manifest.refuse(
            f"name is of letters, digits, '.', '_' and '-', got {shown(manifest.text('name'))}"
        )
    source = manifest.text("energy.source")
    known = (*filter(None, ENERGY_SOURCES), MIXED, NO_ENERGY)
    if source not in known:
        manifest.refuse(unknown("energy.source", source, known))
    manifest.text("energy.formula")
    manifest.whole("provenance.runs", 0)
    manifest.whole("provenance.configurations", 0)
    manifest.whole("quality.held_out.runs", 0)
    for name, judged in manifest.section("quality.held_out.targets").items():
        part = f"quality.held_out.targets.{name}"
        if not isinstance(judged, Mapping) or not _is_judged(judged):
            manifest.refuse(f"{part} has no r2 of the last epoch or the value")


def _is_judged(judged: Mapping[str, Any]) -> bool:
    """Whether the R2 that is shown beside a target is a number, or None for not known."""
    of = judged.get("last", judged.get("value"))
    found = of.get("r2") if isinstance(of, Mapping) else None
    value = found.get("value", "") if isinstance(found, Mapping) else ""
    return value is None or is_number(value)
