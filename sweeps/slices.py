"""A long sweep in slices: the next runs of a fixed list, appended to one store of records.

A GPU that is at hand for ten minutes now and then is enough: each slice restores what the store
holds, makes what comes next, and collects. The list stands in the spec's section `sweep`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eahas.errors import SweepError
from eahas.records import read_records
from eahas.spec import Spec
from regnet_hpo.settings import bounded, build
from sweeps.collect import collect
from sweeps.launch import launch
from sweeps.plan import DONE, PLAN_FILE, SPEC_FILE, WORK, PlannedRun, plan_list, write_plan
from sweeps.restore import restore
from sweeps.work import forget_failed

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SweepSettings:
    """The section `sweep` of a spec: how many configurations, drawn with which seed.

    One of every `repeat_every` configurations is trained with a second seed.
    """

    configs: int = bounded(1000, 1)
    seed: int = bounded(0)
    repeat_every: int = bounded(10)


@dataclass(frozen=True)
class Slice:
    """What a slice did: runs in the store `before` and `after` it, of so many `planned`."""

    store: Path
    before: int
    after: int
    planned: int
    seconds: float


def listed(spec: Spec) -> list[PlannedRun]:
    """The fixed list of a spec's runs. Raises SpecError for a bad section `sweep`."""
    settings = build("sweep", SweepSettings, spec.sweep)
    return plan_list(spec, settings.configs, seed=settings.seed, repeat_every=settings.repeat_every)


def work_folder(store: Path) -> Path:
    """The sweep folder beside a store; without it only runs that had begun are lost."""
    return store.with_name(f".{store.stem}.sweep")


def run_slice(
    spec: Spec,
    store: Path,
    budget_s: float,
    *,
    device: str = "cpu",
    workers: int | None = None,
    data_dir: str | Path | None = None,
    retry_failed: bool = False,
    allow_company: bool = False,
    progress: Progress | None = None,
) -> Slice:
    """Make the next runs of the spec's list for `budget_s` seconds, and add them to the store.

    The store is a records file; a missing one is begun. Its records stay, whatever happens: it is
    replaced by a longer one in one move. A run that the budget cuts off is continued by the next
    slice, as long as the folder beside the store is kept. `retry_failed` has failed runs made
    again; until they are, their rows may be gone.

    Raises SweepError where the store holds another sweep, the budget ends before any run does, and
    as `launch` does; what was finished until then is in the store.
    """
    store = Path(store)
    runs, folder = listed(spec), work_folder(store)
    stored = len(read_records(store, spec)) if store.exists() else 0
    _forget_unused_plan(folder)
    write_plan(spec, runs, folder)
    if stored:
        restore(folder, store)
    if retry_failed:
        forget_failed(folder)
    before = _finished(folder)
    started = time.monotonic()
    try:
        launch(
            folder,
            workers=workers,
            device=device,
            data_dir=data_dir,
            allow_company=allow_company,
            budget_s=budget_s,
            strict=True,
            progress=progress,
        )
    finally:
        after = _finished(folder)
        if after > min(before, stored):  # also what a slice that was killed left uncollected
            collect(folder, store)
    if after == before < len(runs):
        raise SweepError(
            f"a budget of {budget_s:g} s ended before any run did; what has begun is kept in "
            f"{folder} and goes on with the next slice: give it a longer budget"
        )
    return Slice(store, stored, after, len(runs), time.monotonic() - started)


def _forget_unused_plan(folder: Path) -> None:
    """A call that failed before any run began has left nothing to keep."""
    if not any(any(folder.glob(f"{stage}/*")) for stage in (DONE, WORK)):
        for name in (PLAN_FILE, SPEC_FILE):
            (folder / name).unlink(missing_ok=True)


def _finished(folder: Path) -> int:
    return len(list((folder / DONE).glob("*.json")))
