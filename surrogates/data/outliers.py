"""Limit outliers in curves, because one loss of a million would dominate the scale of the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eahas.errors import FitError
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs

MAX_DISTANCE = 5.0  # maximum distance from the usual range, in multiples of this range
MAX_ABS = 1e15  # larger values have squares that overflow in single precision


@dataclass(frozen=True)
class Outliers:
    """The number of runs with outliers of a target, and the limits to which these are clipped."""

    target: Target
    runs: int
    low: float
    high: float

    def __str__(self) -> str:
        ends = (("below", self.low), ("above", self.high))
        limits = " or ".join(f"{side} {end:.3g}" for side, end in ends if np.isfinite(end))
        return (
            f"{self.target.name}: {self.runs} runs have values {limits}, far from all others; "
            "they are clipped for the fit"
        )


def without_outliers(runs: Runs) -> Runs:
    """The runs with the outliers of their curves clipped; see `find_outliers`.

    Raises:
        FitError: many values are too large for a fit.
    """
    curves = runs.curves.copy()
    for outliers in find_outliers(runs):
        k = runs.spec.curves.index(outliers.target)
        np.clip(curves[:, k], outliers.low, outliers.high, out=curves[:, k])
    for k, target in enumerate(runs.spec.curves):
        largest = float(np.nanmax(np.abs(curves[:, k]), initial=0.0))
        if largest > MAX_ABS:
            raise FitError(
                f"{target.name} reaches {largest:.3g} in many runs; limit its values, or end each "
                "curve where its run diverged"
            )
    return replace(runs, curves=curves)


def find_outliers(runs: Runs) -> list[Outliers]:
    """The outliers of each curve target that has any.

    The usual range goes from the lower quartile of the runs' minima to the upper quartile of their
    maxima, so up to a quarter of the runs may have arbitrary values. Values that are farther from
    it than MAX_DISTANCE times this range are outliers. A side on which the target has a bound has
    no outliers, and neither has a cumulative curve, which is learned as shares and as the logarithm
    of its end.
    """
    all_outliers = []
    for k, target in enumerate(runs.spec.curves):
        low, high = value_limits(runs.curves[:, k])
        low = -np.inf if target.low is not None else low
        high = np.inf if target.high is not None or target.cumulative else high
        beyond = int(((runs.curves[:, k] < low) | (runs.curves[:, k] > high)).any(axis=1).sum())
        if beyond:
            all_outliers.append(Outliers(target, beyond, low, high))
    return all_outliers


def value_limits(curves: np.ndarray) -> tuple[float, float]:
    """The limits outside which values of curves (n, E) are outliers; infinite without a range."""
    known = np.isfinite(curves)
    rows = known.any(axis=1)
    if not rows.any():
        return -np.inf, np.inf
    minima = np.where(known, curves, np.inf)[rows].min(axis=1)
    maxima = np.where(known, curves, -np.inf)[rows].max(axis=1)
    low, high = float(np.quantile(minima, 0.25)), float(np.quantile(maxima, 0.75))
    distance = MAX_DISTANCE * (high - low)
    return (low - distance, high + distance) if distance > 0 else (-np.inf, np.inf)
