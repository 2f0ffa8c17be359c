"""What an ensemble believes about a target: a normal distribution behind a link."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np

from eahas.errors import EahasError
from eahas.spec import Target


@dataclass(frozen=True)
class Distribution:
    """Normal with `location` and `scale`, both floats or one shape; on the log scale where `log`.

    `scale` holds the members' disagreement and the run-to-run noise together, calibrated. `low` and
    `high` are the target's bounds, to which intervals and draws are clipped.
    """

    location: Any
    scale: Any
    log: bool
    low: float | None
    high: float | None

    @property
    def value(self) -> Any:
        """The prediction: the median, which on a linear scale is the mean."""
        return _exp(self.location) if self.log else self.location

    @property
    def std(self) -> Any:
        """Standard deviation in the target's unit (of the log-normal law where `log`)."""
        if not self.log:
            return self.scale
        variance = self.scale * self.scale
        return _exp(self.location + 0.5 * variance) * (_exp(variance) - 1.0) ** 0.5

    def interval(self, level: float) -> tuple[Any, Any]:
        """The central interval that holds `level` of the probability; EahasError outside (0, 1)."""
        reach = half_width(level) * self.scale
        return self._out(self.location - reach), self._out(self.location + reach)

    def draw(self, normal: Any) -> Any:
        """One draw for given standard normal numbers of the same shape."""
        return self._out(self.location + normal * self.scale)

    def _out(self, linked: Any) -> Any:
        value = _exp(linked) if self.log else linked
        if self.log or (self.low is None and self.high is None):
            return value
        return np.clip(value, self.low, self.high)


def _exp(x: Any) -> Any:
    """On a single float numpy's call overhead would cost twenty times the exponential."""
    return math.exp(x) if isinstance(x, float) else np.exp(x)


def on_log_scale(target: Target) -> bool:
    """A target that is positive and unbounded above is modelled by its logarithm."""
    return target.kind == "scalar" and target.low == 0.0 and target.high is None


@lru_cache(maxsize=64)
def half_width(level: float) -> float:
    """How many standard deviations a central interval reaches to each side."""
    valid = isinstance(level, (int, float)) and not isinstance(level, bool) and 0 < level < 1
    if not valid:
        raise EahasError(f"level={level!r}: allowed are probabilities between 0 and 1, as 0.9")
    return NormalDist().inv_cdf(0.5 + 0.5 * level)
