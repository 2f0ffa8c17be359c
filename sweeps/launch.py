"""The second stage: make every planned run that is not finished yet.

Each worker is a process pinned to one core (or one GPU). It takes the next free run, holds a lock
on it, trains it, and moves its record into `done/`. The operating system drops the lock of a dead
worker, so a relaunch continues where the dead one was, from the run's resume file; a finished run
is never made again, and no run is made by two workers at once, whoever started them.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import eahas
from eahas.errors import EahasError, SweepError
from eahas.files import write_json
from eahas.spec import Spec
from sweeps.machine import fingerprint, machine_facts
from sweeps.plan import PlannedRun, load_plan

DONE, WORK = "done", "work"
MOST_DEATHS = 3  # a run whose worker died this often is recorded as failed


def launch(
    folder: Path,
    *,
    workers: int | None = None,
    device: str = "cpu",
    budget_s: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Make the missing runs of a sweep folder; the number of runs that are finished afterwards.

    `workers=0` runs in this process. No new run is started after `budget_s` seconds. `progress`
    is told (finished, planned) about twice a second. Raises SweepError where the folder is no
    sweep or a worker cannot write.
    """
    _, runs = load_plan(folder)
    (folder / DONE).mkdir(exist_ok=True)
    deadline = None if budget_s is None else time.monotonic() + budget_s
    cores = sorted(os.sched_getaffinity(0))
    count = len(cores) if workers is None else workers
    if count < 0:
        raise SweepError(f"workers={workers}: allowed are whole numbers from 0")
    if count == 0:
        work(folder, device=device, deadline=deadline, progress=progress)
        return finished_count(folder, runs)
    _run_workers(folder, runs, cores, count, device, deadline, progress)
    return finished_count(folder, runs)


def finished_count(folder: Path, runs: Sequence[PlannedRun]) -> int:
    done = {path.stem for path in (folder / DONE).glob("*.json")}
    return sum(run.run_id in done for run in runs)


def _run_workers(
    folder: Path,
    runs: Sequence[PlannedRun],
    cores: Sequence[int],
    count: int,
    device: str,
    deadline: float | None,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Start the workers, replace the dead, and stop them all together on an interrupt."""
    context = multiprocessing.get_context("spawn")

    def start(index: int) -> Any:
        core = None if device.startswith("cuda") else cores[index % len(cores)]
        process = context.Process(
            target=_worker, args=(folder, device, core, deadline), name=f"sweep-{index}"
        )
        process.start()
        return process

    processes = [start(index) for index in range(count)]
    try:
        while any(p.is_alive() for p in processes):
            time.sleep(0.5)
            if progress is not None:
                progress(finished_count(folder, runs), len(runs))
            for index, process in enumerate(processes):
                if process.exitcode == EXIT_CANNOT_WRITE:
                    raise SweepError(
                        f"a worker could not write into {folder} (is the disk full?); finished "
                        "runs are safe, launch again to continue"
                    )
                if process.exitcode not in (None, 0):
                    processes[index] = start(index)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
        for process in processes:
            process.join()


EXIT_CANNOT_WRITE = 74  # EX_IOERR


def _worker(folder: Path, device: str, core: int | None, deadline: float | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher stops its workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        work(folder, device=device, deadline=deadline)
    except OSError as error:
        print(f"sweep: {error}", file=sys.stderr)
        sys.exit(EXIT_CANNOT_WRITE)


def work(
    folder: Path,
    *,
    device: str = "cpu",
    deadline: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Make one missing run after another in this process until none is free."""
    from regnet_hpo.datasets import load_dataset

    spec, runs = load_plan(folder)
    dataset = load_dataset(spec.data)
    for position, run in enumerate(runs):
        if deadline is not None and time.monotonic() > deadline:
            return
        if progress is not None:
            progress(position, len(runs))
        done = folder / DONE / f"{run.run_id}.json"
        if done.exists():
            continue
        with _claimed(folder / WORK / run.run_id) as claim:
            if claim is None:
                continue
            if done.exists():
                claim.clear()
                continue
            if claim.deaths >= MOST_DEATHS:
                record = _failed(spec, run, f"its worker died {claim.deaths} times")
            else:
                record = _made(spec, run, claim.path / "resume.pt", device, dataset)
            write_json(done, record)
            claim.clear()
    if progress is not None:
        progress(len(runs), len(runs))


class Claim:
    """A held lock on one run, and how often a worker died with it."""

    def __init__(self, path: Path, deaths: int) -> None:
        self.path, self.deaths = path, deaths

    def clear(self) -> None:
        """Forget the run's working files; its record stands in done/."""
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def _claimed(path: Path) -> Iterator[Claim | None]:
    """A claim on a run, or None where a living worker holds it.

    The lock file counts starts; a clean interrupt takes its start back, a death cannot.
    """
    path.mkdir(parents=True, exist_ok=True)
    try:
        file = open(path / "lock", "a+", encoding="ascii")  # noqa: SIM115
    except FileNotFoundError:  # its holder finished and cleared it in between
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        file.seek(0)
        deaths = len(file.read())
        file.write("x")
        file.flush()
        try:
            yield Claim(path, deaths)
        except BaseException:
            file.truncate(deaths)
            raise


def _made(spec: Spec, run: PlannedRun, resume_file: Path, device: str, dataset: Any) -> dict[str, Any]:
    """The record of a run. An error in it becomes a record too; a full disk stops the worker."""
    from regnet_hpo.train import train

    started = datetime.datetime.now(datetime.timezone.utc)
    try:
        record = train(
            spec, run.config, run.seed, resume_file=resume_file, device=device, dataset=dataset
        )
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - any failure of a run is a row with its reason
        reason = f"{type(error).__name__}: {error}"
        if not isinstance(error, EahasError):
            reason += f" at {traceback.extract_tb(error.__traceback__)[-1]}"
        record = _failed(spec, run, reason)
    facts = machine_facts(device)
    return record | {
        **_identity(run),
        "machine": fingerprint(facts),
        "machine_facts": json.dumps(facts, sort_keys=True),
        "started_at": started.isoformat(timespec="seconds"),
        "software": f"eahas {eahas.__version__}, torch {facts['torch']}, "
        f"Python {platform.python_version()}",
    }


def _failed(spec: Spec, run: PlannedRun, reason: str) -> dict[str, Any]:
    return {
        **_identity(run),
        "space": spec.name,
        "space_version": spec.version,
        "seed": run.seed,
        "status": "failed",
        "reason": reason,
        "epochs": 0,
        **run.config,
    }


def _identity(run: PlannedRun) -> dict[str, str]:
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        "split": run.split,
        "role": run.role,
    }
