from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy import stats

from surrogates.evaluation import metrics
from surrogates.evaluation.metrics import (
    METRICS,
    best_quarter_tau,
    kendall_tau,
    last_epoch,
    mean_over_epochs,
    once,
    r2,
    resamplings,
    rmse,
    spearman,
    with_interval,
)


def noisy(n: int = 60, *, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and runs with ties."""
    rng = np.random.default_rng(0)
    seen = rng.normal(size=n)
    return (seen + rng.normal(0, 0.5, n)).round(decimals), seen.round(decimals)


def test_a_perfect_prediction() -> None:
    seen = np.array([1.0, 2.0, 4.0, 8.0])
    assert once(r2, seen, seen) == 1.0
    assert once(rmse, seen, seen) == 0.0
    assert once(kendall_tau, seen, seen) == pytest.approx(1.0)
    assert once(spearman, seen, seen) == pytest.approx(1.0)


@pytest.mark.parametrize("value", [2.0, 0.1, 1e9 / 3, 0.0])
def test_a_constant_has_no_rank_and_explains_nothing(value) -> None:
    seen = value * np.array([1.0, 2.0, 3.0]) + 1
    constant = np.full(3, seen.mean())
    assert once(r2, constant, seen) == pytest.approx(0.0) or value == 0
    for metric in (kendall_tau, spearman):
        assert np.isnan(once(metric, constant, seen))
    for metric in (r2, kendall_tau, spearman):
        assert np.isnan(once(metric, seen, constant))


def test_kendall_tau_counts_pairs() -> None:
    # pairs of (1, 2, 3) against (1, 3, 2): two agree, one does not
    found = once(kendall_tau, np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    assert found == pytest.approx(1 / 3)


def test_ranks_agree_with_scipy_where_there_are_ties() -> None:
    predicted, seen = noisy()
    assert len(np.unique(seen)) < len(seen)
    expected = stats.kendalltau(predicted, seen).statistic
    twice = np.full((1, len(seen)), 2.0)
    assert once(kendall_tau, predicted, seen) == pytest.approx(expected)
    assert kendall_tau(predicted, seen, twice)[0] == pytest.approx(expected)
    assert once(spearman, predicted, seen) == pytest.approx(
        stats.spearmanr(predicted, seen).statistic
    )


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_is_a_run_that_stands_there_so_often(name) -> None:
    predicted, seen = noisy()
    weights = resamplings(len(seen), 5, seed=1)
    found = METRICS[name](predicted, seen, weights)
    for row, value in zip(weights.astype(int), found, strict=True):
        drawn = np.repeat(np.arange(len(seen)), row)
        assert value == pytest.approx(once(METRICS[name], predicted[drawn], seen[drawn]))


def test_the_best_quarter_of_a_resample_is_that_of_its_runs() -> None:
    predicted, seen = noisy(decimals=9)
    weights = resamplings(len(seen), 5, seed=2)
    metric = partial(best_quarter_tau, maximize=True)
    found = metric(predicted, seen, weights)
    for row, value in zip(weights.astype(int), found, strict=True):
        drawn = np.repeat(np.arange(len(seen)), row)
        assert value == pytest.approx(once(metric, predicted[drawn], seen[drawn]))


def test_best_quarter_follows_the_direction() -> None:
    seen = np.arange(16.0)
    predicted = seen.copy()
    predicted[12:] = predicted[12:][::-1]  # the largest four upside down
    assert once(partial(best_quarter_tau, maximize=True), predicted, seen) == pytest.approx(-1.0)
    assert once(partial(best_quarter_tau, maximize=False), predicted, seen) == pytest.approx(1.0)


def test_many_runs_are_ranked_in_blocks(monkeypatch) -> None:
    predicted, seen = noisy()
    weights = resamplings(len(seen), 3)
    whole = [metric(predicted, seen, weights) for metric in (kendall_tau, spearman)]
    monkeypatch.setattr(metrics, "PAIRS_AT_ONCE", 7 * len(seen))
    blocks = [metric(predicted, seen, weights) for metric in (kendall_tau, spearman)]
    np.testing.assert_allclose(blocks, whole)


def test_an_interval_encloses_the_value_and_repeats() -> None:
    predicted, seen = noisy(100)
    found = with_interval(r2(predicted, seen, resamplings(100, 100, seed=1)))
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] == pytest.approx(once(r2, predicted, seen), abs=1e-6)
    assert found == with_interval(r2(predicted, seen, resamplings(100, 100, seed=1)))


def test_what_is_not_known_is_none() -> None:
    constant = np.ones(3)
    assert with_interval(r2(constant, constant, resamplings(3, 4))) == {
        "value": None,
        "low": None,
        "high": None,
    }


def test_curve_metrics_take_each_length_alone() -> None:
    epochs = np.array([2, 2, 3, 3])
    seen = np.array([[1, 2, np.nan], [2, 3, np.nan], [1, 1, 1], [5, 5, 5.0]])
    assert last_epoch(seen, epochs).tolist() == [2, 3, 1, 5]
    weights = np.ones((1, 4))
    assert mean_over_epochs(kendall_tau, seen, seen, epochs, weights) == pytest.approx([1.0])
    upside = seen[[1, 0, 3, 2]]
    assert mean_over_epochs(kendall_tau, upside, seen, epochs, weights) == pytest.approx([-1.0])


def test_a_length_weighs_as_much_as_its_runs() -> None:
    epochs = np.array([1, 1, 1, 2, 2])
    seen = np.array([[1, np.nan], [2, np.nan], [3, np.nan], [1, 1], [2, 2.0]])
    upside = seen.copy()
    upside[3:] = seen[[4, 3]]
    found = mean_over_epochs(kendall_tau, upside, seen, epochs, np.ones((1, 5)))
    assert found == pytest.approx([(3 * 1.0 + 2 * -1.0) / 5])
