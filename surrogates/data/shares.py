"""Cumulative curves as they are learned: their shares of the last value, and their ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eahas.models.cumulative import end_of, share_of
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs

Array = np.ndarray


def shares(runs: Runs, curves: Sequence[Target]) -> Runs:
    """The runs with the shares of these cumulative curves, of one schedule, as their only targets.

    A run that has not all values, or has one value alone or ends at 0, says nothing of a share: its
    shares are NaN.
    """
    some = runs.only([curve.name for curve in curves])
    spec = replace(some.spec, curves=tuple(map(share_of, some.spec.curves)))
    values = np.full_like(some.curves, np.nan)
    for k in range(values.shape[1]):
        end = _ends(some, k)
        known = np.flatnonzero((end > 0) & (some.lengths > 1))
        values[known, k] = some.curves[known, k] / end[known, None]
    return replace(some, spec=spec, curves=values)


def without_ends(runs: Runs) -> Runs:
    """Shares without what is known beforehand: that the last is 1, and that epoch 0 has 0."""
    curves = runs.curves.copy()
    last = np.maximum(runs.lengths - 1, 0)
    curves[np.arange(len(runs)), :, last] = np.nan
    if runs.spec.curves[0].schedule.first == 0:
        first = curves[:, :, 0]
        first[first == 0.0] = np.nan
    return replace(runs, curves=curves)


def ends(runs: Runs, curves: Sequence[Target]) -> Runs:
    """The runs with the ends of these cumulative curves as their only targets, scalars."""
    some = runs.only([curve.name for curve in curves])
    spec = replace(some.spec, curves=(), scalars=tuple(map(end_of, some.spec.curves)))
    values = np.stack([_ends(some, k) for k in range(some.curves.shape[1])], axis=1)
    values[values <= 0] = np.nan  # on a log scale there is no 0
    return replace(
        some,
        spec=spec,
        curves=some.curves[:, :0],
        scalars=values,
        spreads=np.full_like(values, np.nan),
    )


def _ends(runs: Runs, k: int) -> Array:
    """The last value of a curve of each run, (n,); NaN of a run that has not all values."""
    within = np.arange(runs.curves.shape[2]) < runs.lengths[:, None]
    whole = (np.isfinite(runs.curves[:, k]) | ~within).all(axis=1)
    last: Array = runs.curves[np.arange(len(runs)), k, runs.lengths - 1]
    return np.where(whole, last, np.nan)
