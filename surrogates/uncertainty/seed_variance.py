"""How far seeds lie apart, and how the run of a new one lies around the mean of the others.

What is typical is pooled over configurations with similar means, at a few positions of a curve. The
variance of a configuration is then taken to be around it as a scaled inverse chi-squared law says,
so that the run of a new seed follows Student's t. How much what is typical counts beside a
configuration's own seeds is the likeliest under that law, for the run of each seed around the mean
of the others; and how errors spread is seen there, in units of the deviation that they promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from eahas.models.uncertainty.error_quantiles import LEVELS, ErrorQuantiles, normal_quantiles
from eahas.models.uncertainty.seed_variance import SeedVariance, moments

Array = np.ndarray
POSITIONS = 11  # of a curve, evenly
MIN_OF_A_KNOT, MAX_KNOTS = 200, 8  # degrees of freedom behind a knot; knots of a position
MIN_SHARE = 1e-4  # of the mean variance: a deviation of nothing would be a claim too bold
SMALLEST = 1e-9  # deviation of what never differs
WEIGHTS = (64.0, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 0.5)
SHARES = (1.0, *np.geomspace(1.4, 0.05, 12))  # of the pooled variance, which a few large ones carry


@dataclass(frozen=True)
class LeftOut:
    """The runs of one seed, each against the others of its configuration; all (n, P).

    `error` of the run around the others' mean; their `mean`, `squares` around it and `count`.
    """

    error: Array
    mean: Array
    squares: Array
    count: Array

    def scale(self, seed_variance: SeedVariance) -> Array:
        """What the others promise the error to be."""
        whole = np.full(len(self.mean), self.mean.shape[1])
        deviation = seed_variance.shrunk(self.mean, self.squares, self.count, whole)
        return deviation * np.sqrt(1.0 + 1.0 / self.count)


def at_positions(linked: Array, lengths: Array) -> Array:
    """Of curves (n, S, longest) the values at POSITIONS, each the nearest one: (n, S, P).

    `lengths` (n,) are the numbers of values of the curves.
    """
    places = np.rint(np.linspace(0.0, 1.0, POSITIONS) * (lengths[:, None] - 1)).astype(int)
    return np.take_along_axis(linked, places[:, None], axis=2)


def studied(values: Array) -> tuple[SeedVariance, ErrorQuantiles]:
    """What is typical of a target, and its law, from linked values (n, S, P), NaN where unknown.

    Without a configuration that has two runs nothing is typical; without one that has three, what
    is typical counts alone.
    """
    pooled = _pooled(values)
    left_out = list(_left_out(values)) if pooled.location.shape[1] else []
    if not left_out:
        return pooled, normal_quantiles()
    choices = [
        replace(pooled, weight=weight, deviation=pooled.deviation * share**0.5)
        for weight in WEIGHTS
        for share in SHARES
    ]
    seed_variance = min(choices, key=lambda choice: _surprise(left_out, choice))
    return seed_variance, _law(left_out, seed_variance, _usual_count(values))


def _pooled(values: Array) -> SeedVariance:
    """Pooled variances of configurations with similar means, in groups of one size."""
    mean, squares, count = moments(values)
    free = np.maximum(count - 1, 0)
    known, least = int((free > 0).sum(axis=0).min()), int(free.sum(axis=0).min())
    knots = min(max(least // MIN_OF_A_KNOT, 1), MAX_KNOTS, known)
    location, deviation = np.zeros((2, values.shape[2], knots))
    for p in range(values.shape[2] if knots else 0):
        rows = np.flatnonzero(free[:, p])
        rows = rows[np.argsort(mean[rows, p], kind="stable")]
        pooled = squares[rows, p].sum() / free[rows, p].sum()
        for k, some in enumerate(np.array_split(rows, knots)):
            variance = squares[some, p].sum() / free[some, p].sum()
            location[p, k] = mean[some, p].mean()
            deviation[p, k] = max(np.sqrt(max(variance, MIN_SHARE * pooled)), SMALLEST)
    return SeedVariance(np.maximum.accumulate(location, axis=1), deviation, WEIGHTS[0])


def _left_out(values: Array) -> Iterator[LeftOut]:
    """One after the other each seed, of the configurations that have others."""
    for seed in range(values.shape[1]):
        others = values.copy()
        others[:, seed] = np.nan
        mean, squares, count = moments(others)
        rows = (count > 0).any(axis=1) & np.isfinite(values[:, seed]).any(axis=1)
        if rows.any():
            error = values[rows, seed] - mean[rows]
            yield LeftOut(error, mean[rows], squares[rows], np.maximum(count[rows], 1))


def _surprise(left_out: list[LeftOut], seed_variance: SeedVariance) -> float:
    """Minus the log likelihood of the errors of seeds that have two others or more."""
    total = 0.0
    for part in left_out:
        free = seed_variance.weight + part.count - 1
        known = np.isfinite(part.error) & (part.count > 1)
        scale = part.scale(seed_variance)[known]
        total -= float(stats.t.logpdf(part.error[known] / scale, free[known]).sum())
        total += float(np.log(scale).sum())
    return total


def _usual_count(values: Array) -> float:
    """How many seeds a configuration has that has several."""
    count = np.isfinite(values).any(axis=2).sum(axis=1)
    return float(np.median(count[count > 1]))


def _law(left_out: list[LeftOut], seed_variance: SeedVariance, count: float) -> ErrorQuantiles:
    """Quantiles of |error| / scale at LEVELS (conformal prediction with a normalised score).

    They are of one seed less than the `count` that a table answers from, whose law of t has a
    degree of freedom more: by that much they are nearer to a normal law's.
    """
    scores = np.concatenate([np.abs(part.error / part.scale(seed_variance)) for part in left_out])
    runs = np.isfinite(scores).any(axis=1).sum()
    wanted = np.minimum(np.array(LEVELS) * (1.0 + 1.0 / max(runs, 1)), 1.0)
    found = np.quantile(scores[np.isfinite(scores)], wanted, method="higher")
    tails = 0.5 + 0.5 * np.array(LEVELS)
    free = seed_variance.weight + count - 1.0
    ratio = stats.t.ppf(tails, free) / stats.t.ppf(tails, free - 1.0)
    return ErrorQuantiles(tuple(np.maximum.accumulate(found * ratio).tolist()))
