"""Curves without spikes: a loss of a million shall not make all else look alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eahas.errors import FitError
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs

MAX_DISTANCE = 5.0  # ranges of a usual run beyond where usual runs are
MAX_ABS = 1e15  # whose squares are still numbers in single precision


@dataclass(frozen=True)
class Cut:
    """How many runs hold values of a target beyond what is believed, and that: low and high."""

    target: Target
    runs: int
    low: float
    high: float

    def __str__(self) -> str:
        ends = (("below", self.low), ("above", self.high))
        told = " or ".join(f"{side} {end:.3g}" for side, end in ends if np.isfinite(end))
        return (
            f"{self.target.name}: {self.runs} runs go {told}, far from all others; the fit takes "
            "them to go just there"
        )


def without_spikes(runs: Runs) -> Runs:
    """The runs with what is far out in their curves counted as less far; see `cuts`.

    Raises FitError for values so large that nothing can be fitted to them.
    """
    curves = runs.curves.copy()
    for cut in cuts(runs):
        k = runs.spec.curves.index(cut.target)
        np.clip(curves[:, k], cut.low, cut.high, out=curves[:, k])
    for k, target in enumerate(runs.spec.curves):
        largest = float(np.nanmax(np.abs(curves[:, k]), initial=0.0))
        if largest > MAX_ABS:
            raise FitError(
                f"{target.name} reaches {largest:.3g} in many runs; cap it, or end a curve where "
                "its run went astray"
            )
    return replace(runs, curves=curves)


def cuts(runs: Runs) -> list[Cut]:
    """What is cut of each curve's target, where anything is.

    Only towards an end at which the target has no bound; a cumulative curve, which is learned as
    shares and the logarithm of its end, is not cut. Values within MAX_DISTANCE times the usual
    range beyond it are kept. That range goes from the lower quartile of the runs' least values to
    the upper quartile of their largest: up to a quarter of the runs may lie anywhere.
    """
    found = []
    for k, target in enumerate(runs.spec.curves):
        low, high = reach(runs.curves[:, k])
        low = -np.inf if target.low is not None else low
        high = np.inf if target.high is not None or target.cumulative else high
        beyond = int(((runs.curves[:, k] < low) | (runs.curves[:, k] > high)).any(axis=1).sum())
        if beyond:
            found.append(Cut(target, beyond, low, high))
    return found


def reach(curves: np.ndarray) -> tuple[float, float]:
    """How far down and up the values of curves (n, E) are believed; without end where all agree."""
    known = np.isfinite(curves)
    some = known.any(axis=1)
    if not some.any():
        return -np.inf, np.inf
    least = np.where(known, curves, np.inf)[some].min(axis=1)
    largest = np.where(known, curves, -np.inf)[some].max(axis=1)
    low, high = float(np.quantile(least, 0.25)), float(np.quantile(largest, 0.75))
    beyond = MAX_DISTANCE * (high - low)
    return (low - beyond, high + beyond) if beyond > 0 else (-np.inf, np.inf)
