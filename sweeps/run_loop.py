"""One process making the missing runs of a sweep folder, one after the other."""

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
from sweeps.run_lock import RunLock, claimed

if TYPE_CHECKING:
    from regnet_hpo.data import DataSet

MAX_DEATHS = 3  # a run whose worker died so often without finishing an epoch is recorded as failed
SAVE_EVERY_S = 5.0  # a run's state on a GPU, where an epoch may take no longer than saving it
MAX_ALIKE = 5  # so many failures in a row for one reason are no failures of the runs
Record = dict[str, Any]


@dataclass(frozen=True)
class RunLimits:
    """Where the images lie (as for `load_dataset`), and until when runs are made.

    No run is started after `deadline` (of `time.monotonic`). With `strict` one that has begun by
    then stops after its next epoch, and can be continued.
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
    terms: RunLimits = RunLimits(),
    *,
    on_epoch: Callable[[], None] | None = None,
) -> Iterator[Record]:
    """Make every run that is not finished and that nobody else is making; yield each record.

    A record is in `done/` before it is yielded. `on_epoch` is called whenever the state of the
    current run has been saved; what it raises goes through, and the run can be continued.

    Raises SweepError where the folder is no sweep, or run after run fails for one reason;
    SpecError, DataError or MeterError where no run of it could be made here; OSError where it
    cannot be written.
    """
    from regnet_hpo.preflight import preflight
    from regnet_hpo.run_meter import meter_for
    from regnet_hpo.settings import measure_settings

    spec, runs = load_plan(folder)
    data = preflight(spec, device, terms.data_dir)
    meter_for(device, measure_settings(spec)).close()
    extra = lacking_anchor(folder, runs, fingerprint(machine_facts(device)))
    runs = runs if extra is None else [extra, *runs]

    def after_epoch() -> None:
        if on_epoch is not None:
            on_epoch()
        if terms.strict and terms.over:
            raise _TimeIsUpError

    found_one = True
    while found_one:  # once more: another worker may have left a run that was passed over
        found_one = False
        for run in runs:
            if terms.over:
                return
            try:
                record = _record_of(folder, spec, run, device, data, after_epoch)
            except _TimeIsUpError:
                return
            if record is not None:
                found_one = True
                yield record
                if record["status"] == "failed":
                    require_different_failures(folder)


class _TimeIsUpError(BaseException):
    """The deadline came in the middle of a run. No failure of the run, so no Exception."""


def lacking_anchor(folder: Path, runs: list[PlannedRun], machine: str) -> PlannedRun | None:
    """One anchor more than planned, where some were made and none went well on this machine.

    Without it the times of this machine could not be related to those of others. None where all
    runs are made and none of them here, or the further anchor was tried already.
    """
    extra_id = extra_anchor_id(machine)
    by = {_machine_of(path) for path in (folder / DONE).glob("anchor-*.json")}
    if not by or machine in by or (folder / DONE / f"{extra_id}.json").exists():
        return None
    paths = [folder / DONE / f"{run.run_id}.json" for run in runs]
    if all(path.exists() for path in paths) and machine not in map(_machine_of, paths):
        return None
    return extra_anchor(runs, extra_id)


def _machine_of(path: Path) -> str | None:
    """Who made a run, if it ended well."""
    record = record_in(path) or {}
    return str(record.get("machine")) if record.get("status") == "ok" else None


def require_different_failures(folder: Path) -> None:
    """Raise SweepError where the newest records all say that the same went wrong.

    A full GPU or an old driver would else turn the whole plan into failed runs, one by one.
    """
    records = (folder / DONE).glob("*.json")
    newest = sorted(records, key=lambda path: path.stat().st_mtime_ns)[-MAX_ALIKE:]
    made = [json.loads(path.read_bytes()) for path in newest]
    alike = {re.sub(r"[\d.]+", "#", str(record.get("reason"))) for record in made}
    if len(made) == MAX_ALIKE and len(alike) == 1 and made[-1]["status"] == "failed":
        raise SweepError(
            f"{MAX_ALIKE} runs in a row failed: {made[-1]['reason']}; mend it, then launch with "
            "--retry-failed"
        )


def forget_failed(folder: Path) -> int:
    """Remove the records of failed runs, so that they are made again; how many there were."""
    paths = sorted((folder / DONE).glob("*.json"))
    failed_ones = [p for p in paths if (record_in(p) or {}).get("status") == "failed"]
    for path in failed_ones:
        path.unlink()
    return len(failed_ones)


def _record_of(
    folder: Path,
    spec: Spec,
    run: PlannedRun,
    device: str,
    data: DataSet,
    on_epoch: Callable[[], None],
) -> Record | None:
    """The record that was made, or None where it is done already or in other hands."""
    done, work = folder / DONE / f"{run.run_id}.json", folder / WORK / run.run_id
    if done.exists() and not work.exists():
        return None
    with claimed(work) as claim:
        if claim is None:
            return None
        if done.exists():  # its worker died between the record and the clearing
            claim.clear()
            return None
        if claim.deaths >= MAX_DEATHS:
            record = failed(spec, run, f"its worker died {claim.deaths} times without an epoch")
        else:
            record = _made(spec, run, claim, device, data, on_epoch)
        write_json(done, record)
        claim.clear()
        return record


def _made(
    spec: Spec,
    run: PlannedRun,
    claim: RunLock,
    device: str,
    data: DataSet,
    on_epoch: Callable[[], None],
) -> Record:
    """The record of a run. An error in it becomes a record too; a full disk stops the worker."""
    started = datetime.datetime.now(datetime.timezone.utc)
    try:
        record = _trained(spec, run, claim, device, data, on_epoch) | identity(run)
        check_row(record, spec)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  any failure of a run is a row with its reason
        reason = f"{type(error).__name__}: {error}"
        if not isinstance(error, EahasError):
            traceback.print_exc()
            frame = traceback.extract_tb(error.__traceback__)[-1]
            reason += f" at {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        print(f"sweep: {run.run_id} failed: {reason}", file=sys.stderr)
        record = failed(spec, run, reason)
    facts = machine_facts(device)
    return record | {
        "recipe": recipe(spec),
        "machine": fingerprint(facts),
        "machine_facts": json.dumps(facts, sort_keys=True),
        "started_at": started.isoformat(timespec="seconds"),
        "software": f"eahas {eahas.__version__}, torch {facts['torch']}, "
        f"Python {platform.python_version()}",
    }


def _trained(
    spec: Spec,
    run: PlannedRun,
    claim: RunLock,
    device: str,
    data: DataSet,
    on_epoch: Callable[[], None],
) -> Record:
    """Train from the resume file, or anew where that file cannot be continued."""
    from regnet_hpo.train import train

    def saved(_: object) -> None:
        claim.got_on()
        on_epoch()

    def trained() -> Record:
        return train(
            spec,
            run.config,
            run.seed,
            resume_file=claim.resume_file,
            device=device,
            dataset=data,
            on_epoch=saved,
            save_every_s=0.0 if device == "cpu" else SAVE_EVERY_S,
        )

    try:
        return trained()
    except RecordError as error:
        print(f"sweep: {run.run_id} begins anew: {error}", file=sys.stderr)
        claim.resume_file.unlink()
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
    """What only the plan knows of a record."""
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        "split": run.split,
        "role": run.role,
    }
