"""The second stage: train every planned run that is not finished yet.

Each worker is a process that is pinned to its own cores or has its own GPU. It takes the next free
run, holds its run lock, trains it, and moves its record into `done/`. The operating system releases
the lock of a dead worker, so another launch continues the run from its resume file. A finished run
is never made again, and no run is made by two workers at the same time, even of two launchers.
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
from regnet_hpo.preflight import check_device, default_device, gpu_count, preflight
from regnet_hpo.run_meter import meter_for
from regnet_hpo.settings import measure_settings
from sweeps.compatibility import require_compatible, require_stated_sources
from sweeps.executors.local import EXIT_CANNOT_WRITE, EXIT_RESTART, Slot, Worker
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
    """Make the missing runs of a sweep folder. Returns the number of runs finished afterwards.

    The default device is that of `default_device`. By default there is one worker per core (per
    `threads` cores if the spec sets them), one for the whole machine if RAPL meters it, or, on
    `cuda`, one per GPU. `workers=0` makes the runs in this process. The images are read from
    `data_dir`, else from the folder in the environment variable EAHAS_DATA, else downloaded.

    No run is started after `budget_s` seconds. With `strict`, runs in progress then stop after
    their next epoch, and the next call continues them. `retry_failed` makes failed runs again.
    `allow_company` permits other processes on a metered GPU; their energy is then counted too.
    `progress` is called with (finished, planned): about twice a second with workers, after each
    run without.

    All checks run before anything is written. Raises SweepError if the folder is not a sweep folder
    or cannot be written, if its records have other images or another kind of energy source than
    the next runs, if another process is on a GPU to be metered, if an argument is not allowed, if
    several runs in a row fail for the same reason, or if workers keep dying or cannot meter;
    SpecError, DataError or MeterError if the sweep cannot be made on this device.
    """
    folder = Path(folder)
    if budget_s is not None:
        require_budget(budget_s)
    limits = RunLimits(
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
        require_compatible(folder / DONE, data, meter.source)
    slots = _slots(spec, device, workers)
    if device != "cpu" and not allow_company:
        require_no_other_processes(spec, {slot.device for slot in slots} or {device})
    if len(slots) > 1:
        slots = _without_shared_sensors(spec, device, slots, chosen=workers is not None)
    try:
        (folder / DONE).mkdir(exist_ok=True)
        if retry_failed:
            forget_failed(folder)
        if not slots:
            _without_workers(folder, runs, device, limits, progress)
    except OSError as error:
        raise _cannot_write(folder, str(error)) from error
    if slots:
        _with_workers(folder, runs, slots, limits, progress)
    return finished_count(folder, runs)


def require_budget(budget_s: float) -> None:
    """Raise SweepError unless the budget is a number of seconds from 0."""
    if not (is_number(budget_s) and budget_s >= 0):
        raise SweepError(f"budget_s={shown(budget_s)}; allowed are seconds from 0")


def finished_count(folder: Path, runs: Sequence[PlannedRun]) -> int:
    """The number of planned runs that have a record."""
    done = {path.stem for path in (folder / DONE).glob("*.json")}
    return sum(run.run_id in done for run in runs)


def _nothing_left(folder: Path, runs: list[PlannedRun], device: str) -> bool:
    """Whether all runs are finished, no worker left files, and no machine-speed run is missing."""
    if finished_count(folder, runs) < len(runs) or any((folder / WORK).glob("*")):
        return False
    check_device(device)
    return lacking_anchor(folder, runs, fingerprint(machine_facts(device))) is None


def _require_workers(workers: int | None) -> None:
    if workers is not None and not (is_whole(workers) and workers >= 0):
        raise SweepError(f"workers={shown(workers)}; allowed are whole numbers from 0")


def _slots(spec: Spec, device: str, workers: int | None) -> list[Slot]:
    """One slot per worker. More workers than cores or GPUs share them in turn."""
    if device == "cuda":
        slots = [Slot(f"cuda:{index}") for index in range(gpu_count())]
    elif device != "cpu":
        slots = [Slot(device)]
    else:
        cores, each = sorted(os.sched_getaffinity(0)), max(1, measure_settings(spec).threads)
        starts = range(0, max(1, len(cores) - each + 1), each)
        slots = [Slot(device, tuple(cores[start : start + each])) for start in starts]
    count = len(slots) if workers is None else workers
    return [slots[index % len(slots)] for index in range(count)]


def require_no_other_processes(spec: Spec, devices: set[str]) -> None:
    """Raise SweepError if other processes use a device, because their energy would be counted."""
    for device in sorted(devices):
        with meter_for(device, measure_settings(spec)) as meter:
            others = meter.others()
        if others:
            raise SweepError(
                f"{device}: other processes are on it ({', '.join(map(str, others))}), and their "
                "energy would be counted in every run; end them, or use --allow-company"
            )


def _without_shared_sensors(
    spec: Spec, device: str, slots: list[Slot], *, chosen: bool
) -> list[Slot]:
    """The slots, reduced to one if workers would share a sensor.

    A shared sensor counts the energy of all workers in every run. Raises SweepError if the user
    has `chosen` the number of workers.
    """
    with meter_for(device, measure_settings(spec)) as meter:
        source = meter.source
    exclusive = measure_settings(spec).window_s > 0  # a window is metered under a device lock
    several = len(set(slots)) < len(slots) and not exclusive
    shared = source == RAPL or (source != ESTIMATED and several)
    if not shared:
        return slots
    if chosen:
        allowed = 1 if source == RAPL else len(set(slots))
        raise SweepError(
            f"workers={len(slots)}: {source} would count the energy of all of them in every run; "
            f"allowed: {allowed}, or measurement: energy: {ESTIMATED} in the spec"
        )
    return [Slot(device)]


def _without_workers(
    folder: Path,
    runs: Sequence[PlannedRun],
    device: str,
    limits: RunLimits,
    progress: Progress | None,
) -> None:
    for _ in make_runs(folder, device, limits):
        if progress is not None:
            progress(finished_count(folder, runs), len(runs))


def _with_workers(
    folder: Path,
    runs: Sequence[PlannedRun],
    slots: Sequence[Slot],
    limits: RunLimits,
    progress: Progress | None,
) -> None:
    """Start the workers, replace dead ones, and stop all if one cannot continue."""
    workers: list[Worker] = []
    finished, deaths = finished_count(folder, runs), 0
    try:
        for slot in slots:
            workers.append(Worker(folder, slot, limits))
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
                _require_replaceable(folder, worker, code, deaths, MAX_DEATHS * len(slots))
                if code != 0 and not limits.over:
                    workers.append(Worker(folder, worker.slot, limits))
    finally:
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join()


def _require_replaceable(
    folder: Path, worker: Worker, code: int, deaths: int, max_deaths: int
) -> None:
    """Raise SweepError unless another worker may continue in place of this one."""
    if code == EXIT_CANNOT_WRITE:
        raise _cannot_write(folder, worker.error_text)
    if code not in (0, EXIT_RESTART) and code > 0:
        raise SweepError(f"a worker failed: {worker.error_text or f'exit code {code}'}")
    if deaths > max_deaths:
        raise SweepError(
            f"workers died {deaths} times in a row and finished no run, the last one by signal "
            f"{-code} (9 may mean that memory ran out); finished runs are kept"
        )


def _cannot_write(folder: Path, reason: str) -> SweepError:
    return SweepError(
        f"{folder} cannot be written ({reason}); finished runs are kept, launch again to continue"
    )
