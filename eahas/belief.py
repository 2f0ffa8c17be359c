"""What the members of an ensemble say together: their mean, and how far they and a run may stray.

Everything is on the linked scale (see `eahas.distribution`). With M members, n configurations, C
curves of E epochs and T scalars, members have the shape (M, C, E) or (M, T) for one configuration
and (M, n, C, longest) or (M, n, T) for a list; location and scale are the same without the M.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.heads import CurveHead, Head

Array = np.ndarray
CURVES_AT_ONCE = 256  # of a list: few enough for their work arrays to stay small


@dataclass(frozen=True, eq=False)
class Belief:
    """From the outputs `out` of every member, (M, ..., outputs), for runs of `epochs`.

    Each part is computed when it is first asked for: the deviation costs more than the mean.
    """

    head: Head
    factors: Array  # the calibration of each target: (C, 1) or (T,)
    out: Array
    epochs: Any

    @cached_property
    def members(self) -> Array:
        """Each member's own location."""
        return self.head.locations(self.out, self.epochs)

    @cached_property
    def location(self) -> Array:
        """The members' mean."""
        mean: Array = np.add.reduce(self.members, axis=0) / len(self.members)
        return self.head.bounded(mean)

    @cached_property
    def scale(self) -> Array:
        """The deviation of members and noise together, calibrated."""
        spread, noise = self.members - self.location, self.head.noise(self.out, self.epochs)
        variance = np.add.reduce(spread * spread + noise * noise, axis=0) / len(self.members)
        calibrated: Array = np.sqrt(variance) * self.factors
        return calibrated


@dataclass(frozen=True, eq=False)
class BeliefOfCurves:
    """A `Belief` about a list of curves of different lengths, `epochs` (n,): NaN past each end.

    Mean and deviation are each computed in blocks, so that the members of a long list are never
    in memory all at once.
    """

    head: CurveHead
    factors: Array
    out: Array
    epochs: Array

    def _blocks(self) -> Iterator[tuple[Array, int, Belief]]:
        """Rows of one length, that length, and the belief about them; none of them is kept."""
        for length in np.unique(self.epochs).tolist():
            rows = np.flatnonzero(self.epochs == length)
            for start in range(0, len(rows), CURVES_AT_ONCE):
                some = rows[start : start + CURVES_AT_ONCE]
                yield some, length, Belief(self.head, self.factors, self.out[:, some], length)

    def _padded(self, part: str, *first: int) -> Array:
        shape = (*first, len(self.epochs), len(self.head.curves), int(self.epochs.max()))
        whole = np.full(shape, np.nan)
        for rows, length, belief in self._blocks():
            whole[..., rows, :, :length] = getattr(belief, part)
        return whole

    @property
    def members(self) -> Array:
        return self._padded("members", len(self.out))

    @cached_property
    def location(self) -> Array:
        return self._padded("location")

    @cached_property
    def scale(self) -> Array:
        return self._padded("scale")


def believe(head: Head, factors: Array, out: Array, epochs: Any) -> Belief | BeliefOfCurves:
    """The belief from outputs (M, outputs) and an int, or from (M, n, outputs) and epochs (n,)."""
    if isinstance(head, CurveHead) and out.ndim > 2:
        return BeliefOfCurves(head, factors, out, epochs)
    return Belief(head, factors, out, epochs)
