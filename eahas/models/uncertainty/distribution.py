"""The predictive distribution of a target: symmetric around its location on a transformed scale.

The transformed scale is the log scale for the targets of `on_log_scale`; for all other targets it
is the unit of the target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.models.curves.monotone import rising
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles
from eahas.spec.targets import Target

LOG_OF_ZERO = -700.0  # replaces -inf in the computation of means and deviations
MAX_EXPONENT = 700.0  # exp of a larger number overflows; no cost is as large


@dataclass(frozen=True, eq=False)
class Distribution:
    """The predictive distribution of a target.

    On the transformed scale, an error divided by `scale` has the distribution that
    `error_quantiles` describes. Values and intervals are clipped to the bounds of the target.

    Attributes:
        target: the target.
        location: the mean of the members, on the transformed scale: a float or an array.
        epistemic: the standard deviation between the members, in the same shape.
        aleatoric: the standard deviation between runs of one configuration, in the same shape.
        error_quantiles: the quantiles of the standardised errors.
    """

    target: Target
    location: Any
    epistemic: Any
    aleatoric: Any
    error_quantiles: ErrorQuantiles

    @property
    def log(self) -> bool:
        """Whether `location` and the deviations are on the log scale."""
        return on_log_scale(self.target)

    @property
    def scale(self) -> Any:
        """The root of the sum of both variances, without the calibration by the error quantiles."""
        square = self.epistemic * self.epistemic + self.aleatoric * self.aleatoric
        return math.sqrt(square) if isinstance(square, float) else np.sqrt(square)

    @property
    def value(self) -> Any:
        """The prediction in the unit of the target: the median, which is the mean if not `log`."""
        return inverse_link(self.target, self.location)

    @property
    def std(self) -> Any:
        """Calibrated standard deviation, in the unit of the target."""
        return self._in_unit(self.scale * self.error_quantiles.std)

    @property
    def epistemic_std(self) -> Any:
        """Epistemic standard deviation, in the unit of the target; more training runs reduce it."""
        return self._in_unit(self.epistemic)

    @property
    def aleatoric_std(self) -> Any:
        """Standard deviation between runs of one configuration, in the unit of the target."""
        return self._in_unit(self.aleatoric)

    def interval(self, level: float) -> tuple[Any, Any]:
        """The two ends of the central interval that contains the probability `level`.

        For a cumulative curve, each end that exceeds a later end is lowered to it, so that neither
        end decreases. This loses no coverage: a curve that never decreases and is below the upper
        end at a later epoch is below that end at all earlier epochs. Raises EahasError for a level
        outside (0, 1).
        """
        reach = self.error_quantiles.reach(level) * self.scale
        low = inverse_link(self.target, self.location - reach)
        high = inverse_link(self.target, self.location + reach)
        if self.target.kind == "curve" and self.target.cumulative:
            return rising(low), rising(high)
        return low, high

    def _in_unit(self, deviation: Any) -> Any:
        """A deviation in the unit of the target; if `log`, of a log-normal distribution."""
        if not self.log:
            return deviation if isinstance(deviation, float) else np.array(deviation)
        variance = deviation * deviation
        max_exponent = 0.5 * MAX_EXPONENT  # the product of both factors must not overflow
        return _exp(self.location + 0.5 * variance, max_exponent) * _sqrt_expm1(variance)


def on_log_scale(target: Target) -> bool:
    """Whether a target is modelled by its logarithm.

    This holds for scalars and cumulative curves with the lower bound 0 and no upper bound. Where a
    cumulative curve is 0, its logarithm is -inf.
    """
    positive = target.low == 0.0 and target.high is None
    return positive and (target.kind == "scalar" or target.cumulative)


def to_log_scale(target: Target, values: np.ndarray) -> np.ndarray:
    """Values on the transformed scale: logarithms for a target of `on_log_scale`, else float64.

    A cumulative curve may start with values of 0; LOG_OF_ZERO replaces their logarithm. The result
    is finite wherever the values are finite.
    """
    if not on_log_scale(target):
        return values.astype(float)
    if target.kind == "scalar":
        return np.log(values)
    zero = values == 0.0
    return np.log(values, out=np.full(values.shape, LOG_OF_ZERO), where=~zero)


def inverse_link(target: Target, location: Any) -> Any:
    """A location in the unit of the target, clipped to its bounds: a float, or a new array."""
    if on_log_scale(target):
        return _exp(location)
    low = -math.inf if target.low is None else target.low
    high = math.inf if target.high is None else target.high
    if isinstance(location, float):
        return min(max(location, low), high)
    return np.minimum(np.maximum(location, low), high)


# For a single float, the call overhead of numpy takes twenty times as long as the arithmetic.


def _exp(x: Any, max_exponent: float = MAX_EXPONENT) -> Any:
    return (
        math.exp(min(x, max_exponent))
        if isinstance(x, float)
        else np.exp(np.minimum(x, max_exponent))
    )


def _sqrt_expm1(x: Any) -> Any:
    """sqrt(exp(x) - 1), accurate for small x as well."""
    if isinstance(x, float):
        return math.sqrt(math.expm1(min(x, MAX_EXPONENT)))
    return np.sqrt(np.expm1(np.minimum(x, MAX_EXPONENT)))
