"""Our surrogates beside Accel-NASBench's tuned XGBoost, on its own public data.

    python -m benchmarks.accel_nasbench PATH [--splits 10] [--cache FOLDER] [--benchmark NAME]

PATH is its archive or the folder that it unpacks to. First the benchmark that ships, on the default
test split, beside the published figures. Then fresh random splits (0.8, 0.1, 0.1): both sides learn
from the same networks, with the settings that were chosen on the default split's validation side;
XGBoost also stops where the error on the split's own validation side is least. The interval is
Student's for the paired differences of the splits, widened for the overlap of their training sets
(Nadeau and Bengio, "Inference for the Generalization Error", 2003). What was computed is kept in
the cache folder, so that an interrupted comparison goes on.
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
from benchmarks.held_out import trust_cells
from eahas import api
from eahas.benchmark.benchmark import Benchmark
from eahas.files import write_json
from eahas.records.records import Records
from eahas.spec.spec import Spec
from surrogates.components import parts_of
from surrogates.data.dataset import Runs, runs_from_records
from surrogates.evaluation.metrics import kendall_tau, once, r2, resamplings
from surrogates.evaluation.uncertainty_metrics import trust
from surrogates.settings import shipped
from sweeps.importers.accel_nasbench import accel_nasbench_rows
from sweeps.specs import load_spec

Array = np.ndarray
# Test R2 and Kendall tau of its tuned XGBoost on its default split (measured with its own code).
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
        print("nothing compared: give the path of Accel-NASBench's data, which does not ship")
        return
    spec = load_spec("mnasnet")
    rows = accel_nasbench_rows(arguments.path, spec)
    default_split(api.load_benchmark(arguments.benchmark), runs_from_records(rows, spec), rows)
    print()
    if arguments.splits < 2:  # one difference has no interval
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
    """R2 and tau of a side on a split, from the folder where they have been computed already."""
    path = arguments.cache / f"{side}-{name}-{seed}.json"
    if not path.exists():
        rows = accel_nasbench_rows(arguments.path, spec, split_seed=seed)
        write_json(path, SIDES[side](runs_from_records(rows, spec), name, seed))
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found


def default_split(bench: Benchmark, runs: Runs, rows: Records) -> None:
    """The shipped benchmark on the default test split, the published figures, and the ceilings."""
    test = runs.side("test")
    told = bench.predict(list(test.configs))
    reported, repeated = reported_ceilings(runs), controls(rows)
    print(f"`{bench.id}` on the default test split ({len(test)} networks):\n")
    print(
        "| target | ours R2 | XGBoost R2 | ours tau | XGBoost tau "
        "| 1 - reported / total variance | 1 - repeats' / total variance |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (their_r2, their_tau) in PUBLISHED.items():
        found = judged(getattr(told, name), test, name)
        cells = [f"{v:.4f}" for v in (found["r2"], their_r2, found["tau"], their_tau)]
        cells.append(f"{reported[name]:.4f}" if name in reported else "")
        (target,) = (t for t in test.spec.scalars if t.name == name)
        total = float(np.nanvar(test.values_of(target)))
        cells.append(f"{1.0 - repeated[name].variance / total:.4f}")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\nNetworks that were trained or measured twice (outside the split, and inside it):\n")
    print("| target | networks | relative standard deviation between the two |")
    print("| --- | --- | --- |")
    for name, repeats in repeated.items():
        print(f"| {name} | {repeats.networks} | {100 * repeats.relative:.3g} % |")
    coverage(bench, runs)


def coverage(bench: Benchmark, runs: Runs) -> None:
    """Shares of values inside intervals, on test and on all networks that no fit has seen."""
    fresh = [side for side in ("valid", "test") if side not in bench.manifest["learned_from"]]
    sides = {"test": runs.side("test")}
    if len(fresh) > 1:
        sides["both"] = runs.side(*fresh)
    print("\nShare of values inside the central interval; in brackets its 95 % interval:\n")
    print(
        "| target | noise from | networks | 50 % | 80 % | 90 % | 95 % | CRPS | worst part at 90 % |"
    )
    print("|" + " --- |" * 9)
    for model in bench.models:
        for target in model.targets:
            for some in sides.values():
                belief = model.distribution(some.configs)[target.name]
                known = resamplings(len(some), 200)
                found = trust(belief, some.values_of(target), some, known)
                noise = bench.manifest["noise"][target.name]
                cells = [target.name, noise, str(len(some)), *trust_cells(found)]
                print(f"| {' | '.join(cells)} |")


def reported_ceilings(runs: Runs) -> dict[str, float]:
    """1 - reported variance / total variance over the test split, where deviations are reported.

    What is reported is the deviation of single measurements; the values are means of several, so
    that a surrogate can be above it.
    """
    test = runs.side("test")
    found = {}
    for k, target in enumerate(test.spec.scalars):
        values, spread = test.scalars[:, k], test.spreads[:, k]
        known = np.isfinite(values) & np.isfinite(spread)
        if known.any():
            found[target.name] = 1.0 - float((spread[known] ** 2).mean() / values[known].var())
    return found


class Repeats(NamedTuple):
    """Networks that stand twice: how many, their relative deviation, and their variance."""

    networks: int
    relative: float
    variance: float


def controls(rows: Records) -> dict[str, Repeats]:
    """By target what the networks outside the split say that repeat one inside it."""
    inside = {row["config_id"]: row for row in rows if row["role"] == "main"}
    pairs = [
        (row, inside[row["config_id"]])
        for row in rows
        if row["role"] == "control" and row["config_id"] in inside
    ]
    found = {}
    for name in PUBLISHED:
        both = [(a[name], b[name]) for a, b in pairs if name in a and name in b]
        ratios = np.log([a / b for a, b in both])
        apart = np.array([a - b for a, b in both])
        relative = float(np.sqrt((ratios**2).mean() / 2.0))
        found[name] = Repeats(len(both), relative, float((apart**2).mean() / 2.0))
    return found


def ours(runs: Runs, name: str, seed: int) -> dict[str, float]:
    """R2 and tau on test of an ensemble with the settings of what ships."""
    train, test = runs.side("train"), runs.side("test")
    (part,) = (
        p for p in parts_of(runs.spec, (), shipped("accel-nasbench")) if p.targets == (name,)
    )
    model = part.fit(train)
    return judged(model.distribution(test.configs)[name].value, test, name)


def xgboost(runs: Runs, name: str, seed: int) -> dict[str, float]:
    """R2 and tau on test of Accel-NASBench's XGBoost."""
    train, valid, test = (runs.side(side) for side in ("train", "valid", "test"))
    return judged(fit_and_predict(train, valid, test, name, seed), test, name)


