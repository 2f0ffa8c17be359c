"""What a run has reached and spent at the end of an epoch, from its curves and its totals."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from eahas.spec.targets import Target

Array = np.ndarray


def reached_at(curve: Target, values: Array, at: Array, epochs: Array) -> Array:
    """The values of a curve at its last scheduled epochs up to `at`: (n, A).

    values (n, longest) of runs of `epochs` (n,), at (n, A). NaN where a run has ended before, and
    where nothing is scheduled up to then.
    """
    counts = curve.schedule.reached(np.minimum(at, epochs[:, None]), epochs[:, None])
    there = np.take_along_axis(values, np.maximum(counts - 1, 0), axis=1)
    found: Array = np.where((counts > 0) & (at <= epochs[:, None]), there, np.nan)
    return found


def spent_at(curve: Target, values: Array, at: Array, epochs: Array) -> Array:
    """What a cumulative curve has come to after each epoch of `at`, in the shapes of `reached_at`.

    Between two scheduled epochs, and from 0 to the first one, it is taken to rise linearly.
    """
    spent = np.full(at.shape, np.nan)
    for i, length in enumerate(epochs.tolist()):
        scheduled = curve.schedule.epochs_of(length)
        own = values[i, : len(scheduled)]
        if scheduled[0] > 0:
            scheduled, own = np.append(0, scheduled), np.append(0.0, own)
        spent[i] = np.interp(at[i], scheduled, own)
    return np.where(at <= epochs[:, None], spent, np.nan)


def curve_of_total(total: Target, curves: Iterable[Target]) -> Target | None:
    """The cumulative curve that ends at a scalar, where one does."""
    return next((curve for curve in curves if curve.total == total.name), None)
