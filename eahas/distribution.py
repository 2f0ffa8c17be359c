"""What an ensemble believes about a target: a normal distribution behind a link."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np

from eahas.errors import EahasError, shown
from eahas.spec import Target

LARGEST_EXPONENT = 700.0  # exp of more overflows; no cost has so many digits


@dataclass(frozen=True, eq=False)
class Distribution:
    """Normal with `location` and `scale`, both floats or arrays of one shape; see `on_log_scale`.

    `scale` holds the members' disagreement and the run-to-run noise together, calibrated. Values,
    intervals and draws are clipped to the target's bounds.
    """

    target: Target
    location: Any
    scale: Any

    @property
    def log(self) -> bool:
        """Whether `location` and `scale` are those of the logarithm."""
        return on_log_scale(self.target)

    @property
    def value(self) -> Any:
        """The prediction: the median, which on a linear scale is the mean."""
        return unlinked(self.target, self.location)

    @property
    def std(self) -> Any:
        """Standard deviation in the target's unit (of the log-normal law where `log`)."""
        if not self.log:
            return self.scale if isinstance(self.scale, float) else np.array(self.scale)
        variance = self.scale * self.scale
        half = 0.5 * LARGEST_EXPONENT
        return _exp(self.location + 0.5 * variance, half) * _sqrt_expm1(variance)

    def interval(self, level: float) -> tuple[Any, Any]:
        """The central interval that holds `level` of the probability; EahasError outside (0, 1)."""
        reach = half_width(level) * self.scale
        return (
            unlinked(self.target, self.location - reach),
            unlinked(self.target, self.location + reach),
        )

    def draw(self, normal: Any) -> Any:
        """One draw for given standard normal numbers of the same shape."""
        return unlinked(self.target, self.location + normal * self.scale)


def on_log_scale(target: Target) -> bool:
    """A target that is positive and unbounded above is modelled by its logarithm."""
    return target.low == 0.0 and target.high is None and target.kind == "scalar"


def unlinked(target: Target, location: Any) -> Any:
    """A location in the target's own unit and inside its bounds: a float, or a new array."""
    if on_log_scale(target):
        return _exp(location)
    low = -math.inf if target.low is None else target.low
    high = math.inf if target.high is None else target.high
    if isinstance(location, float):
        return min(max(location, low), high)
    return np.minimum(np.maximum(location, low), high)


# On a single float numpy's call overhead would cost twenty times the arithmetic.


def _exp(x: Any, most: float = LARGEST_EXPONENT) -> Any:
    return math.exp(min(x, most)) if isinstance(x, float) else np.exp(np.minimum(x, most))


def _sqrt_expm1(x: Any) -> Any:
    """sqrt(exp(x) - 1), also where x is tiny."""
    if isinstance(x, float):
        return math.sqrt(math.expm1(min(x, LARGEST_EXPONENT)))
    return np.sqrt(np.expm1(np.minimum(x, LARGEST_EXPONENT)))


def half_width(level: float) -> float:
    """How many standard deviations a central interval reaches to each side."""
    number = isinstance(level, Real) and not isinstance(level, bool)
    if not number or not 0 < level < 1:
        raise EahasError(f"level={shown(level)}: allowed are probabilities between 0 and 1, as 0.9")
    return _half_width(float(level))


@lru_cache(maxsize=64)
def _half_width(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(min(0.5 + 0.5 * level, math.nextafter(1.0, 0.0)))
