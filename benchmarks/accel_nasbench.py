"""Compare our surrogates with Accel-NASBench's tuned XGBoost on its public data.

    python -m benchmarks.accel_nasbench PATH [--splits 10] [--cache FOLDER] [--benchmark NAME]

PATH is its archive or the folder that it unpacks to. The first tables evaluate the benchmark that
ships on the default test split, and list the published figures. The last table compares both on
random splits (0.8, 0.1, 0.1). Both are fitted to the same networks, with the settings that were
selected on the validation part of the default split; XGBoost also uses the validation part of the
split for early stopping. The interval is Student's t interval of the paired differences of the
splits, widened for the overlap of their training sets (Nadeau and Bengio, "Inference for the
Generalization Error", 2003). Results are kept in the cache folder, so that an interrupted
comparison can be continued.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student

from benchmarks._anb_xgb import TUNED, fit_and_predict
from benchmarks.held_out import uncertainty_cells
from eahas import api
from eahas.benchmark.benchmark import Benchmark
from eahas.files import write_json
from eahas.records.records import Records
from eahas.spec.spec import Spec
from surrogates.components import components_from_settings
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.evaluation.metrics import kendall_tau, r2, resamplings, unweighted
from surrogates.evaluation.uncertainty_metrics import uncertainty_metrics
from surrogates.settings import shipped
from sweeps.importers.accel_nasbench import accel_nasbench_rows
from sweeps.specs import load_spec

Array = np.ndarray
# Test R2 and Kendall tau of its tuned XGBoost on its default split, measured with its own code.
PUBLISHED = {
    "accuracy": (0.9828, 0.9210),
    "throughput_a100": (0.9950, 0.9717),
    "throughput_3090": (0.9946, 0.9626),
    "throughput_tpuv2": (0.9946, 0.9613),
    "throughput_tpuv3": (0.9744, 0.9022),
    "throughput_zcu102": (0.9896, 0.9518),
    "throughput_vck190": (0.9899, 0.9444),
    "latency_zcu102": (0.9994, 0.9764),
    "latency_vck190": (0.9985, 0.9769),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "accel-splits")
    parser.add_argument("--benchmark", default="accel-nasbench")
    arguments = parser.parse_args()
    if arguments.path is None:
        print("no comparison: give the path of Accel-NASBench's data, which does not ship")
        return
    spec = load_spec("mnasnet")
    rows = accel_nasbench_rows(arguments.path, spec)
    default_split(api.load_benchmark(arguments.benchmark), runs_from_records(rows, spec), rows)
    print()
    if arguments.splits < 2:  # a single difference has no interval
        return
    random_splits(
        {
            name: [
                {side: cached(arguments, spec, side, name, seed) for side in SIDES}
                for seed in range(1, arguments.splits + 1)
            ]
            for name in PUBLISHED
        }
    )


def cached(arguments: Namespace, spec: Spec, side: str, name: str, seed: int) -> dict[str, float]:
    """R2 and tau of one of SIDES on a split; read from the cache folder if they are there."""
    path = arguments.cache / f"{side}-{name}-{seed}.json"
    if not path.exists():
        rows = accel_nasbench_rows(arguments.path, spec, split_seed=seed)
        write_json(path, SIDES[side](runs_from_records(rows, spec), name, seed))
    metrics: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return metrics


def default_split(bench: Benchmark, runs: Runs, rows: Records) -> None:
    """Print the tables of the default test split: R2, tau, their upper bounds, and coverages."""
    test = runs.side("test")
    prediction = bench.predict(list(test.configs))
    reported, repeated = reported_ceilings(runs), controls(rows)
    print(f"`{bench.id}` on the default test split ({len(test)} networks):\n")
    print(
        "| target | ours R2 | XGBoost R2 | ours tau | XGBoost tau "
        "| 1 - reported / total variance | 1 - repeats' / total variance |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (their_r2, their_tau) in PUBLISHED.items():
        metrics = accuracy_metrics(getattr(prediction, name), test, name)
        cells = [f"{v:.4f}" for v in (metrics["r2"], their_r2, metrics["tau"], their_tau)]
        cells.append(f"{reported[name]:.4f}" if name in reported else "")
        (target,) = (t for t in test.spec.scalars if t.name == name)
        total = float(np.nanvar(test.values_of(target)))
        cells.append(f"{1.0 - repeated[name].variance / total:.4f}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(
        "\nNetworks that were trained or measured twice (once outside the split and once inside "
        "it):\n"
    )
    print("| target | networks | relative standard deviation between the two |")
    print("| --- | --- | --- |")
    for name, repeats in repeated.items():
        print(f"| {name} | {repeats.networks} | {100 * repeats.relative:.3g} % |")
    coverage(bench, runs)


def coverage(bench: Benchmark, runs: Runs) -> None:
    """Print the coverage of intervals on test, and on test and valid if no fit used valid."""
    fresh = [side for side in ("valid", "test") if side not in bench.manifest["learned_from"]]
    sides = {"test": runs.side("test")}
    if len(fresh) > 1:
        sides["both"] = runs.side(*fresh)
    print("\nCoverage of the central interval; in brackets its 95 % bootstrap interval:\n")
    print(
        "| target | noise from | networks | 50 % | 80 % | 90 % | 95 % | CRPS | worst part at 90 % |"
    )
    print("|" + " --- |" * 9)
    for model in bench.models:
        for target in model.targets:
            for part in sides.values():
                posterior = model.distribution(part.configs)[target.name]
                weights = resamplings(len(part), 200)
                observed = part.values_of(target)
                metrics = uncertainty_metrics(posterior, observed, part, weights)
                noise = bench.manifest["noise"][target.name]
                cells = [target.name, noise, str(len(part)), *uncertainty_cells(metrics)]
                print(f"| {' | '.join(cells)} |")


def reported_ceilings(runs: Runs) -> dict[str, float]:
    """1 - reported variance / total variance on the test split, for targets with reported ones.

    The reported standard deviations are those of single measurements, and the values are means of
    several, so a surrogate can exceed this bound.
    """
    test = runs.side("test")
    ceilings = {}
    for k, target in enumerate(test.spec.scalars):
        values, std = test.scalars[:, k], test.spreads[:, k]
        known = np.isfinite(values) & np.isfinite(std)
        if known.any():
            ceilings[target.name] = 1.0 - float((std[known] ** 2).mean() / values[known].var())
    return ceilings


class Repeats(NamedTuple):
    """Networks that occur twice: their number, relative standard deviation, and variance."""

    networks: int
    relative: float
    variance: float


def controls(rows: Records) -> dict[str, Repeats]:
    """For each target, statistics of the networks outside the split that repeat one inside it."""
    inside = {row["config_id"]: row for row in rows if row["role"] == "main"}
    pairs = [
        (row, inside[row["config_id"]])
        for row in rows
        if row["role"] == "control" and row["config_id"] in inside
    ]
    repeats = {}
    for name in PUBLISHED:
        both = [(a[name], b[name]) for a, b in pairs if name in a and name in b]
        ratios = np.log([a / b for a, b in both])
        differences = np.array([a - b for a, b in both])
        relative = float(np.sqrt((ratios**2).mean() / 2.0))
        repeats[name] = Repeats(len(both), relative, float((differences**2).mean() / 2.0))
    return repeats


def ours(runs: Runs, name: str, seed: int) -> dict[str, float]:
    """R2 and tau on test of an ensemble with the settings of the benchmark that ships."""
    train, test = runs.side("train"), runs.side("test")
    (component,) = (
        component
        for component in components_from_settings(runs.spec, (), shipped("accel-nasbench"))
        if component.targets == (name,)
    )
    model = component.fit(train)
    return accuracy_metrics(model.distribution(test.configs)[name].value, test, name)


def xgboost(runs: Runs, name: str, seed: int) -> dict[str, float]:
    """R2 and tau on test of Accel-NASBench's XGBoost."""
    train, valid, test = (runs.side(side) for side in ("train", "valid", "test"))
    return accuracy_metrics(fit_and_predict(train, valid, test, name, seed), test, name)


