"""Pareto fronts in two objectives, both to be made small, and the area that they dominate."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray


def pareto_rows(points: ArrayLike) -> Array:
    """The rows of points (n, 2) that no other point beats, ordered by the first objective.

    Of equal points the first row counts; a point with NaN is never on the front.
    """
    at = np.asarray(points, dtype=float).reshape(-1, 2)
    known = np.flatnonzero(~np.isnan(at).any(axis=1))
    order = known[np.lexsort((at[known, 1], at[known, 0]))]
    second = at[order, 1]
    before = np.concatenate([[np.inf], np.minimum.accumulate(second)[:-1]])
    rows: Array = order[second < before]
    return rows


def hypervolume(points: ArrayLike, reference: tuple[float, float]) -> float:
    """The area between points (n, 2) and a reference point that is worse than they in both.

    Points beyond the reference add nothing.
    """
    at = np.asarray(points, dtype=float).reshape(-1, 2)
    front = at[pareto_rows(at)]
    front = front[(front < np.asarray(reference)).all(axis=1)]
    if not len(front):
        return 0.0
    widths = np.diff(np.append(front[:, 0], reference[0]))
    return float((widths * (reference[1] - front[:, 1])).sum())
