"""The contract suite over every benchmark that ships, and what holds for those alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eahas.contract.benchmark import PICKLES, BenchmarkContract, files_of

from eahas import api
from eahas.benchmark.benchmark import NOTICE, Benchmark
from eahas.benchmark.storage import benchmark_folder, registry
from eahas.benchmark.storage.benchmark_folder import write_benchmark
from eahas.benchmark.storage.manifest import Manifest, read_manifest
from eahas.benchmark.storage.registry import shipped

SHIPPED = {bench["name"]: bench for bench in api.list_benchmarks()}
MAX_BYTES = 5_000_000
SOURCES = {"nvml_counter", "nvml_sampled", "rapl", "estimated", "mixed", "none"}


@pytest.fixture(scope="module", params=SHIPPED)
def bench(request: pytest.FixtureRequest) -> Benchmark:
    return api.load_benchmark(request.param)


class TestShippedBenchmarks(BenchmarkContract):
    @pytest.fixture(scope="class", params=SHIPPED)
    @classmethod
    def bench(cls, request: pytest.FixtureRequest) -> Benchmark:
        return api.load_benchmark(request.param)

    def test_written_anew_its_manifest_says_the_same(
        self, bench: Benchmark, rows, tmp_path
    ) -> None:
        old = bench.manifest
        write_benchmark(
            tmp_path / "anew",
            bench.spec,
            bench.models,
            rows[:30],
            noise=old["noise"],
            quality=old["quality"],
            entries={name: old[name] for name in ("learned_from", "table") if name in old},
            support=None if bench.table else bench.support,
            name=old.get("name"),
            version=old["version"],
        )
        new = json.loads((tmp_path / "anew" / "manifest.json").read_text(encoding="utf-8"))
        assert new.keys() == old.keys()
        for name in ("provenance", "energy"):
            assert new[name].keys() >= old[name].keys()
        for name in old.keys() - {"provenance", "energy", "files", "targets"}:
            assert new[name] == old[name], name
        for target, given in zip(new["targets"], old["targets"], strict=True):
            assert target.items() >= given.items()
        assert new["files"].keys() == old["files"].keys()
        for name, vouched in old["files"].items():
            assert not name.endswith(".safetensors") or new["files"][name] == vouched, name


def test_at_least_one_ships() -> None:
    assert "regnet-digits" in SHIPPED


def test_the_listing_says_what_the_benchmark_says(bench: Benchmark) -> None:
    listed = SHIPPED[bench.name]
    assert bench.id == f"{listed['name']}@{listed['version']}"
    assert listed["targets"] == {t.name: t.unit for t in bench.targets}
    assert listed["energy_source"] == bench.energy_source
    assert bench.energy_source in SOURCES
    assert listed["description"]
    assert listed["runs"] > 0


def test_every_way_in_leads_to_the_same(bench: Benchmark, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (bench.id, f"checkpoints/{bench.name}", bench.folder, str(bench.folder)):
        assert api.load_benchmark(name).folder == bench.folder


def test_the_folder_is_small_and_holds_no_pickle(bench: Benchmark) -> None:
    files = files_of(bench.folder)
    assert sum(map(len, files.values())) < MAX_BYTES
    for name, content in files.items():
        assert name == NOTICE or Path(name).suffix in (".json", ".safetensors", ".parquet")
        if not name.endswith(".safetensors"):
            assert content[:2] not in PICKLES
        assert content[:4] != b"PK\x03\x04"


def test_it_is_named_as_its_folder(bench: Benchmark) -> None:
    """`NAME`, or `NAME@VERSION`: a benchmark is found without reading the others' manifests."""
    assert bench.folder == shipped()[bench.id]
    assert bench.folder.name in (bench.name, bench.id)


def test_it_is_found_by_reading_its_manifest_once(bench: Benchmark, monkeypatch) -> None:
    reads: list[Path] = []

    def counted(folder: Path, *kind: Any) -> Manifest:
        reads.append(folder)
        return read_manifest(folder, *kind)

    monkeypatch.setattr(registry, "read_manifest", counted)
    monkeypatch.setattr(benchmark_folder, "read_manifest", counted)
    assert api.load_benchmark(bench.id).folder == bench.folder
    assert reads == [bench.folder]
