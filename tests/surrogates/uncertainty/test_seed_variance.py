"""Deviations between seeds and the law of a new one, on noise that is known."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.models.uncertainty.error_quantiles import LEVELS, normal_quantiles
from eahas.models.uncertainty.seed_variance import moments
from surrogates.uncertainty.seed_variance import (
    POSITIONS,
    WEIGHTS,
    LeftOut,
    at_positions,
    fit_seed_variance,
)


def runs(count: int, seeds: int, spread, *, positions: int = 1, seed: int = 0) -> np.ndarray:
    """Normal runs (n, S, P) around means in 0..10; `spread` gives the deviation at a mean."""
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0.0, 10.0, size=(count, 1, positions))
    return mean + spread(mean) * rng.normal(size=(count, seeds, positions))


def test_what_is_typical_follows_the_mean() -> None:
    seed_variance, _ = fit_seed_variance(runs(3000, 3, lambda mean: 0.2 + 0.1 * mean, positions=2))
    assert seed_variance.location.shape == (2, 8)
    for mean in (1.0, 5.0, 9.0):
        found = seed_variance.at(np.full((1, 2), mean))
        np.testing.assert_allclose(found, 0.2 + 0.1 * mean, rtol=0.12)


def test_alike_seeds_count_little_beside_the_typical_and_unlike_ones_more() -> None:
    alike, _ = fit_seed_variance(runs(2000, 3, lambda mean: 1.0))
    rng = np.random.default_rng(1)
    own = np.exp(rng.normal(size=(2000, 1, 1)))
    unlike, _ = fit_seed_variance(runs(2000, 3, lambda mean: own))
    assert alike.weight >= 16.0
    assert unlike.weight <= 4.0
    assert unlike.deviation.mean() < 0.8 * np.sqrt((own**2).mean())


def test_intervals_hold_a_new_seed_s_run() -> None:
    rng = np.random.default_rng(2)
    own = np.exp(0.7 * rng.normal(size=(8000, 1, 1)))
    values = runs(8000, 4, lambda mean: own * (0.5 + 0.1 * mean))
    seed_variance, law = fit_seed_variance(values[:4000, :3])
    mean, squares, count = moments(values[4000:, :3])
    new = LeftOut(values[4000:, 3] - mean, mean, squares, count)
    score = np.abs(new.error) / new.scale(seed_variance)
    for level in (0.5, 0.8, 0.9, 0.95):
        assert (score <= law.reach(level)).mean() == pytest.approx(level, abs=0.03)


def test_a_normal_law_is_found_where_the_noise_is_normal() -> None:
    _, law = fit_seed_variance(runs(6000, 3, lambda mean: 1.0))
    np.testing.assert_allclose(law.reaches, normal_quantiles().reaches, rtol=0.08, atol=0.01)
    assert list(law.reaches) == sorted(law.reaches)
    assert len(law.reaches) == len(LEVELS)


def test_of_one_seed_nothing_is_known_and_of_two_the_typical_alone() -> None:
    seed_variance, law = fit_seed_variance(runs(50, 1, lambda mean: 1.0, positions=3))
    assert seed_variance.location.shape == (3, 0)
    assert law == normal_quantiles()
    seed_variance, law = fit_seed_variance(runs(3000, 2, lambda mean: 1.0))
    assert seed_variance.weight == WEIGHTS[0]
    np.testing.assert_allclose(law.reaches, normal_quantiles().reaches, rtol=0.1, atol=0.01)


def test_few_configurations_make_one_knot() -> None:
    seed_variance, _ = fit_seed_variance(runs(5, 3, lambda mean: 1.0))
    assert seed_variance.location.shape == (1, 1)


def test_what_never_differs_has_a_deviation_of_almost_nothing() -> None:
    seed_variance, law = fit_seed_variance(runs(300, 3, lambda mean: 0.0))
    assert ((seed_variance.deviation > 0) & (seed_variance.deviation < 1e-6)).all()
    assert np.isfinite(law.reaches).all()


def test_missing_runs_and_values_are_left_out() -> None:
    values = runs(500, 3, lambda mean: 1.0, positions=2)
    whole, _ = fit_seed_variance(values)
    rng = np.random.default_rng(3)
    values[rng.uniform(size=values.shape) < 0.1] = np.nan
    seed_variance, law = fit_seed_variance(values)
    np.testing.assert_allclose(
        seed_variance.at(np.full((1, 2), 5.0)), whole.at(np.full((1, 2), 5.0)), rtol=0.3
    )
    assert np.isfinite(law.reaches).all()


def test_positions_are_those_of_each_run_s_own_length() -> None:
    curves = np.full((2, 1, 21), np.nan)
    curves[0, 0] = np.arange(21)
    curves[1, 0, :3] = np.arange(3)
    found = at_positions(curves, np.array([21, 3]))
    assert found.shape == (2, 1, POSITIONS)
    np.testing.assert_array_equal(found[0, 0], np.linspace(0, 20, POSITIONS))
    np.testing.assert_array_equal(np.unique(found[1, 0]), [0, 1, 2])
