"""The third stage: finished runs in one file, machines related by their anchors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eahas.errors import RecordError, SweepError
from eahas.records.parquet import read_records
from eahas.spec.spec import Spec, spec_from_dict
from sweeps.collect import collect
from sweeps.plan import DONE, load_plan, sample

Put = Callable[..., dict[str, Any]]


def test_what_is_finished_is_collected_in_planned_order(folder: Path, put: Put) -> None:
    spec, runs = load_plan(folder)
    for run in (runs[3], runs[1]):
        put(run)
    found, rows = collect(folder)
    assert found == spec
    assert [row["run_id"] for row in rows] == [runs[1].run_id, runs[3].run_id]
    assert read_records(folder / "records.parquet", spec) == rows
    put(runs[0])
    assert len(collect(folder)[1]) == 3


def test_another_file_can_be_named(folder: Path, put: Put, tmp_path: Path) -> None:
    spec, runs = load_plan(folder)
    put(runs[0])
    collect(folder, tmp_path / "new" / "all.parquet")
    assert len(read_records(tmp_path / "new" / "all.parquet", spec)) == 1
    assert not (folder / "records.parquet").exists()


def test_failed_and_diverged_runs_are_rows_too(folder: Path, put: Put) -> None:
    runs = load_plan(folder)[1]
    none = dict.fromkeys(("train", "valid", "test", "runtime_s", "train_energy_j"))
    put(runs[1], status="failed", reason="out of memory", epochs=0, machine=None, **none)
    put(runs[2], status="diverged", reason="loss is nan", epochs=0, test_energy_j=None, **none)
    _, rows = collect(folder)
    assert [row["status"] for row in rows] == ["failed", "diverged"]
    assert [row["machine_factor"] for row in rows] == [1.0, 1.0]


def test_files_that_are_no_planned_run_are_left_alone(folder: Path, put: Put) -> None:
    put(load_plan(folder)[1][0])
    (folder / DONE / ".c00000-s0.json.abc.tmp").write_text("half of a rec")
    (folder / DONE / "notes.json").write_text("not mine")
    assert len(collect(folder)[1]) == 1


def test_nothing_finished_is_an_error(folder: Path) -> None:
    with pytest.raises(SweepError, match="no finished run yet"):
        collect(folder)


@pytest.mark.parametrize("content", [b"", b'{"run_id": "c0', b"[1, 2]", b"3", b"\xff\xfe"])
def test_a_damaged_record_is_named(folder: Path, put: Put, content: bytes) -> None:
    runs = load_plan(folder)[1]
    put(runs[0])
    (folder / DONE / f"{runs[1].run_id}.json").write_bytes(content)
    with pytest.raises(SweepError, match=rf"{runs[1].run_id}\.json is damaged.*launch again"):
        collect(folder)
    assert not (folder / "records.parquet").exists()


def test_the_record_of_another_run_is_named(folder: Path, put: Put) -> None:
    runs = load_plan(folder)[1]
    put(runs[1])
    os.rename(folder / DONE / f"{runs[1].run_id}.json", folder / DONE / f"{runs[2].run_id}.json")
    with pytest.raises(SweepError, match=rf"{runs[2].run_id}\.json: .* another sweep"):
        collect(folder)


def test_a_record_against_the_schema_is_named_and_the_old_file_stays(
    folder: Path, put: Put
) -> None:
    runs = load_plan(folder)[1]
    put(runs[0])
    collect(folder)
    before = (folder / "records.parquet").read_bytes()
    put(runs[1], valid=[1.0])
    with pytest.raises(RecordError, match=f"'{runs[1].run_id}': valid has 1 values"):
        collect(folder)
    put(runs[1], status=None)
    with pytest.raises(RecordError, match="status is missing"):
        collect(folder)
    assert (folder / "records.parquet").read_bytes() == before


# Machines


def test_the_factor_stands_in_every_row_and_the_times_stay_as_measured(
    spec: Spec, put: Put, tmp_path: Path
) -> None:
    runs = sample(spec, tmp_path / "long", 60)
    anchors, mains = ([r for r in runs if r.role == role] for role in ("anchor", "main"))
    made = [
        (anchors[0], "m1", 2.0),
        (mains[0], "m1", 7.0),
        (mains[1], "m1", 1.0),
        (anchors[1], "m2", 3.0),
        (mains[2], "m2", 9.0),
    ]
    for run, machine, runtime_s in made:
        put(run, into=tmp_path / "long", machine=machine, runtime_s=runtime_s)
    _, rows = collect(tmp_path / "long")
    found = {r["run_id"]: (r["machine"], r["runtime_s"], r["machine_factor"]) for r in rows}
    assert found == {
        run.run_id: (machine, runtime_s, {"m1": 1.0, "m2": 1.5}[machine])
        for run, machine, runtime_s in made
    }


def test_a_spec_without_a_runtime_relates_machines_by_their_wall_time(
    tiny: dict[str, Any], put: Put, tmp_path: Path
) -> None:
    tiny["targets"]["scalars"] = ["train_energy_j"]
    runs = sample(spec_from_dict(tiny), tmp_path / "long", 60)
    for run, machine, wall_s in zip(
        [run for run in runs if run.role == "anchor"], ("m1", "m2"), (1.0, 4.0), strict=True
    ):
        put(run, into=tmp_path / "long", machine=machine, wall_s=wall_s, runtime_s=None)
    _, rows = collect(tmp_path / "long")
    assert [row["machine_factor"] for row in rows] == [1.0, 4.0]
