"""Trees of every library answer as arrays what the library answers."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from surrogates.models import trees
from surrogates.models.member_fits import fit_member


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(300, 6)), 2)  # with ties, so that thresholds are met exactly
    y = np.stack([x[:, 0] * x[:, 1], np.sin(3 * x[:, 2]) + x[:, 3]], axis=1)
    return x, y + rng.normal(0, 0.05, y.shape), rng.uniform(0.5, 1.0, 300)


def own(settings):
    return {k: v for k, v in asdict(settings).items() if k not in trees.COMMON}


def answers(x, y, weight, settings):
    """What the library itself predicts, output by output."""
    single = x.astype(np.float32)
    base = (y * weight[:, None]).sum(axis=0) / weight.sum()
    if isinstance(settings, trees.ForestSettings):
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(random_state=3, **own(settings))
        fits = (forest.fit(single, output, sample_weight=weight).predict(single) for output in y.T)
        return np.stack(list(fits), axis=1)
    found = []
    for k in range(y.shape[1]):
        if isinstance(settings, trees.XgbSettings):
            import xgboost

            options = {"tree_method": "hist", "base_score": 0.0, "seed": 3, "nthread": 1}
            learned = xgboost.DMatrix(single, y[:, k] - base[k], weight=weight)
            booster = xgboost.train(options | own(settings), learned, settings.rounds)
            found.append(base[k] + booster.predict(learned))
        else:
            import lightgbm

            options = {"boost_from_average": False, "verbose": -1, "seed": 3, "num_threads": 1}
            options |= {"deterministic": True, "force_row_wise": True}
            learned = lightgbm.Dataset(single.astype(float), y[:, k] - base[k], weight=weight)
            booster = lightgbm.train(options | own(settings), learned, settings.rounds)
            found.append(base[k] + booster.predict(single.astype(float)))
    return np.stack(found, axis=1)


@pytest.mark.parametrize(
    ("module", "settings"),
    [
        ("xgboost", trees.XgbSettings(rounds=60, max_depth=4, learning_rate=0.2)),
        ("lightgbm", trees.LgbSettings(rounds=60, num_leaves=8, learning_rate=0.2)),
        ("sklearn", trees.ForestSettings(n_estimators=20)),
    ],
)
def test_the_arrays_answer_what_the_library_answers(data, module, settings) -> None:
    pytest.importorskip(module)
    x, y, weight = data
    grown = fit_member(x, y, weight, settings, 3)
    found = grown.many(x)
    assert found.shape == (1, 300, 2)
    np.testing.assert_allclose(found[0], answers(x, y, weight, settings), rtol=1e-4, atol=1e-5)
    assert 1 - ((found[0] - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum() > 0.8


def test_a_tree_of_one_leaf_is_a_constant(data) -> None:
    pytest.importorskip("lightgbm")
    x, _, weight = data
    constant = np.full((300, 1), 7.5)
    grown = fit_member(x, constant, weight, trees.LgbSettings(rounds=3), 0)
    np.testing.assert_allclose(grown.many(x), 7.5, rtol=1e-6)
