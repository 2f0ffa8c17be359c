"""From a few numbers to learning curves: what a regressor predicts of a curve, and how it is drawn.

A codec turns the first `outputs` numbers of a regressor into the C curves of a run at the epochs
1..E of any length E. `BezierCodec` reads them as control points; `GridCodec` as values at fixed
positions between the first epoch and the last, or as what a decoder turns into such values: one
layer is a singular value decomposition, several are the decoder of a variational autoencoder;
`eahas.models.curves.monotone.MonotoneCodec` reads them as the steps of a curve that never falls.
`surrogates.models.codecs` fits them. A codec knows the L values of a curve by their order alone:
they stand at even steps from 0 to 1, whatever the epochs of the curve's schedule.
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
from eahas.models.curves.monotone import EVERY as EVERY
from eahas.models.curves.monotone import MonotoneCodec
from eahas.models.regressors import MlpEnsemble, mlp_from_tensors

BEZIER, GRID = "bezier", "grid"
DECODER = "decoder."  # before the names of its arrays
MAX_CURVES = 1000
POSITIONS = ArraySpec(
    "positions",
    "float64",
    (Dim("positions", low=2),),
    "where on a curve the values are: 0 is epoch 1, 1 is the last epoch",
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
    """Each curve a Bezier curve of one degree; the curves of a run share their x control points.

    Outputs, in order: n raw steps of x, then for each of C curves n + 1 raw y control points, which
    the logistic function places between the curve's `low` and `high`.
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

    def control_points(self, out: Array, of: slice = EVERY) -> tuple[Array, Array]:
        """x (..., n + 1) and y (..., C, n + 1) of outputs (..., outputs), for the curves `of`."""
        n = self.degree
        x = bezier.x_of_steps(out[..., :n].astype(np.float64))
        raw = out[..., n:].reshape(*out.shape[:-1], len(self.low), n + 1)
        low, span = self._range
        return x, low[of] + span[of] * sigmoid(raw[..., of, :])

    def curves(self, out: Array, epochs: int, of: slice = EVERY) -> Array:
        """Curves (..., C, E) of outputs (..., outputs), or only the curves `of`."""
        x, y = self.control_points(out, of)
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
    """Values at `positions` (G,), from 0 at the first epoch to 1 at the last; linear in between.

    Without a decoder the outputs are the values, (C, G); with one, what it makes of the outputs.
    """

    count: int  # C
    positions: Array
    decoder: MlpEnsemble | None = None

    @property
    def outputs(self) -> int:
        values = self.count * len(self.positions)
        return values if self.decoder is None else self.decoder.inputs

    def curves(self, out: Array, epochs: int, of: slice = EVERY) -> Array:
        """Curves (..., C, E) of outputs (..., outputs), or only the curves `of`."""
        lead = out.shape[:-1]
        if self.decoder is not None:
            out = self.decoder.many(out.reshape(-1, out.shape[-1]))[0]
        values = out.reshape(*lead, self.count, -1)[..., of, :].astype(float)
        drawn = product(values.reshape(-1, len(self.positions)), self._drawing(epochs))
        return drawn.reshape(*values.shape[:-1], epochs)

    def _drawing(self, epochs: int) -> Array:
        return between(tuple(self.positions.tolist()), epochs)

    def described(self) -> dict[str, Any]:
        return {"codec": GRID}

    def tensors(self) -> dict[str, Array]:
        own = {"positions": self.positions, "count": np.array([self.count], dtype=np.int32)}
        decoder = {} if self.decoder is None else self.decoder.tensors()
        return own | {f"{DECODER}{name}": array for name, array in decoder.items()}


Codec = BezierCodec | GridCodec | MonotoneCodec


def grid_codec(arrays: Mapping[str, Array], *, prefix: str = "") -> GridCodec:
    """The codec of a checkpoint's arrays; `prefix` stands before their names in the file.

    Raises CheckpointError where they do not fit `ARRAYS`, or the decoder does not fit them.
    """
    of_decoder = {n[len(DECODER) :]: a for n, a in arrays.items() if n.startswith(DECODER)}
    own = {n: a for n, a in arrays.items() if not n.startswith(DECODER)}
    sizes = check_arrays(own, ARRAYS, prefix=prefix)
    needed = {"members": 1, "outputs": sizes["curves"] * sizes["positions"]}
    decoder = None
    if of_decoder:
        decoder = mlp_from_tensors(of_decoder, dims=needed, prefix=prefix + DECODER)
    return GridCodec(sizes["curves"], own["positions"], decoder)


@lru_cache(maxsize=64)
def between(positions: tuple[float, ...], epochs: int) -> Array:
    """(G, E): values at the positions times this are values at the epochs, linear in between."""
    at = bezier.epoch_positions(epochs)
    drawing = np.array([np.interp(at, positions, unit) for unit in np.eye(len(positions))])
    drawing.flags.writeable = False
    return drawing


def sigmoid(raw: Array) -> Array:
    """The logistic function, clipped where float32 would overflow."""
    return 1.0 / (1.0 + np.exp(-np.maximum(raw, -30.0)))
