"""Load a benchmark from its folder, or reload it from the reference in a pickle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.parts import Part, choose, merged, read_parts, values_of
from eahas.benchmark.storage.benchmark_folder import check_name, combine_models, read_benchmark
from eahas.benchmark.storage.folder import read_file
from eahas.benchmark.storage.manifest import (
    BENCHMARK,
    MANIFEST,
    Manifest,
    name_of,
    parse_manifest,
    read_manifest,
)
from eahas.benchmark.storage.registry import locate
from eahas.errors import CheckpointError
from eahas.models.protocol import Model


def load(
    folder: Path,
    manifest: Manifest | None = None,
    *,
    task: str | None = None,
    device: str | None = None,
) -> Benchmark:
    """Load the benchmark of a folder. A `manifest` that is given is not read again.

    `task` and `device` select the parts of a benchmark that has several. Raises EahasError if one
    of them is missing or unknown, and CheckpointError if the folder is incomplete or damaged.
    """
    folder = Path(folder).absolute()
    manifest = manifest or read_manifest(folder, BENCHMARK)
    parts = read_parts(manifest)
    if parts:
        return _load_parts(folder, manifest, parts, task, device)
    content = read_benchmark(folder, manifest)
    choose(name_of(manifest.content), (), task, device)
    return Benchmark(folder, manifest.content, content.spec, content.models, load_again)


def _load_parts(
    folder: Path, manifest: Manifest, parts: Sequence[Part], task: str | None, device: str | None
) -> Benchmark:
    """The benchmark that consists of the parts for one task and one device."""
    check_name(manifest)
    spec = manifest.spec()
    task, device = choose(name_of(manifest.content), parts, task, device)
    loaded: list[Benchmark] = []
    inner: list[Manifest] = []
    models: list[Model] = []
    for part in parts:
        if part.serves(task, device):
            content = read_file(folder, f"{part.folder}/{MANIFEST}", manifest.content)
            own = parse_manifest(content, folder / part.folder / MANIFEST, BENCHMARK)
            benchmark = load(folder / part.folder, own)
            if benchmark.space != spec.space or not set(benchmark.targets) <= set(spec.targets):
                own.refuse(f"its space or its targets differ from those of {manifest.path}")
            loaded.append(benchmark)
            inner.append(own)
            models += benchmark.models
    return Benchmark(
        folder,
        merged(manifest, inner),
        spec,
        combine_models(manifest, models),
        load_again,
        task=task,
        device=device,
        tasks=values_of("task", parts),
        devices=values_of("device", parts),
        parts=tuple(loaded),
    )


def load_again(
    folder: str, identity: str, fingerprint: str | None, task: str | None, device: str | None
) -> Benchmark:
    """Reload a benchmark from the same folder; if that has no manifest, by name and version.

    With a fingerprint the benchmark is cached, so that unpickled predictions share it. Raises
    CheckpointError if the fingerprint of the manifest differs from the given one.
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
            f"{benchmark.folder} no longer contains the {identity} that was pickled: its manifest "
            "differs"
        )
    return benchmark
