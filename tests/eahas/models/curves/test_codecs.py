"""Curve codecs: what they draw at any length, and what is refused of their arrays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from eahas.errors import CheckpointError
from eahas.models.curves.codecs import BezierCodec, GridCodec, grid_codec, interpolation_matrix
from eahas.models.regressors import MlpEnsemble

POSITIONS = np.array([0.0, 0.25, 0.5, 1.0])


def decoder(*sizes: int) -> MlpEnsemble:
    rng = np.random.default_rng(0)
    pairs = list(pairwise(sizes))
    return MlpEnsemble(
        tuple(rng.normal(size=(1, i, o)).astype(np.float32) for i, o in pairs),
        tuple(rng.normal(size=(1, o)).astype(np.float32) for _, o in pairs),
    )


@pytest.mark.parametrize("shape", [(), (3,), (3, 5)])
@pytest.mark.parametrize("epochs", [1, 2, 5, 40])
def test_values_on_a_grid_are_drawn_linearly(shape, epochs) -> None:
    codec = GridCodec(2, POSITIONS)
    out = np.random.default_rng(0).normal(size=(*shape, codec.outputs))
    curves = codec.curves(out, epochs)
    assert curves.shape == (*shape, 2, epochs)
    at = np.linspace(0.0, 1.0, epochs)
    first = curves.reshape(-1, 2, epochs)[0, 1]
    np.testing.assert_allclose(first, np.interp(at, POSITIONS, out.reshape(-1, 8)[0, 4:]))


def test_a_decoder_of_one_layer_is_a_sum_of_directions() -> None:
    linear = decoder(3, 8)
    codec = GridCodec(2, POSITIONS, linear)
    assert codec.outputs == 3
    out = np.random.default_rng(1).normal(size=(4, 5, 3))
    values = (out @ linear.weights[0][0] + linear.biases[0][0]).reshape(4, 5, 2, 4)
    np.testing.assert_allclose(
        codec.curves(out, 9),
        values @ interpolation_matrix(tuple(POSITIONS), 9),
        rtol=1e-4,
        atol=1e-6,
    )


def test_codecs_come_back_from_their_arrays() -> None:
    for codec in (GridCodec(2, POSITIONS), GridCodec(2, POSITIONS, decoder(3, 16, 8))):
        back = grid_codec(codec.tensors())
        out = np.random.default_rng(2).normal(size=(6, codec.outputs))
        np.testing.assert_array_equal(back.curves(out, 12), codec.curves(out, 12))
        assert back.count == 2


def test_control_points_stay_between_their_bounds() -> None:
    codec = BezierCodec(3, (0.0, -1.0), (100.0, 4.0))
    assert codec.outputs == 3 + 2 * 4
    x, y = codec.control_points(30.0 * np.random.default_rng(0).normal(size=(50, 11)))
    assert (np.diff(x, axis=-1) >= 0).all()
    assert ((y[:, 0] >= 0) & (y[:, 0] <= 100)).all()
    assert ((y[:, 1] >= -1) & (y[:, 1] <= 4)).all()
    assert codec.tensors() == {}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"positions": None}, "'codec.positions' is missing; needed: codec.positions, codec.count"),
        ({"more": np.zeros(1)}, "'codec.more' is unknown"),
        ({"positions": np.array([0.0, 0.5, 0.5, 1.0])}, "holds 0.5 after 0.5; .* strictly rising"),
        ({"positions": np.array([0.1, 0.5, 0.7, 1.0])}, "goes from 0.1 to 1; .* from 0 to 1"),
        ({"positions": np.array([0.0, 0.5, 0.7, 0.9])}, "goes from 0 to 0.9; .* from 0 to 1"),
        ({"positions": np.array([0.0, np.nan, 0.5, 1.0])}, r"holds nan at index \[1\]"),
        ({"positions": np.array([0.0])}, r"has shape \(1,\); allowed: \(positions from 2\)"),
        ({"positions": POSITIONS[None]}, r"has shape .*; allowed: \(positions from 2\)"),
        ({"positions": POSITIONS.astype(np.float32)}, "has type float32; allowed: float64"),
        ({"count": np.array([0], dtype=np.int32)}, "'codec.count' holds 0 .* in 1..1000"),
        ({"count": np.array([1001], dtype=np.int32)}, "'codec.count' holds 1001 .* in 1..1000"),
        ({"count": np.array([2.0])}, "'codec.count' has type float64; allowed: int32"),
        ({"count": np.array([2, 2], dtype=np.int32)}, r"'codec.count' has shape \(2,\)"),
        ({"count": np.array([3], dtype=np.int32)}, "'codec.decoder.weight.0' has .* outputs = 12"),
        ({"decoder.bias.0": np.zeros((1, 9), np.float32)}, r"'codec.decoder.bias.0' has shape"),
        ({"decoder.bias.0": None}, "'codec.decoder.bias.0' is missing"),
    ],
)
def test_arrays_that_are_no_codec_are_refused(changes, why) -> None:
    arrays = GridCodec(2, POSITIONS, decoder(3, 8)).tensors() | changes
    with pytest.raises(CheckpointError, match=why):
        grid_codec({n: array for n, array in arrays.items() if array is not None}, prefix="codec.")
