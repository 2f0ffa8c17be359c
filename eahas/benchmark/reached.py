"""The values of curves and of cumulative totals at the end of a given epoch."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from eahas.spec.targets import Target

Array = np.ndarray


def values_at(curve: Target, values: Array, at: Array, epochs: Array) -> Array:
    """The values (n, A) of a curve at its last scheduled epochs up to `at`.

    `values` (n, longest) are the curves of n runs with `epochs` (n,) epochs, and `at` is (n, A).
    The result is NaN after the end of a run, and before the first scheduled epoch.
    """
    counts = curve.schedule.reached(np.minimum(at, epochs[:, None]), epochs[:, None])
    last_values = np.take_along_axis(values, np.maximum(counts - 1, 0), axis=1)
    known = (counts > 0) & (at <= epochs[:, None])
    result: Array = np.where(known, last_values, np.nan)
    return result


def cumulative_at(curve: Target, values: Array, at: Array, epochs: Array) -> Array:
    """The values (n, A) of a cumulative curve after the epochs `at`; the shapes of `values_at`.

    The curve is interpolated linearly between scheduled epochs, starting from 0 at epoch 0. The
    result is NaN after the end of a run.
    """
    result = np.full(at.shape, np.nan)
    for i, length in enumerate(epochs.tolist()):
        scheduled = curve.schedule.epochs_of(length)
        run_values = values[i, : len(scheduled)]
        if scheduled[0] > 0:
            scheduled, run_values = np.append(0, scheduled), np.append(0.0, run_values)
        result[i] = np.interp(at[i], scheduled, run_values)
    return np.where(at <= epochs[:, None], result, np.nan)


def curve_of_total(total: Target, curves: Iterable[Target]) -> Target | None:
    """The cumulative curve whose total is the given scalar; None if there is none."""
    return next((curve for curve in curves if curve.total == total.name), None)
