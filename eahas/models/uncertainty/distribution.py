"""What an ensemble believes about a target: a symmetric law behind a link."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.models.curves.monotone import rising
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles
from eahas.spec.targets import Target

LOG_OF_ZERO = -700.0  # stands for -inf where means and deviations are computed
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
        """The central interval that holds `level` of the probability; EahasError outside (0, 1).

        Neither end of a cumulative curve's interval falls: where one is above a later one, it is
        lowered to it. A curve that never falls and stays below the later end was below it before.
        """
        reach = self.error_quantiles.reach(level) * self.scale
        low = inverse_link(self.target, self.location - reach)
        high = inverse_link(self.target, self.location + reach)
        if self.target.kind == "curve" and self.target.cumulative:
            return rising(low), rising(high)
        return low, high

    def _in_unit(self, deviation: Any) -> Any:
        """Of the log-normal law where `log`."""
        if not self.log:
            return deviation if isinstance(deviation, float) else np.array(deviation)
        variance = deviation * deviation
        half = 0.5 * MAX_EXPONENT
        return _exp(self.location + 0.5 * variance, half) * _sqrt_expm1(variance)


def on_log_scale(target: Target) -> bool:
    """A target that is positive and unbounded above is modelled by its logarithm.

    It is a scalar or a cumulative curve; the logarithm of a curve that is still at 0 is -inf.
    """
    positive = target.low == 0.0 and target.high is None
    return positive and (target.kind == "scalar" or target.cumulative)


def to_log_scale(target: Target, values: np.ndarray) -> np.ndarray:
    """The logarithms of values on a log scale, those of 0 at least LOG_OF_ZERO; others as float64.

    A cumulative curve may be 0 at its beginning. The result is finite where the values are.
    """
    if not on_log_scale(target):
        return values.astype(float)
    if target.kind == "scalar":
        return np.log(values)
    nothing = values == 0.0
    return np.log(values, out=np.full(values.shape, LOG_OF_ZERO), where=~nothing)


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
