"""One process making runs: what becomes a record, what stops it, what it finds again."""

from __future__ import annotations

import errno
import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eahas import files
from eahas.errors import DataError, MeterError, SweepError
from eahas.records.schema import check_rows
from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo import train as training
from sweeps import run_loop as work
from sweeps.collect import collect
from sweeps.launch import launch
from sweeps.machine import fingerprint, machine_facts
from sweeps.plan import DONE, WORK, load_plan, sample
from sweeps.restore import restore

Trained = Callable[..., dict[str, Any]]
Put = Callable[..., dict[str, Any]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Trained], None]:
    """Replace the training: `fake(lambda run_config, **kw: record)`."""

    def replace(trained: Trained) -> None:
        def train(spec: Any, config: Any, seed: int, **settings: Any) -> dict[str, Any]:
            return trained(config, **settings)

        monkeypatch.setattr(training, "train", train)

    return replace


def made_of(config: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """What a training gives back."""
    epochs = config["OPTIM.MAX_EPOCH"]
    curves = {name: [10.0] * epochs for name in ("train", "valid", "test")}
    costs = {"runtime_s": 1.0, "train_energy_j": 10.0, "test_energy_j": 1.0}
    place = {"space": "tiny", "space_version": 1, "seed": 0, "device": "cpu"}
    place |= {"energy_source": "estimated"}
    state = {"status": "ok", "reason": "", "epochs": epochs}
    return {**place, **state, **config, **curves, **costs, **changed}


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / DONE).iterdir())]


def test_every_run_is_made_and_its_record_is_complete(folder: Path) -> None:
    spec, runs = load_plan(folder)
    (folder / DONE).mkdir()
    made = list(work.make_runs(folder, "cpu"))
    assert [record["run_id"] for record in made] == [run.run_id for run in runs]
    assert sorted(made, key=lambda r: r["run_id"]) == records(folder)
    check_rows(made, spec)
    for run, record in zip(runs, made, strict=True):
        assert (record["split"], record["role"]) == (run.split, run.role)
        assert record["software"].startswith("eahas ")
        assert json.loads(record["machine_facts"])["device"] == "cpu"
        assert record["started_at"].endswith("+00:00")
    assert list((folder / WORK).iterdir()) == []
    assert list(work.make_runs(folder, "cpu")) == []


def test_no_run_starts_after_the_deadline(folder: Path) -> None:
    assert list(work.make_runs(folder, "cpu", work.RunLimits(deadline=time.monotonic() - 1))) == []


def test_an_error_in_a_run_is_a_record_with_its_reason(
    folder: Path, fake: Callable[[Trained], None]
) -> None:
    def trained(config: dict[str, Any], **_: Any) -> dict[str, Any]:
        if config["OPTIM.MAX_EPOCH"] == 3:
            raise MeterError("the sensor is gone")
        raise RuntimeError("out of memory")

    fake(trained)
    assert launch(folder, workers=0) == 4
    for record in records(folder):
        assert (record["status"], record["epochs"]) == ("failed", 0)
        if record["OPTIM.MAX_EPOCH"] == 3:
            assert record["reason"] == "MeterError: the sensor is gone"
        else:
            assert record["reason"].startswith("RuntimeError: out of memory at test_run_loop.py:")
        assert str(folder) not in record["reason"]
    assert len(collect(folder)[1]) == 4


def test_a_record_against_the_schema_is_a_failed_run(
    folder: Path, fake: Callable[[Trained], None]
) -> None:
    fake(lambda config, **_: made_of(config, valid=[float("nan")] * config["OPTIM.MAX_EPOCH"]))
    launch(folder, workers=0)
    assert {record["status"] for record in records(folder)} == {"failed"}
    assert "valid: value 1 is nan" in records(folder)[0]["reason"]


def test_a_run_that_keeps_killing_its_worker_is_a_failed_run(
    folder: Path, fake: Callable[[Trained], None]
) -> None:
    fake(lambda config, **_: made_of(config))
    doomed = load_plan(folder)[1][1].run_id
    (folder / WORK / doomed).mkdir(parents=True)
    (folder / WORK / doomed / "lock").write_text("xxx")
    launch(folder, workers=0)
    found = {record["run_id"]: record for record in records(folder)}
    assert found[doomed]["reason"] == "its worker died 3 times without an epoch"
    assert [r["status"] for r in found.values()].count("ok") == 3


def test_what_a_dead_worker_left_of_a_finished_run_is_cleared(
    folder: Path, fake: Callable[[Trained], None]
) -> None:
    fake(lambda config, **_: made_of(config))
    launch(folder, workers=0)
    before = records(folder)
    left = folder / WORK / before[0]["run_id"]
    left.mkdir()
    (left / "lock").write_text("x")
    launch(folder, workers=0)
    assert not left.exists()
    assert records(folder) == before


