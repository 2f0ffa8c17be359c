"""Curves without spikes: what is common stays as it is, and a fit survives a loss of a million."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from eahas.errors import FitError
from surrogates.benchmark import learnable
from surrogates.data.outliers import find_outliers, value_limits, without_outliers
from surrogates.families import family


def spiked(runs, value=1e6):
    """The runs with a spike in the loss of a few of them."""
    curves = runs.curves.copy()
    curves[3:6, 1, 1] = value
    return replace(runs, curves=curves)


@pytest.mark.parametrize("draw", ["uniform", "normal", "exponential"])
def test_what_is_common_is_believed(draw) -> None:
    curves = getattr(np.random.default_rng(0), draw)(size=(500, 10))
    low, high = value_limits(curves)
    assert low < curves.min() and high > curves.max()


def test_a_fifth_of_the_runs_may_be_as_far_out_as_they_like() -> None:
    curves = np.random.default_rng(0).uniform(size=(500, 10))
    before = value_limits(curves)
    curves[:100, 3] = 1e20
    np.testing.assert_allclose(value_limits(curves), before, rtol=0.05)


def test_what_agrees_or_is_unknown_is_believed_whatever_it_is() -> None:
    assert value_limits(np.ones((9, 3))) == (-np.inf, np.inf)
    assert value_limits(np.full((2, 3), np.nan)) == (-np.inf, np.inf)


def test_what_is_cut_is_told(runs) -> None:
    assert find_outliers(runs) == []
    (outliers,) = find_outliers(spiked(runs))
    assert (outliers.target.name, outliers.runs) == ("loss", 3)
    message = "loss: 3 runs have values below .* or above .*, far from all others"
    assert re.match(message, str(outliers))


def test_numbers_without_measure_are_refused(runs) -> None:
    curves = runs.curves.copy()
    curves[: len(runs) // 2, 1] *= 1e20
    with pytest.raises(FitError, match=r"loss reaches .*e\+20 in many runs; limit its values"):
        without_outliers(replace(runs, curves=curves))


def test_only_spikes_are_cut_and_only_where_a_target_has_no_bound(runs) -> None:
    np.testing.assert_array_equal(without_outliers(runs).curves, runs.curves)
    for value in (1e6, -1e6):
        found = without_outliers(spiked(runs, value)).curves
        changed = found != runs.curves
        changed &= np.isfinite(runs.curves)
        assert changed.sum() == 3 and changed[3:6, 1, 1].all()
        assert np.abs(found[3:6, 1, 1]).max() < 20
    accuracies = runs.curves.copy()
    accuracies[0, 0, 0] = 100.0  # inside its bounds, however far from the others
    bounded = replace(runs, curves=accuracies)
    np.testing.assert_array_equal(without_outliers(bounded).curves, accuracies)


@pytest.mark.parametrize("name", ["bezier_nn_STAR", "svd_lgb"])
def test_a_fit_survives_spikes(name, runs) -> None:
    if "lgb" in name:
        pytest.importorskip("lightgbm")
    chosen = family(name)
    few = {"rounds": 60} if "lgb" in name else {"steps": 150, "hidden": (24,)}
    quick = replace(chosen.settings, members=2, **few)
    judged = runs.side("test")

    def error(learned):
        told = chosen.fit(learned, quick).distribution(judged.configs)["loss"].value
        return np.sqrt(np.nanmean((told - judged.curves[:, 1]) ** 2))

    good = error(learnable(runs))
    assert error(learnable(spiked(runs))) < 1.5 * good
    assert error(spiked(runs).side("train", "valid")) > 3 * good
