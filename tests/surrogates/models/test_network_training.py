from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eahas import api
from eahas.errors import FitError
from surrogates.data.folds import folds
from surrogates.evaluation.metrics import kendall_tau, last_epoch, r2, unweighted
from surrogates.models.network_training import FitSettings, fit_curves, fit_scalars
from surrogates.uncertainty.calibration import calibrate

QUICK = FitSettings(members=3, hidden=(32,), degree=4, steps=400, batch_size=64, dropout=0.0)


@pytest.fixture(scope="module")
def curves(runs):
    return fit_curves(runs.side("train"), QUICK)


@pytest.fixture(scope="module")
def scalars(runs):
    return fit_scalars(runs.side("train"), QUICK)


def test_curves_are_learned(curves, runs) -> None:
    test = runs.side("test").first_seeds()
    belief = curves.distribution(test.configs)
    predicted = last_epoch(belief["valid"].value, test.epochs)
    seen = last_epoch(test.curves[:, 0], test.epochs)
    assert unweighted(r2, predicted, seen) > 0.9
    assert unweighted(kendall_tau, predicted, seen) > 0.8


def test_an_unbounded_curve_is_learned_on_its_own_range(curves, runs) -> None:
    test = runs.side("test").first_seeds()
    predicted = last_epoch(curves.distribution(test.configs)["loss"].value, test.epochs)
    assert unweighted(r2, predicted, last_epoch(test.curves[:, 1], test.epochs)) > 0.9


def test_scalars_are_learned_and_positive(scalars, runs) -> None:
    test = runs.side("test").first_seeds()
    belief = scalars.distribution(test.configs)
    assert unweighted(r2, belief["runtime_s"].value, test.scalars[:, 0]) > 0.95
    assert (belief["runtime_s"].interval(0.99)[0] > 0).all()


def test_the_same_seed_gives_the_same_weights(runs) -> None:
    settings = replace(QUICK, steps=5)
    a, b = (fit_curves(runs.side("train"), settings) for _ in range(2))
    c = fit_curves(runs.side("train"), replace(settings, seed=1))
    for one, two in zip(a.regressor.weights, b.regressor.weights, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(a.regressor.weights[0], c.regressor.weights[0])


def test_members_differ(curves) -> None:
    weights = curves.regressor.weights[0]
    assert not np.allclose(weights[0], weights[1])


def test_folds_keep_a_configuration_together_and_are_even(runs) -> None:
    fold = folds(runs, 5, seed=0)
    for name in set(runs.config_id.tolist()):
        assert len(set(fold[runs.config_id == name].tolist())) == 1
    counts = np.bincount(fold, minlength=5)
    assert counts.max() - counts.min() <= 3


def test_fewer_configurations_than_folds_is_an_error(runs) -> None:
    few = runs.where(np.isin(runs.config_id, ["c0", "c1"]))
    with pytest.raises(FitError, match="2 training configurations for 3 folds"):
        fit_curves(few, QUICK)


def test_calibration_makes_intervals_hold_on_the_runs_it_saw(curves, runs, as_crossed) -> None:
    valid = runs.side("valid")
    fitted = calibrate(as_crossed(curves, valid))
    low, high = fitted.distribution(valid.configs)["valid"].interval(0.9)
    seen = valid.curves[:, 0, : low.shape[1]]
    known = np.isfinite(seen)
    inside = np.where(known, (low <= seen) & (seen <= high), np.nan)
    assert 0.9 <= np.nanmean(inside, axis=1).mean() < 0.96  # of 20 configurations: one is 0.05
    again = calibrate(as_crossed(fitted, valid))
    assert (again.inflation, again.error_quantiles) == (fitted.inflation, fitted.error_quantiles)


def test_a_single_run_length_and_a_single_epoch_work(spec, rows) -> None:
    from surrogates.data.dataset import runs_from_records

    short = runs_from_records([r for r in rows if r["epochs"] == 4], spec)
    model = fit_curves(short, replace(QUICK, steps=5))
    assert model.predict(config=spec.space.nest(short.configs[0])).shape == (4,)


def test_a_scalar_that_is_not_positive_is_refused(runs) -> None:
    broken = replace(runs, scalars=np.where(runs.scalars > 1e9, runs.scalars, -1.0))
    with pytest.raises(FitError, match="not positive"):
        fit_scalars(broken, QUICK)


def test_runs_that_know_only_a_part_of_their_curves_teach_that_part(runs) -> None:
    train = runs.side("train")
    curves = train.curves.copy()
    curves[::3, 1, 2:] = np.nan  # the loss of a third of them is not known after two epochs
    fitted = fit_curves(replace(train, curves=curves), QUICK)
    test = runs.side("test")
    for name in ("valid", "loss"):
        predicted = fitted.distribution(test.configs)[name].value
        seen = test.curves[:, ["valid", "loss"].index(name)]
        ends = last_epoch(predicted, test.epochs), last_epoch(seen, test.epochs)
        assert unweighted(r2, *ends) > 0.85


def test_a_fit_that_diverges_says_so(runs) -> None:
    for fitter in (fit_curves, fit_scalars):
        with pytest.raises(FitError, match=r"the fit diverged.*lower learning_rate"):
            fitter(runs.side("train"), replace(QUICK, steps=3, learning_rate=1e30))


def test_curves_do_not_see_what_matters_to_costs_alone() -> None:
    model = api.load_benchmark("regnet-digits").model("learning_curve")
    first = model.regressor.weights[0]
    assert (first[:, model.features.of_costs] == 0).all()
    assert (first[:, ~model.features.of_costs] != 0).any(axis=2).all()
