"""Find benchmarks by `name`, `name@version`, `name/model`, or path."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eahas.benchmark.energies import read_energies
from eahas.benchmark.storage.manifest import (
    BENCHMARK,
    CUMULATIVE,
    ENSEMBLE,
    MANIFEST,
    MODELS,
    TABLE,
    Manifest,
    name_of,
    read_manifest,
)
from eahas.errors import CheckpointError, shown, unknown

PREFIX = "checkpoints/"
# The benchmark for each data set of EA-HAS-Bench; for some of them only the spec ships.
EA_HAS_BENCH_NAMES = {
    "digits": "regnet-digits",
    "cifar10": "regnet-cifar10",
    "cifar10-16px": "regnet-cifar10-16px",
    "tiny": "regnet-tinyimagenet",
    "tinyimagenet": "regnet-tinyimagenet",
}


def how_to_make(spec: str = "SPEC") -> str:
    """The commands that make a benchmark from a spec."""
    return (
        f"eahas sweep sample {spec} --out SWEEP --configs N, "
        "eahas sweep launch SWEEP, eahas sweep collect SWEEP, "
        f"eahas fit {spec} SWEEP/records.parquet --out FOLDER"
    )


@dataclass(frozen=True)
class Place:
    """The folder of a benchmark or model, its manifest, and the name of a requested model in it."""

    folder: Path
    manifest: Manifest
    model: str | None = None


def roots() -> list[Path]:
    """The folder of the shipped benchmarks: in the installed package, or beside the source."""
    package = Path(__file__).resolve().parents[2]
    places = (package / "checkpoints", package.parent / "checkpoints")
    return [place for place in places if place.is_dir()][:1]


def shipped() -> dict[str, Path]:
    """The folder of each shipped benchmark by `name@version`, ordered by name and version."""
    return {name: manifest.path.parent for name, manifest in shipped_manifests().items()}


def shipped_manifests() -> dict[str, Manifest]:
    """The manifest of each shipped benchmark by `name@version`, ordered by name and version."""
    manifests = [_read_shipped(folder) for folder in _shipped_folders()]
    return {_id_of(manifest): manifest for manifest in sorted(manifests, key=_name_and_version)}


def _shipped_folders() -> list[Path]:
    return sorted(path.parent for root in roots() for path in root.glob(f"*/{MANIFEST}"))


def _read_shipped(folder: Path) -> Manifest:
    manifest = read_manifest(folder, BENCHMARK)
    manifest.text("spec.name")  # raises if it is missing
    manifest.whole("version", 1)
    return manifest


def _name_and_version(manifest: Manifest) -> tuple[str, int]:
    return name_of(manifest.content), manifest.whole("version", 1)


def _id_of(manifest: Manifest) -> str:
    return "{}@{}".format(*_name_and_version(manifest))


def _find_shipped(given: str) -> Manifest | None:
    """The manifest of a shipped benchmark by `name` (the newest version) or `name@version`.

    The folder of a shipped benchmark is named `NAME` or `NAME@VERSION`. So only the manifests of
    folders with the given name are read; the other folders are searched only if this finds nothing.
    """
    base, at, _ = given.partition("@")
    folders = _shipped_folders()
    named = [
        folder
        for folder in folders
        if (folder.name in (given, base) if at else folder.name.partition("@")[0] == base)
    ]
    return _newest(given, named) or _newest(given, [f for f in folders if f not in named])


def _newest(given: str, folders: Sequence[Path]) -> Manifest | None:
    manifests = [_read_shipped(folder) for folder in folders]
    matching = [m for m in manifests if given in (name_of(m.content), _id_of(m))]
    return max(matching, key=_name_and_version, default=None)


def locate(name_or_path: str | os.PathLike[str]) -> Place:
    """Find a benchmark, a model, or a model inside a benchmark, by its path or name.

    The argument is first tried as a path: of a folder with a manifest, or of a model in such a
    folder. Then it is looked up among the shipped benchmarks: `regnet-digits` (the newest version),
    `regnet-digits@1` or `regnet-digits/runtime_s`, with or without `checkpoints/` in front.

    Raises CheckpointError. The message lists the shipped benchmarks and the commands that make a
    benchmark, or describes what is wrong with an existing folder.
    """
    if not isinstance(name_or_path, (str, os.PathLike)) or not str(name_or_path).strip():
        raise CheckpointError(f"a name or a path is needed, got {shown(name_or_path)}")
    path = Path(name_or_path)
    if os.path.isfile(path / MANIFEST):
        return Place(path, read_manifest(path))
    if len(path.parts) > 1 and os.path.isfile(path.parent / MANIFEST):
        return Place(path.parent, read_manifest(path.parent), path.name)
    given = str(name_or_path).replace("\\", "/").removeprefix("./").removeprefix(PREFIX)
    name, _, model = given.strip("/").partition("/")
    manifest = _find_shipped(name)
    if manifest is not None:
        return Place(manifest.path.parent, manifest, model or None)
    if os.path.exists(path):
        read_manifest(path)  # raises an error that describes what is wrong with the folder
    ships = shipped()
    allowed = sorted({*ships, *(full.partition("@")[0] for full in ships)})
    if str(name_or_path).startswith((".", os.sep)):
        raise CheckpointError(
            f"there is no folder {shown(str(name_or_path))}; shipped benchmarks: "
            f"{', '.join(allowed)}; make one with: {how_to_make()}"
        )
    if name in EA_HAS_BENCH_NAMES.values():
        raise CheckpointError(
            f"only the spec of {name} ships, not a benchmark; allowed: {', '.join(allowed)}; make "
            f"one with: eahas sweep run {name} --budget-s S --device cuda --data-dir DATA, "
            f"eahas fit {name} {name}.parquet --out FOLDER"
        )
    raise CheckpointError(
        f"{unknown('benchmark', str(name_or_path), allowed)}; make one with: {how_to_make()}"
    )


def describe(manifest: Manifest) -> dict[str, Any]:
    """A summary of a benchmark as plain data, from the manifests of it, its parts and models."""
    spec, folder = manifest.spec(), manifest.path.parent
    parts: list[tuple[dict[str, str] | None, Manifest]] = [(None, manifest)]
    if "parts" in manifest.content:
        entries = manifest.content["parts"]
        parts = [(entry, read_manifest(folder / entry["folder"], BENCHMARK)) for entry in entries]
    predicted = {target for _, part in parts for target in _predicted(part)}
    sources = dict.fromkeys(part.text("energy.source") for _, part in parts)
    named = [source for source in sources if source != "none"] or ["none"]
    axes = {
        f"{axis}s": list(
            dict.fromkeys(entry[axis] for entry, _ in parts if entry and axis in entry)
        )
        for axis in ("task", "device")
    }
    return {
        "name": name_of(manifest.content),
        "version": manifest.whole("version", 1),
        "description": spec.description,
        "targets": {
            target.name: target.unit for target in spec.targets if target.name in predicted
        },
        "energy_source": named[0] if len(named) == 1 else "mixed",
        "energies": _energies([part for _, part in parts]),
        "runs": sum(part.whole("provenance.runs", 0) for _, part in parts),
        **{axis: values for axis, values in axes.items() if values},
    }


def _energies(parts: Iterable[Manifest]) -> dict[str, str]:
    """The label of the source of each predicted energy; different labels are joined by "or"."""
    labels: dict[str, dict[str, None]] = {}
    for part in parts:
        predicted = _predicted(part)
        for name, facts in read_energies(part, part.spec()).items():
            if name in predicted:
                labels.setdefault(name, {})[facts.label] = None
    return {name: " or ".join(distinct) for name, distinct in labels.items()}


def _predicted(manifest: Manifest) -> list[str]:
    """The names of the targets that the models of a folder predict."""
    entry = {ENSEMBLE: "head.targets", TABLE: "targets", CUMULATIVE: "targets"}
    models = [
        read_manifest(manifest.path.parent / name, MODELS) for name in manifest.folders("models")
    ]
    return [target for model in models for target in model.texts(entry[model.kind])]
