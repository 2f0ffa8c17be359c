"""The launcher: what it refuses, the slots of its workers, and how workers end."""

from __future__ import annotations

import math
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eahas.errors import DataError, SpecError, SweepError
from eahas.spec.spec import Spec, spec_from_dict
from sweeps import launch as module
from sweeps.executors import local as worker
from sweeps.executors.local import Slot
from sweeps.launch import finished_count, launch
from sweeps.plan import DONE, WORK, load_plan, sample

pytestmark = pytest.mark.integration

ROOT = str(Path(__file__).parents[2])


def untouched(folder: Path) -> bool:
    return sorted(os.listdir(folder)) == ["plan.jsonl", "spec.json"]


# Arguments


@pytest.mark.parametrize("workers", [-1, 1.5, True, "2"])
def test_workers_are_a_whole_number(folder: Path, workers: Any) -> None:
    with pytest.raises(SweepError, match=r"workers=.*allowed are whole numbers from 0"):
        launch(folder, workers=workers)
    assert untouched(folder)


@pytest.mark.parametrize("budget_s", [-1.0, math.nan])
def test_a_budget_is_seconds_from_zero(folder: Path, budget_s: float) -> None:
    with pytest.raises(SweepError, match="allowed are seconds from 0"):
        launch(folder, budget_s=budget_s)
    assert untouched(folder)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unknown_device_is_refused(folder: Path, workers: int) -> None:
    with pytest.raises(DataError, match="device 'tpu' is unknown; allowed: cpu, cuda"):
        launch(folder, workers=workers, device="tpu")
    assert untouched(folder)


def test_a_spec_that_cannot_be_trained_is_refused(tiny: dict[str, Any], tmp_path: Path) -> None:
    tiny["targets"]["curves"] = ["valid_ema"]
    sample(spec_from_dict(tiny), tmp_path, 2)
    with pytest.raises(SpecError, match="valid_ema needs training: ema"):
        launch(tmp_path, workers=1)
    assert untouched(tmp_path)


def test_a_folder_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="is not a sweep folder"):
        launch(tmp_path, workers=1)
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(folder: Path) -> None:
    (folder / DONE).write_text("a file where a folder should be")
    with pytest.raises(SweepError, match=r"cannot be written \(.*File exists"):
        launch(folder, workers=0)


# Seats


def slots(spec: Spec, cores: set[int], monkeypatch: pytest.MonkeyPatch, **given: Any) -> list[Slot]:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    monkeypatch.setattr(module, "gpu_count", lambda: 2)
    return module._slots(spec, given.get("device", "cpu"), given.get("workers"))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [Slot("cpu", (2,)), Slot("cpu", (3,)), Slot("cpu", (5,))]),
        ({"workers": 1}, [Slot("cpu", (2,))]),
        ({"workers": 4}, [Slot("cpu", (core,)) for core in (2, 3, 5, 2)]),
        ({"workers": 0}, []),
        ({"device": "cuda"}, [Slot("cuda:0"), Slot("cuda:1")]),
        ({"device": "cuda", "workers": 1}, [Slot("cuda:0")]),
        ({"device": "cuda:1"}, [Slot("cuda:1")]),
    ],
)
def test_a_worker_has_its_own_core_or_gpu(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], expected: list[Slot]
) -> None:
    assert slots(spec, {5, 2, 3}, monkeypatch, **given) == expected


@pytest.mark.parametrize(
    ("threads", "expected"), [(2, [(0, 1), (2, 3)]), (3, [(0, 1, 2)]), (9, [(0, 1, 2, 3, 4)])]
)
def test_a_worker_has_as_many_cores_as_the_spec_has_threads(
    tiny: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    expected: list[tuple[int, ...]],
) -> None:
    tiny["measurement"]["threads"] = threads
    found = slots(spec_from_dict(tiny), {0, 1, 2, 3, 4}, monkeypatch)
    assert [slot.cores for slot in found] == expected


# Workers


def test_no_budget_is_no_run(folder: Path) -> None:
    assert launch(folder, workers=0, budget_s=0.0) == 0


SCRIPT = """
from sweeps.launch import launch
print("launching")
print(launch({folder!r}, workers=1), "finished")
"""


def test_a_script_needs_no_main_guard(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT.format(folder=str(folder)))
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["launching", "4 finished"]
    assert list((folder / WORK).iterdir()) == []


