"""A benchmark from its folder, or from a pickle that refers to one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.storage.benchmark_folder import read_benchmark
from eahas.benchmark.storage.manifest import MANIFEST, Manifest
from eahas.benchmark.storage.registry import locate
from eahas.errors import CheckpointError


def load(folder: Path, manifest: Manifest | None = None) -> Benchmark:
    """The benchmark of a folder, whose manifest may have been read already.

    Raises CheckpointError as `eahas.benchmark.storage.benchmark_folder.read_benchmark`.
    """
    content = read_benchmark(folder, manifest)
    return Benchmark(content.path, content.manifest.content, content.spec, content.models)


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
