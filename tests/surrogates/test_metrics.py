from __future__ import annotations

import math

import numpy as np
import pytest

from surrogates.metrics import (
    best_quarter_tau,
    bootstrap,
    kendall_tau,
    last_epoch,
    mean_over_epochs,
    r2,
    rmse,
    spearman,
)


def test_a_perfect_prediction() -> None:
    seen = np.array([1.0, 2.0, 4.0, 8.0])
    assert r2(seen, seen) == 1.0
    assert rmse(seen, seen) == 0.0
    assert kendall_tau(seen, seen) == pytest.approx(1.0)
    assert spearman(seen, seen) == pytest.approx(1.0)


def test_the_mean_has_r2_zero_and_no_rank() -> None:
    seen = np.array([1.0, 2.0, 3.0])
    constant = np.full(3, 2.0)
    assert r2(constant, seen) == pytest.approx(0.0)
    assert math.isnan(kendall_tau(constant, seen))
    assert math.isnan(spearman(constant, seen))


def test_kendall_tau_counts_pairs() -> None:
    # pairs of (1, 2, 3) against (1, 3, 2): two agree, one does not
    assert kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])) == pytest.approx(1 / 3)


def test_spearman_handles_ties_like_average_ranks() -> None:
    assert spearman(np.array([1.0, 1.0, 2.0]), np.array([1.0, 1.0, 5.0])) == pytest.approx(1.0)


def test_best_quarter_follows_the_direction() -> None:
    seen = np.arange(16.0)
    predicted = seen.copy()
    predicted[12:] = predicted[12:][::-1]  # the largest four upside down
    assert best_quarter_tau(predicted, seen, maximize=True) == pytest.approx(-1.0)
    assert best_quarter_tau(predicted, seen, maximize=False) == pytest.approx(1.0)


def test_bootstrap_encloses_the_value_and_repeats() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(size=100)
    predicted = seen + rng.normal(0, 0.5, 100)
    value, low, high = bootstrap(r2, predicted, seen, resamples=100, seed=1)
    assert low < value < high
    assert (value, low, high) == bootstrap(r2, predicted, seen, resamples=100, seed=1)


def test_curve_metrics_take_each_length_alone() -> None:
    epochs = np.array([2, 2, 3, 3])
    seen = np.array([[1, 2, np.nan], [2, 3, np.nan], [1, 1, 1], [5, 5, 5.0]])
    assert last_epoch(seen, epochs).tolist() == [2, 3, 1, 5]
    assert mean_over_epochs(kendall_tau, seen, seen, epochs) == pytest.approx(1.0)
    upside = seen[[1, 0, 3, 2]]
    assert mean_over_epochs(kendall_tau, upside, seen, epochs) == pytest.approx(-1.0)
