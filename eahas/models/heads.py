"""Heads: they convert the raw outputs of a regressor to locations of targets.

There is one head for curves and one for scalars. A head defines the number of outputs, and converts
outputs (member, outputs) or (member, n, outputs) to locations that have an axis of targets. Its
last outputs are log deviations; `eahas.models.uncertainty.seed_noise` uses them. Heads need numpy
only; `surrogates` has equivalent torch code for fitting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.models.curves.codecs import ALL_CURVES, Codec
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.spec.targets import Target

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class CurveHead:
    """The head for C curves with one schedule, which a codec decodes.

    A curve has one value for each of the L epochs that the schedule selects in a run.

    The outputs are those of the codec, followed by two numbers for each curve: the log standard
    deviation between runs at its first and at its last value.
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
        """The number of log deviations, which are the last outputs."""
        return 2 * len(self.curves)

    def lengths(self, epochs: Any) -> Any:
        """The number of values of the curves of runs with `epochs` epochs: an int, or (n,)."""
        return self.curves[0].schedule.counts(epochs)

    def locations(self, out: Array, length: int, selected: slice = ALL_CURVES) -> Array:
        """Curves (..., C, L) of outputs (..., outputs), L = `length`.

        `selected` selects some of the curves.
        """
        return self.codec.curves(out[..., : self.codec.outputs], length, selected)

    @cached_property
    def _bounds(self) -> tuple[Array, Array]:
        low = [-math.inf if t.low is None else t.low for t in self.curves]
        high = [math.inf if t.high is None else t.high for t in self.curves]
        return np.array(low)[:, None], np.array(high)[:, None]

    def bounded(self, locations: Array, selected: slice = ALL_CURVES) -> Array:
        """Clip the selected curves (..., C, L) to the bounds of their targets, in place."""
        low, high = self._bounds
        np.maximum(locations, low[selected], out=locations)
        return np.minimum(locations, high[selected], out=locations)

    def of_target(self, values: Array, k: int) -> Array:
        """The values (..., L) of target number `k`, from values (..., C, L)."""
        return values[..., k, :]


@dataclass(frozen=True)
class ScalarHead:
    """The head for T scalars: T locations on the transformed scale, then T log deviations.

    For a cumulative target on the log scale, the output is the location per epoch; the head adds
    the logarithm of the number of epochs.
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
        """The number of log deviations, which are the last outputs."""
        return len(self.scalars)

    @cached_property
    def per_epoch(self) -> Array:
        """1 for each cumulative target on the log scale, else 0; shape (T,)."""
        return np.array([float(t.cumulative and on_log_scale(t)) for t in self.scalars])

    def lengths(self, epochs: Any) -> Any:
        """`epochs` unchanged, because the locations of cumulative targets depend on them."""
        return epochs

    def locations(self, out: Array, epochs: Any) -> Array:
        """Locations (..., T) on the transformed scale; `epochs` is an int, or (n,)."""
        logs = math.log(epochs) if isinstance(epochs, int) else np.log(epochs)[:, None]
        return out[..., : len(self.scalars)] + self.per_epoch * logs

    def bounded(self, locations: Array) -> Array:
        """`locations` unchanged: `inverse_link` clips scalars to the bounds of their targets."""
        return locations

    def of_target(self, values: Array, k: int) -> Any:
        """The values (...) of target number `k`, from values (..., T); a float for (T,)."""
        return values[..., k] if values.ndim > 1 else float(values[k])


Head = CurveHead | ScalarHead
