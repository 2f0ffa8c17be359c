"""A benchmark to and from a folder: one reader, one writer. The format: docs/checkpoint-format.md.

The folder holds the manifest, a folder for each model, the records with what they say about where
runs lie (`support.safetensors`, not beside a table), and a NOTICE where the data are someone
else's.
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
    """What a benchmark folder holds, checked: its absolute path, manifest, spec and models."""

    path: Path
    manifest: Manifest
    spec: Spec
    models: tuple[Model, ...]


# Reading


def read_benchmark(folder: Path, manifest: Manifest | None = None) -> BenchmarkFolder:
    """The content of a benchmark folder without parts, whose manifest may have been read already.

    Raises CheckpointError naming the file and the reason where a file is missing, altered or
    malformed, or where the models do not fit the benchmark.
    """
    folder = Path(folder).absolute()
    manifest = manifest or read_manifest(folder, BENCHMARK)
    spec = manifest.spec()
    _check_facts(manifest, spec)
    names, models = manifest.folders("models"), dict[str, Model]()
    manifests = {name: _manifest_of(folder, name, manifest) for name in names}
    of_scalars: dict[str, Model] = {}
    for name in sorted(names, key=lambda name: manifests[name].kind == CUMULATIVE):
        inner = manifests[name]
        if inner.kind == CUMULATIVE:  # it needs the models of its totals
            model: Model = cumulatives.load(folder / name, inner, of_scalars)
        else:
            model = read_model(folder / name, inner)
        if model.space != spec.space or not set(model.targets) <= set(spec.targets):
            inner.refuse(f"its space or its targets are not those of {manifest.path}")
        models[name] = model
        of_scalars |= {t.name: model for t in model.targets if t.kind == "scalar"}
    ordered = [models[name] for name in names]
    return BenchmarkFolder(folder, manifest, spec, together(manifest, ordered))


def _manifest_of(folder: Path, name: str, manifest: Manifest) -> Manifest:
    """The manifest of a model, whose checksum the benchmark's manifest has."""
    content = read_file(folder, f"{name}/{MANIFEST}", manifest.content)
    return parse_manifest(content, folder / name / MANIFEST, MODELS)


def read_model(folder: Path, manifest: Manifest) -> Model:
    """The model of a folder; CheckpointError where it is malformed.

    The totals of cumulative curves are read from the benchmark that the folder belongs to.
    """
    if manifest.kind == ENSEMBLE:
        return ensembles.load(folder, manifest)
    if manifest.kind == TABLE:
        return tables.load(folder, manifest)
    of_scalars: dict[str, Model] = {}
    if cumulatives.totals_of(manifest) and (folder.parent / MANIFEST).is_file():
        others = read_benchmark(folder.parent).models
        of_scalars = {t.name: m for m in others for t in m.targets if t.kind == "scalar"}
    return cumulatives.load(folder, manifest, of_scalars)


def read_support(folder: Path, manifest: Mapping[str, Any], space: Space) -> Support:
    """The support of a benchmark folder; CheckpointError where its file is missing or malformed."""
    tensors = read_tensors(folder, SUPPORT, manifest)
    with naming(folder / SUPPORT):
        return support_from_tensors(space, tensors)


def together(manifest: Manifest, models: Sequence[Model]) -> tuple[Model, ...]:
    """The models of one benchmark; those with the same features share them.

    Raises CheckpointError where two predict the same target.
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
        shared.append(_sharing(model, shared))
    return tuple(shared)


def _sharing(model: Model, others: Sequence[Model]) -> Model:
    """The model with the features of one that has the same, so that a query computes them once."""
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
    """What is shown beside every answer must be there."""
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
    """CheckpointError unless the version is one, and the name, where there is one of its own."""
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
    """Write a benchmark folder as a whole; see `storage.folder.save_folder`.

    Args:
        rows: the checked records behind the models.
        noise: the source of each target's seed noise.
        quality: the section of the manifest that says how good the models are.
        entries: of the manifest, which only this kind of benchmark has.
        support: where the training runs lie; None for a table.
        name: the benchmark's own, by default that of its space.
        version: the benchmark's own, by default that of the spec.
        with_records: whether the records go into the folder.
        notice: the text of NOTICE, which says whose the data are.

    Raises CheckpointError where the folder holds something that would be lost.
    """
    from eahas.records.parquet import records_bytes  # here, so that reading does not wait for it
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
    """The files of each model, its manifest too, by their paths inside the benchmark's folder."""
    files: dict[str, bytes] = {}
    for model in models:
        whole = with_manifest(*model_contents(model))
        files |= {f"{model.name}/{name}": content for name, content in whole.items()}
    return files


def model_contents(model: Model) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files of a model's folder, which `read_model` reads."""
    if isinstance(model, Table):
        return tables.contents(model)
    if isinstance(model, Cumulative):
        return cumulatives.contents(model)
    assert isinstance(model, Ensemble)
    return ensembles.contents(model)
