"""The second stage: make every planned run that is not finished yet.

Each worker is a process pinned to its own cores (or with a GPU of its own). It takes the next free
run, holds a lock on it, trains it, and moves its record into `done/`. The operating system drops
the lock of a dead worker, so a relaunch continues where the dead one was, from the run's resume
file; a finished run is never made again, and no run is made by two workers at once, whoever
started them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eahas.checks import is_number, is_whole
from eahas.energy import ESTIMATED, RAPL
from eahas.errors import SweepError, shown
from eahas.spec.spec import Spec
from regnet_hpo.preflight import check_device, default_device, gpu_count, meter_for, preflight
from regnet_hpo.settings import measure_settings
from sweeps.compatibility import require_alike, require_stated_sources
from sweeps.executors.local import EXIT_AGAIN, EXIT_CANNOT_WRITE, Slot, Worker
from sweeps.machine import fingerprint, machine_facts
from sweeps.plan import DONE, WORK, PlannedRun, load_plan
from sweeps.run_loop import MAX_DEATHS, RunLimits, forget_failed, lacking_anchor, make_runs

POLL_S = 0.5
Progress = Callable[[int, int], None]


def launch(
    folder: Path,
    *,
    workers: int | None = None,
    device: str | None = None,
    data_dir: str | Path | None = None,
    budget_s: float | None = None,
    strict: bool = False,
    retry_failed: bool = False,
    allow_company: bool = False,
    progress: Progress | None = None,
) -> int:
    """Make the missing runs of a sweep folder; the number of runs that are finished afterwards.

    Without `device` it is that of `default_device`. By default there is a worker for each core (for
    each `threads` cores, where the spec sets them), one for the whole machine where RAPL meters it,
    or, on `cuda`, one for each GPU. `workers=0` makes the runs in this process. The images are
    looked for in `data_dir`, else where the environment variable EAHAS_DATA says, else they are
    downloaded. No new run is started after
    `budget_s` seconds; with `strict` the runs that have begun by then stop after their next
    epoch, and are continued by the next call. `retry_failed` has failed runs made again.
    `allow_company` meters a GPU on which other processes are, whose energy is then counted too.
    `progress` is told (finished, planned): with workers about twice a second, without them after
    each run.

    Everything is looked at before anything is written. Raises SweepError where the folder is no
    sweep or has runs of other images or of joules of another kind than these would be, another
    process is on a GPU that is to be metered, an argument is not allowed, the folder
    cannot be written, run after run fails for one reason, or workers keep dying or cannot meter;
    SpecError, DataError or MeterError where the sweep cannot be made on this device.
    """
    folder = Path(folder)
    if budget_s is not None:
        require_budget(budget_s)
    terms = RunLimits(
        data_dir=None if data_dir is None else os.fspath(data_dir),
        deadline=None if budget_s is None else time.monotonic() + budget_s,
        strict=strict,
    )
    _require_workers(workers)
    spec, runs = load_plan(folder)
    device = default_device(spec) if device is None else device
    if not retry_failed and _nothing_left(folder, runs, device):
        return len(runs)
    data = preflight(spec, device, data_dir)
    with meter_for(device, measure_settings(spec)) as meter:
        require_stated_sources(spec, meter.source)
        require_alike(folder / DONE, data, meter.source)
    seats = _seats(spec, device, workers)
    if device != "cpu" and not allow_company:
        require_alone(spec, {seat.device for seat in seats} or {device})
    if len(seats) > 1:
        seats = _with_energy_of_its_own(spec, device, seats, chosen=workers is not None)
    try:
        (folder / DONE).mkdir(exist_ok=True)
        if retry_failed:
            forget_failed(folder)
        if not seats:
            _here(folder, runs, device, terms, progress)
    except OSError as error:
        raise _cannot_write(folder, str(error)) from error
    if seats:
        _with_workers(folder, runs, seats, terms, progress)
    return finished_count(folder, runs)


def require_budget(budget_s: float) -> None:
    """Raise SweepError unless a budget is a number of seconds."""
    if not (is_number(budget_s) and budget_s >= 0):
        raise SweepError(f"budget_s={shown(budget_s)}; allowed are seconds from 0")


def finished_count(folder: Path, runs: Sequence[PlannedRun]) -> int:
    """How many of the planned runs have their record."""
    done = {path.stem for path in (folder / DONE).glob("*.json")}
    return sum(run.run_id in done for run in runs)


def _nothing_left(folder: Path, runs: list[PlannedRun], device: str) -> bool:
    """Whether all is made, nothing of a dead worker lies there, and no anchor is lacking."""
    if finished_count(folder, runs) < len(runs) or any((folder / WORK).glob("*")):
        return False
    check_device(device)
    return lacking_anchor(folder, runs, fingerprint(machine_facts(device))) is None


def _require_workers(workers: int | None) -> None:
    if workers is not None and not (is_whole(workers) and workers >= 0):
        raise SweepError(f"workers={shown(workers)}; allowed are whole numbers from 0")


def _seats(spec: Spec, device: str, workers: int | None) -> list[Slot]:
    """One seat a worker; more workers than there are cores or GPUs share them in turn."""
    if device == "cuda":
        places = [Slot(f"cuda:{index}") for index in range(gpu_count())]
    elif device != "cpu":
        places = [Slot(device)]
    else:
        cores, each = sorted(os.sched_getaffinity(0)), max(1, measure_settings(spec).threads)
        starts = range(0, max(1, len(cores) - each + 1), each)
        places = [Slot(device, tuple(cores[start : start + each])) for start in starts]
    count = len(places) if workers is None else workers
    return [places[index % len(places)] for index in range(count)]


def require_alone(spec: Spec, devices: set[str]) -> None:
    """Raise SweepError where somebody else's energy would be counted."""
    for device in sorted(devices):
        with meter_for(device, measure_settings(spec)) as meter:
            others = meter.others()
        if others:
            raise SweepError(
                f"{device}: other processes are on it ({', '.join(map(str, others))}), and their "
                "energy would be counted in every run; end them, or say --allow-company"
            )


