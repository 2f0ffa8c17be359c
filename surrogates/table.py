"""From the records of a completely trained space to the folder of a tabular benchmark."""

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
from eahas.models.uncertainty.distribution import LOG_OF_ZERO, on_log_scale, to_log_scale
from eahas.records.schema import check_rows
from eahas.spec.spec import Spec
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.data.energies import checked_energies, require_sources
from surrogates.data.progress import Report
from surrogates.evaluation.quality import on_repeated, quality, references
from surrogates.uncertainty.seed_variance import at_positions, fit_seed_variance

Array = np.ndarray
NAME = "table"
JUDGED = (
    "one run of each configuration (its third, or its last) predicted by a table of the others: "
    "this shows how well the other seeds predict the run of a new seed"
)


@dataclass(frozen=True)
class Made:
    """The table of a benchmark, its runs, and how well the other seeds predict a run."""

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
    """Make a table of records, and evaluate it by leaving out one seed.

    Args:
        spec: the spec of the records.
        rows: the records; rows that are not `Records` are checked first.
        partial: whether configurations without a run are allowed.
        resamples: number of bootstrap resamples for the intervals of the metrics.
        report: called with the progress.

    Raises:
        FitError: configurations have no run and the table is not `partial`, a configuration has two
            runs with the same seed, a target has no value, or a target on a log scale has a value
            that is not positive, an energy has no source, or the energies of the runs have
            different boundaries.
        RecordError: as in `check_rows`.
        SpecError: the space cannot be listed.
    """
    require_sources(rows, spec)
    records = check_rows(rows, spec)
    checked_energies(records, spec)
    runs = runs_from_records(records, spec)
    table = build_table(runs)
    missing = table.points - len(table.flats)
    if missing and not partial:
        first = next(p for p in spec.space.points() if spec.space.check(p) not in table.flats)
        raise FitError(
            f"{missing:,} of the {table.points:,} configurations of space {spec.name} have no run, "
            f"the first of them {shown(first)}; finish the sweep, or leave them out with --partial"
        )
    metrics = table_quality(runs, resamples=resamples, report=report)
    return Made(spec, runs, table, metrics)


def build_table(runs: Runs) -> Table:
    """The table of runs, without configurations that have no run.

    Raises:
        FitError: as in `make`.
    """
    space = runs.spec.space
    listed = [space.check(point) for point in space.points()]
    index = {_key(flat): k for k, flat in enumerate(listed)}
    run_index = np.array([index[_key(space.check(config))] for config in runs.configs])
    kept, row = np.unique(run_index, return_inverse=True)
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
        name, lengths = target.name, target.schedule.counts(epochs)
        observed = _bounded(runs.only([name]).values_of(target), target)
        entries = np.full((*present.shape, *observed.shape[1:]), np.nan, dtype=observed.dtype)
        entries[row, column] = observed
        scaled = to_log_scale(target, entries)
        sampled = at_positions(scaled, lengths) if target.kind == "curve" else scaled[..., None]
        values[name] = entries
        seed_variance[name], error_quantiles[name] = fit_seed_variance(sampled)
        if target.kind == "curve" and target.cumulative:  # values of 0 do not vary
            varies = (np.nan_to_num(sampled, nan=LOG_OF_ZERO) > LOG_OF_ZERO).any(axis=(0, 1))
            _, error_quantiles[name] = fit_seed_variance(sampled[..., varies])
    for target in runs.spec.curves:
        if target.total is not None:
            error_quantiles[target.name] = error_quantiles[target.total]
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


def _bounded(observed: Array, target: Target) -> Array:
    """The values of a target, clipped to its bounds after rounding to single precision.

    Raises:
        FitError: no run has a value, or a value of a target on a log scale is not positive.
    """
    if not np.isfinite(observed).any():
        raise FitError(f"no run has a value of {target.name}")
    cumulative = target.kind == "curve" and target.cumulative
    if on_log_scale(target) and ((observed < 0) if cumulative else (observed <= 0)).any():
        raise FitError(f"{target.name} is on a log scale and has a value that is not positive")
    single = target.kind == "curve" and not cumulative
    stored = observed.astype(np.float32 if single else np.float64)
    bounded: Array = np.clip(stored, target.low, target.high)
    return bounded


def table_quality(
    runs: Runs, *, resamples: int = 200, report: Report | None = None
) -> dict[str, Any]:
    """The `quality` of a table's manifest, which contains the explanation JUDGED.

    The table that is evaluated, with its seed variance and its error quantiles, is made of the
    other runs only.
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
    models: Any = [build_table(test.where(~out))]
    held_out = quality(models, test.where(out), resamples=resamples, report=report)
    runs_per_config = Counter(test.config_id.tolist())
    if min(runs_per_config.values()) > 2:  # then the left-out runs are those of the references
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
    """A mask of the third run of each configuration; of the second if it has two."""
    by_config: dict[str, list[int]] = {}
    for i in np.lexsort((runs.seed, runs.config_id)).tolist():
        by_config.setdefault(str(runs.config_id[i]), []).append(i)
    out = np.zeros(len(runs), dtype=bool)
    out[[rows[min(2, len(rows) - 1)] for rows in by_config.values() if len(rows) > 1]] = True
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
        check_rows(rows, made.spec),
        noise=dict.fromkeys(table.values, "repeats"),
        quality=made.quality,
        entries={"table": facts},
        name=name,
        version=version,
    )
