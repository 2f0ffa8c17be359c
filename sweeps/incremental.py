"""A long sweep in slices: the next runs of a fixed list, appended to one store of records.

A GPU that is at hand for ten minutes now and then is enough: each slice restores what the store
holds, makes what comes next, and collects. The list stands in the spec's section `sweep`.
"""

from __future__ import annotations

import time
from collections import Counter
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
from sweeps.restore import marks, prefer, restore
from sweeps.run_lock import RESUME_FILE
from sweeps.run_loop import forget_failed

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SweepSettings(SpecSettings):
    """The section `sweep` of a spec: how many configurations, drawn with which seed.

    One of every `repeat_every` configurations is trained with a second seed.
    """

    section = "sweep"

    configs: int = number(1000, 1)
    seed: int = number(0)
    repeat_every: int = number(10)


@dataclass(frozen=True)
class Slice:
    """What a slice did: planned runs in the store `before` and `after` it, and `made` by it.

    `status` counts all rows of the store by how they ended, `unrelated` by machine the runs whose
    times no anchor relates to other machines' yet.
    """

    store: Path
    before: int
    after: int
    made: int
    planned: int
    seconds: float
    status: Mapping[str, int]
    unrelated: Mapping[str, int]


def listed(spec: Spec) -> list[PlannedRun]:
    """The fixed list of a spec's runs. Raises SpecError for a bad section `sweep`."""
    settings = SweepSettings().changed(spec.sweep)
    count = settings.configs
    try:
        return plan_list(spec, count, seed=settings.seed, repeat_every=settings.repeat_every)
    except SpecError as error:
        stated = "configs" if "configs" in spec.sweep else "configs, which is not given,"
        raise SpecError(f"{spec.name}: sweep: {stated} is {count:,}: {error}") from None


def work_folder(store: Path) -> Path:
    """The sweep folder beside a store; without it only runs that had begun are lost."""
    return store.with_name(f".{store.stem}.sweep")


def run_slice(
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
) -> Slice:
    """Make the next runs of the spec's list for `budget_s` seconds, and add them to the store.

    The seconds count from the call: what it takes to read the images is part of them.

    The store is a records file; a missing one is begun. Its records stay, whatever happens: it is
    replaced in one move by one that has all its runs. A run that the budget cuts off is continued
    by the next slice, as long as the folder beside the store is kept. `retry_failed` has failed
    runs made again; their rows stay until they are.

    Raises SweepError where the store holds another sweep, the budget ends before any run does, and
    as `launch` does; what was finished until then is in the store.
    """
    require_budget(budget_s)
    started = time.monotonic()
    store = Path(store)
    runs, folder = listed(spec), work_folder(store)
    stored = read_records(store, spec) if store.exists() else []
    _plan_in(folder, spec, runs)
    if stored:
        restore(folder, store)
        prefer(folder, stored)
    if retry_failed:
        forget_failed(folder)
    planned = {run.run_id for run in runs}
    in_store, begun_with = {row["run_id"]: marks(row) for row in stored}, _done(folder)
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
        if stored:  # also failed runs that were not made again
            restore(folder, store)
        if new:  # also what a slice that was killed left uncollected
            collect(folder, store, related=False)
    if done == begun_with and finished_count(folder, runs) < len(runs):
        begun = any(folder.glob(f"{WORK}/*/{RESUME_FILE}"))
        how = " with --retry-failed" * retry_failed
        left = f"what has begun is kept in {folder} and goes on with the next slice{how}"
        raise SweepError(
            f"a budget of {budget_s:g} s ended before any run did; "
            f"{left if begun else 'none had finished an epoch'}; give it a longer budget"
        )
    rows = read_records(store, spec)
    return Slice(
        store,
        before=sum(row["run_id"] in planned for row in stored),
        after=sum(row["run_id"] in planned for row in rows),
        made=len(new & planned),
        planned=len(runs),
        seconds=time.monotonic() - started,
        status=Counter(row["status"] for row in rows),
        unrelated=unrelated(rows),
    )


def _done(folder: Path) -> dict[str, tuple[Any, ...]]:
    """The marks of every record in a folder by its run."""
    paths = (folder / DONE).glob("*.json")
    return {path.stem: marks(record_in(path) or {}) for path in paths}


def _plan_in(folder: Path, spec: Spec, runs: Sequence[PlannedRun]) -> None:
    """Have the list in the folder, in place of a shorter one of the same spec or an unused one.

    Raises SweepError where the folder has runs of another spec or list.
    """
    used = any(any(folder.glob(f"{stage}/*")) for stage in (DONE, WORK))
    if used and (folder / PLAN_FILE).exists() and not _begins(folder, spec, runs):
        raise SweepError(
            f"{folder} keeps runs of another spec or list than {spec.name} is now; name another "
            "--store, or remove that folder if nothing in it is wanted"
        )
    replace_plan(spec, runs, folder)


def _begins(folder: Path, spec: Spec, runs: Sequence[PlannedRun]) -> bool:
    """Whether a folder's list is this one or its beginning: `configs` may have been raised."""
    there, planned = load_plan(folder)
    kept, now = (dict(each.source) | {"sweep": None} for each in (there, spec))
    return kept == now and planned == list(runs[: len(planned)])
