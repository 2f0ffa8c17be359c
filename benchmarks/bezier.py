"""Compare our Bezier fit and decode with those of EA-HAS-Bench, in time and in quality.

    python -m benchmarks.bezier [--records runs.parquet] [--peer CLONE] [--degree 5] [--brute 30]

Times are CPU seconds of this process, the best of several runs. With `--peer`, a clone of
EA-HAS-Bench, its own code is timed (see `_ea_has_bench.py`). Otherwise its two algorithms are timed
as reimplemented here from its paper and code (Li et al., ICLR 2023; `BSC/bezier_vis.py`):

- The fit computes t for each epoch from the chord lengths of the observed curve, and the control
  points by the pseudo-inverse of the Bernstein matrix at these t.
- The decoder intersects the curve with a vertical line for each epoch. An epoch without a crossing
  gets the mid-point of the curve.

Without --records the curves are synthetic, and the output states this.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import comb

from benchmarks._ea_has_bench import Original
from eahas.models.curves.bezier import (
    basis_at,
    bernstein,
    decode,
    epoch_positions,
    x_control_points,
)
from surrogates.models.bezier_fit import MIN_STEP, fit

Floats = NDArray[np.float64]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", help="a records file (Parquet) with the curves")
    parser.add_argument("--peer", type=Path, help="a clone of microsoft/EA-HAS-Bench")
    parser.add_argument("--column", default="valid", help="the column of the curves (list<float>)")
    parser.add_argument("--degree", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200, help="length of the curves to use")
    parser.add_argument("--curves", type=int, default=1000, help="maximum number of curves")
    parser.add_argument(
        "--brute", type=int, default=30, help="number of curves for the brute-force search"
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    if args.records:
        curves = recorded_curves(args.records, args.column, args.epochs, args.curves)
        source = f"{args.column} of {args.records}"
    else:
        rng = np.random.default_rng(args.seed)
        curves = synthetic_curves(args.curves, args.epochs, rng)
        source = f"synthetic, seed {args.seed}"
    print(f"{len(curves)} curves of {curves.shape[1]} epochs ({source}), degree {args.degree}\n")
    report_times(curves, args.degree, args.peer)
    report_quality(curves[: args.brute], args.degree, args.seed, source)


def report_times(curves: Floats, degree: int, clone: Path | None) -> None:
    epochs = curves.shape[1]
    their_fit: Callable[[Floats], Floats] = partial(reference_fit, degree=degree)
    their_decode = reference_decode
    if clone is not None:
        peer = Original(clone, degree)
        their_fit, their_decode = peer.fit, peer.decode
    fitted = fit(curves, degree)
    x, y = fitted.x_ctrl, fitted.y_ctrl
    few = curves[:10]
    theirs = [their_fit(curve) for curve in few]

    fit_us = cpu_us(lambda: fit(curves, degree)) / len(curves)
    search_us = cpu_us(lambda: fit(curves, degree, iterations=0)) / len(curves)
    their_fit_us = cpu_us(lambda: [their_fit(c) for c in few]) / len(few)
    decode_us = cpu_us(lambda: decode(x, y, epochs)) / len(curves)
    their_decode_us = cpu_us(lambda: [their_decode(c, epochs) for c in theirs]) / len(few)
    three_us = cpu_us(lambda: [decode(x[:3], y[:3], epochs) for _ in range(100)]) / 100
    shared_us = cpu_us(lambda: [decode(x[:1], y[:3], epochs) for _ in range(100)]) / 100

    code = "reimplemented" if clone is None else "original"
    print(
        f"{'CPU time per curve, us':<34}{'ours':>10}{'EA-HAS':>10}{'ratio':>10}  (EA-HAS: {code})"
    )
    for name, ours, their in (
        (f"fit, batch of {len(curves)}", fit_us, their_fit_us),
        ("the same without refinement", search_us, their_fit_us),
        (f"decode, batch of {len(curves)}", decode_us, their_decode_us),
        ("decode, 3 curves in one call", three_us / 3, their_decode_us),
    ):
        print(f"{name:<34}{ours:>10.1f}{their:>10.1f}{their / ours:>9.0f}x")
    print(
        f"One call for 3 curves: {three_us:.1f} us; if they share a spacing: {shared_us:.1f} us\n"
    )


def report_quality(curves: Floats, degree: int, seed: int, source: str) -> None:
    if not len(curves):
        return
    epochs = curves.shape[1]
    brute = np.array([brute_force_fit(c, degree, seed + k) for k, c in enumerate(curves)])
    theirs = np.array([rmse(c, reference_decode(reference_fit(c, degree), epochs)) for c in curves])
    rows = {
        "ours": fit(curves, degree).rmse,
        "ours, without refinement": fit(curves, degree, iterations=0).rmse,
        "ours, 3 starts, 8 steps": fit(curves, degree, starts=3, iterations=8).rmse,
        "brute force": brute,
        "evenly spaced x": np.array([even_spacing_rmse(c, degree) for c in curves]),
        "EA-HAS pseudo-inverse, reimpl.": theirs,
    }
    print(f"RMSE on {len(curves)} curves ({source})")
    print(f"{'':<34}{'median':>10}{'mean ratio to brute force':>32}")
    floor = np.maximum(brute, 1e-9)
    for name, values in rows.items():
        print(f"{name:<34}{np.median(values):>10.4f}{np.mean(values / floor):>32.3f}")


def brute_force_fit(curve: Floats, degree: int, seed: int, restarts: int = 25) -> float:
    """The lowest RMSE that scipy finds for any spacing, from many random starts.

    This is slow and independent of our search; the derivatives are finite differences. The steps
    between x control points have the same lower bound as in `fit`.
    """
    rng = np.random.default_rng(seed)
    positions = epoch_positions(len(curve))

    def residual(raw: Floats) -> Floats:
        x = (1.0 - degree * MIN_STEP) * x_control_points(raw) + MIN_STEP * np.arange(degree + 1)
        x[-1] = 1.0
        span = np.linalg.qr(basis_at(x, positions).T).Q
        return curve - span @ (span.T @ curve)

    even = np.linspace(0.0, 1.0, degree + 1)
    powers = [np.log(np.diff(even**p)) for p in (1, 2, 3, 4)]
    random = [2.0 * rng.standard_normal(degree) for _ in range(restarts - len(powers))]
    costs = [
        least_squares(
            residual, start - start.mean(), bounds=(-12, 12), max_nfev=60, xtol=1e-6, ftol=1e-7
        ).cost
        for start in (*powers, *random)
    ]
    return float(np.sqrt(2.0 * min(costs) / len(curve)))


def even_spacing_rmse(curve: Floats, degree: int) -> float:
    """The RMSE with evenly spaced x control points, where x(t) = t: a polynomial of the epoch."""
    span = np.linalg.qr(basis_at(np.linspace(0, 1, degree + 1), epoch_positions(len(curve))).T).Q
    return rmse(curve, span @ (span.T @ curve))


def reference_fit(curve: Floats, degree: int) -> Floats:
    """EA-HAS-Bench's fit: control points (n + 1, 2) in epochs and the unit of the curve."""
    points = np.column_stack((np.arange(1, len(curve) + 1), curve))
    chords = np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1))
    t = np.concatenate(([0.0], np.cumsum(chords / chords.sum())))
    matrix = [
        [comb(degree, k) * u**k * (1 - u) ** (degree - k) for k in range(degree + 1)] for u in t
    ]
    control = np.linalg.pinv(np.array(matrix, dtype=np.float64)) @ points
    control[[0, -1]] = points[[0, -1]]
    return np.asarray(control, dtype=np.float64)


