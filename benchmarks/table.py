"""How a surrogate ranks configurations that were all trained, beside what one seed's run would.

    python -m benchmarks.table [--table FOLDER_OR_NAME] [--surrogate NAME]

The truth is a tabular benchmark: of each configuration the mean over its seeds (of costs the
geometric one), of curves at the last epoch. None of its runs may be among those that the surrogate
was fitted to, and configurations that both have are left out. One seed's run, as a predictor, is
held against the mean of the other seeds, and so is the surrogate beside it. Brackets are 95 %
intervals of a bootstrap over the configurations; fronts and regrets hang on a few extremes, of
which a bootstrap says nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.held_out import cell, trust_cells
from eahas import api
from eahas.benchmark.benchmark import RECORDS, Benchmark
from eahas.benchmark.optima import true_values
from eahas.benchmark.storage.registry import shipped
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.pareto import hypervolume, pareto_rows
from eahas.records.parquet import read_records
from eahas.records.schema import check_rows, config_of
from eahas.spec.targets import Target
from surrogates.data.dataset import runs_from_records
from surrogates.evaluation.metrics import (
    best_quarter_tau,
    kendall_tau,
    r2,
    resamplings,
    with_interval,
)
from surrogates.evaluation.uncertainty_metrics import LEVELS, trust

Array = np.ndarray
TABLE, SURROGATE = "regnet-digits-table", "regnet-digits"
RESAMPLES = 200
TARGETS = ("valid", "test", "runtime_s", "train_energy_j", "test_energy_j")
ERROR_OF, COSTS = "test", ("train_energy_j", "runtime_s")
TRUSTED = (1, 10, 50)


@dataclass(frozen=True)
class Compared:
    """n configurations that only the table has, with `counts` of those it has in all and shared.

    By target: `truth` (n,), every seed's `runs` (n, S) with NaN where there is none, and what the
    surrogate `predicted` (n,).
    """

    counts: tuple[int, int]
    targets: tuple[Target, ...]
    truth: Mapping[str, Array]
    runs: Mapping[str, Array]
    predicted: Mapping[str, Array]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", help=f"name or folder; default: {TABLE}")
    parser.add_argument("--surrogate", default=SURROGATE, help=f"default: {SURROGATE}")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    arguments = parser.parse_args(argv)
    if arguments.table is None and not any(name.startswith(f"{TABLE}@") for name in shipped()):
        print(f"{TABLE} does not ship with this checkout; name a folder with --table")
        return
    table = api.load_benchmark(arguments.table or TABLE)
    surrogate = api.load_benchmark(arguments.surrogate)
    require_apart(identities(table), identities(surrogate))
    found = compared(table, surrogate)
    for line in report(found, table, surrogate, arguments.resamples):
        print(line)


def identities(bench: Benchmark) -> set[tuple[Any, ...]]:
    """Of each run its configuration, seed and start."""
    rows = read_records(bench.folder / RECORDS, bench.spec)
    return {
        (_key(config_of(row, bench.spec)), row["seed"], row.get("started_at"))
        for row in rows.in_splits
    }


def require_apart(of_table: set[tuple[Any, ...]], of_surrogate: set[tuple[Any, ...]]) -> None:
    """No run of the table is one of the surrogate's."""
    shared = of_table & of_surrogate
    assert not shared, f"{len(shared)} runs stand in both, the first of them {min(shared)}"


def compared(table: Benchmark, surrogate: Benchmark) -> Compared:
    """The table beside the surrogate's predictions. Raises ConfigError for another space."""
    assert table.table is not None, f"{table.id} is no table"
    known = {config for config, _, _ in identities(surrogate)}
    flats = table.table.flats
    kept = np.array([_key(flat) not in known for flat in flats])
    configs = [dict(flat) for flat, new in zip(flats, kept, strict=True) if new]
    prediction = surrogate.predict(configs)
    last = np.asarray(prediction.epochs) - 1
    targets = tuple(t for t in table.targets if t.name in TARGETS and t in surrogate.targets)
    truth, runs, predicted = {}, {}, {}
    for target in targets:
        name = target.name
        seen, told = table.table.values[name][kept].astype(float), prediction
        if target.kind == "curve":
            seen = np.take_along_axis(seen, last[:, None, None], axis=2)[:, :, 0]
            predicted[name] = told.curves[name][np.arange(len(last)), last]
        else:
            predicted[name] = getattr(told, name)
        truth[name], runs[name] = true_values(table.table, name)[kept], seen
    return Compared((len(flats), int((~kept).sum())), targets, truth, runs, predicted)


