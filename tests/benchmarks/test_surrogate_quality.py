"""The comparison of learning-curve surrogates: its figures, and what is kept between calls."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from benchmarks.surrogate_quality import FIGURES, cached, figures
from surrogates.evaluation.metrics import resamplings


def test_a_perfect_prediction_has_only_ones() -> None:
    epochs = np.array([3, 3, 3, 5, 5, 5])
    seen = np.random.default_rng(0).normal(size=(6, 5)).cumsum(axis=1)
    seen[:3, 3:] = np.nan
    found = figures(seen, seen, epochs, resamplings(6, 10))
    assert found.shape == (len(FIGURES), 11)
    np.testing.assert_allclose(found[:, 0], 1.0)


def test_the_last_epoch_is_each_runs_own() -> None:
    epochs = np.array([2, 3, 2, 3])
    seen = np.array([[1, 2, np.nan], [1, 2, 3], [1, 4, np.nan], [1, 2, 5]], dtype=float)
    told = seen.copy()
    told[:, 0] = 7.0
    found = figures(told, seen, epochs, np.ones((1, 4)))
    assert found[2:, 0] == pytest.approx([1.0, 1.0])


def test_what_was_predicted_is_not_predicted_again(tmp_path) -> None:
    calls = []

    def predict(train, test, seed):
        calls.append(seed)
        return np.full((2, 3), float(seed))

    for _ in range(2):
        told = cached(tmp_path, "a (b)-4", predict, [0], [0], 4)
        np.testing.assert_array_equal(told, np.full((2, 3), 4.0))
    assert calls == [4]
