"""Read and write benchmark folders. docs/checkpoint-format.md documents the format.

A folder contains the manifest, one folder for each model, the records, `support.safetensors` with
the support of the training configurations (not for a table), and a NOTICE if the data have another
owner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from eahas.benchmark.energies import read_energies
from eahas.benchmark.storage import cumulative_folder as cumulatives
from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage import table_folder as tables
from eahas.benchmark.storage.ensemble_folder import naming
from eahas.benchmark.storage.folder import (
    read_file,
    read_tensors,
    save_folder,
    tensor_bytes,
    with_manifest,
)
from eahas.benchmark.storage.manifest import (
    BENCHMARK,
    CUMULATIVE,
    ENSEMBLE,
    MANIFEST,
    MODELS,
    NAME,
    TABLE,
    Manifest,
    parse_manifest,
    read_manifest,
)
from eahas.checks import is_number
from eahas.errors import shown
from eahas.models.cumulative import Cumulative
from eahas.models.ensemble import Ensemble
from eahas.models.protocol import Model
from eahas.models.support import Support, support_from_tensors
from eahas.models.table import Table
from eahas.records.records import Records
from eahas.space.space import Space
from eahas.spec.spec import Spec

RECORDS, SUPPORT, NOTICE = "records.parquet", "support.safetensors", "NOTICE"


@dataclass(frozen=True, eq=False)
class BenchmarkFolder:
    """The checked content of a benchmark folder: its absolute path, manifest, spec and models."""

    path: Path
    manifest: Manifest
    spec: Spec
    models: tuple[Model, ...]


# Reading


def read_benchmark(folder: Path, manifest: Manifest | None = None) -> BenchmarkFolder:
    """Read a benchmark folder without parts. A `manifest` that is given is not read again.

    Raises CheckpointError, which names the file and the reason, if a file is missing, altered or
    malformed, or if the models do not fit the benchmark.
    """
    folder = Path(folder).absolute()
    manifest = manifest or read_manifest(folder, BENCHMARK)
    spec = manifest.spec()
    _check_facts(manifest, spec)
    names, models = manifest.folders("models"), dict[str, Model]()
    manifests = {name: _manifest_of(folder, name, manifest) for name in names}
    scalar_models: dict[str, Model] = {}
    for name in sorted(names, key=lambda name: manifests[name].kind == CUMULATIVE):
        inner = manifests[name]
        if inner.kind == CUMULATIVE:  # it needs the models of its totals
            model: Model = cumulatives.load(folder / name, inner, scalar_models)
        else:
            model = read_model(folder / name, inner)
        if model.space != spec.space or not set(model.targets) <= set(spec.targets):
            inner.refuse(f"its space or its targets differ from those of {manifest.path}")
        models[name] = model
        scalar_models |= {t.name: model for t in model.targets if t.kind == "scalar"}
    ordered = [models[name] for name in names]
    return BenchmarkFolder(folder, manifest, spec, combine_models(manifest, ordered))


def _manifest_of(folder: Path, name: str, manifest: Manifest) -> Manifest:
    """The manifest of a model, checked with its checksum in the manifest of the benchmark."""
    content = read_file(folder, f"{name}/{MANIFEST}", manifest.content)
    return parse_manifest(content, folder / name / MANIFEST, MODELS)


def read_model(folder: Path, manifest: Manifest) -> Model:
    """Read the model of a folder; CheckpointError if it is malformed.

    The models of the totals of cumulative curves are read from the benchmark folder around it.
    """
    if manifest.kind == ENSEMBLE:
        return ensembles.load(folder, manifest)
    if manifest.kind == TABLE:
        return tables.load(folder, manifest)
    scalar_models: dict[str, Model] = {}
    if cumulatives.totals_of(manifest) and (folder.parent / MANIFEST).is_file():
        others = read_benchmark(folder.parent).models
        scalar_models = {t.name: m for m in others for t in m.targets if t.kind == "scalar"}
    return cumulatives.load(folder, manifest, scalar_models)


def read_support(folder: Path, manifest: Mapping[str, Any], space: Space) -> Support:
    """Read the support of a benchmark folder; CheckpointError if it is missing or malformed."""
    tensors = read_tensors(folder, SUPPORT, manifest)
    with naming(folder / SUPPORT):
        return support_from_tensors(space, tensors)


def combine_models(manifest: Manifest, models: Sequence[Model]) -> tuple[Model, ...]:
    """The models of one benchmark; models with equal features share one `Features` object.

    Raises CheckpointError if two models predict the same target.
    """
    predicted: dict[str, str] = {}
    shared: list[Model] = []
    for model in models:
        for target in model.targets:
            if target.name in predicted:
                manifest.refuse(
                    f"models: {predicted[target.name]} and {model.name} both predict {target.name}"
                )
            predicted[target.name] = model.name
        shared.append(_with_shared_features(model, shared))
    return tuple(shared)


def _with_shared_features(model: Model, others: Sequence[Model]) -> Model:
    """The model with the equal `Features` of another model, so that a query computes them once."""
    if isinstance(model, Cumulative):
        ends = None if model.ends is None else _with_features_of(model.ends, others)
        return replace(model, shares=_with_features_of(model.shares, others), ends=ends)
    return _with_features_of(model, others) if isinstance(model, Ensemble) else model


def _with_features_of(model: Ensemble, others: Sequence[Model]) -> Ensemble:
    for other in others:
        if isinstance(other, Ensemble) and other.features == model.features:
            return replace(model, features=other.features)
    return model


def _check_facts(manifest: Manifest, spec: Spec) -> None:
    """Check the entries of the manifest that reports display with each prediction."""
    check_name(manifest)
    read_energies(manifest, spec)
    manifest.text("energy.formula")
    manifest.whole("provenance.runs", 0)
    manifest.whole("provenance.configurations", 0)
    manifest.whole("quality.held_out.runs", 0)
    for name, judged in manifest.section("quality.held_out.targets").items():
        part = f"quality.held_out.targets.{name}"
        if not isinstance(judged, Mapping) or not _is_judged(judged):
            manifest.refuse(f"{part} has no r2 of the last epoch or the value")


def check_name(manifest: Manifest) -> None:
    """Raise CheckpointError unless the version is valid, and the name if the manifest has one."""
    manifest.whole("version", 1)
    if "name" in manifest.content and not re.fullmatch(NAME, manifest.text("name")):
        manifest.refuse(
            f"name consists of letters, digits, '.', '_' and '-', got "
            f"{shown(manifest.text('name'))}"
        )


def _is_judged(judged: Mapping[str, Any]) -> bool:
    """Whether the held-out R2 of a target is a number, or None if it is not known."""
    metrics = judged.get("last", judged.get("value"))
    r2 = metrics.get("r2") if isinstance(metrics, Mapping) else None
    value = r2.get("value", "") if isinstance(r2, Mapping) else ""
    return value is None or is_number(value)


# Writing


def write_benchmark(
    folder: Path,
    spec: Spec,
    models: Sequence[Model],
    rows: Records,
    *,
    noise: Mapping[str, str],
    quality: Mapping[str, Any],
    entries: Mapping[str, Any],
    support: Support | None = None,
    name: str | None = None,
    version: int | None = None,
    with_records: bool = True,
    notice: str | None = None,
) -> None:
    """Write a benchmark folder atomically; see `storage.folder.save_folder`.

    Args:
        rows: the checked records to which the models were fitted.
        noise: the source of each target's seed noise, by the name of the target.
        quality: the section `quality` of the manifest, with the held-out metrics of the models.
        entries: additional entries of the manifest for this kind of benchmark.
        support: the support of the training configurations; None for a table.
        name: the name of the benchmark; by default that of its space.
        version: the version of the benchmark; by default that of the spec.
        with_records: whether the records are written into the folder.
        notice: the text of NOTICE, which names the owner of the data.

    Raises CheckpointError if the folder contains files that would be lost.
    """
    from eahas.records.parquet import records_bytes  # slow to import and not needed for reading
    from eahas.records.summary import energy_facts, provenance

    content = records_bytes(rows, spec)
    manifest = {
        "format": BENCHMARK,
        **({} if name is None else {"name": name}),
        "version": spec.version if version is None else version,
        "spec": dict(spec.source),
        "targets": [
            {
                "name": t.name,
                "kind": t.kind,
                "quantity": t.quantity,
                "unit": t.unit,
                "direction": t.direction,
            }
            for t in spec.targets
        ],
        "fidelity": spec.space.fidelity,
        "models": [model.name for model in models],
        "noise": dict(noise),
        **entries,
        "energy": energy_facts(rows, spec),
        "provenance": provenance(rows, content),
        "quality": quality,
    }
    files = {} if support is None else {SUPPORT: tensor_bytes(support.tensors())}
    if with_records:
        files[RECORDS] = content
    if notice is not None:
        files[NOTICE] = notice.encode()
    save_folder(folder, manifest, files | model_files(models))


def model_files(models: Sequence[Model]) -> dict[str, bytes]:
    """The files of all models with their manifests, by their paths in the benchmark folder."""
    files: dict[str, bytes] = {}
    for model in models:
        model_folder = with_manifest(*model_contents(model))
        files |= {f"{model.name}/{name}": content for name, content in model_folder.items()}
    return files


def model_contents(model: Model) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files of a model's folder, as `read_model` reads them."""
    if isinstance(model, Table):
        return tables.contents(model)
    if isinstance(model, Cumulative):
        return cumulatives.contents(model)
    assert isinstance(model, Ensemble)
    return ensembles.contents(model)