def reference_decode(control: Floats, epochs: int) -> Floats:
    """EA-HAS-Bench's decoder: it searches a crossing for each epoch."""
    t = np.linspace(0.0, 1.0, 1001)
    dense_x = bernstein(len(control) - 1, t) @ control[:, 0]
    values = [control[0, 1]]
    for epoch in range(2, epochs):
        crossings = np.flatnonzero((dense_x[:-1] - epoch) * (dense_x[1:] - epoch) <= 0.0)
        at = 0.5
        if crossings.size:
            k = int(crossings[0])
            rise = dense_x[k + 1] - dense_x[k]
            at = t[k] + (epoch - dense_x[k]) / (rise or 1.0) * (t[k + 1] - t[k])
        values.append(_point(control, at)[1])
    return np.array([*values, control[-1, 1]])[:epochs]


def _point(control: Floats, t: float) -> Floats:
    """The point (x, y) at t, by de Casteljau's algorithm."""
    while len(control) > 1:
        control = (1.0 - t) * control[:-1] + t * control[1:]
    return np.asarray(control[0], dtype=np.float64)


def synthetic_curves(count: int, epochs: int, rng: np.random.Generator) -> Floats:
    """Accuracies in percent (count, epochs), similar to those of small networks on CIFAR-10."""
    curves = np.array([_synthetic_curve(epochs, rng) for _ in range(count)])
    return curves.clip(0.0, 100.0).round(2)


