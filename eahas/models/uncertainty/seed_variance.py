"""How far the seeds of a configuration typically lie apart, by epoch and by where a run stands.

A few seeds say little of their own spread. So a table takes what is typical of configurations with
a similar mean at the same share of the epochs, and lets it count as `weight` degrees of freedom
beside the configuration's own (empirical Bayes; Smyth, "Linear models and empirical Bayes methods",
2004, with the trend of its section 6 in place of one variance for all).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SeedVariance:
    """Of one target: P positions, evenly from the first epoch to the last, with K knots each.

    Attributes:
        location (P, K): means on the linked scale, rising in each row.
        deviation (P, K): standard deviations between the seeds there, of a configuration that is
            neither calm nor wild; between two knots, and between two positions, the logarithm is
            linear. Without knots nothing is known.
        weight: as how many degrees of freedom it counts beside a configuration's own.
    """

    location: Array
    deviation: Array
    weight: float

    def at(self, location: Array) -> Array:
        """The typical deviation (n, E) of configurations with these means (n, E); NaN: unknown."""
        found = np.full(location.shape, np.nan)
        places, epochs = len(self.location), location.shape[1]
        if not self.location.shape[1]:
            return found
        logs = np.log(self.deviation)

        def of(position: int, means: Array) -> Array:
            return np.interp(means, self.location[position], logs[position])

        for epoch, place in enumerate(np.linspace(0.0, places - 1.0, epochs)):
            low = min(int(place), max(places - 2, 0))
            share, means = place - low, location[:, epoch]
            log = (1.0 - share) * of(low, means)
            if share:
                log += share * of(low + 1, means)
            found[:, epoch] = np.exp(log)
        return np.where(np.isfinite(location), found, np.nan)

    def shrunk(self, mean: Array, squares: Array, count: Array, epochs: Array) -> Array:
        """The deviations (n, longest) between seeds of runs of so many epochs (n,).

        From what `moments` says of them; NaN past each end, and where nothing is known.
        """
        found = np.full(mean.shape, np.nan)
        for length in np.unique(epochs).tolist():
            rows = np.flatnonzero(epochs == length)
            part = np.ix_(rows, np.arange(length))
            own = np.maximum(count[part] - 1, 0)
            variance = self.weight * self.at(mean[part]) ** 2 + squares[part]
            found[part] = np.sqrt(variance / (self.weight + own))
        return found


def moments(values: Array) -> tuple[Array, Array, Array]:
    """Mean, sum of squares around it, and count of what is known of (n, S, E): each (n, E).

    The mean of nothing is NaN.
    """
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    squares = np.where(known, values - mean[:, None], 0.0) ** 2
    return mean, squares.sum(axis=1), count
