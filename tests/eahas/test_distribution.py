"""The law of one target: value, deviation, intervals and draws, on floats and on arrays."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eahas.distribution import Distribution, half_width, on_log_scale, unlinked
from eahas.errors import EahasError
from eahas.spec import KNOWN_TARGETS, Target

COST = KNOWN_TARGETS["runtime_s"]
PERCENT = KNOWN_TARGETS["valid"]
FREE = Target("drift", "scalar", "K", "minimize")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (COST, True),
        (PERCENT, False),
        (FREE, False),
        (Target("loss", "curve", "nat", "minimize", 0.0), False),
        (Target("share", "scalar", "", "minimize", 0.0, 1.0), False),
        (Target("kelvin", "scalar", "K", "minimize", 5.0), False),
    ],
)
def test_positive_unbounded_scalars_are_modelled_by_their_logarithm(target, expected) -> None:
    assert on_log_scale(target) is expected
    assert Distribution(target, 0.0, 1.0).log is expected


def test_a_log_normal_has_its_textbook_median_and_deviation() -> None:
    found = Distribution(COST, math.log(20.0), 0.5)
    assert found.value == pytest.approx(20.0)
    mean = 20.0 * math.exp(0.125)
    assert found.std == pytest.approx(mean * math.sqrt(math.exp(0.25) - 1.0))
    low, high = found.interval(0.9)
    assert low * high == pytest.approx(20.0**2)
    assert high == pytest.approx(20.0 * math.exp(1.6448536 * 0.5))


def test_a_tiny_log_deviation_is_a_relative_one() -> None:
    assert Distribution(COST, 0.0, 1e-9).std == pytest.approx(1e-9)


def test_a_normal_is_clipped_to_its_bounds() -> None:
    found = Distribution(PERCENT, np.array([50.0, 99.0, 100.1]), np.array([2.0, 2.0, 2.0]))
    np.testing.assert_allclose(found.value, [50.0, 99.0, 100.0])
    np.testing.assert_array_equal(found.std, [2.0, 2.0, 2.0])
    low, high = found.interval(0.5)
    np.testing.assert_allclose(high, [50.0 + 2 * 0.6744898, 100.0, 100.0])
    assert (low < found.value).all()
    assert found.draw(np.array([60.0, -60.0, 0.0])).tolist() == [100.0, 0.0, 100.0]
    free = Distribution(FREE, -3.0, 2.0)
    assert (free.value, free.draw(-1.0)) == (-3.0, -5.0)


def test_intervals_hold_what_they_promise() -> None:
    normal = np.random.default_rng(0).standard_normal(20_000)
    for target in (COST, FREE):
        found = Distribution(target, 1.5, 0.4)
        drawn = Distribution(target, np.full(normal.shape, 1.5), np.full(normal.shape, 0.4)).draw(
            normal
        )
        for level in (0.5, 0.9, 0.99):
            low, high = found.interval(level)
            assert np.mean((low <= drawn) & (drawn <= high)) == pytest.approx(level, abs=0.01)
        assert np.std(drawn) == pytest.approx(found.std, rel=0.05)


@given(
    st.floats(-1e38, 1e38),
    st.floats(0.0, 1e38),
    st.floats(1e-12, 1.0 - 1e-12),
    st.sampled_from([COST, PERCENT, FREE]),
)
def test_nothing_overflows_and_floats_agree_with_arrays(location, scale, level, target) -> None:
    one = Distribution(target, location, scale)
    many = Distribution(target, np.array([location, np.nan]), np.array([scale, np.nan]))
    for a, b in (
        (one.value, many.value),
        (one.std, many.std),
        *zip(one.interval(level), many.interval(level), strict=True),
        (one.draw(1.5), many.draw(np.array([1.5, 1.5]))),
    ):
        assert isinstance(a, float)
        assert math.isfinite(a)
        assert a == pytest.approx(b[0], rel=1e-12, abs=1e-300)
        assert np.isnan(b[1])
    low, high = one.interval(level)
    assert low <= one.value <= high
    if target.low is not None:
        assert low >= target.low


def test_an_array_of_values_is_new() -> None:
    """What a caller does to an answer must not reach the next one."""
    for target in (COST, PERCENT, FREE):
        location = np.array([1.0, 2.0])
        unlinked(target, location)[:] = 0.0
        assert location.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "level", [0, 1, -0.5, 1.5, math.nan, True, None, "0.9", [0.9], 1j, 10**400]
)
def test_a_level_outside_the_probabilities_is_refused(level) -> None:
    with pytest.raises(EahasError, match=r"level=.*between 0 and 1"):
        half_width(level)


def test_half_widths() -> None:
    assert half_width(0.9) == pytest.approx(1.6448536)
    assert half_width(np.float32(0.5)) == half_width(Fraction(1, 2)) == half_width(0.5)
    assert half_width(5e-324) == 0.0
    assert 8.0 < half_width(math.nextafter(1.0, 0.0)) < 9.0
