"""Metrics that compare predictions with runs: R2, RMSE, Kendall tau, Spearman; with bootstrap.

Every metric is computed for R rows of weights of n runs (R, n) at once. A row of weights is a
bootstrap resample; the weight of a run is the number of times it was sampled. The first row of
`resamplings` is all 1 and gives the metric itself; the other rows give its confidence interval.

Curves have two kinds of metrics. "last" compares each run's value at its own last epoch, for all
lengths together. "mean" computes the metric at each epoch over the runs of one length, and averages
it over the epochs and then over the lengths, weighted by their numbers of runs. If a
curve has a schedule, its epochs are the scheduled ones and its length is the number of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

Array = np.ndarray
Metric = Callable[[Array, Array, Array], Array]
"""predicted (n,), observed (n,), weights (R, n) -> (R,)"""
MAX_PAIRS = 4_000_000  # pairs of runs in memory at once
ROUNDING = 1e-12  # a relative variance below this is a rounding error


def resamplings(n: int, resamples: int, seed: int = 0) -> Array:
    """How often each of n runs is sampled, (1 + resamples, n); the first row is all 1."""
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=resamples)
    return np.vstack([np.ones(n), counts])


def r2(predicted: Array, observed: Array, weights: Array) -> Array:
    """1 - squared error / variance around the mean; NaN if all values are equal."""
    return 1.0 - _ratio(weights @ (observed - predicted) ** 2, _variation(observed, weights))


def rmse(predicted: Array, observed: Array, weights: Array) -> Array:
    """Root of the mean squared error."""
    return np.sqrt(_ratio(weights @ (observed - predicted) ** 2, weights.sum(axis=1)))


def kendall_tau(predicted: Array, observed: Array, weights: Array) -> Array:
    """Kendall's tau-b (Kendall, 1945); NaN if either input is constant."""
    if len(weights) == 1 and len(observed) > 1 and (weights == 1.0).all():
        from scipy.stats import kendalltau  # O(n log n), but without weights

        return np.array([float(kendalltau(predicted, observed).statistic)])
    agreeing, varied, varied_observed = np.zeros((3, len(weights)))
    for rows in _blocks(len(observed)):
        one, other = _signs(predicted, rows), _signs(observed, rows)
        some = weights[:, rows]
        agreeing += ((weights @ (one * other).T) * some).sum(axis=1)
        varied += ((weights @ (one * one).T) * some).sum(axis=1)
        varied_observed += ((weights @ (other * other).T) * some).sum(axis=1)
    return _ratio(agreeing, np.sqrt(varied * varied_observed))


def spearman(predicted: Array, observed: Array, weights: Array) -> Array:
    """Spearman's rank correlation; NaN if either input is constant."""
    one, other = _ranks(predicted, weights), _ranks(observed, weights)
    total = weights.sum(axis=1, keepdims=True)
    one = one - _ratio((weights * one).sum(axis=1, keepdims=True), total)
    other = other - _ratio((weights * other).sum(axis=1, keepdims=True), total)
    both = (weights * one * other).sum(axis=1)
    return _ratio(both, np.sqrt((weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1)))


METRICS: Mapping[str, Metric] = {
    "r2": r2,
    "kendall_tau": kendall_tau,
    "spearman": spearman,
    "rmse": rmse,
}


def mse(predicted: Array, observed: Array, weights: Array) -> Array:
    """Mean squared error."""
    return _ratio(weights @ (observed - predicted) ** 2, weights.sum(axis=1))


def rounded_kendall_tau(decimals: int) -> Metric:
    """Kendall's tau of predictions rounded to `decimals` decimals, as NAS-Bench-301 reports it."""

    def metric(predicted: Array, observed: Array, weights: Array) -> Array:
        return kendall_tau(np.round(predicted, decimals), observed, weights)

    return metric


def sparse_tau(predicted: Array, observed: Array, weights: Array) -> Array:
    """Kendall's tau of values rounded to 0.1, which ignores small differences (Yu et al., 2020)."""
    return kendall_tau(np.round(predicted, 1), np.round(observed, 1), weights)


