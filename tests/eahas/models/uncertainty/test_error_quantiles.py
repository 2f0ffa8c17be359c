"""How errors spread: the law of normal errors, and any that a calibration finds."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eahas.errors import EahasError
from eahas.models.uncertainty.error_quantiles import (
    LEVELS,
    ErrorQuantiles,
    normal_quantiles,
    normal_reach,
)

HEAVY = ErrorQuantiles((0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2, 1.5, 2.0, 2.5, 3.5, 5.0, 9.0))


def test_normal_errors_have_the_normal_law() -> None:
    law = normal_quantiles()
    for level in (1e-9, 0.05, 0.33, *LEVELS, 0.997, 1.0 - 1e-9):
        assert law.reach(level) == pytest.approx(normal_reach(level), rel=1e-12)
    assert law.std == pytest.approx(1.0, abs=1e-6)


@given(st.lists(st.floats(0.0, 1e6), min_size=len(LEVELS), max_size=len(LEVELS)))
def test_a_reach_rises_with_the_level_and_goes_through_what_was_found(found: list[float]) -> None:
    law = ErrorQuantiles(tuple(sorted(found)))
    for level, reach in zip(LEVELS, law.reaches, strict=True):
        assert law.reach(level) == pytest.approx(reach, rel=1e-12, abs=1e-300)
    reaches = [law.reach(level) for level in np.linspace(1e-6, 1.0 - 1e-6, 301)]
    assert all(a <= b * (1.0 + 1e-12) for a, b in pairwise(reaches))
    assert reaches[0] <= law.reaches[0]
    assert 0.0 <= law.std < 1e7


def test_a_reach_begins_at_nothing_and_goes_on_beyond_the_last_level() -> None:
    assert HEAVY.reach(1e-12) == pytest.approx(0.0, abs=1e-11)
    for level in (0.995, 0.9999):
        assert HEAVY.reach(level) / normal_reach(level) == pytest.approx(9.0 / normal_reach(0.99))


def test_the_deviation_of_a_law_is_that_of_errors_with_its_reaches() -> None:
    levels = (np.arange(100_000) + 0.5) / 100_000
    for law in (
        normal_quantiles(),
        HEAVY,
        ErrorQuantiles(tuple(2.0 * r for r in normal_quantiles().reaches)),
    ):
        reaches = np.array([law.reach(level) for level in levels[::10]])
        assert law.std == pytest.approx(math.sqrt(np.mean(reaches**2)), rel=0.01)
    assert HEAVY.std > 1.5 * HEAVY.reach(0.683)
    assert ErrorQuantiles((0.0,) * len(LEVELS)).std == 0.0


@pytest.mark.parametrize(
    "level", [0, 1, -0.5, 1.5, math.nan, True, None, "0.9", [0.9], 1j, 10**400]
)
def test_a_level_outside_the_probabilities_is_refused(level) -> None:
    for reach in (normal_reach, normal_quantiles().reach):
        with pytest.raises(EahasError, match=r"level=.*between 0 and 1"):
            reach(level)


def test_reaches_of_the_normal_law() -> None:
    assert normal_reach(0.9) == pytest.approx(1.6448536)
    assert normal_reach(np.float32(0.5)) == normal_reach(Fraction(1, 2)) == normal_reach(0.5)
    assert normal_reach(5e-324) == 0.0
    assert 8.0 < normal_reach(math.nextafter(1.0, 0.0)) < 9.0