def test_a_resume_file_that_cannot_be_continued_is_begun_anew(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = load_plan(folder)[1][0]
    (folder / WORK / run.run_id).mkdir(parents=True)
    (folder / WORK / run.run_id / "resume.pt").write_bytes(b"half of a fi")
    assert launch(folder, workers=0) == 4
    assert {record["status"] for record in records(folder)} == {"ok"}
    assert f"{run.run_id} starts again" in capsys.readouterr().err


def test_an_interrupt_loses_nothing(
    folder: Path,
    watch: Any,
    all_steps: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C after every single epoch: each one is trained once all the same."""
    watch.here(monkeypatch)
    noted = training.save_state

    def interrupted(*given: Any) -> None:
        noted(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "save_state", interrupted)
    for _ in range(len(all_steps)):
        try:
            launch(folder, workers=0)
        except KeyboardInterrupt:
            assert all(lock.read_text() == "" for lock in (folder / WORK).glob("*/lock"))
    assert watch.seen() == all_steps


class FullDisk:
    """Lets so many files be written, then no more."""

    def __init__(self, room: int) -> None:
        self.room, self.written = room, 0
        self._replace = os.replace

    def replace(self, source: Any, target: Any) -> None:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        self.room -= 1
        self.written += 1
        self._replace(source, target)


@pytest.mark.parametrize("room", [0, 1, 3, 4, 6])
def test_a_full_disk_stops_the_sweep_and_loses_no_finished_run(
    folder: Path, all_steps: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """Files are resume files and records by turns, so every kind of write fails once."""
    disk = FullDisk(room)
    monkeypatch.setattr(files.os, "replace", disk.replace)
    with pytest.raises(SweepError, match=r"No space left on device.*launch again to continue"):
        launch(folder, workers=0)
    finished = {path.name: path.read_bytes() for path in (folder / DONE).iterdir()}
    states = list((folder / WORK).glob("*/resume.pt"))
    assert len(states) <= 1
    assert not list(folder.rglob("*.tmp"))
    disk.room = -1  # there is room again
    assert launch(folder, workers=0) == 4
    after = {path.name: path.read_bytes() for path in (folder / DONE).iterdir()}
    assert after.items() >= finished.items()
    assert {record["status"] for record in records(folder)} == {"ok"}
    assert disk.written == len(all_steps)  # what had been saved was not saved again


# What is an error of the sweep, before any run


def test_a_data_set_that_is_not_there_is_one_error(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["data"]["name"] = "cifar10"
    sample(spec_from_dict(tiny), tmp_path, 2)
    with pytest.raises(DataError, match="data_dir: the folder"):
        launch(tmp_path, workers=0, data_dir=tmp_path / "nowhere")
    assert not (tmp_path / DONE).exists()


def test_an_energy_source_that_is_not_there_is_one_error(
    tiny: dict[str, Any], tmp_path: Path
) -> None:
    tiny["measurement"]["energy"] = "nvml_counter"
    sample(spec_from_dict(tiny), tmp_path, 2)
    with pytest.raises(MeterError, match="no energy source for cpu"):
        launch(tmp_path, workers=0)
    assert not (tmp_path / DONE).exists()


def test_a_machine_without_an_anchor_makes_one_more(folder: Path, put: Put) -> None:
    """Whatever other machines did: its times can always be related to theirs."""
    spec, runs = load_plan(folder)
    put(runs[0], machine="other")  # the only planned anchor
    put(runs[1], machine="other")
    assert launch(folder, workers=0) == len(runs)
    own = fingerprint(machine_facts())
    assert (folder / DONE / f"anchor-{own}.json").is_file()
    _, rows = collect(folder)
    assert len(rows) == len(runs) + 1
    assert {row["machine"] for row in rows if row["role"] == "anchor"} == {"other", own}
    assert launch(folder, workers=0) == len(runs)  # nothing is left to do, nothing is made twice
    assert len(list((folder / DONE).iterdir())) == len(runs) + 1

    sample(spec, folder.parent / "again", 3)
    assert restore(folder.parent / "again", folder / "records.parquet") == len(rows)


def test_one_machine_makes_the_planned_anchors_alone(folder: Path) -> None:
    assert launch(folder, workers=0) == 4
    assert len(list((folder / DONE).iterdir())) == 4


def test_failures_in_a_row_for_one_reason_stop_the_sweep(
    spec: Spec, tmp_path: Path, fake: Callable[[Trained], None]
) -> None:
    sample(spec, tmp_path / "sweep", 20)

    def full(config: dict[str, Any], **_: Any) -> dict[str, Any]:
        raise RuntimeError(f"the GPU is full: {len(records(tmp_path / 'sweep'))}.5 GiB are free")

    fake(full)
    with pytest.raises(SweepError, match="5 runs in a row failed: RuntimeError: the GPU is full"):
        launch(tmp_path / "sweep", workers=0)
    assert len(records(tmp_path / "sweep")) == work.MAX_SAME_FAILURES
    fake(lambda config, **_: made_of(config))
    assert launch(tmp_path / "sweep", workers=0, retry_failed=True) == 21
    assert {record["status"] for record in records(tmp_path / "sweep")} == {"ok"}


def test_failures_of_different_kinds_are_those_of_the_runs(
    spec: Spec, tmp_path: Path, fake: Callable[[Trained], None]
) -> None:
    sample(spec, tmp_path / "sweep", 8)
    reasons = itertools.cycle(["out of memory", "division by zero"])

    def odd(config: dict[str, Any], **_: Any) -> dict[str, Any]:
        raise RuntimeError(next(reasons))

    fake(odd)
    assert launch(tmp_path / "sweep", workers=0) == 9
