"""The reader and the writer of benchmark folders, for ensembles and tables alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.storage.benchmark_folder import read_benchmark, read_support, write_benchmark
from eahas.benchmark.storage.manifest import read_manifest
from eahas.errors import CheckpointError
from eahas.models.support import support_of
from eahas.records import parquet
from eahas.records.records import Records

COMMON = {
    *("format", "format_version", "version", "spec", "targets", "fidelity", "models", "noise"),
    *("energy", "provenance", "quality", "files"),
}
WEIGHTS = "weights.safetensors"
ROWS = [{"status": "failed", "config_id": "c1"}]
QUALITY = {"held_out": {"runs": 0, "targets": {}}}


@pytest.fixture(autouse=True)
def _plain_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """These spaces have names of record columns; what the records say does not matter here."""
    monkeypatch.setattr(parquet, "records_bytes", lambda rows, spec: b"PAR1 no records")


@pytest.fixture
def written(own_spec, handmade, tmp_path):
    """The folder of two ensembles and the record of one run; arguments can be changed."""

    def write(**changes: Any) -> Path:
        spec = own_spec()
        models = [handmade(spec, "curves"), handmade(spec, "scalars")]
        encoded = np.stack([spec.space.encode(c) for c in spec.space.sample(9, seed=0)])
        given = {
            "noise": {"valid": "repeats"},
            "quality": QUALITY,
            "entries": {"learned_from": ["train"]},
            "support": support_of(spec.space, encoded),
        }
        rows = Records._of_checked(ROWS, spec)
        write_benchmark(tmp_path / "b", spec, models, rows, **{**given, **changes})
        return tmp_path / "b"

    return write


def manifest_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "manifest.json").read_text())


def test_what_was_written_is_read(written, own_spec, handmade) -> None:
    folder = written()
    content = read_benchmark(folder)
    assert content.path == folder
    assert content.spec.source == own_spec().source
    assert [model.name for model in content.models] == ["learning_curve", "costs"]
    assert content.models[0].features is content.models[1].features  # computed once a query
    config = content.spec.space.sample(seed=1)
    expected = handmade(content.spec, "scalars").predict(config)
    assert content.models[1].predict(config) == expected
    support = read_support(folder, content.manifest.content, content.spec.space)
    assert support.codes.shape == (9, content.spec.space.encoding_width)


def test_the_manifest_has_the_entries_of_every_benchmark_and_its_own(written) -> None:
    manifest = manifest_of(written())
    assert set(manifest) == {*COMMON, "learned_from"}
    assert manifest["version"] == 3  # of the spec
    assert manifest["fidelity"] == "epochs"
    assert manifest["noise"] == {"valid": "repeats"}
    assert manifest["learned_from"] == ["train"]
    assert manifest["quality"] == QUALITY
    assert manifest["energy"]["source"] == "none"
    assert manifest["provenance"]["status"] == {"failed": 1}
    assert manifest["targets"][1] == {
        "name": "loss",
        "kind": "curve",
        "quantity": "other",
        "unit": "nat",
        "direction": "minimize",
    }
    assert set(manifest["files"]) == {
        "records.parquet",
        "support.safetensors",
        *(f"{m}/{f}" for m in ("learning_curve", "costs") for f in ("manifest.json", WEIGHTS)),
    }


def test_a_name_and_a_version_of_its_own(written) -> None:
    bench = api.load_benchmark(written(name="mine", version=7))
    assert bench.id == "mine@7"
    assert bench.spec.name == "own"


def test_records_may_stay_behind_and_a_notice_says_whose_they_are(written) -> None:
    folder = written(with_records=False, notice="ours: https://example.org")
    assert not (folder / "records.parquet").exists()
    assert manifest_of(folder)["provenance"]["records_sha256"]
    with pytest.raises(api.EahasError, match=r"are not distributed; .*NOTICE names"):
        api.load_benchmark(folder).records()


def test_a_table_goes_the_same_way(tabled, tmp_path) -> None:
    table = tabled()
    write_benchmark(
        tmp_path / "b",
        table.spec,
        [table],
        Records._of_checked(ROWS, table.spec),
        noise=dict.fromkeys(table.values, "repeats"),
        quality=QUALITY,
        entries={"table": {"configurations": 16}},
    )
    manifest = manifest_of(tmp_path / "b")
    assert set(manifest) == {*COMMON, "table"}
    assert set(manifest["files"]) == {
        "records.parquet",
        "table/manifest.json",
        "table/runs.safetensors",
    }
    (back,) = read_benchmark(tmp_path / "b").models
    for name, values in table.values.items():
        np.testing.assert_array_equal(back.values[name], values)


def test_an_earlier_folder_is_replaced_and_nothing_else(written) -> None:
    folder = written()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match=r"contains notes.txt, which is not part"):
        written(version=8)
    (folder / "notes.txt").unlink()
    assert manifest_of(written(version=8))["version"] == 8


def test_the_manifest_that_was_read_already_is_not_read_again(written) -> None:
    folder = written()
    manifest = read_manifest(folder)
    (folder / "manifest.json").unlink()
    assert read_benchmark(folder, manifest).manifest is manifest
