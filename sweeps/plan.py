"""The first stage: write a fixed, seeded list of runs for a spec into a sweep folder.

A plan contains `configs` different configurations (with seed 0), repeats of some of them with
further seeds, and machine-speed reference runs (role `anchor`): one configuration that is trained
repeatedly, so that the times of different machines can be related. Each run has its split (train,
valid, test), so the split is fixed before the first result is seen.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eahas.checks import is_whole
from eahas.errors import SweepError, shown
from eahas.files import write_bytes
from eahas.spec.spec import Spec, spec_from_dict

SPEC_FILE, PLAN_FILE = "spec.json", "plan.jsonl"
DONE, WORK = "done", "work"  # folders: one record per finished run, one folder per run in progress
SPLIT_PATTERN = ("test", "train", "train", "valid", "train") * 2 + (
    "test",
    "train",
    "train",
    "test",
    "train",
)
ANCHOR_EVERY = 50


@dataclasses.dataclass(frozen=True)
class PlannedRun:
    """One planned run."""

    run_id: str
    config_id: str
    seed: int
    role: str  # main, repeat or anchor
    split: str  # train, valid or test; empty for an anchor
    config: Mapping[str, Any]  # flat


def plan_runs(
    spec: Spec,
    configs: int,
    *,
    seed: int = 0,
    repeats_train: int = 0,
    repeats_test: int = 0,
    repeat_seeds: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> list[PlannedRun]:
    """The runs of a sweep, in the order in which they will be made.

    Of every 15 configurations 4 are test, 2 valid and 9 train. The first `repeats_train` training
    and `repeats_test` test configurations get `repeat_seeds` more seeds. These repeats are
    interleaved, so that at any time about the same share of main runs and of repeats is finished.
    `progress` is called with (sampled, configs) during sampling.

    Raises SweepError if a count is not a whole number from 0 (`configs`, `repeat_seeds`: from 1),
    SpecError if the space has too few configurations.
    """
    for name, given, minimum in (
        ("configs", configs, 1),
        ("repeats_train", repeats_train, 0),
        ("repeats_test", repeats_test, 0),
        ("repeat_seeds", repeat_seeds, 1),
    ):
        if not is_whole(given) or given < minimum:
            raise SweepError(f"{name}={shown(given)}; allowed are whole numbers from {minimum}")
    mains = _mains(spec, configs, seed, progress)
    repeated: list[PlannedRun] = []
    for split, count in (("train", repeats_train), ("test", repeats_test)):
        repeated += [run for run in mains if run.split == split][:count]
    repeated.sort(key=lambda run: run.run_id)
    repeats = [_again(run, s) for run in repeated for s in range(1, repeat_seeds + 1)]
    return list(_with_anchors(_interleaved(mains, repeats), _anchor(spec, mains)))


def plan_list(
    spec: Spec,
    configs: int,
    *,
    seed: int = 0,
    repeat_every: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[PlannedRun]:
    """A list for an incremental sweep: the first N runs are a complete sweep for every N.

    Splits are as in `plan_runs`. One of every `repeat_every` configurations is followed by a repeat
    with seed 1 (0: none); the repeated configurations are test and train in turn.

    Raises as `plan_runs`.
    """
    for name, given, minimum in (("configs", configs, 1), ("repeat_every", repeat_every, 0)):
        if not is_whole(given) or given < minimum:
            raise SweepError(f"{name}={shown(given)}; allowed are whole numbers from {minimum}")
    runs: list[PlannedRun] = []
    due = 0
    for position, run in enumerate(mains := _mains(spec, configs, seed, progress)):
        runs.append(run)
        split = ("test", "train")[due % 2]
        if repeat_every and position >= due * repeat_every and run.split == split:
            runs.append(_again(run, 1))
            due += 1
    return list(_with_anchors(iter(runs), _anchor(spec, mains)))


def _mains(
    spec: Spec, configs: int, seed: int, progress: Callable[[int, int], None] | None
) -> list[PlannedRun]:
    """The main runs, with seed 0. A longer list starts with the runs of a shorter one."""
    sampled = spec.space.sample(configs, seed=seed, progress=progress)
    return [
        PlannedRun(f"c{i:05d}-s0", f"c{i:05d}", 0, "main", SPLIT_PATTERN[i % 15], config)
        for i, config in enumerate(spec.space.check(c) for c in sampled)
    ]


def _again(run: PlannedRun, seed: int) -> PlannedRun:
    """The repeat of a run with another seed."""
    return dataclasses.replace(run, run_id=f"{run.config_id}-s{seed}", seed=seed, role="repeat")


def plan_all(spec: Spec, *, seed: int = 0, repeat_seeds: int = 2) -> list[PlannedRun]:
    """Every configuration of the space with seed 0, then again with each further seed.

    The configurations are shuffled with `seed`, so that a drift of the machine does not affect one
    part of the space. All runs are in the test split, because no model is fitted to a table.

    Raises SpecError for a space that cannot be enumerated, SweepError for counts that are not whole
    numbers from 0 and for a space without configurations.
    """
    for name, given in (("seed", seed), ("repeat_seeds", repeat_seeds)):
        if not is_whole(given) or given < 0:
            raise SweepError(f"{name}={shown(given)}; allowed are whole numbers from 0")
    points = [spec.space.check(c) for c in spec.space.points()]
    np.random.default_rng(seed).shuffle(points)
    runs = [
        PlannedRun(f"c{i:05d}-s{s}", f"c{i:05d}", s, "repeat" if s else "main", "test", config)
        for s in range(repeat_seeds + 1)
        for i, config in enumerate(points)
    ]
    if not runs:
        raise SweepError(f"space {spec.name}: its constraints allow no configuration")
    return list(_with_anchors(iter(runs), _anchor(spec, runs[: len(points)])))


def _interleaved(mains: list[PlannedRun], repeats: list[PlannedRun]) -> Iterator[PlannedRun]:
    yielded = 0
    for done, run in enumerate(mains, start=1):
        yield run
        due = len(repeats) * done // len(mains)
        yield from repeats[yielded:due]
        yielded = due


def _anchor(spec: Spec, mains: list[PlannedRun]) -> PlannedRun:
    """The first main run of the second-shortest length: short, but not too short to be timed."""
    epochs = spec.space.fidelity
    chosen = mains[0]
    if epochs is not None:
        lengths = sorted({run.config[epochs] for run in mains})
        length = lengths[min(1, len(lengths) - 1)]
        chosen = next(run for run in mains if run.config[epochs] == length)
    return dataclasses.replace(chosen, role="anchor", split="")


def _with_anchors(runs: Iterator[PlannedRun], anchor: PlannedRun) -> Iterator[PlannedRun]:
    for position, run in enumerate(runs):
        if position % ANCHOR_EVERY == 0:
            yield dataclasses.replace(anchor, run_id=f"anchor-{position // ANCHOR_EVERY:04d}")
        yield run


def extra_anchor(runs: Sequence[PlannedRun], run_id: str) -> PlannedRun | None:
    """The additional machine-speed reference run with this name, for a machine without one.

    None if the name is not one of `extra_anchor_id`, or if the plan has no reference runs.
    """
    anchor = next((run for run in runs if run.role == "anchor"), None)
    if anchor is None or not re.fullmatch(r"anchor-[0-9a-f]{12}", run_id):
        return None
    return dataclasses.replace(anchor, run_id=run_id)


def extra_anchor_id(machine: str) -> str:
    """The run_id of the additional reference run of a machine with this fingerprint."""
    return f"anchor-{machine}"


def sample(
    spec: Spec,
    folder: Path,
    configs: int,
    *,
    seed: int = 0,
    repeats_train: int = 0,
    repeats_test: int = 0,
    repeat_seeds: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> list[PlannedRun]:
    """Plan runs and write the plan into a folder. Raises as `plan_runs` and `write_plan`."""
    runs = plan_runs(
        spec,
        configs,
        seed=seed,
        repeats_train=repeats_train,
        repeats_test=repeats_test,
        repeat_seeds=repeat_seeds,
        progress=progress,
    )
    write_plan(spec, runs, folder)
    return runs


def write_plan(spec: Spec, runs: Sequence[PlannedRun], folder: Path) -> None:
    """Write spec.json and plan.jsonl into a folder.

    Raises SweepError if the folder has another plan or another spec.
    """
    if (folder / PLAN_FILE).exists():
        existing, planned = load_plan(folder)
        if existing.source != spec.source or planned != list(runs):
            raise SweepError(f"{folder} already contains another sweep; sample into a new folder")
        return
    replace_plan(spec, runs, folder)


def replace_plan(spec: Spec, runs: Sequence[PlannedRun], folder: Path) -> None:
    """Replace spec.json and plan.jsonl atomically, each only if its content differs.

    The spec is written first, so that there is never a plan without a spec.
    """
    text = "".join(json.dumps(dataclasses.asdict(run)) + "\n" for run in runs)
    spec_text = json.dumps(dict(spec.source), indent=1, allow_nan=False) + "\n"
    for name, content in ((SPEC_FILE, spec_text.encode()), (PLAN_FILE, text.encode())):
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            write_bytes(path, content)


def load_plan(folder: Path) -> tuple[Spec, list[PlannedRun]]:
    """The spec and the runs of a sweep folder; SweepError if it is not a valid one."""
    for name in (SPEC_FILE, PLAN_FILE):
        if not (folder / name).is_file():
            raise SweepError(
                f"{folder} is not a sweep folder: {name} is missing; "
                f"create one with: eahas sweep sample SPEC --out {os.fspath(folder)}"
            )
    try:
        spec = spec_from_dict(json.loads((folder / SPEC_FILE).read_text(encoding="utf-8")))
    except ValueError as error:
        raise SweepError(f"{folder / SPEC_FILE} is damaged: {error}") from None
    runs = []
    lines = (folder / PLAN_FILE).read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            run = PlannedRun(**json.loads(line))
            _check_run(run, spec)
        except (ValueError, TypeError) as error:
            raise SweepError(f"{folder / PLAN_FILE}, line {number}: {error}") from None
        runs.append(run)
    if not runs:
        raise SweepError(f"{folder / PLAN_FILE} is empty")
    if len({run.run_id for run in runs}) < len(runs):
        raise SweepError(f"{folder / PLAN_FILE}: a run_id occurs twice")
    return spec, runs


def _check_run(run: PlannedRun, spec: Spec) -> None:
    if not isinstance(run.run_id, str) or not re.fullmatch(r"[\w-][\w.-]*", run.run_id):
        raise SweepError(f"run_id: letters, digits, '.', '_' and '-' only, got {shown(run.run_id)}")
    if not isinstance(run.seed, int) or run.seed < 0:
        raise SweepError(f"{run.run_id}: seed is a whole number from 0, got {shown(run.seed)}")
    if spec.space.check(run.config) != run.config:
        raise SweepError(f"{run.run_id}: the configuration is not in its flat, canonical form")


def require_planned(run: PlannedRun, row: Mapping[str, Any], where: str) -> None:
    """Raise SweepError unless a record has the values of the planned run."""
    fields = {name: getattr(run, name) for name in ("config_id", "seed", "role", "split")}
    for name, planned in {"run_id": run.run_id, **fields, **run.config}.items():
        if row.get(name) != planned:
            raise SweepError(
                f"{where}: {run.run_id} has {name} {shown(row.get(name))}, but the plan has "
                f"{shown(planned)}; it belongs to another sweep"
            )