def _with_energy_of_its_own(
    spec: Spec, device: str, seats: list[Slot], *, chosen: bool
) -> list[Slot]:
    """The seats, if no two of them share a sensor: else each would count the other's joules."""
    with meter_for(device, measure_settings(spec)) as meter:
        source = meter.source
    in_turns = measure_settings(spec).window_s > 0  # each meters when it is alone
    several = len(set(seats)) < len(seats) and not in_turns
    shared = source == RAPL or (source != ESTIMATED and several)
    if not shared:
        return seats
    if chosen:
        most = 1 if source == RAPL else len(set(seats))
        raise SweepError(
            f"workers={len(seats)}: {source} would count the energy of all of them in every run; "
            f"allowed: {most}, or measurement: energy: {ESTIMATED} in the spec"
        )
    return [Slot(device)]


def _here(
    folder: Path,
    runs: Sequence[PlannedRun],
    device: str,
    terms: RunLimits,
    progress: Progress | None,
) -> None:
    for _ in make_runs(folder, device, terms):
        if progress is not None:
            progress(finished_count(folder, runs), len(runs))


def _with_workers(
    folder: Path,
    runs: Sequence[PlannedRun],
    seats: Sequence[Slot],
    terms: RunLimits,
    progress: Progress | None,
) -> None:
    """Start the workers, replace the dead, and stop all together when one cannot go on."""
    workers: list[Worker] = []
    finished, deaths = finished_count(folder, runs), 0
    try:
        for seat in seats:
            workers.append(Worker(folder, seat, terms))
        while workers:
            time.sleep(POLL_S)
            before, finished = finished, finished_count(folder, runs)
            if progress is not None:
                progress(finished, len(runs))
            deaths = 0 if finished > before else deaths
            for worker in list(workers):
                code = worker.exit_code()
                if code is None:
                    continue
                workers.remove(worker)
                worker.join()
                deaths += code < 0
                _require_sound(folder, worker, code, deaths, MAX_DEATHS * len(seats))
                if code != 0 and not terms.over:
                    workers.append(Worker(folder, worker.seat, terms))
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()


def _require_sound(folder: Path, worker: Worker, code: int, deaths: int, most: int) -> None:
    """Raise SweepError unless another worker may go on where this one ended."""
    if code == EXIT_CANNOT_WRITE:
        raise _cannot_write(folder, worker.last_words)
    if code not in (0, EXIT_AGAIN) and code > 0:
        raise SweepError(f"a worker could not go on: {worker.last_words or f'exit code {code}'}")
    if deaths > most:
        raise SweepError(
            f"workers died {deaths} times in a row and finished no run, the last one by signal "
            f"{-code} (9 may mean that memory ran out); finished runs are safe"
        )


def _cannot_write(folder: Path, reason: str) -> SweepError:
    return SweepError(
        f"{folder} cannot be written ({reason}); finished runs are safe, launch again to continue"
    )
