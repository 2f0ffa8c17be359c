"""The loop of one process that makes the missing runs of a sweep folder one after the other."""

from __future__ import annotations

import datetime
import json
import platform
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import eahas
from eahas.errors import EahasError, RecordError, SweepError
from eahas.files import write_json
from eahas.records.schema import check_row
from eahas.spec.spec import Spec
from sweeps.compatibility import recipe, record_in
from sweeps.machine import fingerprint, machine_facts
from sweeps.plan import DONE, WORK, PlannedRun, extra_anchor, extra_anchor_id, load_plan
from sweeps.run_lock import RunLock, lock_run

if TYPE_CHECKING:
    from regnet_hpo.data import DataSet

MAX_DEATHS = 3  # worker deaths without a finished epoch, after which a run is recorded as failed
SAVE_EVERY_S = 5.0  # between saved states on a GPU, where an epoch may be as short as saving
MAX_SAME_FAILURES = 5  # in a row for one reason; then the cause is not in the runs
Record = dict[str, Any]


@dataclass(frozen=True)
class RunLimits:
    """The folder of the images (as for `load_dataset`), and the deadline of the runs.

    No run is started after `deadline` (of `time.monotonic`). With `strict`, a run in progress then
    stops after its next epoch and can be continued.
    """

    data_dir: str | None = None
    deadline: float | None = None
    strict: bool = False

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.monotonic() > self.deadline


def make_runs(
    folder: Path,
    device: str,
    limits: RunLimits = RunLimits(),
    *,
    on_epoch: Callable[[], None] | None = None,
) -> Iterator[Record]:
    """Make every run that is not finished and not locked by another process; yield each record.

    A record is in `done/` before it is yielded. `on_epoch` is called whenever the state of the
    current run has been saved. An exception of `on_epoch` propagates; the run can be continued.

    Raises SweepError if the folder is not a sweep folder, or if several runs in a row fail for the
    same reason; SpecError, DataError or MeterError if its runs cannot be made on this device;
    OSError if the folder cannot be written.
    """
    from regnet_hpo.preflight import preflight
    from regnet_hpo.run_meter import meter_for
    from regnet_hpo.settings import measure_settings

    spec, runs = load_plan(folder)
    data = preflight(spec, device, limits.data_dir)
    meter_for(device, measure_settings(spec)).close()
    extra = lacking_anchor(folder, runs, fingerprint(machine_facts(device)))
    runs = runs if extra is None else [extra, *runs]

    def after_epoch() -> None:
        if on_epoch is not None:
            on_epoch()
        if limits.strict and limits.over:
            raise _DeadlineError

    made_one = True
    while made_one:  # repeat: a run that was locked may be free now
        made_one = False
        for run in runs:
            if limits.over:
                return
            try:
                record = _record_of(folder, spec, run, device, data, after_epoch)
            except _DeadlineError:
                return
            if record is not None:
                made_one = True
                yield record
                if record["status"] == "failed":
                    require_different_failures(folder)


class _DeadlineError(BaseException):
    """The deadline passed during a run. It is not an Exception, because the run did not fail."""


def lacking_anchor(folder: Path, runs: list[PlannedRun], machine: str) -> PlannedRun | None:
    """An additional machine-speed reference run, if this machine has no successful one.

    Without it, the times of this machine cannot be related to those of others. None if no
    reference run was made yet, if all runs are finished and none was made on this machine, or
    if the additional run was tried already.
    """
    extra_id = extra_anchor_id(machine)
    machines = {_machine_of(path) for path in (folder / DONE).glob("anchor-*.json")}
    if not machines or machine in machines or (folder / DONE / f"{extra_id}.json").exists():
        return None
    paths = [folder / DONE / f"{run.run_id}.json" for run in runs]
    if all(path.exists() for path in paths) and machine not in map(_machine_of, paths):
        return None
    return extra_anchor(runs, extra_id)


def _machine_of(path: Path) -> str | None:
    """The machine of a record with status ok, else None."""
    record = record_in(path) or {}
    return str(record.get("machine")) if record.get("status") == "ok" else None