def _synthetic_curve(epochs: int, rng: np.random.Generator) -> Floats:
    """A power law of the summed learning rate; noise and dips are proportional to the rate.

    35 % are smoothed like a moving average of weights, 5 % stay at chance, 5 % fall back to chance.
    """
    epoch = np.arange(epochs)
    share = epoch / epochs
    schedules = (0.5 * (1 + np.cos(np.pi * share)), 1 - share, 1e-6**share)
    rate = schedules[rng.integers(3)] * np.minimum(1.0, 0.1 + 0.9 * epoch / 5)
    progress = np.cumsum(rate * rng.uniform(0.3, 1.0) + 0.05)
    speed, shape = 10 ** rng.uniform(-1.3, 0.5), rng.uniform(0.5, 1.5)
    learned = (1 - (1 + progress * speed) ** -shape) / (1 - (1 + 1e3 * speed) ** -shape)
    penalty = 1 - 10 ** rng.uniform(-1.5, -0.3) * rate
    curve = 10 + (rng.uniform(60, 95) - 10) * learned * penalty
    curve += 10 ** rng.uniform(-1.3, 0.7) * (rate + 0.03) * rng.standard_normal(epochs)
    curve -= (rng.random(epochs) < 0.02) * rng.exponential(8, epochs) * rate
    chance = 10 + rng.normal(0, 0.05, epochs)
    kind = rng.random()
    if kind < 0.35:
        weight, average = rng.uniform(0.1, 0.6), 10.0
        for k in range(epochs):
            average += weight * (curve[k] - average)
            curve[k] = average
    elif kind < 0.40:
        curve = chance
    elif kind < 0.45:
        curve = np.where(epoch < rng.integers(epochs), curve, chance)
    return np.asarray(curve, dtype=np.float64)


def recorded_curves(path: str, column: str, length: int, count: int) -> Floats:
    """The first complete curves of one length in a records file, at most `count`."""
    import pyarrow.parquet as pq

    present = pq.read_schema(path).names
    if column not in present:
        raise SystemExit(f"{path} has no column {column!r}; it has {', '.join(present)}")
    rows = pq.read_table(path, columns=[column])[column].to_pylist()
    whole = [c for c in rows if c and None not in c and np.isfinite(c).all()]
    if not whole:
        raise SystemExit(f"{path} contains no complete {column} curve")
    lengths = Counter(map(len, whole))
    if length not in lengths:
        raise SystemExit(f"{path} contains no curve of {length} epochs; it has {sorted(lengths)}")
    chosen = [c for c in whole if len(c) == length][:count]
    print(f"{len(rows)} records, {len(whole)} complete curves, {len(chosen)} used")
    return np.array(chosen, dtype=np.float64)


def rmse(curve: Floats, other: Floats) -> float:
    return float(np.sqrt(np.mean((curve - other) ** 2)))


def cpu_us(work: Callable[[], object], runs: int = 7) -> float:
    """Microseconds of CPU time of one call: the best of several, after a warm-up call."""
    work()
    best = np.inf
    for _ in range(runs):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return float(best * 1e6)


if __name__ == "__main__":
    main()
