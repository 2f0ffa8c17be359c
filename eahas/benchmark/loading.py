"""Loading a benchmark folder: its manifest, its models, and what must agree between them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.parts import NAME, Part, choose, merged, read_parts, values_of
from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage import table_folder as tables
from eahas.benchmark.storage.folder import read_file
from eahas.benchmark.storage.manifest import (
    BENCHMARK,
    ENSEMBLE,
    MANIFEST,
    MODELS,
    Manifest,
    name_of,
    parse_manifest,
    read_manifest,
)
from eahas.benchmark.storage.registry import locate
from eahas.checks import is_number
from eahas.errors import CheckpointError, shown, unknown
from eahas.models.ensemble import Ensemble
from eahas.models.protocol import Model
from eahas.records.schema import ENERGY_SOURCES, MIXED, NO_ENERGY


def load(
    folder: Path,
    manifest: Manifest | None = None,
    *,
    task: str | None = None,
    device: str | None = None,
) -> Benchmark:
    """The benchmark of a folder, whose manifest may have been read already.

    `task` and `device` choose among the parts of a benchmark with several. Raises EahasError where
    one is missing or unknown, and CheckpointError for a folder that is incomplete or damaged.
    """
    folder = Path(folder).absolute()
    manifest = manifest or read_manifest(folder, BENCHMARK)
    parts = read_parts(manifest)
    task, device = choose(name_of(manifest.content), parts, task, device)
    if parts:
        return _load_parts(folder, manifest, parts, task, device)
    spec = manifest.spec()
    _check_facts(manifest)
    models: list[Model] = []
    for name in manifest.folders("models"):
        content = read_file(folder, f"{name}/{MANIFEST}", manifest.content)
        inner = parse_manifest(content, folder / name / MANIFEST, MODELS)
        model = load_model(folder / name, inner)
        if model.space != spec.space or not set(model.targets) <= set(spec.targets):
            inner.refuse(f"its space or its targets are not those of {manifest.path}")
        models.append(_sharing(model, models))
    _check_once(manifest, models)
    return Benchmark(folder, manifest.content, spec, tuple(models), load_again)


def _load_parts(
    folder: Path, manifest: Manifest, parts: Sequence[Part], task: str | None, device: str | None
) -> Benchmark:
    """The benchmark that the parts for a task and a device make together."""
    _check_name(manifest)
    spec = manifest.spec()
    loaded: list[Benchmark] = []
    inner: list[Manifest] = []
    models: list[Model] = []
    for part in parts:
        if part.serves(task, device):
            content = read_file(folder, f"{part.folder}/{MANIFEST}", manifest.content)
            own = parse_manifest(content, folder / part.folder / MANIFEST, BENCHMARK)
            benchmark = load(folder / part.folder, own)
            if benchmark.space != spec.space or not set(benchmark.targets) <= set(spec.targets):
                own.refuse(f"its space or its targets are not those of {manifest.path}")
            loaded.append(benchmark)
            inner.append(own)
            models += [_sharing(model, models) for model in benchmark.models]
    _check_once(manifest, models)
    return Benchmark(
        folder,
        merged(manifest, inner),
        spec,
        tuple(models),
        load_again,
        task=task,
        device=device,
        tasks=values_of("task", parts),
        devices=values_of("device", parts),
        parts=tuple(loaded),
    )


def _check_once(manifest: Manifest, models: Sequence[Model]) -> None:
    """Refuse two models that predict the same target."""
    predicted: dict[str, str] = {}
    for model in models:
        for target in model.targets:
            if target.name in predicted:
                manifest.refuse(
                    f"models: {predicted[target.name]} and {model.name} both predict {target.name}"
                )
            predicted[target.name] = model.name


def load_again(
    folder: str, identity: str, fingerprint: str | None, task: str | None, device: str | None
) -> Benchmark:
    """A benchmark that was loaded before: in the same folder, else by its name and version.

    Many unpickled predictions share one benchmark. Raises CheckpointError where a fingerprint is
    given and the manifest has another one.
    """
    if fingerprint is not None:
        return _verified(folder, identity, fingerprint, task, device)
    place = Path(folder)
    if not (place / MANIFEST).is_file():
        place = locate(identity).folder
    return load(place, task=task, device=device)


@lru_cache(maxsize=8)
def _verified(
    folder: str, identity: str, fingerprint: str, task: str | None, device: str | None
) -> Benchmark:
    benchmark = load_again(folder, identity, None, task, device)
    if benchmark.fingerprint != fingerprint:
        raise CheckpointError(
            f"{benchmark.folder} no longer holds the {identity} that was pickled: its manifest "
            "differs"
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
    _check_name(manifest)
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


def _check_name(manifest: Manifest) -> None:
    manifest.whole("version", 1)
    if "name" in manifest.content and not re.fullmatch(NAME, manifest.text("name")):
        manifest.refuse(
            f"name is of letters, digits, '.', '_' and '-', got {shown(manifest.text('name'))}"
        )


def _is_judged(judged: Mapping[str, Any]) -> bool:
    """Whether the R2 that is shown beside a target is a number, or None for not known."""
    of = judged.get("last", judged.get("value"))
    found = of.get("r2") if isinstance(of, Mapping) else None
    value = found.get("value", "") if isinstance(found, Mapping) else ""
    return value is None or is_number(value)
