"""Incremental sweeps: each call makes the next runs of a fixed list and adds them to a store.

The store is one records file. A GPU that is available for ten minutes now and then is enough: each
call restores the runs of the store, makes the next ones, and collects. The section `sweep` of the
spec defines the list.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eahas.errors import SpecError, SweepError
from eahas.records.parquet import read_records
from eahas.settings import number
from eahas.spec.spec import Spec
from regnet_hpo.settings import SpecSettings
from sweeps.collect import collect
from sweeps.compatibility import record_in
from sweeps.launch import finished_count, launch, require_budget
from sweeps.machine_speed import unrelated
from sweeps.plan import (
    DONE,
    PLAN_FILE,
    WORK,
    PlannedRun,
    load_plan,
    plan_list,
    replace_plan,
)
from sweeps.restore import identifying_facts, prefer, restore_records
from sweeps.run_lock import RESUME_FILE
from sweeps.run_loop import forget_failed

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SweepSettings(SpecSettings):
    """The section `sweep` of a spec: the number of configurations and the seed of their sampling.

    One of every `repeat_every` configurations is trained with a second seed (0: none).
    """

    section = "sweep"

    configs: int = number(1000, 1)
    seed: int = number(0)
    repeat_every: int = number(10)


@dataclass(frozen=True)
class Increment:
    """The result of one call: planned runs in the store `before` and `after`, and `made` by it.

    `status` has the number of records in the store for each status. `unrelated` has, for each
    machine, the number of runs whose times cannot be related to other machines yet.
    """

    store: Path
    before: int
    after: int
    made: int
    planned: int
    seconds: float
    status: Mapping[str, int]
    unrelated: Mapping[str, int]


def listed_runs(spec: Spec) -> list[PlannedRun]:
    """The fixed list of runs of a spec. Raises SpecError for a bad section `sweep`."""
    settings = SweepSettings().changed(spec.sweep)
    count = settings.configs
    try:
        return plan_list(spec, count, seed=settings.seed, repeat_every=settings.repeat_every)
    except SpecError as error:
        field = "configs" if "configs" in spec.sweep else "configs, which is not given,"
        raise SpecError(f"{spec.name}: sweep: {field} is {count:,}: {error}") from None


def work_folder(store: Path) -> Path:
    """The sweep folder beside a store. If it is deleted, only the runs in progress are lost."""
    return store.with_name(f".{store.stem}.sweep")


def run_increment(
    spec: Spec,
    store: Path,
    budget_s: float,
    *,
    device: str | None = None,
    workers: int | None = None,
    data_dir: str | Path | None = None,
    retry_failed: bool = False,
    allow_company: bool = False,
    progress: Progress | None = None,
) -> Increment:
    """Make the next runs of the spec's list for `budget_s` seconds, and add them to the store.

    The budget starts with the call and includes the time for reading the images.

    The store is a records file; a missing one is created. It is replaced atomically by a file that
    contains all its runs, so no record is ever lost. A run that the budget interrupts is continued
    by the next call if the folder beside the store is kept. `retry_failed` makes failed runs again;
    their old records stay until then.

    Raises SweepError if the store belongs to another sweep, if the budget ends before any run does,
    and as `launch`; runs that were finished until then are in the store.
    """
    require_budget(budget_s)
    started = time.monotonic()
    store = Path(store)
    runs, folder = listed_runs(spec), work_folder(store)
    stored = read_records(store, spec) if store.exists() else None
    _plan_in(folder, spec, runs)
    if stored is not None:
        restore_records(folder, stored, store)
        prefer(folder, stored)
    if retry_failed:
        forget_failed(folder)
    planned = {run.run_id for run in runs}
    in_store = {row["run_id"]: identifying_facts(row) for row in stored or ()}
    done_before = _done(folder)
    try:
        launch(
            folder,
            workers=workers,
            device=device,
            data_dir=data_dir,
            allow_company=allow_company,
            budget_s=max(0.0, budget_s - (time.monotonic() - started)),
            strict=True,
            progress=progress,
        )
    finally:
        done = _done(folder)
        new = {run_id for run_id in done if in_store.get(run_id) != done[run_id]}
        if stored is not None:  # also failed runs that were not made again
            restore_records(folder, stored, store)
        # `new` also contains runs that an earlier call finished and was killed before collecting.
        records = collect(folder, store, related=False)[1] if new else stored
    if done == done_before and finished_count(folder, runs) < len(runs):
        saved = any(folder.glob(f"{WORK}/*/{RESUME_FILE}"))
        option = " with --retry-failed" * retry_failed
        kept = f"the next call{option} continues the runs in progress, which are kept in {folder}"
        raise SweepError(
            f"a budget of {budget_s:g} s ended before any run did; "
            f"{kept if saved else 'none had finished an epoch'}; use a longer budget"
        )
    assert records is not None  # a store without records and without new runs is an error above
    return Increment(
        store,
        before=sum(run_id in planned for run_id in in_store),
        after=sum(row["run_id"] in planned for row in records),
        made=len(new & planned),
        planned=len(runs),
        seconds=time.monotonic() - started,
        status=records.counts("status"),
        unrelated=unrelated(records),
    )


def _done(folder: Path) -> dict[str, tuple[Any, ...]]:
    """The identifying facts of every record in a folder, by its run_id."""
    paths = (folder / DONE).glob("*.json")
    return {path.stem: identifying_facts(record_in(path) or {}) for path in paths}


def _plan_in(folder: Path, spec: Spec, runs: Sequence[PlannedRun]) -> None:
    """Write the plan into the folder, replacing a shorter list of the same spec or an unused plan.

    Raises SweepError if the folder has runs of another spec or list.
    """
    used = any(any(folder.glob(f"{stage}/*")) for stage in (DONE, WORK))
    if used and (folder / PLAN_FILE).exists() and not _is_prefix(folder, spec, runs):
        raise SweepError(
            f"{folder} has runs of another spec or list than that of {spec.name} now; use another "
            "--store, or remove this folder if its runs are not needed"
        )
    replace_plan(spec, runs, folder)


def _is_prefix(folder: Path, spec: Spec, runs: Sequence[PlannedRun]) -> bool:
    """Whether the list of a folder is the start of this one: `configs` may have been raised."""
    old_spec, planned = load_plan(folder)
    old, new = (dict(each.source) | {"sweep": None} for each in (old_spec, spec))
    return old == new and planned == list(runs[: len(planned)])
