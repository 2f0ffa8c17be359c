"""Our surrogates beside Accel-NASBench's tuned XGBoost, on its own public data.

    python -m benchmarks.accel_nasbench PATH [--splits 10] [--cache FOLDER] [--benchmark NAME]

PATH is its archive or the folder that it unpacks to. First the benchmark that ships, on the default
test split, beside the published figures. Then fresh random splits (0.8, 0.1, 0.1): both sides learn
from the same networks; ours chooses among CANDIDATES on the validation side, XGBoost stops there.
The interval is Student's for the paired differences of the splits, widened for the overlap of their
training sets (Nadeau and Bengio, "Inference for the Generalization Error", 2003). What was computed
is kept in the cache folder, so that an interrupted comparison goes on.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from benchmarks._anb_xgb import TUNED, fit_and_predict
from eahas import api
from eahas.benchmark import Benchmark
from eahas.files import write_json
from surrogates.dataset import Runs, runs_from_records
from surrogates.families import SCALARS, family
from surrogates.fitting import Part
from surrogates.metrics import kendall_tau, once, r2
from sweeps.accel_nasbench import accel_nasbench_rows
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
BASE = replace(SCALARS, hidden=(96, 96), steps=4000, batch_size=256, dropout=0.0)
CANDIDATES = {
    "decay 1": replace(BASE, weight_decay=1.0),
    "decay 3": replace(BASE, weight_decay=3.0),
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
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in PUBLISHED}
    for seed in range(1, arguments.splits + 1):
        runs = None
        for name in PUBLISHED:
            path = arguments.cache / f"{name}-{seed}.json"
            if not path.exists():
                if runs is None:
                    drawn = accel_nasbench_rows(arguments.path, spec, split_seed=seed)
                    runs = runs_from_records(drawn, spec)
                write_json(path, on_split(runs, name, seed))
            found[name].append(json.loads(path.read_text(encoding="utf-8")))
    random_splits(found)


def default_split(bench: Benchmark, runs: Runs, rows: list[dict[str, Any]]) -> None:
    """The shipped benchmark on the default test split, the published figures, and the ceilings."""
    test = runs.side("test")
    told = bench.predict(list(test.configs))
    ceilings = repeat_ceilings(runs)
    print(f"`{bench.id}` on the default test split ({len(test)} networks):\n")
    print("| target | ours R2 | XGBoost R2 | ours tau | XGBoost tau | R2 of a second measurement |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (their_r2, their_tau) in PUBLISHED.items():
        ours = judged(getattr(told, name), test, name)
        ceiling = f"{ceilings[name]:.4f}" if name in ceilings else ""
        print(
            f"| {name} | {ours['r2']:.4f} | {their_r2:.4f} | {ours['tau']:.4f} | {their_tau:.4f} | "
            f"{ceiling} |"
        )
    print("\nNetworks that were trained or measured twice (outside the split, and inside it):\n")
    print("| target | networks | relative standard deviation between the two |")
    print("| --- | --- | --- |")
    for name, (count, spread) in controls(rows).items():
        print(f"| {name} | {count} | {100 * spread:.3g} % |")


def repeat_ceilings(runs: Runs) -> dict[str, float]:
    """R2 that another measurement of the same networks would have, where deviations are reported.

    1 - noise variance / total variance, over the networks of the test split.
    """
    test = runs.side("test")
    found = {}
    for k, target in enumerate(test.spec.scalars):
        values, spread = test.scalars[:, k], test.spreads[:, k]
        known = np.isfinite(values) & np.isfinite(spread)
        if known.any():
            found[target.name] = 1.0 - float((spread[known] ** 2).mean() / values[known].var())
    return found


def controls(rows: list[dict[str, Any]]) -> dict[str, tuple[int, float]]:
    """By target: how many networks outside the split repeat one inside it, and their spread."""
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
        found[name] = (len(both), float(np.sqrt((ratios**2).mean() / 2.0)))
    return found


def on_split(runs: Runs, name: str, seed: int) -> dict[str, Any]:
    """Both sides on one split: R2 and tau on test, and which candidate validation chose."""
    train, valid, test = (runs.side(side) for side in ("train", "valid", "test"))
    best: tuple[float, str, Any] | None = None
    for label, settings in CANDIDATES.items():
        part = Part(family("nn_E"), replace(settings, seed=seed), (name,))
        model = part.fit(train)
        facts = judged(model.distribution(valid.configs)[name].value, valid, name)
        if best is None or facts["r2"] + facts["tau"] > best[0]:
            best = (facts["r2"] + facts["tau"], label, model)
    assert best is not None
    ours = judged(best[2].distribution(test.configs)[name].value, test, name)
    theirs = judged(fit_and_predict(train, valid, test, name, seed), test, name)
    return {"ours": ours, "xgboost": theirs, "chosen": best[1]}


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
            ours = np.array([split["ours"][metric] for split in splits])
            theirs = np.array([split["xgboost"][metric] for split in splits])
            mean, reach = paired(ours - theirs)
            verdict = "won" if mean > reach else "lost" if mean < -reach else "level"
            cells += [f"{ours.mean():.4f}", f"{theirs.mean():.4f}"]
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
