"""Accel-NASBench's data set as records: a small one of its layout, and the real one if here."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from eahas.contract.importer import ImporterContract

from eahas.errors import DataError
from eahas.records.parquet import read_records, write_records
from eahas.spec.spec import Spec
from surrogates.data.dataset import runs_from_records
from sweeps.importers.accel_nasbench import accel_nasbench_rows
from sweeps.specs import load_spec

REAL = Path(__file__).parents[4] / "shared/data/accel_nasbench/anb_dataset_jsons.tar.gz"


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_spec("mnasnet")


def result(config: dict[str, Any], number: int, **missing: None) -> dict[str, Any]:
    perf = {
        target: {f"{target.partition('_')[0]}_mean": 100.0 + number, f"{kind}_std": 0.5}
        for target, kind in (
            *((f"throughput_{d}", "throughput") for d in ("a100", "3090", "tpuv2", "tpuv3")),
            ("throughput_zcu102", "throughput"),
            ("throughput_vck190", "throughput"),
            ("latency_zcu102", "latency"),
            ("latency_vck190", "latency"),
        )
    }
    for target in missing:
        perf[target] = dict.fromkeys(perf[target])
    return {
        "architecture": config,
        "metrics": {"val_top1": 60.0 + number / 10, "val_top5": 85.0, "train_time": 1500.0},
        "model_info": {"macs": 300.0, "params": 4.0},
        "platform_perf": perf,
    }


@pytest.fixture
def folder(spec: Spec, tmp_path: Path) -> Path:
    """Twenty networks inside the split, one outside that repeats the first."""
    configs = spec.space.sample(20, seed=0)
    (tmp_path / "json").mkdir()
    for number, config in enumerate([*configs, configs[0]]):
        given = result(config, number, **({"throughput_tpuv3": None} if number == 3 else {}))
        (tmp_path / "json" / f"result_{number}.json").write_text(json.dumps(given))
    for name, part in (("train", range(16)), ("val", (16, 17)), ("test", (18, 19))):
        listed = [f"../somewhere/result_{number}.json" for number in part]
        (tmp_path / f"{name}_paths.json").write_text(json.dumps(listed))
    return tmp_path


class TestContract(ImporterContract):
    @pytest.fixture
    def imported(self, folder: Path, spec: Spec):
        return spec, accel_nasbench_rows(folder / "json", spec)


def test_a_folder_becomes_records(folder: Path, spec: Spec) -> None:
    rows = accel_nasbench_rows(folder / "json", spec)
    assert Counter(row["split"] for row in rows) == {"train": 16, "valid": 2, "test": 2, "": 1}
    (control,) = [row for row in rows if row["role"] == "control"]
    (first,) = [row for row in rows if row["run_id"] == "result_0"]
    assert control["config_id"] == first["config_id"]
    assert (first["seed"], control["seed"]) == (0, 1)
    assert first["throughput_a100_std"] == 0.5
    (third,) = [row for row in rows if row["run_id"] == "result_3"]
    assert "throughput_tpuv3" not in third
    write_records(folder / "records.parquet", rows, spec)
    assert read_records(folder / "records.parquet", spec) == rows
    runs = runs_from_records(rows, spec)
    assert len(runs) == 20
    assert len(runs.side("train")) == 16


def test_an_archive_is_the_folder(folder: Path, spec: Spec) -> None:
    with tarfile.open(folder / "data.tar.gz", "w:gz") as archive:
        archive.add(folder / "json", "anb_dataset_jsons")
    rows = accel_nasbench_rows(folder / "data.tar.gz", spec)
    assert rows == accel_nasbench_rows(folder / "json", spec)


def test_a_drawn_split_keeps_controls_out(folder: Path, spec: Spec) -> None:
    drawn = [accel_nasbench_rows(folder / "json", spec, split_seed=seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    for rows in drawn:
        assert Counter(r["split"] for r in rows) == {"train": 16, "valid": 2, "test": 2, "": 1}


def test_a_drawn_split_needs_no_files(folder: Path, spec: Spec) -> None:
    for name in ("train", "val", "test"):
        (folder / f"{name}_paths.json").unlink()
    rows = accel_nasbench_rows(folder / "json", spec, split_seed=0)
    assert Counter(r["split"] for r in rows) == {"train": 16, "valid": 2, "test": 2, "": 1}
    (control,) = [row for row in rows if row["role"] == "control"]
    assert sum(row["config_id"] == control["config_id"] for row in rows) == 2


def test_a_folder_that_holds_the_archive_is_the_archive(folder: Path, spec: Spec) -> None:
    wanted = accel_nasbench_rows(folder / "json", spec)
    with tarfile.open(folder / "anb_dataset_jsons.tar.gz", "w:gz") as archive:
        archive.add(folder / "json", "anb_dataset_jsons")
    assert accel_nasbench_rows(folder, spec) == wanted


def test_what_is_not_the_data_set_is_refused(folder: Path, spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as an archive"):
        accel_nasbench_rows(folder / "train_paths.json", spec)
    with pytest.raises(DataError, match="cannot be read as an archive"):
        accel_nasbench_rows(folder / "nowhere.tar.gz", spec)
    (folder / "empty").mkdir()
    with pytest.raises(DataError, match=r"contains no result_\*.json"):
        accel_nasbench_rows(folder / "empty", spec)
    (folder / "json" / "result_5.json").write_text('{"architecture": {}}')
    with pytest.raises(DataError, match=r"result_5.json is not a result.*metrics"):
        accel_nasbench_rows(folder / "json", spec)
    (folder / "json" / "result_5.json").unlink()
    with pytest.raises(DataError, match=r"lacks result_5.json, which is in the split"):
        accel_nasbench_rows(folder / "json", spec)
    (folder / "val_paths.json").unlink()
    with pytest.raises(DataError, match=r"val_paths.json of the default split is missing"):
        accel_nasbench_rows(folder / "json", spec)


@pytest.mark.skipif(not REAL.exists(), reason="the public data set is not beside the checkout")
def test_the_real_data_set(spec: Spec) -> None:
    rows = accel_nasbench_rows(REAL, spec)
    split = Counter(row["split"] for row in rows)
    assert split == {"train": 4100, "valid": 512, "test": 512, "": 14}
    have = {t.name: sum(t.name in row for row in rows) for t in spec.scalars}
    assert have["accuracy"] == have["throughput_a100"] == 5138
    assert have["throughput_zcu102"] == have["latency_vck190"] == 5136
    assert (have["throughput_3090"], have["throughput_tpuv2"]) == (5135, 5101)
    assert have["throughput_tpuv3"] == 5094
    names = Counter(row["config_id"] for row in rows)
    assert sum(names[row["config_id"]] == 2 for row in rows if row["role"] == "control") == 13
