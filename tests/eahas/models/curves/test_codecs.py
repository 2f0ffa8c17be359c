"""Curve codecs: what they draw at any length, and what is refused of their arrays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from eahas.errors import CheckpointError
from eahas.models.curves.codecs import BezierCodec, GridCodec, between, grid_codec
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
        codec.curves(out, 9), values @ between(tuple(POSITIONS), 9), rtol=1e-4, atol=1e-6
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
        ({"positions": None}, "holds a codec of the arrays"),
        ({"more": np.zeros(1)}, "holds a codec of the arrays"),
        ({"positions": np.array([0.0, 0.5, 0.5, 1.0])}, "do not rise from 0 to 1"),
        ({"positions": np.array([0.1, 0.5, 0.7, 1.0])}, "do not rise from 0 to 1"),
        ({"positions": np.array([0.0, np.nan, 0.5, 1.0])}, "do not rise from 0 to 1"),
        ({"positions": POSITIONS.astype(np.float32)}, "do not rise from 0 to 1"),
        ({"count": np.array([0], dtype=np.int32)}, "of .* curves"),
        ({"count": np.array([2.0])}, "of .* curves"),
        ({"count": np.array([3], dtype=np.int32)}, "decoder that does not fit its codec"),
        ({"decoder.bias.0": np.zeros((1, 9), np.float32)}, "do not fit"),
    ],
)
def test_arrays_that_are_no_codec_are_refused(changes, why) -> None:
    arrays = GridCodec(2, POSITIONS, decoder(3, 8)).tensors() | changes
    with pytest.raises(CheckpointError, match=why):
        grid_codec({name: array for name, array in arrays.items() if array is not None})
