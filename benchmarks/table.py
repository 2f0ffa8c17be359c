"""Compare a surrogate, and the run of one seed as a predictor, with a tabular benchmark.

    python -m benchmarks.table [--table FOLDER_OR_NAME] [--surrogate NAME]

The true value of a configuration is the mean over its seeds (the geometric mean for costs), for
curves at the last epoch. The surrogate must not be fitted to any run of the table, and
configurations that occur in both are left out. The run of one seed is compared with the mean of the
other seeds; the surrogate is compared with all seeds, and with the other seeds too. Brackets
contain 95 % intervals of a bootstrap over the configurations. Fronts and regrets have no intervals,
because they depend on a few extreme values, for which a bootstrap is not valid.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.held_out import cell, uncertainty_cells
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
from surrogates.evaluation.uncertainty_metrics import LEVELS, uncertainty_metrics

Array = np.ndarray
TABLE, SURROGATE = "regnet-digits-table", "regnet-digits"
RESAMPLES = 200
TARGETS = ("valid", "test", "runtime_s", "train_energy_j", "test_energy_j")
ERROR_OF, COSTS = "test", ("train_energy_j", "runtime_s")
BEST_K = (1, 10, 50)


@dataclass(frozen=True)
class Compared:
    """The n configurations that occur in the table only.

    Attributes:
        counts: number of configurations of the table, and of those that occur in both.
        targets: the compared targets.
        truth: for each target, the true values (n,).
        runs: for each target, the runs of all seeds (n, S); NaN if there is none.
        predicted: for each target, the predictions of the surrogate (n,).
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
        print(f"{TABLE} does not ship with this checkout; give a folder with --table")
        return
    table = api.load_benchmark(arguments.table or TABLE)
    surrogate = api.load_benchmark(arguments.surrogate)
    require_disjoint(identities(table), identities(surrogate))
    compared = compare(table, surrogate)
    for line in report(compared, table, surrogate, arguments.resamples):
        print(line)


def identities(bench: Benchmark) -> set[tuple[Any, ...]]:
    """The configuration, seed and start time of each run."""
    rows = read_records(bench.folder / RECORDS, bench.spec)
    return {
        (_key(config_of(row, bench.spec)), row["seed"], row.get("started_at"))
        for row in rows.in_splits
    }


def require_disjoint(table: set[tuple[Any, ...]], surrogate: set[tuple[Any, ...]]) -> None:
    """Check that the table and the surrogate have no run in common."""
    shared = table & surrogate
    assert not shared, f"{len(shared)} runs occur in both, the first of them {min(shared)}"


def compare(table: Benchmark, surrogate: Benchmark) -> Compared:
    """The true values of the table, and the surrogate's predictions.

    Raises:
        ConfigError: the surrogate has another space.
    """
    assert table.table is not None, f"{table.id} is not a table"
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
        observed = table.table.values[name][kept].astype(float)
        if target.kind == "curve":
            observed = np.take_along_axis(observed, last[:, None, None], axis=2)[:, :, 0]
            predicted[name] = prediction.curves[name][np.arange(len(last)), last]
        else:
            predicted[name] = getattr(prediction, name)
        truth[name], runs[name] = true_values(table.table, name)[kept], observed
    return Compared((len(flats), int((~kept).sum())), targets, truth, runs, predicted)