def report(
    found: Compared, table: Benchmark, surrogate: Benchmark, resamples: int
) -> Iterator[str]:
    """The Markdown lines."""
    total, shared = found.counts
    assert table.table is not None
    yield (
        f"`{table.id}`: {total} of {table.table.points} configurations with up to "
        f"{table.table.members} seeds; energy: {table.energy_source}. `{surrogate.id}` was fitted "
        f"to none of its runs; {shared} of the configurations stand among those that "
        f"it knows and are left out. In brackets the 95 % bootstrap interval.\n"
    )
    yield from _table(
        ("target", "predictor", "against", "Kendall tau", "tau in the best quarter", "R2"),
        (row for target in found.targets for row in ranking(found, target, resamples)),
    )
    moved = ", ".join(f"{name} {ratio:.3f}" for name, ratio in shifts(found).items())
    yield f"\nCosts of the table over predicted ones, in the median: {moved}."
    names = {target.name for target in found.targets}
    costs = [cost for cost in COSTS if cost in names and ERROR_OF in names]
    yield (
        f"\nFronts of {ERROR_OF} error against a cost: the area that the true values of a chosen "
        "front dominate, as a share of the true front's. Areas are those of error in points times "
        "log10 of the cost, up to the largest error and the largest cost of the table.\n"
    )
    yield from _table(
        ("cost", "predictor", "against", "points", "of true", "hypervolume", "reference"),
        (row for cost in costs for row in fronts(found, cost)),
    )
    yield (
        "\nShare of the runs of each configuration's first seed inside the surrogate's central "
        "interval, with its 95 % bootstrap interval. Costs are divided by the median above first: "
        "how much slower one machine is than another no interval knows.\n"
    )
    yield from _table(
        ("target", *(f"{100 * level:g} %" for level in LEVELS), "CRPS", "worst part at 90 %"),
        coverage(found, table, surrogate, resamples),
    )
    yield (
        "\nRegret of trusting a predictor's best k, of which the truly best is taken: percentage "
        "points below the true best, or percent above it.\n"
    )
    yield from _table(
        ("target", "predictor", "against", *(f"best {k}" for k in TRUSTED)),
        (row for target in found.targets for row in regrets(found, target)),
    )


# A predictor is judged on pairs (predicted, true), each by target; with several the mean counts.

Pairs = list[tuple[Mapping[str, Array], Mapping[str, Array]]]


def predictors(found: Compared) -> Iterator[tuple[str, str, Pairs]]:
    """Each predictor, what it is held against, and its pairs: one, or one a seed left out."""
    yield "surrogate", "all seeds", [(found.predicted, found.truth)]
    alone: Pairs = []
    beside: Pairs = []
    for seed in range(next(iter(found.runs.values())).shape[1]):
        one, others = {}, {}
        for target in found.targets:
            runs = found.runs[target.name].copy()
            one[target.name] = runs[:, seed].copy()
            runs[:, seed] = np.nan
            others[target.name] = np.where(
                np.isfinite(one[target.name]), mean_over_seeds(runs, target), np.nan
            )
        if all(np.isfinite(values).sum() > 1 for values in others.values()):
            alone.append((one, others))
            beside.append((found.predicted, others))
    if alone:
        yield "surrogate", "other seeds", beside
        yield "one seed's run", "other seeds", alone


