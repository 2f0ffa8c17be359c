"""Codecs: they decode the outputs of a regressor to learning curves.

A codec decodes the first `outputs` numbers of a regressor to the C curves of a run at the epochs
1..E, for any length E. There are three codecs:

- `BezierCodec`: the numbers are control points.
- `GridCodec`: the numbers are values at fixed positions between the first epoch and the last, or
  codes that a decoder network maps to such values. A decoder with one layer is a singular value
  decomposition; one with several layers is the decoder of a variational autoencoder.
- `eahas.models.curves.monotone.MonotoneCodec`: the numbers are the steps of a curve that never
  decreases.

`surrogates.models.codecs` fits codecs. A codec uses only the order of the L values of a curve: it
assumes positions at equal steps from 0 to 1, whatever epochs the schedule of the curve has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from eahas.arrays import FROM_0_TO_1, ArraySpec, Bounds, Dim, check_arrays
from eahas.models.blocks import product
from eahas.models.curves import bezier
from eahas.models.curves.monotone import ALL_CURVES as ALL_CURVES
from eahas.models.curves.monotone import MonotoneCodec
from eahas.models.regressors import MlpEnsemble, mlp_from_tensors

BEZIER, GRID = "bezier", "grid"
DECODER = "decoder."  # prefix of the names of the arrays of a decoder
MAX_CURVES = 1000
POSITIONS = ArraySpec(
    "positions",
    "float64",
    (Dim("positions", low=2),),
    "the positions of the values on a curve: 0 is epoch 1, 1 is the last epoch",
    Bounds(0.0, 1.0),
    FROM_0_TO_1,
)
ARRAYS = (
    POSITIONS,
    ArraySpec(
        "count", "int32", (1,), "the number of curves", Bounds(1, MAX_CURVES), binds="curves"
    ),
)
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class BezierCodec:
    """Decodes C Bezier curves of degree n that share their x control points.

    The outputs are n raw steps of x, followed by n + 1 raw y control points of each curve. The
    logistic function maps a raw y control point to the range from `low` to `high` of its curve.
    """

    degree: int
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def outputs(self) -> int:
        return self.degree + len(self.low) * (self.degree + 1)

    @cached_property
    def _range(self) -> tuple[Array, Array]:
        low = np.array(self.low)[:, None]
        return low, np.array(self.high)[:, None] - low

    def control_points(self, out: Array, selected: slice = ALL_CURVES) -> tuple[Array, Array]:
        """x (..., n + 1), and y (..., C, n + 1) of the selected curves, from raw outputs."""
        n = self.degree
        x = bezier.x_of_steps(out[..., :n].astype(np.float64))
        raw = out[..., n:].reshape(*out.shape[:-1], len(self.low), n + 1)
        low, span = self._range
        return x, low[selected] + span[selected] * sigmoid(raw[..., selected, :])

    def curves(self, out: Array, epochs: int, selected: slice = ALL_CURVES) -> Array:
        """Curves (..., C, E) of outputs (..., outputs); `selected` selects some of the curves."""
        x, y = self.control_points(out, selected)
        return bezier.decode_shared(x, y, epochs)

    def described(self) -> dict[str, Any]:
        return {
            "codec": BEZIER,
            "degree": self.degree,
            "low": list(self.low),
            "high": list(self.high),
        }

    def tensors(self) -> dict[str, Array]:
        return {}


@dataclass(frozen=True, eq=False)
class GridCodec:
    """Decodes C curves from values at `positions` (G,), with linear interpolation in between.

    Position 0 is the first epoch, position 1 the last. Without a decoder, the outputs are the
    values (C, G). With a decoder, the outputs are its inputs, and its outputs are the values.
    """

    count: int  # the number of curves, C
    positions: Array
    decoder: MlpEnsemble | None = None

    @property
    def outputs(self) -> int:
        values = self.count * len(self.positions)
        return values if self.decoder is None else self.decoder.inputs

    def curves(self, out: Array, epochs: int, selected: slice = ALL_CURVES) -> Array:
        """Curves (..., C, E) of outputs (..., outputs); `selected` selects some of the curves."""
        lead = out.shape[:-1]
        if self.decoder is not None:
            out = self.decoder.many(out.reshape(-1, out.shape[-1]))[0]
        values = out.reshape(*lead, self.count, -1)[..., selected, :].astype(float)
        weights = interpolation_matrix(tuple(self.positions.tolist()), epochs)
        curves = product(values.reshape(-1, len(self.positions)), weights)
        return curves.reshape(*values.shape[:-1], epochs)

    def described(self) -> dict[str, Any]:
        return {"codec": GRID}

    def tensors(self) -> dict[str, Array]:
        own = {"positions": self.positions, "count": np.array([self.count], dtype=np.int32)}
        decoder = {} if self.decoder is None else self.decoder.tensors()
        return own | {f"{DECODER}{name}": array for name, array in decoder.items()}


Codec = BezierCodec | GridCodec | MonotoneCodec


def grid_codec(arrays: Mapping[str, Array], *, prefix: str = "") -> GridCodec:
    """The codec with the arrays of a checkpoint. In the file, `prefix` precedes their names.

    Raises CheckpointError if the arrays do not match `ARRAYS`, or if the decoder does not match
    them.
    """
    decoder_arrays = {n[len(DECODER) :]: a for n, a in arrays.items() if n.startswith(DECODER)}
    own = {n: a for n, a in arrays.items() if not n.startswith(DECODER)}
    sizes = check_arrays(own, ARRAYS, prefix=prefix)
    needed = {"members": 1, "outputs": sizes["curves"] * sizes["positions"]}
    decoder = None
    if decoder_arrays:
        decoder = mlp_from_tensors(decoder_arrays, dims=needed, prefix=prefix + DECODER)
    return GridCodec(sizes["curves"], own["positions"], decoder)


@lru_cache(maxsize=64)
def interpolation_matrix(positions: tuple[float, ...], epochs: int) -> Array:
    """The matrix (G, E) of linear interpolation from values at positions to values at epochs."""
    x = bezier.epoch_positions(epochs)
    weights = np.array([np.interp(x, positions, unit) for unit in np.eye(len(positions))])
    weights.flags.writeable = False
    return weights


def sigmoid(raw: Array) -> Array:
    """The logistic function. Inputs below -30 are clipped, so that float32 does not overflow."""
    return 1.0 / (1.0 + np.exp(-np.maximum(raw, -30.0)))
