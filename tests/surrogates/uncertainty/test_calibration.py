"""Calibrated intervals hold what they promise on runs that nobody has seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eahas.models.uncertainty.error_quantiles import LEVELS, normal_quantiles
from surrogates.data.dataset import Runs
from surrogates.uncertainty.calibration import _error_quantiles, _weights, calibrate
from surrogates.uncertainty.crossfit import cross_fit
from surrogates.uncertainty.seed_noise import fit_seed_noise

PROMISED = (0.5, 0.8, 0.9, 0.95)
DRIFT = 1  # its place among the scalars


def coverage(model, runs: Runs, name: str) -> dict[float, float]:
    """How much each level's interval holds; a run counts once, however long it is."""
    belief = model.distribution(runs.configs)[name]
    seen = runs.values_of(belief.target)
    found = {}
    for level in PROMISED:
        low, high = belief.interval(level)
        inside = np.where(np.isfinite(seen), (low <= seen) & (seen <= high), np.nan)
        found[level] = float(np.nanmean(inside.reshape(len(runs), -1), axis=1).mean())
    return found


def with_errors(runs: Runs, errors: np.ndarray) -> Runs:
    """The runs with these errors of their drift, which is 10 - 5 a."""
    exact = np.array([10 - 5 * config["a"] for config in runs.configs])
    scalars = runs.scalars.copy()
    scalars[:, DRIFT] = exact + errors
    return replace(runs, scalars=scalars)


@pytest.fixture(scope="module")
def seen(known) -> Runs:
    return known.runs(400, seed=0)


@pytest.fixture(scope="module")
def fresh(known) -> Runs:
    return known.runs(2500, seed=1)


@pytest.mark.parametrize("kind", ["curves", "scalars"])
@pytest.mark.parametrize("log_deviation", [-3.0, 0.0, 2.5])
def test_intervals_have_their_coverage_for_any_predicted_deviation(
    kind, log_deviation, known, seen, fresh, as_crossed
) -> None:
    model = calibrate(as_crossed(known.model(kind, log_deviation=log_deviation, apart=1e-6), seen))
    for name in model.index:
        for level, share in coverage(model, fresh, name).items():
            assert share == pytest.approx(level, abs=0.05), (name, level)


@pytest.mark.parametrize("kind", ["curves", "scalars"])
def test_intervals_hold_where_the_noise_was_found_in_repeats(kind, known, fresh, as_crossed):
    runs = known.runs(200, seed=2, seeds=2)
    (noisy,), _ = fit_seed_noise([as_crossed(known.model(kind), runs)])
    model = calibrate(noisy)
    for name in model.index:
        for level, share in coverage(model, fresh, name).items():
            assert share == pytest.approx(level, abs=0.05), (name, level)
        assert model.error_quantiles[model.index[name][0]].std == pytest.approx(1.0, abs=0.2)


def test_intervals_hold_where_there_are_few_runs(known, fresh) -> None:
    """On average over data sets of 40 runs, whose quantiles are chance."""
    found = []
    for seed in range(11, 17):
        few = known.runs(40, seed=seed)
        (noisy,), sources = fit_seed_noise([cross_fit(lambda _: known.model("scalars"), few)])
        assert set(sources.values()) == {"residuals"}
        model = calibrate(noisy)
        found += [coverage(model, fresh, name) for name in model.index]
    for level in PROMISED:
        shares = [share[level] for share in found]
        assert np.mean(shares) == pytest.approx(level, abs=0.08), level
        assert min(shares) > level - 0.2


def test_heavy_tails_are_held_by_a_heavy_law(known, seen, fresh, as_crossed) -> None:
    rng = np.random.default_rng(3)
    runs, others = (with_errors(r, rng.standard_t(2, len(r))) for r in (seen, fresh))
    model = calibrate(as_crossed(known.model("scalars"), runs))
    for level, share in coverage(model, others, "drift").items():
        assert share == pytest.approx(level, abs=0.04)
    law = model.error_quantiles[DRIFT]
    assert law.reach(0.98) / law.reach(0.5) > 1.4 * (normal_quantiles().reach(0.98) / 0.6745)