def mean_over_seeds(runs: Array, target: Target) -> Array:
    """(n,) of (n, S): the mean of what is known, of a cost the geometric one; NaN of nothing."""
    known = np.isfinite(runs)
    values = np.where(known, runs, 1.0)
    total = np.where(known, np.log(values) if on_log_scale(target) else values, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    mean = np.divide(total, count, out=np.full(len(runs), np.nan), where=count > 0)
    return np.exp(mean) if on_log_scale(target) else mean


def ranking(found: Compared, target: Target, resamples: int) -> Iterator[list[str]]:
    """A row a predictor: how it ranks the configurations by a target."""
    maximize = target.direction == "maximize"

    def best_quarter(predicted: Array, true: Array, weights: Array) -> Array:
        return best_quarter_tau(predicted, true, weights, maximize=maximize)

    metrics: list[Callable[[Array, Array, Array], Array]] = [kendall_tau, best_quarter, r2]
    weights = resamplings(len(found.truth[target.name]), resamples)
    for name, against, pairs in predictors(found):
        cells = []
        for metric in metrics:
            values = []
            for predicted, true in pairs:
                one, other = predicted[target.name], true[target.name]
                known = np.isfinite(one) & np.isfinite(other)
                values.append(metric(one[known], other[known], weights[:, known]))
            cells.append(cell(with_interval(np.mean(values, axis=0))))
        yield [f"{target.name} [{target.unit}]", name, against, *cells]


def shifts(found: Compared) -> dict[str, float]:
    """How far the costs of the table lie from the predicted ones as a whole, by the clock say."""
    names = [target.name for target in found.targets if on_log_scale(target)]
    return {name: float(np.nanmedian(found.truth[name] / found.predicted[name])) for name in names}


def coverage(
    found: Compared, table: Benchmark, surrogate: Benchmark, resamples: int
) -> Iterator[list[str]]:
    """A row a target: how often the surrogate's intervals hold a run that it never saw."""
    spec, known = surrogate.spec, {config for config, _, _ in identities(surrogate)}
    rows = [
        {**row, "space": spec.name, "space_version": spec.version}
        for row in read_records(table.folder / RECORDS, table.spec).in_splits
        if _key(config_of(row, table.spec)) not in known
    ]
    runs = runs_from_records(check_rows(rows, spec), spec).first_seeds()
    weights, moved = resamplings(len(runs), resamples), shifts(found)
    for model in surrogate.models:
        beliefs = model.distribution(runs.configs)
        for target in model.targets:
            seen = runs.values_of(target) / moved.get(target.name, 1.0)
            facts = trust(beliefs[target.name], seen, runs, weights)
            yield [
                f"{target.name} [{target.unit}]",
                *trust_cells(facts),
            ]


def fronts(found: Compared, cost: str) -> Iterator[list[str]]:
    """A row a predictor: the front that it chooses, and what it is truly worth."""
    for name, against, pairs in predictors(found):
        chosen, real, shares, references = [], [], [], []
        for predicted, true in pairs:
            known = np.isfinite(np.stack([true[cost], true[ERROR_OF], predicted[cost]])).all(axis=0)
            truth, told = (_plane(values, cost)[known] for values in (true, predicted))
            reference = (float(truth[:, 0].max()), float(truth[:, 1].max()))
            front = pareto_rows(told)
            whole = hypervolume(truth, reference)
            shares.append(hypervolume(truth[front], reference) / whole if whole else np.nan)
            chosen.append(len(front))
            real.append(len(pareto_rows(truth)))
            references.append((10.0 ** reference[0], reference[1]))
        at = np.mean(references, axis=0)
        yield [
            cost,
            name,
            against,
            f"{np.mean(chosen):.3g}",
            f"{np.mean(real):.3g}",
            f"{100 * np.mean(shares):.1f} %",
            f"{at[0]:.3g}, {at[1]:.3g} %",
        ]


def _plane(values: Mapping[str, Array], cost: str) -> Array:
    """(n, 2): log10 of the cost, and the error."""
    return np.stack([np.log10(values[cost]), 100.0 - values[ERROR_OF]], axis=1)


def regrets(found: Compared, target: Target) -> Iterator[list[str]]:
    """A row a predictor: what is lost to the true best by looking at its best k alone."""
    sign = -1.0 if target.direction == "maximize" else 1.0
    for name, against, pairs in predictors(found):
        cells = []
        for k in TRUSTED:
            lost = [regret(p[target.name], t[target.name], k, sign, target) for p, t in pairs]
            unit = "%" if on_log_scale(target) else "points"
            cells.append(f"{np.mean(lost):.2f} {unit}")
        yield [f"{target.name}", name, against, *cells]


def regret(predicted: Array, true: Array, k: int, sign: float, target: Target) -> float:
    """How far the truly best of the predicted best k is behind the true best; see `report`."""
    known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(true))
    order = known[np.argsort(sign * predicted[known], kind="stable")]
    best, found = (sign * (sign * true[rows]).min() for rows in (known, order[:k]))
    return 100.0 * (found / best - 1.0) if on_log_scale(target) else abs(best - found)


def _key(flat: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(flat.items()))


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


if __name__ == "__main__":
    main(sys.argv[1:])
