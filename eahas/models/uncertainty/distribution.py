"""What an ensemble believes about a target: a symmetric law behind a link."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.models.uncertainty.error_quantiles import ErrorQuantiles
from eahas.spec.targets import Target

MAX_EXPONENT = 700.0  # exp of more overflows; no cost has so many digits


@dataclass(frozen=True, eq=False)
class Distribution:
    """Around `location`, in units of `scale`, as `law` says; all on the scale of `on_log_scale`.

    `location`, `epistemic` and `aleatoric` are floats or arrays of one shape: the mean of the
    members, how far they disagree, and how far runs of one configuration stray. Values and
    intervals are clipped to the target's bounds.
    """

    target: Target
    location: Any
    epistemic: Any
    aleatoric: Any
    error_quantiles: ErrorQuantiles

    @property
    def log(self) -> bool:
        """Whether `location` and the deviations are those of the logarithm."""
        return on_log_scale(self.target)

    @property
    def scale(self) -> Any:
        """Both deviations together, before the law."""
        square = self.epistemic * self.epistemic + self.aleatoric * self.aleatoric
        return math.sqrt(square) if isinstance(square, float) else np.sqrt(square)

    @property
    def value(self) -> Any:
        """The prediction: the median, which on a linear scale is the mean."""
        return inverse_link(self.target, self.location)

    @property
    def std(self) -> Any:
        """Calibrated standard deviation in the target's unit."""
        return self._in_unit(self.scale * self.error_quantiles.std)

    @property
    def epistemic_std(self) -> Any:
        """Standard deviation, in the target's unit, of what more training runs would settle."""
        return self._in_unit(self.epistemic)

    @property
    def aleatoric_std(self) -> Any:
        """Standard deviation, in the target's unit, between runs of one configuration."""
        return self._in_unit(self.aleatoric)

    def interval(self, level: float) -> tuple[Any, Any]:
        """The central interval that holds `level` of the probability; EahasError outside (0, 1)."""
        reach = self.error_quantiles.reach(level) * self.scale
        return (
            inverse_link(self.target, self.location - reach),
            inverse_link(self.target, self.location + reach),
        )

    def _in_unit(self, deviation: Any) -> Any:
        """Of the log-normal law where `log`."""
        if not self.log:
            return deviation if isinstance(deviation, float) else np.array(deviation)
        variance = deviation * deviation
        half = 0.5 * MAX_EXPONENT
        return _exp(self.location + 0.5 * variance, half) * _sqrt_expm1(variance)


def on_log_scale(target: Target) -> bool:
    """A target that is positive and unbounded above is modelled by its logarithm."""
    return target.low == 0.0 and target.high is None and target.kind == "scalar"


def inverse_link(target: Target, location: Any) -> Any:
    """A location in the target's own unit and inside its bounds: a float, or a new array."""
    if on_log_scale(target):
        return _exp(location)
    low = -math.inf if target.low is None else target.low
    high = math.inf if target.high is None else target.high
    if isinstance(location, float):
        return min(max(location, low), high)
    return np.minimum(np.maximum(location, low), high)


# On a single float numpy's call overhead would cost twenty times the arithmetic.


def _exp(x: Any, most: float = MAX_EXPONENT) -> Any:
    return math.exp(min(x, most)) if isinstance(x, float) else np.exp(np.minimum(x, most))


def _sqrt_expm1(x: Any) -> Any:
    """sqrt(exp(x) - 1), also where x is tiny."""
    if isinstance(x, float):
        return math.sqrt(math.expm1(min(x, MAX_EXPONENT)))
    return np.sqrt(np.expm1(np.minimum(x, MAX_EXPONENT)))
