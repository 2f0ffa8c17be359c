"""What an ensemble believes about a target: a normal distribution behind a link."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from eahas.errors import EahasError
from eahas.spec import Target

Array = np.ndarray


@dataclass(frozen=True)
class Distribution:
    """Normal with `location` and `scale`, both any one shape; on the log scale where `log`.

    `scale` holds the members' disagreement and the run-to-run noise together, calibrated. `low` and
    `high` are the target's bounds, to which intervals and draws are clipped.
    """

    location: Array
    scale: Array
    log: bool
    low: float | None
    high: float | None

    @property
    def value(self) -> Array:
        """The prediction: the median, which on a linear scale is the mean."""
        return np.exp(self.location) if self.log else self.location

    @property
    def std(self) -> Array:
        """Standard deviation in the target's unit (of the log-normal law where `log`)."""
        if not self.log:
            return self.scale
        variance = self.scale * self.scale
        return np.exp(self.location + 0.5 * variance) * np.sqrt(np.expm1(variance))

    def interval(self, level: float) -> tuple[Array, Array]:
        """The central interval that holds `level` of the probability; EahasError outside (0, 1)."""
        reach = half_width(level) * self.scale
        return self._out(self.location - reach), self._out(self.location + reach)

    def draw(self, normal: Array) -> Array:
        """One draw for given standard normal numbers of the same shape."""
        return self._out(self.location + normal * self.scale)

    def _out(self, linked: Array) -> Array:
        values = np.exp(linked) if self.log else linked
        if self.low is not None or self.high is not None:
            values = np.clip(values, self.low, self.high)
        return values


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
