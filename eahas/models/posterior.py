"""What the members of an ensemble say together: their mean, how far they disagree, and the noise.

Everything is on the linked scale (see `eahas.models.uncertainty.distribution`). With M members, n
configurations, C curves of E epochs and T scalars, members have the shape (M, C, E) or (M, T) for
one configuration and (M, n, C, longest) or (M, n, T) for a list; what is said together is the same
without the M.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.models.heads import CurveHead, Head
from eahas.models.uncertainty.seed_noise import Noise

Array = np.ndarray
CURVES_AT_ONCE = 256  # of a list: few enough for their work arrays to stay small


@dataclass(frozen=True, eq=False)
class Belief:
    """From the outputs `out` of every member, (M, ..., outputs), for runs of `epochs`.

    Each part is computed when it is first asked for: the deviations cost more than the mean.
    """

    head: Head
    noise: Noise
    inflation: Array  # of the members' disagreement on each target: (C, 1) or (T,)
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
    def epistemic(self) -> Array:
        """Standard deviation of the members around their mean, inflated."""
        spread = self.members - self.location
        variance = np.add.reduce(spread * spread, axis=0) / len(self.members)
        inflated: Array = np.sqrt(variance) * self.inflation
        return inflated

    @cached_property
    def aleatoric(self) -> Array:
        """Standard deviation of runs of one configuration."""
        said = np.add.reduce(self.out[..., -self.head.said :], axis=0) / len(self.out)
        if isinstance(self.head, CurveHead):
            return self.noise.deviation(said, self.location)
        return self.noise.deviation(said, self.location[..., None])[..., 0]


@dataclass(frozen=True, eq=False)
class BeliefOfCurves:
    """A `Belief` about a list of curves of different lengths, `epochs` (n,): NaN past each end.

    Each part is computed in blocks, so that the members of a long list are never in memory all at
    once.
    """

    head: CurveHead
    noise: Noise
    inflation: Array
    out: Array
    epochs: Array

    def _blocks(self) -> Iterator[tuple[Array, int, Belief]]:
        """Rows of one length, that length, and the belief about them; none of them is kept."""
        for length in np.unique(self.epochs).tolist():
            rows = np.flatnonzero(self.epochs == length)
            for start in range(0, len(rows), CURVES_AT_ONCE):
                some = rows[start : start + CURVES_AT_ONCE]
                belief = Belief(self.head, self.noise, self.inflation, self.out[:, some], length)
                yield some, length, belief

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
    def epistemic(self) -> Array:
        return self._padded("epistemic")

    @cached_property
    def aleatoric(self) -> Array:
        return self._padded("aleatoric")


AnyBelief = Belief | BeliefOfCurves


def believe(head: Head, noise: Noise, inflation: Array, out: Array, epochs: Any) -> AnyBelief:
    """The belief from outputs (M, outputs) and an int, or from (M, n, outputs) and epochs (n,)."""
    if isinstance(head, CurveHead) and out.ndim > 2:
        return BeliefOfCurves(head, noise, inflation, out, epochs)
    return Belief(head, noise, inflation, out, epochs)
