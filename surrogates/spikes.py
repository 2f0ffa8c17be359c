"""Curves without spikes: a loss of a million in one epoch shall not make all else look alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surrogates.dataset import Runs

TAIL = 0.01  # of the values, at each end
FARTHEST = 3.0  # from the median to the tail's beginning, and so many times more beyond it


def without_spikes(runs: Runs) -> Runs:
    """The runs with what is far out in their curves counted as less far.

    Only towards an end at which the target has no bound. A curve of losses that are uniform, normal
    or log-normal (with a deviation of 1) over runs and epochs stays as it is, nearly always.
    """
    curves = runs.curves.copy()
    for k, target in enumerate(runs.spec.curves):
        low, high = reach(runs.curves[:, k])
        low = -np.inf if target.low is not None else low
        high = np.inf if target.high is not None else high
        np.clip(curves[:, k], low, high, out=curves[:, k])
    return replace(runs, curves=curves)


def reach(values: np.ndarray) -> tuple[float, float]:
    """How far down and up the values go that are believed: without end where hardly any differ."""
    known = values[np.isfinite(values)]
    if not len(known):
        return -np.inf, np.inf
    low, middle, high = np.quantile(known, [TAIL, 0.5, 1.0 - TAIL]).tolist()
    down, up = FARTHEST * (middle - low), FARTHEST * (high - middle)
    return (low - down if down > 0 else -np.inf), (high + up if up > 0 else np.inf)
