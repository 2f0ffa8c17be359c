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
    r2,
    resamplings,
    rmse,
    spearman,
    unweighted,
    with_interval,
)


def noisy(n: int = 60, *, decimals: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and runs with ties."""
    rng = np.random.default_rng(0)
    observed = rng.normal(size=n)
    return (observed + rng.normal(0, 0.5, n)).round(decimals), observed.round(decimals)


def test_a_perfect_prediction() -> None:
    observed = np.array([1.0, 2.0, 4.0, 8.0])
    assert unweighted(r2, observed, observed) == 1.0
    assert unweighted(rmse, observed, observed) == 0.0
    assert unweighted(kendall_tau, observed, observed) == pytest.approx(1.0)
    assert unweighted(spearman, observed, observed) == pytest.approx(1.0)


@pytest.mark.parametrize("value", [2.0, 0.1, 1e9 / 3, 0.0])
def test_a_constant_has_no_rank_and_explains_nothing(value) -> None:
    observed = value * np.array([1.0, 2.0, 3.0]) + 1
    constant = np.full(3, observed.mean())
    assert unweighted(r2, constant, observed) == pytest.approx(0.0) or value == 0
    for metric in (kendall_tau, spearman):
        assert np.isnan(unweighted(metric, constant, observed))
    for metric in (r2, kendall_tau, spearman):
        assert np.isnan(unweighted(metric, observed, constant))


def test_kendall_tau_counts_pairs() -> None:
    # pairs of (1, 2, 3) against (1, 3, 2): two agree, one does not
    found = unweighted(kendall_tau, np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0]))
    assert found == pytest.approx(1 / 3)


def test_ranks_agree_with_scipy_where_there_are_ties() -> None:
    predicted, observed = noisy()
    assert len(np.unique(observed)) < len(observed)
    expected = stats.kendalltau(predicted, observed).statistic
    twice = np.full((1, len(observed)), 2.0)
    assert unweighted(kendall_tau, predicted, observed) == pytest.approx(expected)
    assert kendall_tau(predicted, observed, twice)[0] == pytest.approx(expected)
    assert unweighted(spearman, predicted, observed) == pytest.approx(
        stats.spearmanr(predicted, observed).statistic
    )


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_is_a_run_that_stands_there_so_often(name) -> None:
    predicted, observed = noisy()
    weights = resamplings(len(observed), 5, seed=1)
    found = METRICS[name](predicted, observed, weights)
    for row, value in zip(weights.astype(int), found, strict=True):
        drawn = np.repeat(np.arange(len(observed)), row)
        assert value == pytest.approx(unweighted(METRICS[name], predicted[drawn], observed[drawn]))


def test_the_best_quarter_of_a_resample_is_that_of_its_runs() -> None:
    predicted, observed = noisy(decimals=9)
    weights = resamplings(len(observed), 5, seed=2)
    metric = partial(best_quarter_tau, maximize=True)
    found = metric(predicted, observed, weights)
    for row, value in zip(weights.astype(int), found, strict=True):
        drawn = np.repeat(np.arange(len(observed)), row)
        assert value == pytest.approx(unweighted(metric, predicted[drawn], observed[drawn]))


def test_best_quarter_follows_the_direction() -> None:
    observed = np.arange(16.0)
    predicted = observed.copy()
    predicted[12:] = predicted[12:][::-1]  # the largest four upside down
    assert unweighted(
        partial(best_quarter_tau, maximize=True), predicted, observed
    ) == pytest.approx(-1.0)
    assert unweighted(
        partial(best_quarter_tau, maximize=False), predicted, observed
    ) == pytest.approx(1.0)


def test_many_runs_are_ranked_in_blocks(monkeypatch) -> None:
    predicted, observed = noisy()
    weights = resamplings(len(observed), 3)
    whole = [metric(predicted, observed, weights) for metric in (kendall_tau, spearman)]
    monkeypatch.setattr(metrics, "MAX_PAIRS", 7 * len(observed))
    blocks = [metric(predicted, observed, weights) for metric in (kendall_tau, spearman)]
    np.testing.assert_allclose(blocks, whole)


def test_an_interval_encloses_the_value_and_repeats() -> None:
    predicted, observed = noisy(100)
    found = with_interval(r2(predicted, observed, resamplings(100, 100, seed=1)))
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] == pytest.approx(unweighted(r2, predicted, observed), abs=1e-6)
    assert found == with_interval(r2(predicted, observed, resamplings(100, 100, seed=1)))


def test_what_is_not_known_is_none() -> None:
    constant = np.ones(3)
    assert with_interval(r2(constant, constant, resamplings(3, 4))) == {
        "value": None,
        "low": None,
        "high": None,
    }


def test_curve_metrics_take_each_length_alone() -> None:
    epochs = np.array([2, 2, 3, 3])
    observed = np.array([[1, 2, np.nan], [2, 3, np.nan], [1, 1, 1], [5, 5, 5.0]])
    assert last_epoch(observed, epochs).tolist() == [2, 3, 1, 5]
    weights = np.ones((1, 4))
    assert mean_over_epochs(kendall_tau, observed, observed, epochs, weights) == pytest.approx(
        [1.0]
    )
    upside = observed[[1, 0, 3, 2]]
    assert mean_over_epochs(kendall_tau, upside, observed, epochs, weights) == pytest.approx([-1.0])


def test_a_length_weighs_as_much_as_its_runs() -> None:
    epochs = np.array([1, 1, 1, 2, 2])
    observed = np.array([[1, np.nan], [2, np.nan], [3, np.nan], [1, 1], [2, 2.0]])
    upside = observed.copy()
    upside[3:] = observed[[4, 3]]
    found = mean_over_epochs(kendall_tau, upside, observed, epochs, np.ones((1, 5)))
    assert found == pytest.approx([(3 * 1.0 + 2 * -1.0) / 5])
