"""What is typical between seeds: interpolation, shrinkage, and what is not known."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.models.uncertainty.seed_variance import SeedVariance, moments

# At the first epoch the deviation rises from 1 to 4 between 0 and 10, at the last it is 9.
RISING = SeedVariance(np.array([[0.0, 10.0], [0.0, 10.0]]), np.array([[1.0, 4.0], [9.0, 9.0]]), 2.0)


def test_between_knots_and_positions_the_logarithm_is_linear() -> None:
    means = np.array([[0.0, 0.0, 0.0], [5.0, 5.0, 5.0], [-7.0, 99.0, 99.0]])
    found = RISING.at(means)
    np.testing.assert_allclose(found[:, 0], [1.0, 2.0, 1.0])
    np.testing.assert_allclose(found[:, 1], [3.0, np.sqrt(18.0), 6.0])
    np.testing.assert_allclose(found[:, 2], 9.0)


def test_one_position_serves_a_scalar() -> None:
    one = SeedVariance(np.array([[0.0, 10.0]]), np.array([[1.0, 4.0]]), 2.0)
    np.testing.assert_allclose(one.at(np.array([[5.0], [np.nan]]))[:, 0], [2.0, np.nan])


def test_without_knots_nothing_is_known() -> None:
    nothing = SeedVariance(np.zeros((2, 0)), np.zeros((2, 0)), 2.0)
    mean, squares, count = moments(np.ones((4, 2, 3)))
    assert np.isnan(nothing.shrunk(mean, squares, count, np.full(4, 3))).all()


def test_moments_are_those_of_what_is_known() -> None:
    values = np.array([[[1.0], [3.0], [np.nan]], [[np.nan]] * 3])
    mean, squares, count = moments(values)
    np.testing.assert_array_equal(mean, [[2.0], [np.nan]])
    np.testing.assert_array_equal(squares, [[2.0], [0.0]])
    np.testing.assert_array_equal(count, [[2], [0]])


def test_own_seeds_and_the_typical_deviation_share_by_degrees_of_freedom() -> None:
    ones = np.ones((1, 2))
    for count in (1, 3, 1000):
        squares = 16.0 * (count - 1) * ones
        found = RISING.shrunk(0.0 * ones, squares, count * ones, np.array([2]))
        own = count - 1
        for k, seed_variance in enumerate((1.0, 9.0)):
            expected = np.sqrt((2 * seed_variance**2 + own * 16.0) / (2 + own))
            assert found[0, k] == pytest.approx(expected)


def test_each_length_has_its_own_epochs() -> None:
    mean = np.zeros((2, 5))
    mean[0, 2:] = np.nan
    found = RISING.shrunk(mean, np.zeros((2, 5)), np.ones((2, 5)), np.array([2, 5]))
    np.testing.assert_allclose(found[0], [1.0, 9.0, np.nan, np.nan, np.nan])
    np.testing.assert_allclose(found[1], 9.0 ** np.linspace(0, 1, 5))
