"""Sweeps of the tiny spec, records that nobody trained, and workers that tell what they do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eahas.files import write_json
from eahas.spec.spec import Spec, spec_from_dict
from sweeps.executors import local as worker
from sweeps.plan import DONE, PlannedRun, load_plan, sample

TINY = Path(__file__).parents[1] / "regnet_hpo" / "tiny.json"

# A watched process notes each saved epoch as "PID RUN EPOCH", each record as "PID RUN done". After
# an epoch it waits while the hold file is there, so that a test can do to it what it likes.
NOTES = """
import os, time
import regnet_hpo.train as training
import sweeps.run_loop as work

def noted(line):
    with open({log!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{line}}\\n")

def save_state(path, state, real=training.save_state):
    real(path, state)
    noted(f"{{path.parent.name}} {{len(state['progress']['curves']['train'])}}")
    for _ in range(6000):
        if os.path.exists({hold!r}):
            time.sleep(0.02)

def write_json(path, record, real=work.write_json):
    real(path, record)
    noted(f"{{path.stem}} done")

training.save_state, work.write_json = save_state, write_json
"""


class Watch:
    """The notes of watched workers, and of this process."""

    def __init__(self, folder: Path) -> None:
        self._log, self._hold = folder / "log", folder / "hold"
        self._notes = NOTES.format(log=str(self._log), hold=str(self._hold))
        self.entry = self._notes + worker.ENTRY  # the program of a worker that takes notes

    def hold(self) -> None:
        """Let everyone who has saved an epoch wait."""
        self._hold.touch()

    def release(self) -> None:
        self._hold.unlink(missing_ok=True)

    def here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let this process take notes too."""
        import regnet_hpo.train as training
        import sweeps.run_loop as work

        monkeypatch.setattr(training, "save_state", training.save_state)  # to be undone
        monkeypatch.setattr(work, "write_json", work.write_json)
        exec(self._notes, {})

    def lines(self) -> list[tuple[int, str, str]]:
        """(process id, run, epoch or "done") in the order of what happened."""
        if not self._log.exists():
            return []
        found = [line.split() for line in self._log.read_text().splitlines()]
        return [(int(pid), run, what) for pid, run, what in found]

    def seen(self) -> list[tuple[str, str]]:
        """(run, epoch or "done"), sorted."""
        return sorted((run, what) for _, run, what in self.lines())

    @staticmethod
    def is_alive(pid: int) -> bool:
        """Whether a process runs; one that only waits to be reaped does not."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


@pytest.fixture
def tiny() -> dict[str, Any]:
    """The tiny spec as a dictionary of its own."""
    return json.loads(TINY.read_text(encoding="utf-8"))


@pytest.fixture
def spec(tiny: dict[str, Any]) -> Spec:
    return spec_from_dict(tiny)


@pytest.fixture
def folder(spec: Spec, tmp_path: Path) -> Path:
    """A sampled sweep of 3 configurations: 4 runs with the anchor."""
    sample(spec, tmp_path / "sweep", 3)
    return tmp_path / "sweep"


@pytest.fixture
def all_steps(folder: Path) -> list[tuple[str, str]]:
    """What `Watch.seen` gives where each epoch was trained once and each record written once."""
    steps = []
    for run in load_plan(folder)[1]:
        epochs = run.config["OPTIM.MAX_EPOCH"]
        steps += [(run.run_id, what) for what in (*map(str, range(1, epochs + 1)), "done")]
    return sorted(steps)


def made_up(run: PlannedRun, **changed: Any) -> dict[str, Any]:
    """The record of a planned run that nobody trained; a value of None takes a field out."""
    epochs = run.config["OPTIM.MAX_EPOCH"]
    record = {
        "run_id": run.run_id,
        "config_id": run.config_id,
        "seed": run.seed,
        "role": run.role,
        "split": run.split,
        "space": "tiny",
        "space_version": 1,
        "status": "ok",
        "reason": "",
        "epochs": epochs,
        **run.config,
        **{name: [10.0 * (e + 1) for e in range(epochs)] for name in ("train", "valid", "test")},
        "runtime_s": 2.0,
        "wall_s": 2.5,
        "train_energy_j": 20.0,
        "test_energy_j": 0.5,
        "energy_source": "estimated",
        "machine": "m1",
    } | changed
    return {name: value for name, value in record.items() if value is not None}


@pytest.fixture
def put(folder: Path) -> Callable[..., dict[str, Any]]:
    """Write a made-up record of a run into done/: `put(run, machine="m2")`."""

    def write(run: PlannedRun, *, into: Path = folder, **changed: Any) -> dict[str, Any]:
        record = made_up(run, **changed)
        write_json(into / DONE / f"{run.run_id}.json", record)
        return record

    return write
