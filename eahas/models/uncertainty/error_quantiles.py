"""Quantiles of standardised errors: a calibrated symmetric error distribution.

A standardised error is an error divided by the predicted standard deviation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from numbers import Real
from statistics import NormalDist

import numpy as np

from eahas.errors import EahasError, shown

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)
MAX_DISTANCE = 9.0  # standard deviations; the probability beyond is below 1e-18


@dataclass(frozen=True)
class ErrorQuantiles:
    """The half-widths of central intervals, in predicted standard deviations.

    The interval of `reaches[k]` deviations to each side contains the probability LEVELS[k]. Between
    two levels, the half-width ("reach") is linearly interpolated over the reach of the normal
    distribution, starting with 0 at level 0. Above the last level, its ratio to the reach of the
    normal distribution is constant.
    """

    reaches: tuple[float, ...]

    def reach(self, level: float) -> float:
        """The half-width of the central interval of a level, in predicted standard deviations."""
        return self._from_normal_reach(normal_reach(level))

    def _from_normal_reach(self, normal: float) -> float:
        knots, reaches = _knots(), (0.0, *self.reaches)
        if normal >= knots[-1]:
            return reaches[-1] * normal / knots[-1]
        return float(np.interp(normal, knots, reaches))

    @cached_property
    def std(self) -> float:
        """The standard deviation of the standardised errors: 1 for the normal distribution."""
        h = np.linspace(0.0, MAX_DISTANCE, 4001)
        knots, reaches = np.array(_knots()), np.array((0.0, *self.reaches))
        reach = np.interp(h, knots, reaches)
        reach = np.where(h > knots[-1], reaches[-1] * h / knots[-1], reach)
        density = np.exp(-0.5 * h**2)
        density[0] *= 0.5  # half of the cell at 0 belongs to the other side
        return math.sqrt(float((reach**2 * density).sum() / density.sum()))


def normal_quantiles() -> ErrorQuantiles:
    """The quantiles of normal errors whose standard deviation is the predicted one."""
    return ErrorQuantiles(tuple(map(normal_reach, LEVELS)))


def normal_reach(level: float) -> float:
    """The half-width of a central interval of the normal distribution, in standard deviations.

    Raises EahasError for a level outside (0, 1).
    """
    number = isinstance(level, Real) and not isinstance(level, bool)
    if not number or not 0 < level < 1:
        raise EahasError(f"level={shown(level)}; allowed: numbers between 0 and 1, such as 0.9")
    return _normal_reach(float(level))


@lru_cache(maxsize=1024)
def _normal_reach(level: float) -> float:
    return NormalDist().inv_cdf(min(0.5 + 0.5 * level, math.nextafter(1.0, 0.0)))


@lru_cache(maxsize=1)
def _knots() -> tuple[float, ...]:
    return (0.0, *map(_normal_reach, LEVELS))
