"""Fit the variance between seeds, and the error quantiles of a new seed's run, for a table.

The variance is pooled over configurations with similar means, at a few positions of a curve. The
variances of single configurations are assumed to follow a scaled inverse chi-squared distribution
around the pooled variance, so that the run of a new seed follows Student's t (empirical Bayes). The
weight of the pooled variance, in degrees of freedom, maximises the likelihood of each seed's run
given the other seeds of its configuration. The error quantiles come from the same errors, which
leave out one seed, divided by the predicted standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from eahas.models.uncertainty.error_quantiles import LEVELS, ErrorQuantiles, normal_quantiles
from eahas.models.uncertainty.seed_variance import SeedVariance, moments

Array = np.ndarray
POSITIONS = 11  # evenly spaced over a curve
MIN_PER_KNOT, MAX_KNOTS = 200, 8  # degrees of freedom per knot; knots per position
MIN_SHARE = 1e-4  # minimum variance relative to the mean; a variance of 0 is not plausible
MIN_DEVIATION = 1e-9  # for values that are the same in all runs
WEIGHTS = (64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5)
SHARES = (1.0, *np.geomspace(1.4, 0.05, 12))
"""Candidate factors of the pooled variance, which a few large variances may dominate."""


@dataclass(frozen=True)
class LeftOut:
    """The runs of one seed, compared with the other runs of their configurations.

    Attributes:
        error: difference between the run and the mean of the others, (n, P).
        mean: mean of the others, (n, P).
        squares: sum of squared differences of the others from their mean, (n, P).
        count: number of the others, (n, P).
    """

    error: Array
    mean: Array
    squares: Array
    count: Array

    def scale(self, seed_variance: SeedVariance) -> Array:
        """Standard deviation of the error that follows from the other runs, (n, P)."""
        whole = np.full(len(self.mean), self.mean.shape[1])
        deviation = seed_variance.shrunk(self.mean, self.squares, self.count, whole)
        return deviation * np.sqrt(1.0 + 1.0 / self.count)


def at_positions(curves: Array, lengths: Array) -> Array:
    """Values of curves (n, S, longest) nearest to P even positions, (n, S, P).

    `lengths` (n,) are the numbers of values of the curves.
    """
    places = np.rint(np.linspace(0.0, 1.0, POSITIONS) * (lengths[:, None] - 1)).astype(int)
    return np.take_along_axis(curves, places[:, None], axis=2)


def fit_seed_variance(values: Array) -> tuple[SeedVariance, ErrorQuantiles]:
    """The variance between seeds of a target, and the error quantiles of a new seed's run.

    If no configuration has two runs, the variance is unknown. If none has three, the variances of
    single configurations are not used, and the error quantiles are those of a normal distribution.

    Args:
        values: values of n configurations, S seeds and P positions (n, S, P), on a log scale if
            the target is; NaN if unknown.
    """
    pooled = _pool(values)
    left_out = list(_left_out(values)) if pooled.location.shape[1] else []
    if not left_out:
        return pooled, normal_quantiles()
    choices = [
        replace(pooled, weight=weight, deviation=pooled.deviation * share**0.5)
        for weight in WEIGHTS
        for share in SHARES
    ]
    seed_variance = min(choices, key=lambda choice: _negative_log_likelihood(left_out, choice))
    return seed_variance, _error_quantiles(left_out, seed_variance, _median_count(values))


def _pool(values: Array) -> SeedVariance:
    """Pooled variances of groups of configurations with similar means; all groups equally large."""
    mean, squares, count = moments(values)
    free = np.maximum(count - 1, 0)
    known, least = int((free > 0).sum(axis=0).min()), int(free.sum(axis=0).min())
    knots = min(max(least // MIN_PER_KNOT, 1), MAX_KNOTS, known)
    location, deviation = np.zeros((2, values.shape[2], knots))
    for p in range(values.shape[2] if knots else 0):
        rows = np.flatnonzero(free[:, p])
        rows = rows[np.argsort(mean[rows, p], kind="stable")]
        pooled = squares[rows, p].sum() / free[rows, p].sum()
        for k, group in enumerate(np.array_split(rows, knots)):
            variance = squares[group, p].sum() / free[group, p].sum()
            location[p, k] = mean[group, p].mean()
            deviation[p, k] = max(np.sqrt(max(variance, MIN_SHARE * pooled)), MIN_DEVIATION)
    return SeedVariance(np.maximum.accumulate(location, axis=1), deviation, WEIGHTS[0])


def _left_out(values: Array) -> Iterator[LeftOut]:
    """For each seed, its runs in the configurations that have other runs."""
    for seed in range(values.shape[1]):
        others = values.copy()
        others[:, seed] = np.nan
        mean, squares, count = moments(others)
        rows = (count > 0).any(axis=1) & np.isfinite(values[:, seed]).any(axis=1)
        if rows.any():
            error = values[rows, seed] - mean[rows]
            yield LeftOut(error, mean[rows], squares[rows], np.maximum(count[rows], 1))


def _negative_log_likelihood(left_out: list[LeftOut], seed_variance: SeedVariance) -> float:
    """Of the errors of runs that have at least two others."""
    total = 0.0
    for part in left_out:
        free = seed_variance.weight + part.count - 1
        known = np.isfinite(part.error) & (part.count > 1)
        scale = part.scale(seed_variance)[known]
        total -= float(stats.t.logpdf(part.error[known] / scale, free[known]).sum())
        total += float(np.log(scale).sum())
    return total


def _median_count(values: Array) -> float:
    """Median number of seeds of the configurations that have several."""
    count = np.isfinite(values).any(axis=2).sum(axis=1)
    return float(np.median(count[count > 1]))


def _error_quantiles(
    left_out: list[LeftOut], seed_variance: SeedVariance, count: float
) -> ErrorQuantiles:
    """Quantiles of |error| / scale at LEVELS (conformal prediction with a normalised score).

    The errors are those of predictions from `count` - 1 seeds, while a table predicts from `count`.
    The quantiles are therefore multiplied by the ratio of the quantiles of Student's t with one
    more degree of freedom, which is closer to a normal distribution.
    """
    scores = np.concatenate([np.abs(part.error / part.scale(seed_variance)) for part in left_out])
    runs = np.isfinite(scores).any(axis=1).sum()
    levels = np.minimum(np.array(LEVELS) * (1.0 + 1.0 / max(runs, 1)), 1.0)
    quantiles = np.quantile(scores[np.isfinite(scores)], levels, method="higher")
    tails = 0.5 + 0.5 * np.array(LEVELS)
    free = seed_variance.weight + count - 1.0
    ratio = stats.t.ppf(tails, free) / stats.t.ppf(tails, free - 1.0)
    return ErrorQuantiles(tuple(np.maximum.accumulate(quantiles * ratio).tolist()))
