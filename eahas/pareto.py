"""Pareto fronts and hypervolumes in any number of objectives, all of which are minimised.

Pareto fronts need only numpy. The hypervolume of three or more objectives is computed by moocore,
whose algorithms are exact (Fonseca, Paquete and López-Ibáñez, "An improved dimension-sweep
algorithm for the hypervolume indicator", 2006; Guerreiro and Fonseca, 2018, for four objectives).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from eahas.errors import EahasError, MissingExtraError

Array = np.ndarray


def pareto_rows(points: ArrayLike) -> Array:
    """The indices of the points (n, d) that no other point dominates, by the first objective.

    A point dominates another point if it is not larger in any objective and smaller in at least
    one. Of equal points, the first is on the front. A point with NaN is not on the front. Raises
    EahasError for an array of another shape.
    """
    at = _points(points)
    known = np.flatnonzero(~np.isnan(at).any(axis=1))
    order = known[np.lexsort(at[known].T[::-1])]  # by the first objective, then by the next ones
    if at.shape[1] == 2:
        second = at[order, 1]
        before = np.concatenate([[np.inf], np.minimum.accumulate(second)[:-1]])
        rows: Array = order[second < before]
        return rows
    return _filtered(at, order)


def _filtered(at: Array, order: Array) -> Array:
    """The non-dominated rows among lexicographically ordered rows; O(n) per row of the front.

    No row dominates the first of the remaining rows, so it is on the front. Then the rows that it
    dominates or equals are removed.
    """
    front = []
    while len(order):
        first = at[order[0]]
        front.append(order[0])
        order = order[(at[order] < first).any(axis=1)]
    return np.array(front, dtype=np.intp)


def hypervolume(points: ArrayLike, reference: Sequence[float]) -> float:
    """The volume that points (n, d) dominate, bounded by a reference point (d,).

    Only points that are smaller than the reference in all objectives contribute. Three or more
    objectives need the extra `moo`. Raises EahasError if the reference has another number of
    objectives.
    """
    at, limit = _points(points), np.asarray(reference, dtype=float)
    if limit.shape != at.shape[1:]:
        raise EahasError(
            f"reference: {limit.size} numbers for {at.shape[1]} objectives; allowed: one number "
            "for each objective"
        )
    front = at[pareto_rows(at)]
    front = front[(front < limit).all(axis=1)]
    if not len(front):
        return 0.0
    if at.shape[1] > 2:
        try:
            import moocore
        except ImportError:
            raise MissingExtraError(
                "the hypervolume of three or more objectives", "moocore", "moo"
            ) from None
        return float(moocore.hypervolume(front, ref=limit))
    widths = np.diff(np.append(front[:, 0], limit[0]))
    heights = limit[1] - front[:, 1] if at.shape[1] == 2 else np.ones(len(front))
    return float((widths * heights).sum())


def _points(points: ArrayLike) -> Array:
    at = np.asarray(points, dtype=float)
    if at.ndim != 2 and not at.size:
        at = at.reshape(0, 2)
    if at.ndim != 2 or at.shape[1] < 1:
        raise EahasError(f"points: an array of shape (n, objectives) is needed, got {at.shape}")
    return at
