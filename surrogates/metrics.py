"""Agreement of predictions with runs: R2, RMSE, Kendall tau, Spearman, with bootstrap intervals.

Curves are judged in two ways. "last" takes each run's value at its own last epoch, all lengths
together. "mean" computes the metric over the runs of one length at each epoch, averages over the
epochs and then over the lengths, weighted by their runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Array = np.ndarray
Metric = Callable[[Array, Array], float]


def r2(predicted: Array, seen: Array) -> float:
    """1 - squared error / variance around the mean; NaN where nothing varies."""
    total = float(((seen - seen.mean()) ** 2).sum())
    return 1.0 - float(((seen - predicted) ** 2).sum()) / total if total > 0 else float("nan")


def rmse(predicted: Array, seen: Array) -> float:
    return float(np.sqrt(((seen - predicted) ** 2).mean()))


def kendall_tau(predicted: Array, seen: Array) -> float:
    """Kendall's tau-b (Kendall, 1945); NaN where one side is constant."""
    from scipy.stats import kendalltau

    return float(kendalltau(predicted, seen).statistic)


def spearman(predicted: Array, seen: Array) -> float:
    """Spearman's rank correlation; NaN where one side is constant."""
    from scipy.stats import rankdata

    a, b = rankdata(predicted), rankdata(seen)
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


METRICS: Mapping[str, Metric] = {
    "r2": r2,
    "kendall_tau": kendall_tau,
    "spearman": spearman,
    "rmse": rmse,
}


def best_quarter_tau(predicted: Array, seen: Array, maximize: bool) -> float:
    """Kendall tau among the quarter of runs that truly are best."""
    count = max(2, len(seen) // 4)
    order = np.argsort(-seen if maximize else seen, kind="stable")[:count]
    return kendall_tau(predicted[order], seen[order])


def bootstrap(
    metric: Metric, predicted: Array, seen: Array, *, resamples: int = 200, seed: int = 0
) -> tuple[float, float, float]:
    """The metric and its 95 % percentile interval over resampled runs."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples):
        rows = rng.integers(len(seen), size=len(seen))
        drawn.append(metric(predicted[rows], seen[rows]))
    known = [value for value in drawn if np.isfinite(value)]
    low, high = np.percentile(known, [2.5, 97.5]) if known else (np.nan, np.nan)
    return metric(predicted, seen), float(low), float(high)


def mean_over_epochs(metric: Metric, predicted: Array, seen: Array, epochs: Array) -> float:
    """The "mean" of the module's head, for curves (n, longest) padded with NaN and epochs (n,)."""
    total = weight = 0.0
    for length in np.unique(epochs):
        rows = np.flatnonzero(epochs == length)
        if len(rows) < 2:
            continue
        values = [metric(predicted[rows, e], seen[rows, e]) for e in range(int(length))]
        if np.isfinite(values).any():
            total += len(rows) * float(np.nanmean(values))
            weight += len(rows)
    return total / weight if weight else float("nan")


def last_epoch(curves: Array, epochs: Array) -> Array:
    """Each run's value at its own last epoch: (n, longest), (n,) -> (n,)."""
    return curves[np.arange(len(epochs)), epochs - 1]
