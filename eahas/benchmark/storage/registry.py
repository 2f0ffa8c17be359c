"""Where benchmarks lie and how they are named: `name`, `name@version`, `name/model`, a path."""

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
# EA-HAS-Bench's names of data sets, and the benchmarks that we have or shall have of them.
EA_HAS_BENCH_NAMES = {
    "digits": "regnet-digits",
    "cifar10": "regnet-cifar10",
    "cifar10-16px": "regnet-cifar10-16px",
    "tiny": "regnet-tinyimagenet",
    "tinyimagenet": "regnet-tinyimagenet",
}


def how_to_make(spec: str = "SPEC") -> str:
    """The commands from a spec to a benchmark."""
    return (
        f"eahas sweep sample {spec} --out SWEEP --configs N, "
        "eahas sweep launch SWEEP, eahas sweep collect SWEEP, "
        f"eahas fit {spec} SWEEP/records.parquet --out FOLDER"
    )


@dataclass(frozen=True)
class Place:
    """A folder with its manifest, a benchmark's or an ensemble's, and a model named inside it."""

    folder: Path
    manifest: Manifest
    model: str | None = None


def roots() -> list[Path]:
    """The folder of the shipped benchmarks: in the installed package, or beside the source."""
    package = Path(__file__).resolve().parents[2]
    places = (package / "checkpoints", package.parent / "checkpoints")
    return [place for place in places if place.is_dir()][:1]


def shipped() -> dict[str, Path]:
    """The folder of every benchmark that ships by `name@version`; versions in order."""
    return {name: manifest.path.parent for name, manifest in shipped_manifests().items()}


def shipped_manifests() -> dict[str, Manifest]:
    """The manifest of every benchmark that ships by `name@version`; versions in order."""
    manifests = [_read_shipped(folder) for folder in _shipped_folders()]
    return {_id_of(manifest): manifest for manifest in sorted(manifests, key=_name_and_version)}


def _shipped_folders() -> list[Path]:
    return sorted(path.parent for root in roots() for path in root.glob(f"*/{MANIFEST}"))


def _read_shipped(folder: Path) -> Manifest:
    manifest = read_manifest(folder, BENCHMARK)
    manifest.text("spec.name")  # says so where there is none
    manifest.whole("version", 1)
    return manifest


def _name_and_version(manifest: Manifest) -> tuple[str, int]:
    return name_of(manifest.content), manifest.whole("version", 1)


def _id_of(manifest: Manifest) -> str:
    return "{}@{}".format(*_name_and_version(manifest))


def _find_shipped(given: str) -> Manifest | None:
    """The manifest of a shipped benchmark by `name` (the newest version) or `name@version`.

    A shipped folder is named `NAME` or `NAME@VERSION` after its benchmark, so that only the
    manifests of folders with the given name are read. Folders that break this rule are searched
    only if none has the name.
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
    fitting = [m for m in manifests if given in (name_of(m.content), _id_of(m))]
    return max(fitting, key=_name_and_version, default=None)


def locate(name_or_path: str | os.PathLike[str]) -> Place:
    """What a name or path means: a benchmark, an ensemble, or a model inside a benchmark.

    A path goes first: a folder with a manifest, or a model below one. Then the names of what ships,
    with `checkpoints/` before them or not: `regnet-digits`, `regnet-digits@1`, and
    `regnet-digits/runtime_s`; without a version the newest is meant. Raises CheckpointError naming
    what ships and how to make one, or what is wrong with a folder that is there.
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
        read_manifest(path)  # says what is wrong with the folder
    ships = shipped()
    allowed = sorted({*ships, *(full.partition("@")[0] for full in ships)})
    if str(name_or_path).startswith((".", os.sep)):
        raise CheckpointError(
            f"there is no folder {shown(str(name_or_path))}; by name there are: "
            f"{', '.join(allowed)}; make one with: {how_to_make()}"
        )
    if name in EA_HAS_BENCH_NAMES.values():
        raise CheckpointError(
            f"of {name} only the spec ships, no benchmark yet; allowed: {', '.join(allowed)}; make "
            f"one with: eahas sweep run {name} --budget-s S --device cuda --data-dir DATA, "
            f"eahas fit {name} {name}.parquet --out FOLDER"
        )
    raise CheckpointError(
        f"{unknown('benchmark', str(name_or_path), allowed)}; make one with: {how_to_make()}"
    )


def describe(manifest: Manifest) -> dict[str, Any]:
    """A benchmark in a few plain facts, from its manifest and those of its parts and models."""
    spec, folder = manifest.spec(), manifest.path.parent
    wholes: list[tuple[dict[str, str] | None, Manifest]] = [(None, manifest)]
    if "parts" in manifest.content:
        entries = manifest.content["parts"]
        wholes = [(part, read_manifest(folder / part["folder"], BENCHMARK)) for part in entries]
    predicted = {target for _, whole in wholes for target in _predicted(whole)}
    sources = dict.fromkeys(whole.text("energy.source") for _, whole in wholes)
    named = [source for source in sources if source != "none"] or ["none"]
    axes = {
        f"{axis}s": list(dict.fromkeys(part[axis] for part, _ in wholes if part and axis in part))
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
        "energies": _energies(wholes),
        "runs": sum(whole.whole("provenance.runs", 0) for _, whole in wholes),
        **{axis: values for axis, values in axes.items() if values},
    }


def _energies(wholes: Iterable[tuple[Any, Manifest]]) -> dict[str, str]:
    """The source of each predicted energy, of one with several parts those of all."""
    labels: dict[str, dict[str, None]] = {}
    for _, whole in wholes:
        predicted = _predicted(whole)
        for name, facts in read_energies(whole, whole.spec()).items():
            if name in predicted:
                labels.setdefault(name, {})[facts.label] = None
    return {name: " or ".join(found) for name, found in labels.items()}


def _predicted(manifest: Manifest) -> list[str]:
    """The names of the targets that the models of a folder predict."""
    entry = {ENSEMBLE: "head.targets", TABLE: "targets", CUMULATIVE: "targets"}
    models = [
        read_manifest(manifest.path.parent / name, MODELS) for name in manifest.folders("models")
    ]
    return [target for model in models for target in model.texts(entry[model.kind])]