def require_different_failures(folder: Path) -> None:
    """Raise SweepError if the newest records all failed for the same reason.

    Otherwise a full GPU or an old driver would turn the whole plan into failed runs.
    """
    paths = (folder / DONE).glob("*.json")
    newest = sorted(paths, key=lambda path: path.stat().st_mtime_ns)[-MAX_SAME_FAILURES:]
    records = [json.loads(path.read_bytes()) for path in newest]
    reasons = {re.sub(r"[\d.]+", "#", str(record.get("reason"))) for record in records}
    last = records[-1] if records else {}
    if len(records) == MAX_SAME_FAILURES and len(reasons) == 1 and last["status"] == "failed":
        raise SweepError(
            f"{MAX_SAME_FAILURES} runs in a row failed: {last['reason']}; fix the cause, then "
            "launch with --retry-failed"
        )


def forget_failed(folder: Path) -> int:
    """Remove the records of failed runs, so that they are made again. Returns their number."""
    paths = sorted((folder / DONE).glob("*.json"))
    to_remove = [p for p in paths if (record_in(p) or {}).get("status") == "failed"]
    for path in to_remove:
        path.unlink()
    return len(to_remove)


def _record_of(
    folder: Path,
    spec: Spec,
    run: PlannedRun,
    device: str,
    data: DataSet,
    on_epoch: Callable[[], None],
) -> Record | None:
    """The new record of a run; None if the run is finished or another process holds its lock."""
    done, work = folder / DONE / f"{run.run_id}.json", folder / WORK / run.run_id
    if done.exists() and not work.exists():
        return None
    with lock_run(work) as run_lock:
        if run_lock is None:
            return None
        if done.exists():  # its worker died after writing the record
            run_lock.clear()
            return None
        if run_lock.deaths >= MAX_DEATHS:
            reason = f"its worker died {run_lock.deaths} times without an epoch"
            record = failed(spec, run, reason)
        else:
            record = _made(spec, run, run_lock, device, data, on_epoch)
        write_json(done, record)
        run_lock.clear()
        return record


def _made(
    spec: Spec,
    run: PlannedRun,
    run_lock: RunLock,
    device: str,
    data: DataSet,
    on_epoch: Callable[[], None],
) -> Record:
    """The checked record of a run, or a failed record with the error. An OSError propagates."""
    started = datetime.datetime.now(datetime.timezone.utc)
    facts = machine_facts(device)
    origin = {
        "recipe": recipe(spec),
        "machine": fingerprint(facts),
        "machine_facts": json.dumps(facts, sort_keys=True),
        "started_at": started.isoformat(timespec="seconds"),
        "software": f"eahas {eahas.__version__}, torch {facts['torch']}, "
        f"Python {platform.python_version()}",
    }
    try:
        record = _trained(spec, run, run_lock, device, data, on_epoch) | identity(run) | origin
        check_row(record, spec)
        return record
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  every failure of a run becomes a record
        reason = f"{type(error).__name__}: {error}"
        if not isinstance(error, EahasError):
            traceback.print_exc()
            frame = traceback.extract_tb(error.__traceback__)[-1]
            reason += f" at {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        print(f"sweep: {run.run_id} failed: {reason}", file=sys.stderr)
        return failed(spec, run, reason) | origin


def _trained(
    spec: Spec,
    run: PlannedRun,
    run_lock: RunLock,
    device: str,
    data: DataSet,
    on_epoch: Callable[[], None],
) -> Record:
    """Train from the resume file, or from the start if that file cannot be continued."""
    from regnet_hpo.train import train

    def saved(_: object) -> None:
        run_lock.reset_deaths()
        on_epoch()

    def trained() -> Record:
        return train(
            spec,
            run.config,
            run.seed,
            resume_file=run_lock.resume_file,
            device=device,
            dataset=data,
            on_epoch=saved,
            save_every_s=0.0 if device == "cpu" else SAVE_EVERY_S,
        )

    try:
        return trained()
    except RecordError as error:
        print(f"sweep: {run.run_id} starts again: {error}", file=sys.stderr)
        run_lock.resume_file.unlink()
        return trained()


def failed(spec: Spec, run: PlannedRun, reason: str) -> Record:
    """The record of a run that could not be made."""
    return {
        **identity(run),
        "space": spec.name,
        "space_version": spec.version,
        "seed": run.seed,
        "status": "failed",
        "reason": reason,
        "epochs": 0,
        **run.config,
    }


def identity(run: PlannedRun) -> dict[str, str]:
    """The columns of a record that come from the plan."""
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        "split": run.split,
        "role": run.role,
    }
