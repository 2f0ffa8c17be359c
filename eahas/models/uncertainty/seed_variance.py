"""The prior of the variance between seeds, as a function of the epoch and of the mean.

The variance of a few seeds is a poor estimate. A table therefore shrinks it towards the variance of
configurations with a similar mean at the same share of the epochs. The prior counts as `weight`
degrees of freedom beside those of the configuration (empirical Bayes; Smyth, "Linear models and
empirical Bayes methods", 2004, with the trend of its section 6 in place of one common variance).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SeedVariance:
    """The prior of one target: P positions, with equal steps from the first epoch to the last.

    Attributes:
        location (P, K): K knots per position: means on the transformed scale, increasing in each
            row.
        deviation (P, K): the prior standard deviation between seeds at these means. Its logarithm
            is interpolated linearly between knots and between positions. With K = 0 it is unknown.
        weight: the degrees of freedom of the prior.
    """

    location: Array
    deviation: Array
    weight: float

    def at(self, location: Array) -> Array:
        """The prior deviation (n, E) of configurations with these means (n, E); NaN if unknown."""
        deviation = np.full(location.shape, np.nan)
        positions, epochs = len(self.location), location.shape[1]
        if not self.location.shape[1]:
            return deviation
        logs = np.log(self.deviation)

        def log_deviation(position: int, means: Array) -> Array:
            return np.interp(means, self.location[position], logs[position])

        for epoch, position in enumerate(np.linspace(0.0, positions - 1.0, epochs)):
            low = min(int(position), max(positions - 2, 0))
            share, means = position - low, location[:, epoch]
            log = (1.0 - share) * log_deviation(low, means)
            if share:
                log += share * log_deviation(low + 1, means)
            deviation[:, epoch] = np.exp(log)
        return np.where(np.isfinite(location), deviation, np.nan)

    def shrunk(self, mean: Array, squares: Array, count: Array, epochs: Array) -> Array:
        """The shrunken deviations (n, longest) between seeds of runs with `epochs` (n,) epochs.

        `mean`, `squares` and `count` are the results of `moments`. The deviation is NaN after the
        end of a run and where it is unknown.
        """
        deviation = np.full(mean.shape, np.nan)
        for length in np.unique(epochs).tolist():
            rows = np.flatnonzero(epochs == length)
            part = np.ix_(rows, np.arange(length))
            degrees = np.maximum(count[part] - 1, 0)
            variance = self.weight * self.at(mean[part]) ** 2 + squares[part]
            deviation[part] = np.sqrt(variance / (self.weight + degrees))
        return deviation


def moments(values: Array) -> tuple[Array, Array, Array]:
    """Mean, sum of squared deviations and count of the known values of (n, S, E), each (n, E).

    A value is known if it is finite. The mean is NaN if no value is known.
    """
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    squares = np.where(known, values - mean[:, None], 0.0) ** 2
    return mean, squares.sum(axis=1), count
