"""What is believed of one target: value, deviations and intervals, on floats and on arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eahas.models.uncertainty.distribution import Distribution, inverse_link, on_log_scale
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles, normal_quantiles
from eahas.spec.targets import KNOWN_TARGETS, Target

COST = KNOWN_TARGETS["runtime_s"]
PERCENT = KNOWN_TARGETS["valid"]
FREE = Target("drift", "scalar", "K", "minimize")
WIDER = ErrorQuantiles(tuple(1.5 * reach + 0.1 * reach**2 for reach in normal_quantiles().reaches))


def told(
    target: Target, location: Any, deviation: Any, law: ErrorQuantiles | None = None
) -> Distribution:
    """A distribution whose two deviations are `deviation` together."""
    law = normal_quantiles() if law is None else law
    return Distribution(target, location, 0.6 * deviation, 0.8 * deviation, law)


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
    assert told(target, 0.0, 1.0).log is expected


def test_a_log_normal_has_its_textbook_median_and_deviation() -> None:
    found = told(COST, math.log(20.0), 0.5)
    assert found.value == pytest.approx(20.0)
    mean = 20.0 * math.exp(0.125)
    assert found.std == pytest.approx(mean * math.sqrt(math.exp(0.25) - 1.0))
    low, high = found.interval(0.9)
    assert low * high == pytest.approx(20.0**2)
    assert high == pytest.approx(20.0 * math.exp(1.6448536 * 0.5))


def test_a_tiny_log_deviation_is_a_relative_one() -> None:
    assert told(COST, 0.0, 1e-9).std == pytest.approx(1e-9)


def test_a_normal_is_clipped_to_its_bounds() -> None:
    found = told(PERCENT, np.array([50.0, 99.0, 100.1]), np.array([2.0, 2.0, 2.0]))
    np.testing.assert_allclose(found.value, [50.0, 99.0, 100.0])
    np.testing.assert_allclose(found.std, [2.0, 2.0, 2.0])
    low, high = found.interval(0.5)
    np.testing.assert_allclose(high, [50.0 + 2 * 0.6744898, 100.0, 100.0])
    assert (low < found.value).all()
    assert told(PERCENT, 1.0, 2.0).interval(0.9)[0] == 0.0
    assert told(FREE, -3.0, 2.0).value == -3.0


def test_both_deviations_together_are_what_the_law_is_in_units_of() -> None:
    for law in (normal_quantiles(), WIDER):
        found = Distribution(FREE, np.zeros(3), np.array([3.0, 0.0, 1.0]), np.ones(3), law)
        expected = law.std**2 * (found.epistemic**2 + found.aleatoric**2)
        np.testing.assert_allclose(found.std**2, expected)
        np.testing.assert_array_equal(found.epistemic_std, found.epistemic)
        np.testing.assert_array_equal(found.aleatoric_std, found.aleatoric)
        low, high = found.interval(0.8)
        np.testing.assert_allclose(high, law.reach(0.8) * found.scale)
        np.testing.assert_allclose(low, -high)


def test_each_part_of_a_log_normal_is_in_the_unit_of_its_target() -> None:
    found = Distribution(COST, math.log(20.0), 0.3, 0.01, normal_quantiles())
    assert found.aleatoric_std == pytest.approx(0.2, rel=1e-3)
    assert found.epistemic_std == told(COST, math.log(20.0), 0.3).std
    assert found.aleatoric_std < found.epistemic_std < found.std


def test_intervals_hold_what_they_promise() -> None:
    normal = np.random.default_rng(0).standard_normal(20_000)
    for target in (COST, FREE):
        found = told(target, 1.5, 0.4)
        drawn = inverse_link(target, 1.5 + 0.4 * normal)
        for level in (0.5, 0.9, 0.99):
            low, high = found.interval(level)
            assert np.mean((low <= drawn) & (drawn <= high)) == pytest.approx(level, abs=0.01)
        assert np.std(drawn) == pytest.approx(found.std, rel=0.05)


@given(
    st.floats(-1e38, 1e38),
    st.floats(0.0, 1e38),
    st.floats(1e-12, 1.0 - 1e-12),
    st.sampled_from([COST, PERCENT, FREE]),
    st.sampled_from([normal_quantiles(), WIDER]),
)
def test_nothing_overflows_and_floats_agree_with_arrays(
    location, scale, level, target, law
) -> None:
    one = told(target, location, scale, law)
    many = told(target, np.array([location, np.nan]), np.array([scale, np.nan]), law)
    for a, b in (
        (one.value, many.value),
        (one.std, many.std),
        (one.epistemic_std, many.epistemic_std),
        (one.aleatoric_std, many.aleatoric_std),
        *zip(one.interval(level), many.interval(level), strict=True),
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
        inverse_link(target, location)[:] = 0.0
        assert location.tolist() == [1.0, 2.0]
