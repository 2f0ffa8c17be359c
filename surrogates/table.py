"""From the records of a space that was trained whole to the folder of a tabular benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eahas.benchmark.storage.benchmark_folder import write_benchmark
from eahas.errors import FitError, shown
from eahas.models.table import Table
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.records.schema import check_rows
from eahas.spec.spec import Spec
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.data.progress import Report
from surrogates.evaluation.quality import on_repeated, quality, references
from surrogates.uncertainty.seed_variance import at_positions, studied

Array = np.ndarray
NAME = "table"
JUDGED = (
    "one run of each configuration (its third, or its last) predicted by a table of the others: "
    "what a new seed's run would show, not what is left to predict, for nothing is"
)


@dataclass(frozen=True)
class Made:
    """The table of a benchmark, the runs in it, and how well one seed tells another."""

    spec: Spec
    runs: Runs
    table: Table
    quality: Mapping[str, Any]


def make(
    spec: Spec,
    rows: Sequence[Mapping[str, Any]],
    *,
    partial: bool = False,
    resamples: int = 200,
    report: Report | None = None,
) -> Made:
    """The table of records, judged by leaving out one seed.

    Rows that are not `Records` are checked first. Raises RecordError as `check_rows`; FitError if
    configurations have no run, unless it is to be `partial`; where a configuration has two runs of
    one seed; where a target has no value, or on a log scale one that is not positive. SpecError for
    a space that cannot be listed.
    """
    runs = runs_from_records(check_rows(rows, spec), spec)
    table = tabled(runs)
    missing = table.points - len(table.flats)
    if missing and not partial:
        first = next(p for p in spec.space.points() if spec.space.check(p) not in table.flats)
        raise FitError(
            f"{missing:,} of the {table.points:,} configurations of space {spec.name} have no run, "
            f"the first of them {shown(first)}; finish the sweep, or leave them out with --partial"
        )
    found = judged(runs, resamples=resamples, report=report)
    return Made(spec, runs, table, found)


def tabled(runs: Runs) -> Table:
    """The table of runs; configurations without one are left out. Raises as `make`."""
    space = runs.spec.space
    listed = [space.check(point) for point in space.points()]
    placed = {_key(flat): k for k, flat in enumerate(listed)}
    of_run = np.array([placed[_key(space.check(config))] for config in runs.configs])
    kept, row = np.unique(of_run, return_inverse=True)
    seeds, column = np.unique(runs.seed, return_inverse=True)
    present = np.zeros((len(kept), len(seeds)), dtype=bool)
    present[row, column] = True
    if present.sum() < len(runs):
        pairs = Counter(zip(runs.config_id.tolist(), runs.seed.tolist(), strict=True))
        (name, seed), _ = pairs.most_common(1)[0]
        raise FitError(f"configuration {name} has two runs of seed {seed}; a table takes one")
    flats = tuple(listed[k] for k in kept.tolist())
    epochs = np.zeros(len(kept), dtype=int)
    epochs[row] = runs.epochs
    values, seed_variance, error_quantiles = {}, {}, {}
    for target in runs.spec.targets:
        name, seen = target.name, _bounded(runs.values_of(target), target)
        found = np.full((*present.shape, *seen.shape[1:]), np.nan, dtype=seen.dtype)
        found[row, column] = seen
        linked = np.log(found) if on_log_scale(target) else found.astype(float)
        few = at_positions(linked, epochs) if target.kind == "curve" else linked[..., None]
        values[name] = found
        seed_variance[name], error_quantiles[name] = studied(few)
    return Table(
        spec=runs.spec,
        name=NAME,
        flats=flats,
        seeds=tuple(seeds.tolist()),
        present=present,
        points=len(listed),
        values=values,
        seed_variance=seed_variance,
        error_quantiles=error_quantiles,
        primary=runs.spec.targets[0].name,
        manifest={},
    )


def _key(flat: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(flat.items())


def _bounded(seen: Array, target: Target) -> Array:
    """What is seen of a target, inside its bounds, which single precision may leave by a digit.

    Raises FitError where no run has a value, or one on a log scale is not positive.
    """
    if not np.isfinite(seen).any():
        raise FitError(f"no run has a value of {target.name}")
    if on_log_scale(target) and (seen <= 0).any():
        raise FitError(f"{target.name} is on a log scale and holds a value that is not positive")
    stored = seen.astype(np.float32 if target.kind == "curve" else np.float64)
    bounded: Array = np.clip(stored, target.low, target.high)
    return bounded


def judged(runs: Runs, *, resamples: int = 200, report: Report | None = None) -> dict[str, Any]:
    """The `quality` of a table's manifest: see JUDGED, which stands in it too.

    Everything of the judging table, its deviations and laws too, comes from the other runs.
    """
    test = replace(runs, split=np.full(len(runs), "test"))
    out = _left_out(test)
    if not out.any():
        nothing: dict[str, Any] = {"targets": {}}
        return {
            "judged": JUDGED,
            "held_out": {"runs": 0, **nothing},
            "repeated": {"configurations": 0, **nothing},
            "references": {"configurations": 0, **nothing},
        }
    models: Any = [tabled(test.where(~out))]
    held_out = quality(models, test.where(out), resamples=resamples, report=report)
    thirds = Counter(test.config_id.tolist())
    if min(thirds.values()) > 2:  # what is judged is what the references are judged on
        repeated = {"configurations": held_out["runs"], "targets": held_out["targets"]}
    else:
        repeated = on_repeated(models, test, resamples=resamples, report=report)
    return {
        "judged": JUDGED,
        "held_out": held_out,
        "repeated": repeated,
        "references": references(test, resamples=resamples, report=report),
    }


def _left_out(runs: Runs) -> Array:
    """Of each configuration with several runs the third, or the last where there are two."""
    of: dict[str, list[int]] = {}
    for i in np.lexsort((runs.seed, runs.config_id)).tolist():
        of.setdefault(str(runs.config_id[i]), []).append(i)
    out = np.zeros(len(runs), dtype=bool)
    out[[rows[min(2, len(rows) - 1)] for rows in of.values() if len(rows) > 1]] = True
    return out


def save(
    made: Made,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    name: str | None = None,
    version: int | None = None,
) -> None:
    """Write the benchmark folder: manifest, the table's folder, the records.

    `name` is the benchmark's own, by default that of its space; `version` by default the spec's.
    """
    table = made.table
    runs_of = Counter(table.present.sum(axis=1).tolist())
    facts = {
        "configurations": table.points,
        "seeds": list(table.seeds),
        "configurations_with_runs": {str(k): runs_of[k] for k in sorted(runs_of)},
    }
    write_benchmark(
        folder,
        made.spec,
        [table],
        rows,
        noise=dict.fromkeys(table.values, "repeats"),
        quality=made.quality,
        entries={"table": facts},
        name=name,
        version=version,
    )