EXTRA_METRICS: Mapping[str, Metric] = {
    "mse": mse,
    "kendall_tau_2_dec": rounded_kendall_tau(2),
    "kendall_tau_1_dec": rounded_kendall_tau(1),
    "sparse_kendall_tau": sparse_tau,
}
"""Other metrics that the reference systems report; computed without intervals."""
"""Other metrics that the reference systems report; computed without intervals."""


def best_quarter_tau(predicted: Array, observed: Array, weights: Array, *, maximize: bool) -> Array:
    """Kendall tau among the quarter of runs with the best observed values."""
    order = np.argsort(-observed if maximize else observed, kind="stable")
    ordered = weights[:, order]
    before = np.cumsum(ordered, axis=1) - ordered
    count = np.maximum(2, weights.sum(axis=1, keepdims=True) // 4)
    return kendall_tau(predicted[order], observed[order], np.clip(count - before, 0, ordered))


def mean_over_epochs(
    metric: Metric, predicted: Array, observed: Array, lengths: Array, weights: Array
) -> Array:
    """The "mean" metric of the module's docstring, (R,).

    The curves are (n, longest), padded with NaN; `lengths` (n,) are their numbers of values.
    """
    total, weight = np.zeros((2, len(weights)))
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        some = weights[:, rows]
        by_epoch = [metric(predicted[rows, e], observed[rows, e], some) for e in range(int(length))]
        value = nan_mean(np.array(by_epoch))
        known = np.isfinite(value)
        total += np.where(known, some.sum(axis=1) * value, 0.0)
        weight += np.where(known, some.sum(axis=1), 0.0)
    return _ratio(total, weight)


def unweighted(metric: Metric, predicted: Array, observed: Array) -> float:
    """The metric with equal weights of all runs."""
    return float(metric(predicted, observed, np.ones((1, len(observed))))[0])


def with_interval(values: Array) -> dict[str, float | None]:
    """The first of a metric's values (R,), and the 95 % percentile interval of the others.

    The keys are `value`, `low` and `high`.
    """
    resampled = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(resampled, [2.5, 97.5]) if len(resampled) else (np.nan, np.nan)
    return {"value": _number(values[0]), "low": _number(low), "high": _number(high)}


def last_epoch(curves: Array, lengths: Array) -> Array:
    """Each run's last value: (n, longest), (n,) -> (n,)."""
    return curves[np.arange(len(lengths)), lengths - 1]


def nan_mean(values: Array) -> Array:
    """The mean of each column without NaN; NaN if the column has no value (without a warning)."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(float))


def _variation(values: Array, weights: Array) -> Array:
    """Sum of squares around the mean; 0 if it is only a rounding error."""
    centred = values - values.mean()
    squares = weights @ centred**2
    around = squares - _ratio((weights @ centred) ** 2, weights.sum(axis=1))
    scale = max(float((values**2).max(initial=0.0)), np.finfo(float).tiny)
    return np.where(around > ROUNDING * np.maximum(squares, scale), around, 0.0)


def _blocks(n: int) -> Iterator[slice]:
    step = max(1, MAX_PAIRS // max(1, n))
    return (slice(start, min(n, start + step)) for start in range(0, n, step))


def _signs(values: Array, rows: slice) -> Array:
    """Sign of the difference between each value of `rows` and every value: -1, 0 or 1."""
    return np.sign(values[rows, None] - values[None, :])


def _ranks(values: Array, weights: Array) -> Array:
    """Average ranks (R, n) among the weighted runs, up to a constant."""
    blocks = [weights @ _signs(values, rows).T for rows in _blocks(len(values))]
    return 0.5 * np.concatenate(blocks, axis=1)


def _ratio(numerator: Array, denominator: Array) -> Array:
    """numerator / denominator; NaN if the denominator is 0."""
    undefined = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)


def _number(value: float) -> float | None:
    """A rounded number; None instead of NaN, which JSON does not have."""
    return None if value != value else round(float(value), 6)