SIDES = {"ours": ours, "xgboost": xgboost}


def accuracy_metrics(predicted: Array, runs: Runs, name: str) -> dict[str, float]:
    (target,) = (t for t in runs.spec.scalars if t.name == name)
    observed = runs.values_of(target)
    known = np.isfinite(observed)
    return {
        "r2": unweighted(r2, predicted[known], observed[known]),
        "tau": unweighted(kendall_tau, predicted[known], observed[known]),
    }


def random_splits(metrics: Mapping[str, list[dict[str, Any]]]) -> None:
    """Print a line per target: both means, and the paired difference with its verdict."""
    count = len(next(iter(metrics.values())))
    print(f"On {count} random splits, means; in brackets the 95 % interval of the difference:\n")
    print("| target | ours R2 | XGBoost R2 | difference | ours tau | XGBoost tau | difference |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, splits in metrics.items():
        cells = []
        for metric in ("r2", "tau"):
            own, theirs = (np.array([split[side][metric] for split in splits]) for side in SIDES)
            mean, half = paired(own - theirs)
            verdict = "won" if mean > half else "lost" if mean < -half else "undecided"
            cells += [f"{own.mean():.4f}", f"{theirs.mean():.4f}"]
            cells.append(f"{mean:+.4f} [{mean - half:+.4f}, {mean + half:+.4f}] {verdict}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def paired(differences: Array, test_over_train: float = 0.1 / 0.8) -> tuple[float, float]:
    """The mean of paired differences and the half-width of its corrected 95 % interval."""
    n = len(differences)
    error = np.sqrt((1.0 / n + test_over_train) * differences.var(ddof=1))
    return float(differences.mean()), float(student.ppf(0.975, n - 1) * error)


if __name__ == "__main__":
    assert set(TUNED) == set(PUBLISHED)
    main()
