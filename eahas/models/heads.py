"""From the raw outputs of a network to targets: one head for curves, one for scalars.

A head says how many outputs it needs and turns outputs (member, outputs) or (member, n, outputs)
into locations, with an axis over its targets; what the other outputs say of the noise,
`eahas.models.uncertainty.seed_noise` reads. It is numpy alone; `surrogates` has the torch twins for
fitting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.models.curves.codecs import EVERY, Codec
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.spec.targets import Target

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class CurveHead:
    """The curves of a run, as a codec draws them; all of them have one schedule.

    The L values of a curve are those at the L epochs that its schedule has in a run.

    Outputs, in order: those of the codec, then for each of C curves the log standard deviation of
    runs around it at its first and at its last value.
    """

    curves: tuple[Target, ...]
    codec: Codec

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.curves

    @property
    def outputs(self) -> int:
        return self.codec.outputs + self.num_noise_outputs

    @property
    def num_noise_outputs(self) -> int:
        """How many of the outputs, the last ones, are log deviations."""
        return 2 * len(self.curves)

    def lengths(self, epochs: Any) -> Any:
        """How many values the curves of runs of so many epochs have, an int or (n,)."""
        return self.curves[0].schedule.counts(epochs)

    def locations(self, out: Array, length: int, of: slice = EVERY) -> Array:
        """Curves of L values of outputs (..., outputs): shape (..., C, L).

        Only the curves `of`, where they are given.
        """
        return self.codec.curves(out[..., : self.codec.outputs], length, of)

    @cached_property
    def _bounds(self) -> tuple[Array, Array]:
        low = [-math.inf if t.low is None else t.low for t in self.curves]
        high = [math.inf if t.high is None else t.high for t in self.curves]
        return np.array(low)[:, None], np.array(high)[:, None]

    def bounded(self, locations: Array, of: slice = EVERY) -> Array:
        """Curves (..., C, L), or those `of` them, inside their targets' bounds; in place."""
        low, high = self._bounds
        np.maximum(locations, low[of], out=locations)
        return np.minimum(locations, high[of], out=locations)

    def of_target(self, values: Array, k: int) -> Array:
        """The part of values (..., C, L) that belongs to one target: (..., L)."""
        return values[..., k, :]


@dataclass(frozen=True)
class ScalarHead:
    """T scalars: T locations (logarithms for positive targets), then T log noise deviations.

    The location of a cumulative target is that of one epoch; the log of the epochs is added.
    """

    scalars: tuple[Target, ...]

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.scalars

    @property
    def outputs(self) -> int:
        return len(self.scalars) + self.num_noise_outputs

    @property
    def num_noise_outputs(self) -> int:
        """How many of the outputs, the last ones, are log deviations."""
        return len(self.scalars)

    @cached_property
    def per_epoch(self) -> Array:
        """1 for each cumulative target on a log scale, else 0; shape (T,)."""
        return np.array([float(t.cumulative and on_log_scale(t)) for t in self.scalars])

    def lengths(self, epochs: Any) -> Any:
        """The epochs of runs, as they are: on them the locations of totals depend."""
        return epochs

    def locations(self, out: Array, epochs: Any) -> Array:
        """Linked locations of outputs (..., outputs): shape (..., T). `epochs`: an int or (n,)."""
        logs = math.log(epochs) if isinstance(epochs, int) else np.log(epochs)[:, None]
        return out[..., : len(self.scalars)] + self.per_epoch * logs

    def bounded(self, locations: Array) -> Array:
        """As they are: a scalar's bounds are those of its target."""
        return locations

    def of_target(self, values: Array, k: int) -> Any:
        """The part of values (..., T) that belongs to one target: (...), a float for (T,)."""
        return values[..., k] if values.ndim > 1 else float(values[k])


Head = CurveHead | ScalarHead