ENDINGS = {
    "raises": "raise RuntimeError('a broken installation')",
    "says why": "import os; os.write(1, b'no such sensor'); raise SystemExit(1)",
    "is killed": "import os; os.kill(os.getpid(), 9)",
}


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        ("raises", "a worker failed: exit code 1"),
        ("says why", "a worker failed: no such sensor"),
        (
            "is killed",
            "workers died 4 times in a row and finished no run, the last one by signal 9",
        ),
    ],
)
def test_a_worker_that_cannot_work_is_not_replaced_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ending: str, message: str
) -> None:
    monkeypatch.setattr(worker, "ENTRY", ENDINGS[ending])
    monkeypatch.setattr(module, "POLL_S", 0.02)
    with pytest.raises(SweepError, match=message):
        launch(folder, workers=1)


def test_what_is_wrong_in_a_worker_is_said_by_the_launcher(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny["measurement"]["energy"] = "nvml_counter"
    sample(spec_from_dict(tiny), tmp_path, 2)
    monkeypatch.setattr(module, "meter_for", lambda *_: Meter("nvml_counter"))  # not the worker's
    with pytest.raises(SweepError, match="a worker failed: no energy source for cpu"):
        launch(tmp_path, workers=1)
    assert finished_count(tmp_path, load_plan(tmp_path)[1]) == 0


def test_a_worker_on_a_full_disk_stops_the_launch(folder: Path) -> None:
    """The disk has room for records, and not for the state of a run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(SweepError, match=r"cannot be written \(.*File too large"):
            launch(folder, workers=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(folder / DONE) == []
    assert all(lock.read_text() == "" for lock in (folder / WORK).glob("*/lock"))
    assert launch(folder, workers=0) == 4


class Meter:
    """Only says what it is."""

    def __init__(self, source: str) -> None:
        self.source = source

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("source", "workers", "chosen", "expected"),
    [
        ("estimated", 2, False, 2),
        ("rapl", 2, False, 1),
        ("rapl", 2, True, None),
        ("nvml_counter", 2, True, 2),
        ("nvml_counter", 3, True, None),
    ],
)
def test_no_two_workers_share_a_sensor(
    spec: Spec,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    workers: int,
    chosen: bool,
    expected: Any,
) -> None:
    monkeypatch.setattr(module, "meter_for", lambda *_: Meter(source))
    slots = [Slot(f"cuda:{index % 2}") for index in range(workers)]
    if expected is None:
        with pytest.raises(SweepError, match=f"{source} would count the energy of all of them"):
            module._without_shared_sensors(spec, "cuda", slots, chosen=chosen)
    else:
        found = module._without_shared_sensors(spec, "cuda", slots, chosen=chosen)
        assert len(found) == expected


# Company on a GPU


class Watched:
    """A GPU's meter that sees these processes."""

    source, why = "nvml_counter", ()

    def __init__(self, *pids: int) -> None:
        self._pids = pids

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None: ...

    def others(self) -> tuple[int, ...]:
        return self._pids


def on_a_gpu(monkeypatch: pytest.MonkeyPatch, *pids: int) -> None:
    """Let this machine have one, with these processes on it, and nothing be trained."""
    monkeypatch.setattr(module, "preflight", lambda *_: None)
    monkeypatch.setattr(module, "gpu_count", lambda: 1)
    monkeypatch.setattr(module, "meter_for", lambda *_: Watched(*pids))
    monkeypatch.setattr(module, "_with_workers", lambda *_: None)


def test_a_gpu_with_somebody_else_on_it_is_not_metered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_gpu(monkeypatch, 7, 12)
    with pytest.raises(SweepError, match=r"cuda:0: other processes are on it \(7, 12\)"):
        launch(folder, device="cuda")
    assert untouched(folder)
    assert launch(folder, device="cuda", allow_company=True) == 0


def test_a_gpu_of_our_own_is_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_gpu(monkeypatch)
    assert launch(folder, device="cuda") == 0


@pytest.mark.parametrize("window_s", [0.0, 4.0])
def test_workers_share_a_gpu_only_where_each_meters_alone(
    tiny: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window_s: float
) -> None:
    tiny["measurement"] |= {"window_s": window_s, "runtime": "wall"}
    sample(spec_from_dict(tiny), tmp_path, 3)
    on_a_gpu(monkeypatch)
    if window_s:
        assert launch(tmp_path, device="cuda", workers=3) == 0
    else:
        with pytest.raises(SweepError, match="would count the energy of all of them"):
            launch(tmp_path, device="cuda", workers=3)