def report(
    compared: Compared, table: Benchmark, surrogate: Benchmark, resamples: int
) -> Iterator[str]:
    """The lines of the Markdown tables."""
    total, shared = compared.counts
    assert table.table is not None
    yield (
        f"`{table.id}`: {total} of {table.table.points} configurations with up to "
        f"{table.table.members} seeds; energy: {table.energy_source}. `{surrogate.id}` was fitted "
        f"to none of its runs; {shared} of its configurations also occur in the fit and are left "
        'out. The column "against" names the reference: the mean over all seeds, or over the other '
        "seeds. Brackets contain the 95 % bootstrap interval.\n"
    )
    yield from _table(
        ("target", "predictor", "against", "Kendall tau", "tau in the best quarter", "R2"),
        (row for target in compared.targets for row in ranking(compared, target, resamples)),
    )
    ratios = ", ".join(f"{name} {ratio:.3f}" for name, ratio in cost_ratios(compared).items())
    yield f"\nMedian ratio of true to predicted costs: {ratios}."
    names = {target.name for target in compared.targets}
    costs = [cost for cost in COSTS if cost in names and ERROR_OF in names]
    yield (
        f'\nFronts of {ERROR_OF} error and a cost: "hypervolume" is the area that the true values '
        "of the selected front dominate, as a share of that of the true front. Areas are in error "
        "points times log10 of the cost, up to the largest error and the largest cost of the table "
        '(the reference). "points" and "of true" are the sizes of the selected and of the true '
        "front.\n"
    )
    yield from _table(
        ("cost", "predictor", "against", "points", "of true", "hypervolume", "reference"),
        (row for cost in costs for row in fronts(compared, cost)),
    )
    yield (
        "\nCoverage: the share of the runs of each configuration's first seed inside the "
        "surrogate's central interval, with its 95 % bootstrap interval. Costs are first divided "
        "by the median ratio above, because no interval accounts for the different speed of "
        'another machine. "Worst part" is the group of runs with the worst coverage.\n'
    )
    yield from _table(
        ("target", *(f"{100 * level:g} %" for level in LEVELS), "CRPS", "worst part at 90 %"),
        coverage(compared, table, surrogate, resamples),
    )
    yield (
        "\nRegret of the best k configurations of a predictor: how far the truly best of these k "
        "is from the true best, in percentage points below it, or percent above it.\n"
    )
    yield from _table(
        ("target", "predictor", "against", *(f"best {k}" for k in BEST_K)),
        (row for target in compared.targets for row in regrets(compared, target)),
    )


# Pairs of (predicted, true) values by target; the figures of several pairs are averaged.

Pairs = list[tuple[Mapping[str, Array], Mapping[str, Array]]]


def predictors(compared: Compared) -> Iterator[tuple[str, str, Pairs]]:
    """Each predictor, the name of its reference, and its pairs: one, or one per left-out seed."""
    yield "surrogate", "all seeds", [(compared.predicted, compared.truth)]
    seed_pairs: Pairs = []
    surrogate_pairs: Pairs = []
    for seed in range(next(iter(compared.runs.values())).shape[1]):
        one, others = {}, {}
        for target in compared.targets:
            runs = compared.runs[target.name].copy()
            one[target.name] = runs[:, seed].copy()
            runs[:, seed] = np.nan
            others[target.name] = np.where(
                np.isfinite(one[target.name]), mean_over_seeds(runs, target), np.nan
            )
        if all(np.isfinite(values).sum() > 1 for values in others.values()):
            seed_pairs.append((one, others))
            surrogate_pairs.append((compared.predicted, others))
    if seed_pairs:
        yield "surrogate", "other seeds", surrogate_pairs
        yield "one seed's run", "other seeds", seed_pairs


def mean_over_seeds(runs: Array, target: Target) -> Array:
    """The mean over known seeds, (n, S) -> (n,), geometric for costs; NaN if none is known."""
    known = np.isfinite(runs)
    values = np.where(known, runs, 1.0)
    total = np.where(known, np.log(values) if on_log_scale(target) else values, 0.0).sum(axis=1)
    count = known.sum(axis=1)
    mean = np.divide(total, count, out=np.full(len(runs), np.nan), where=count > 0)
    return np.exp(mean) if on_log_scale(target) else mean


def ranking(compared: Compared, target: Target, resamples: int) -> Iterator[list[str]]:
    """One row per predictor: how well it ranks the configurations by a target."""
    maximize = target.direction == "maximize"

    def best_quarter(predicted: Array, true: Array, weights: Array) -> Array:
        return best_quarter_tau(predicted, true, weights, maximize=maximize)

    metrics: list[Callable[[Array, Array, Array], Array]] = [kendall_tau, best_quarter, r2]
    weights = resamplings(len(compared.truth[target.name]), resamples)
    for name, against, pairs in predictors(compared):
        cells = []
        for metric in metrics:
            values = []
            for predicted, true in pairs:
                one, other = predicted[target.name], true[target.name]
                known = np.isfinite(one) & np.isfinite(other)
                values.append(metric(one[known], other[known], weights[:, known]))
            cells.append(cell(with_interval(np.mean(values, axis=0))))
        yield [f"{target.name} [{target.unit}]", name, against, *cells]


