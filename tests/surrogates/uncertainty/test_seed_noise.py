"""The noise that is found in runs is the noise that they were made with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eahas.models.uncertainty.seed_noise import SeedNoise
from surrogates.uncertainty.crossfit import CrossFit, cross_fit
from surrogates.uncertainty.seed_noise import MIN_REPEATED, POSITIONS, fit_seed_noise

KINDS = ("curves", "scalars")


@pytest.fixture(scope="module")
def fitted(known):
    """The noise of both models, from two seeds of each of 300 configurations."""
    runs = known.runs(300, seed=0, seeds=2)
    return fit_seed_noise([cross_fit(lambda _, k=kind: known.model(k), runs) for kind in KINDS])


def told(model: CrossFit, configs) -> dict[str, np.ndarray]:
    return {name: d.aleatoric for name, d in model.whole.distribution(configs).items()}


def correlation(a: SeedNoise, s: int, p: int, b: SeedNoise, t: int, q: int) -> float:
    """Of series s at position p of one noise with series t at position q of another."""
    own = a.own[s, p] @ b.own[t, q] if a is b and p == q else 0.0
    return float(a.loadings[s, p] @ b.loadings[t, q] + own)


def test_its_size_is_found_from_repeats_where_it_is_large_and_where_it_is_small(
    known, fitted
) -> None:
    (curves, scalars), sources = fitted
    assert sources == dict.fromkeys(("valid", "loss", "runtime_s", "drift"), "repeats")
    configs = [c for c in known.spec.space.sample(200, seed=1) if c["max_epoch"] == 24]
    found = told(curves, configs) | told(scalars, configs)
    a = np.array([config["a"] for config in configs])
    position = np.linspace(0, 1, 24)
    for name, deviation in found.items():
        curve = deviation.ndim == 2
        expected = known.deviations(a[:, None] if curve else a, position if curve else 0.0)[name]
        ratio = deviation / expected
        assert np.median(ratio) == pytest.approx(1.0, abs=0.12), name
        assert (np.abs(np.log(ratio)) < np.log(1.6)).mean() > 0.9, name
    for name in ("valid", "runtime_s"):
        deviation = np.atleast_2d(found[name].T)[-1]
        truth = known.deviations(a, 1.0)[name]
        assert np.corrcoef(np.log(deviation), np.log(truth))[0, 1] > 0.9
        assert deviation[truth < np.quantile(truth, 0.2)].mean() < 0.7 * deviation.mean()


@pytest.mark.parametrize("seed", [1, 3, 4])
def test_few_runs_teach_little_of_a_size_that_is_the_same_everywhere(known, seed) -> None:
    runs = known.runs(40, seed=seed, seeds=2)
    exact = np.array([known.locations(config["a"], 0.0)["drift"] for config in runs.configs])
    scalars = runs.scalars.copy()
    scalars[:, 1] = exact + 20.0 * (scalars[:, 1] - exact)
    runs = replace(runs, scalars=scalars)
    (model,), _ = fit_seed_noise([cross_fit(lambda _: known.model("scalars"), runs)])
    found = told(model, known.spec.space.sample(200, seed=2))["drift"]
    assert np.median(found) == pytest.approx(20.0, rel=0.25)
    assert np.log(found).std() < 0.4


def test_its_correlations_are_found(fitted) -> None:
    (curves, scalars), _ = fitted
    c, s = curves.whole.seed_noise, scalars.whole.seed_noise
    np.testing.assert_array_equal(c.positions, POSITIONS)
    for p, q in ((0, 3), (1, 7), (4, 6)):
        assert correlation(c, 0, p, c, 0, q) == pytest.approx(0.64, abs=0.15)
        assert correlation(c, 0, p, c, 1, q) == pytest.approx(-0.64, abs=0.15)
    for p in (0, 4, 7):
        assert correlation(c, 0, p, c, 1, p) == pytest.approx(-0.82, abs=0.12)
        assert correlation(c, 0, p, s, 1, 0) == pytest.approx(0.56, abs=0.15)
        assert correlation(c, 0, p, s, 0, 0) == pytest.approx(0.0, abs=0.15)
    assert correlation(s, 0, 0, s, 1, 0) == pytest.approx(0.357, abs=0.15)


def test_its_variance_is_one_whatever_was_found(fitted) -> None:
    for model in fitted[0]:
        noise = model.whole.seed_noise
        variance = (noise.loadings**2).sum(axis=2) + (noise.own**2).sum(axis=2)
        np.testing.assert_allclose(variance, 1.0)


def test_drawn_runs_stray_as_the_real_ones_do(known, fitted) -> None:
    (curves, scalars), _ = fitted
    real = known.runs(1, seed=5, seeds=1500)
    (config,) = {str(c): c for c in real.configs}.values()
    drawn = {
        (model.name, name): np.array(
            [model.select(name).predict(config, None, True, noise_seed=k) for k in range(1500)]
        )
        for model in (curves.whole, scalars.whole)
        for name in model.index
    }
    valid, loss = drawn["learning_curve", "valid"], drawn["learning_curve", "loss"]
    seen = real.curves[:, 0]
    np.testing.assert_allclose(valid.std(axis=0), seen.std(axis=0), rtol=0.3)
    for pair in ((0, -1), (3, 5)):
        both = np.corrcoef(valid[:, pair[0]], valid[:, pair[1]])[0, 1]
        assert both == pytest.approx(
            np.corrcoef(seen[:, pair[0]], seen[:, pair[1]])[0, 1], abs=0.15
        )
    against = np.corrcoef(valid[:, 4], loss[:, 4])[0, 1]
    assert against == pytest.approx(np.corrcoef(seen[:, 4], real.curves[:, 1, 4])[0, 1], abs=0.15)
    drift = drawn["costs", "drift"]
    assert drift.std() == pytest.approx(real.scalars[:, 1].std(), rel=0.2)
    assert np.corrcoef(valid[:, 4], drift)[0, 1] == pytest.approx(0.56, abs=0.15)


def test_without_repeats_it_is_what_models_miss(known, as_crossed) -> None:
    runs = known.runs(300, seed=2)
    biased = replace(runs, scalars=runs.scalars + np.array([0.0, 3.0]))
    (model,), sources = fit_seed_noise([as_crossed(known.model("scalars"), biased)])
    assert sources == {"runtime_s": "residuals", "drift": "residuals"}
    found = told(model, known.spec.space.sample(100, seed=3))
    assert np.median(found["drift"]) == pytest.approx(10**0.5, rel=0.1)


def test_what_models_miss_is_no_noise_where_there_are_repeats(known, as_crossed) -> None:
    runs = known.runs(150, seed=2, seeds=3)
    biased = replace(runs, scalars=runs.scalars + np.array([0.0, 3.0]))
    (model,), sources = fit_seed_noise([as_crossed(known.model("scalars"), biased)])
    assert sources["drift"] == "repeats"
    found = told(model, known.spec.space.sample(100, seed=3))
    assert np.median(found["drift"]) == pytest.approx(1.0, rel=0.12)


def test_too_few_repeats_are_none(known, as_crossed) -> None:
    runs = known.runs(100, seed=2, seeds=2)
    for repeated, expected in ((MIN_REPEATED - 1, "residuals"), (MIN_REPEATED, "repeats")):
        few = runs.where((runs.seed == 0) | (np.arange(len(runs)) < 2 * repeated))
        assert len(few) == 100 + repeated
        _, sources = fit_seed_noise([as_crossed(known.model("scalars"), few)])
        assert set(sources.values()) == {expected}


def test_controls_tell_the_noise_of_runs_that_were_made_once(known, as_crossed) -> None:
    runs = known.runs(200, seed=2, seeds=2)
    once, again = runs.where(runs.seed == 0), runs.where(runs.seed == 1)
    controls = again.where_rows(np.arange(40))
    biased = replace(once, scalars=once.scalars + np.array([0.0, 3.0]))
    model = as_crossed(known.model("scalars"), biased)
    controls = replace(controls, scalars=controls.scalars + np.array([0.0, 3.0]))
    (noisy,), sources = fit_seed_noise([model], controls)
    assert set(sources.values()) == {"repeats"}
    found = told(noisy, known.spec.space.sample(100, seed=3))["drift"]
    assert np.median(found) == pytest.approx(1.0, rel=0.25)
    (alone,), _ = fit_seed_noise([model])
    assert np.median(told(alone, known.spec.space.sample(100, seed=3))["drift"]) > 2.5


def test_what_was_reported_goes_before_all_else(known, as_crossed) -> None:
    for seeds in (1, 2):
        for name, relative in (("runtime_s", 0.3), ("drift", None)):
            runs = known.runs(120, seed=4, seeds=seeds, reported=name)
            (model,), sources = fit_seed_noise([as_crossed(known.model("scalars"), runs)])
            assert sources[name] == "reported"
            assert set(sources.values()) == {"reported", ["residuals", "repeats"][seeds - 1]}
            configs = known.spec.space.sample(100, seed=5)
            value = model.whole.distribution(configs)[name].value
            found = told(model, configs)[name]
            expected = relative if relative else 0.3 * value
            np.testing.assert_allclose(np.median(found / expected), 1.0, atol=0.1)


def test_what_was_reported_has_no_sign_and_hangs_together_with_nothing(known, as_crossed) -> None:
    runs = known.runs(200, seed=4, seeds=2, reported="drift")
    both = replace(runs, spreads=0.3 * np.abs(runs.scalars))
    for given in (runs, both):
        (model,), sources = fit_seed_noise([as_crossed(known.model("scalars"), given)])
        assert sources["drift"] == "reported"
        noise = model.whole.seed_noise
        assert correlation(noise, 0, 0, noise, 1, 0) == pytest.approx(0.0, abs=1e-6)


def test_a_target_that_never_strays_has_next_to_no_noise(known, as_crossed) -> None:
    runs = known.runs(60, seed=6, seeds=2)
    exact = np.array([known.locations(config["a"], 0.0)["drift"] for config in runs.configs])
    scalars = np.stack([runs.scalars[:, 0], exact], axis=1)
    (model,), _ = fit_seed_noise(
        [as_crossed(known.model("scalars"), replace(runs, scalars=scalars))]
    )
    found = told(model, known.spec.space.sample(20, seed=7))["drift"]
    assert ((found > 0) & (found < 1e-6)).all()


def test_runs_that_lack_a_target_teach_the_others(known, as_crossed) -> None:
    runs = known.runs(200, seed=8, seeds=2)
    scalars, curves = runs.scalars.copy(), runs.curves.copy()
    scalars[::7] = np.nan
    curves[::5, 1] = np.nan
    lacking = replace(runs, scalars=scalars, curves=curves)
    (c, s), sources = fit_seed_noise([as_crossed(known.model(kind), lacking) for kind in KINDS])
    assert set(sources.values()) == {"repeats"}
    for noise in (c.whole.seed_noise, s.whole.seed_noise):
        assert np.isfinite(noise.loadings).all()
        assert np.isfinite(noise.own).all()
    assert np.median(told(s, known.spec.space.sample(50, seed=9))["drift"]) == pytest.approx(
        1.0, abs=0.15
    )


def test_the_models_of_the_folds_have_a_noise_that_has_not_seen_theirs(known) -> None:
    """Runs of the first fold stray ten times as far: all but its own noise know it."""
    runs = known.runs(120, seed=10, seeds=2)
    models = cross_fit(lambda some: known.model("scalars"), runs)
    first = models.folds[0][0]
    exact = np.array([known.locations(config["a"], 0.0)["drift"] for config in runs.configs])
    factor = np.ones(len(runs))
    factor[first] = 10.0
    scalars = runs.scalars.copy()
    scalars[:, 1] = exact + factor * (scalars[:, 1] - exact)
    (found,), _ = fit_seed_noise([replace(models, runs=replace(runs, scalars=scalars))])
    whole, own, other = (
        np.median(model.distribution(runs.configs)["drift"].aleatoric)
        for model in (found.whole, found.folds[0][1], found.folds[1][1])
    )
    assert own == pytest.approx(1.0, rel=0.2)
    assert whole > 3
    assert other > 3
    for _, model in found.folds:
        assert model.seed_noise.loadings is found.whole.seed_noise.loadings


def test_the_same_runs_give_the_same_noise(known, as_crossed) -> None:
    runs = known.runs(60, seed=6, seeds=2)
    one, two, other = (
        fit_seed_noise([as_crossed(known.model("scalars"), runs)], seed=seed)[0][0].whole.seed_noise
        for seed in (0, 0, 1)
    )
    for name, array in one.tensors().items():
        np.testing.assert_array_equal(array, two.tensors()[name])
    assert (one.network.weights[0] != other.network.weights[0]).any()
