"""Agreement of predictions with runs: R2, RMSE, Kendall tau, Spearman, with bootstrap intervals.

Every metric is computed on weighted runs, for R rows of weights (R, n) at once: a run that a
bootstrap resample drew twice weighs two. The first row of `resamplings` weighs every run once, so
it gives the metric itself and the others its interval.

Curves are judged in two ways. "last" takes each run's value at its own last epoch, all lengths
together. "mean" computes the metric over the runs of one length at each epoch, averages over the
epochs and then over the lengths, weighted by their runs. Of a curve with a schedule, epochs are
those that are scheduled, and lengths are the numbers of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

Array = np.ndarray
Metric = Callable[[Array, Array, Array], Array]  # predicted (n,), seen (n,), weights (R, n) -> (R,)
PAIRS_AT_ONCE = 4_000_000  # so that many runs do not fill the memory
NOTHING = 1e-12  # a variance that is smaller, in proportion, is rounding


def resamplings(n: int, resamples: int, seed: int = 0) -> Array:
    """How often each of n runs is drawn, (1 + resamples, n); in the first row each once."""
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1.0 / n), size=resamples)
    return np.vstack([np.ones(n), drawn])


def r2(predicted: Array, seen: Array, weights: Array) -> Array:
    """1 - squared error / variance around the mean; NaN where nothing varies."""
    return 1.0 - _ratio(weights @ (seen - predicted) ** 2, _variation(seen, weights))


def rmse(predicted: Array, seen: Array, weights: Array) -> Array:
    """Root of the mean squared error."""
    return np.sqrt(_ratio(weights @ (seen - predicted) ** 2, weights.sum(axis=1)))


def kendall_tau(predicted: Array, seen: Array, weights: Array) -> Array:
    """Kendall's tau-b (Kendall, 1945); NaN where one side is constant."""
    if len(weights) == 1 and len(seen) > 1 and (weights == 1.0).all():
        from scipy.stats import kendalltau  # in n log n steps, but every run counts once

        return np.array([float(kendalltau(predicted, seen).statistic)])
    agreeing, varied, varied_seen = np.zeros((3, len(weights)))
    for rows in _row_blocks(len(seen)):
        one, other = _signs(predicted, rows), _signs(seen, rows)
        some = weights[:, rows]
        agreeing += ((weights @ (one * other).T) * some).sum(axis=1)
        varied += ((weights @ (one * one).T) * some).sum(axis=1)
        varied_seen += ((weights @ (other * other).T) * some).sum(axis=1)
    return _ratio(agreeing, np.sqrt(varied * varied_seen))


def spearman(predicted: Array, seen: Array, weights: Array) -> Array:
    """Spearman's rank correlation; NaN where one side is constant."""
    one, other = _ranks(predicted, weights), _ranks(seen, weights)
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


def mse(predicted: Array, seen: Array, weights: Array) -> Array:
    """Mean squared error."""
    return _ratio(weights @ (seen - predicted) ** 2, weights.sum(axis=1))


def tau_of_rounded(decimals: int) -> Metric:
    """Kendall's tau of predictions rounded to so many decimals, as NAS-Bench-301 reports it."""

    def metric(predicted: Array, seen: Array, weights: Array) -> Array:
        return kendall_tau(np.round(predicted, decimals), seen, weights)

    return metric


def sparse_tau(predicted: Array, seen: Array, weights: Array) -> Array:
    """Kendall's tau of runs rounded to 0.1: smaller differences do not count (Yu et al., 2020)."""
    return kendall_tau(np.round(predicted, 1), np.round(seen, 1), weights)


# What the reference systems report beside these; without intervals.
FURTHER: Mapping[str, Metric] = {
    "mse": mse,
    "kendall_tau_2_dec": tau_of_rounded(2),
    "kendall_tau_1_dec": tau_of_rounded(1),
    "sparse_kendall_tau": sparse_tau,
}


def best_quarter_tau(predicted: Array, seen: Array, weights: Array, *, maximize: bool) -> Array:
    """Kendall tau among the quarter of runs that truly are best."""
    order = np.argsort(-seen if maximize else seen, kind="stable")
    drawn = weights[:, order]
    before = np.cumsum(drawn, axis=1) - drawn
    count = np.maximum(2, weights.sum(axis=1, keepdims=True) // 4)
    return kendall_tau(predicted[order], seen[order], np.clip(count - before, 0, drawn))


def mean_over_epochs(
    metric: Metric, predicted: Array, seen: Array, lengths: Array, weights: Array
) -> Array:
    """The "mean" of the module's head, for curves (n, longest) padded with NaN; lengths (n,)."""
    total, weight = np.zeros((2, len(weights)))
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        drawn = weights[:, rows]
        each = [metric(predicted[rows, e], seen[rows, e], drawn) for e in range(int(length))]
        value = known_mean(np.array(each))
        known = np.isfinite(value)
        total += np.where(known, drawn.sum(axis=1) * value, 0.0)
        weight += np.where(known, drawn.sum(axis=1), 0.0)
    return _ratio(total, weight)


def once(metric: Metric, predicted: Array, seen: Array) -> float:
    """The metric itself, every run weighing the same."""
    return float(metric(predicted, seen, np.ones((1, len(seen))))[0])


def with_interval(values: Array) -> dict[str, float | None]:
    """`value`, and `low` and `high` of its 95 % percentile interval, of a metric's (R,)."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    return {"value": _number(values[0]), "low": _number(low), "high": _number(high)}


def last_epoch(curves: Array, lengths: Array) -> Array:
    """Each run's last value: (n, longest), (n,) -> (n,)."""
    return curves[np.arange(len(lengths)), lengths - 1]


def known_mean(values: Array) -> Array:
    """The mean over rows of what is not NaN; NaN where a column has nothing."""
    known = np.isfinite(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0).astype(float))


def _variation(values: Array, weights: Array) -> Array:
    """Sum of squares around the mean, 0 where it is only rounding."""
    centred = values - values.mean()
    squares = weights @ centred**2
    around = squares - _ratio((weights @ centred) ** 2, weights.sum(axis=1))
    scale = max(float((values**2).max(initial=0.0)), np.finfo(float).tiny)
    return np.where(around > NOTHING * np.maximum(squares, scale), around, 0.0)


def _row_blocks(n: int) -> Iterator[slice]:
    step = max(1, PAIRS_AT_ONCE // max(1, n))
    return (slice(start, min(n, start + step)) for start in range(0, n, step))


def _signs(values: Array, rows: slice) -> Array:
    """The order of each of some runs against every run: -1, 0 or 1."""
    return np.sign(values[rows, None] - values[None, :])


def _ranks(values: Array, weights: Array) -> Array:
    """Mid-ranks (R, n) among the weighted runs, up to a constant."""
    blocks = [weights @ _signs(values, rows).T for rows in _row_blocks(len(values))]
    return 0.5 * np.concatenate(blocks, axis=1)


def _ratio(above: Array, below: Array) -> Array:
    """above / below; NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if value != value else round(float(value), 6)