def cost_ratios(compared: Compared) -> dict[str, float]:
    """The median ratio of true to predicted values of each cost, for example due to the machine."""
    names = [target.name for target in compared.targets if on_log_scale(target)]
    return {
        name: float(np.nanmedian(compared.truth[name] / compared.predicted[name])) for name in names
    }


def coverage(
    compared: Compared, table: Benchmark, surrogate: Benchmark, resamples: int
) -> Iterator[list[str]]:
    """One row per target: the coverage of the surrogate's intervals on runs of the table."""
    spec, known = surrogate.spec, {config for config, _, _ in identities(surrogate)}
    rows = [
        {**row, "space": spec.name, "space_version": spec.version}
        for row in read_records(table.folder / RECORDS, table.spec).in_splits
        if _key(config_of(row, table.spec)) not in known
    ]
    runs = runs_from_records(check_rows(rows, spec), spec).first_seeds()
    weights, ratios = resamplings(len(runs), resamples), cost_ratios(compared)
    for model in surrogate.models:
        posteriors = model.distribution(runs.configs)
        for target in model.targets:
            observed = runs.values_of(target) / ratios.get(target.name, 1.0)
            facts = uncertainty_metrics(posteriors[target.name], observed, runs, weights)
            yield [
                f"{target.name} [{target.unit}]",
                *uncertainty_cells(facts),
            ]


def fronts(compared: Compared, cost: str) -> Iterator[list[str]]:
    """One row per predictor: the sizes of the selected and the true front, and the hypervolume."""
    for name, against, pairs in predictors(compared):
        selected, real, shares, references = [], [], [], []
        for predicted, true in pairs:
            known = np.isfinite(np.stack([true[cost], true[ERROR_OF], predicted[cost]])).all(axis=0)
            truth, expected = (_cost_and_error(v, cost)[known] for v in (true, predicted))
            reference = (float(truth[:, 0].max()), float(truth[:, 1].max()))
            front = pareto_rows(expected)
            whole = hypervolume(truth, reference)
            shares.append(hypervolume(truth[front], reference) / whole if whole else np.nan)
            selected.append(len(front))
            real.append(len(pareto_rows(truth)))
            references.append((10.0 ** reference[0], reference[1]))
        mean_reference = np.mean(references, axis=0)
        yield [
            cost,
            name,
            against,
            f"{np.mean(selected):.3g}",
            f"{np.mean(real):.3g}",
            f"{100 * np.mean(shares):.1f} %",
            f"{mean_reference[0]:.3g}, {mean_reference[1]:.3g} %",
        ]


def _cost_and_error(values: Mapping[str, Array], cost: str) -> Array:
    """Points (n, 2): log10 of the cost, and the error."""
    return np.stack([np.log10(values[cost]), 100.0 - values[ERROR_OF]], axis=1)


def regrets(compared: Compared, target: Target) -> Iterator[list[str]]:
    """One row per predictor: the regret of its best k configurations, for each of BEST_K."""
    sign = -1.0 if target.direction == "maximize" else 1.0
    for name, against, pairs in predictors(compared):
        cells = []
        for k in BEST_K:
            losses = [regret(p[target.name], t[target.name], k, sign, target) for p, t in pairs]
            unit = "%" if on_log_scale(target) else "points"
            cells.append(f"{np.mean(losses):.2f} {unit}")
        yield [f"{target.name}", name, against, *cells]


def regret(predicted: Array, true: Array, k: int, sign: float, target: Target) -> float:
    """How far the truly best of the predicted best k is from the true best; see `report`."""
    known = np.flatnonzero(np.isfinite(predicted) & np.isfinite(true))
    order = known[np.argsort(sign * predicted[known], kind="stable")]
    best, selected = (sign * (sign * true[rows]).min() for rows in (known, order[:k]))
    return 100.0 * (selected / best - 1.0) if on_log_scale(target) else abs(best - selected)


def _key(flat: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(flat.items()))


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


if __name__ == "__main__":
    main(sys.argv[1:])