SIDES = {"ours": ours, "xgboost": xgboost}


def judged(told: Array, runs: Runs, name: str) -> dict[str, float]:
    (target,) = (t for t in runs.spec.scalars if t.name == name)
    seen = runs.values_of(target)
    known = np.isfinite(seen)
    return {
        "r2": once(r2, told[known], seen[known]),
        "tau": once(kendall_tau, told[known], seen[known]),
    }


def random_splits(found: Mapping[str, list[dict[str, Any]]]) -> None:
    """A line a target: both means, and the paired difference with its verdict."""
    count = len(next(iter(found.values())))
    print(f"On {count} random splits, means; in brackets the 95 % interval of the difference:\n")
    print("| target | ours R2 | XGBoost R2 | difference | ours tau | XGBoost tau | difference |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, splits in found.items():
        cells = []
        for metric in ("r2", "tau"):
            own, theirs = (np.array([split[side][metric] for split in splits]) for side in SIDES)
            mean, reach = paired(own - theirs)
            verdict = "won" if mean > reach else "lost" if mean < -reach else "level"
            cells += [f"{own.mean():.4f}", f"{theirs.mean():.4f}"]
            cells.append(f"{mean:+.4f} [{mean - reach:+.4f}, {mean + reach:+.4f}] {verdict}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def paired(differences: Array, test_over_train: float = 0.1 / 0.8) -> tuple[float, float]:
    """Mean and half width of the corrected 95 % interval."""
    n = len(differences)
    error = np.sqrt((1.0 / n + test_over_train) * differences.var(ddof=1))
    return float(differences.mean()), float(student.ppf(0.975, n - 1) * error)


if __name__ == "__main__":
    assert set(TUNED) == set(PUBLISHED)
    main()