def test_what_is_said_of_large_and_small_deviations_is_kept(known, seen, as_crossed) -> None:
    model = calibrate(as_crossed(known.model("scalars", log_deviation=1.0), seen))
    found = model.distribution(seen.configs)["drift"]
    np.testing.assert_allclose(found.aleatoric_std, np.e, rtol=1e-5)
    assert model.error_quantiles[DRIFT].std == pytest.approx(1 / np.e, rel=0.1)
    np.testing.assert_allclose(found.std, 1.0, rtol=0.1)


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 3.0])
def test_the_disagreement_of_members_counts_as_much_as_it_tells(factor, known, as_crossed) -> None:
    runs = known.runs(1500, seed=4)
    rng = np.random.default_rng(5)
    apart = 4.0 * np.array([config["b"] for config in runs.configs])
    normal = rng.standard_normal(len(runs))
    runs = with_errors(runs, np.hypot(1.0, factor * apart) * normal)
    model = calibrate(as_crossed(known.model("scalars", apart=4.0), runs))
    found = model.inflation[DRIFT]
    assert found == pytest.approx(factor, abs=0.26 if factor == 0 else 0.15 * factor)
    shares = coverage(model, runs, "drift")
    assert shares[0.9] == pytest.approx(0.9, abs=0.01)


def test_inflation_and_law_are_a_targets_own(known, seen, as_crossed) -> None:
    rng = np.random.default_rng(6)
    loud = with_errors(seen, 9.0 * rng.standard_normal(len(seen)))
    before, after = (calibrate(as_crossed(known.model("scalars"), r)) for r in (seen, loud))
    assert before.error_quantiles[0] == after.error_quantiles[0]
    assert after.error_quantiles[DRIFT].std > 5 * before.error_quantiles[DRIFT].std


def test_nothing_but_inflation_and_laws_changes(known, seen, as_crossed) -> None:
    plain = known.model("curves", apart=0.5)
    model = calibrate(as_crossed(plain, seen))
    assert model.error_quantiles != plain.error_quantiles
    assert (
        replace(model, inflation=plain.inflation, error_quantiles=plain.error_quantiles)
        .predict(seen.configs[0])
        .tolist()
        == plain.predict(seen.configs[0]).tolist()
    )
    again = calibrate(as_crossed(model, seen))
    assert (again.inflation, again.error_quantiles) == (model.inflation, model.error_quantiles)


def test_a_target_that_no_run_has_keeps_the_normal_law(known, seen, as_crossed) -> None:
    scalars = seen.scalars.copy()
    scalars[:, DRIFT] = np.nan
    lacking = replace(seen, scalars=scalars)
    model = calibrate(as_crossed(known.model("scalars"), lacking))
    assert model.inflation[DRIFT] == 1.0
    assert model.error_quantiles[DRIFT] == normal_quantiles()
    assert model.error_quantiles[0] != normal_quantiles()


def test_a_configuration_counts_once_however_many_runs_it_has(known, as_crossed) -> None:
    """200 good predictions of one each, and one bad one of a configuration with 200 runs."""
    many, once = known.runs(1, seed=7, seeds=200), known.runs(200, seed=8)
    rows = {
        "config_id": np.concatenate([np.full(200, "again"), once.config_id]),
        "scalars": np.concatenate([many.scalars + np.array([0.0, 1e3]), once.scalars]),
        "curves": np.full((400, 2, 24), np.nan),
        **{
            name: np.concatenate([getattr(many, name), getattr(once, name)])
            for name in ("x", "epochs", "spreads", "split", "seed")
        },
    }
    both = replace(once, configs=many.configs + once.configs, **rows)
    model = calibrate(as_crossed(known.model("scalars"), both))
    assert model.error_quantiles[DRIFT].reach(0.9) < 3.0


def test_a_long_curve_weighs_no_more_than_a_short_one() -> None:
    scores = np.full((2, 100), 1.0)
    scores[1, 1:] = np.nan
    scores[1, 0] = 5.0
    weights = _weights(scores, np.ones(2))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    law = _error_quantiles(scores, weights)
    assert law.reach(0.3) == 1.0
    assert law.reach(0.4) == 5.0


def test_few_runs_promise_little_and_claim_no_more_than_they_saw() -> None:
    scores = np.arange(1.0, 11.0)
    law = _error_quantiles(scores, np.ones(10))
    assert dict(zip(LEVELS, law.reaches, strict=True))[0.9] == 10.0
    assert law.reach(0.5) == 6.0
    assert _error_quantiles(np.full(3, np.nan), np.zeros(3)) == normal_quantiles()
