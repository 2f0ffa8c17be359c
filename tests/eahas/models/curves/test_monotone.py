"""Share curves: they rise to 1, whatever numbers a regressor predicts."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.models.curves.monotone import MonotoneCodec, rising, rising_to_one


@pytest.mark.parametrize("degree", [3, 5, 6])
@pytest.mark.parametrize("length", [1, 2, 7, 50])
@pytest.mark.parametrize("size", [0.1, 3.0, 30.0])
def test_any_outputs_make_curves_that_rise_to_one(degree: int, length: int, size: float) -> None:
    codec = MonotoneCodec(degree, (True, False))
    out = np.random.default_rng(0).normal(0, size, (4, 25, codec.outputs)).astype(np.float32)
    curves = codec.curves(out, length)
    assert curves.shape == (4, 25, 2, length)
    assert (np.diff(curves, axis=-1) >= 0).all()
    assert (curves[..., -1] == 1.0).all()
    assert (curves >= 0).all()
    if length > 1:
        assert (curves[:, :, 0, 0] == 0.0).all()
        assert (curves[:, :, 1, 0] > 0.0).all()


def test_equal_steps_are_a_straight_line() -> None:
    codec = MonotoneCodec(4, (True,))
    curve = codec.curves(np.zeros(codec.outputs), 9)[0]
    assert curve == pytest.approx(np.linspace(0, 1, 9), abs=1e-7)


def test_rising_lowers_what_is_above_a_later_value_and_keeps_the_ends() -> None:
    nan = np.nan
    values = np.array([[3.0, 1.0, 2.0, 5.0, 4.0], [1.0, 0.5, 2.0, nan, nan]])
    assert np.array_equal(
        rising(values),
        [[1.0, 1.0, 2.0, 4.0, 4.0], [0.5, 0.5, 2.0, nan, nan]],
        equal_nan=True,
    )


def test_shares_end_at_one_where_the_values_end() -> None:
    nan = np.nan
    shares = np.array([[-0.1, 1.3, 0.7, 0.99], [0.2, 0.1, nan, nan]])
    assert np.array_equal(
        rising_to_one(shares),
        [[0.0, 0.7, 0.7, 1.0], [0.2, 1.0, nan, nan]],
        equal_nan=True,
    )
