"""Trees of every library answer as arrays what the library answers."""

from __future__ import annotations

import numpy as np
import pytest

from surrogates import trees


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(300, 6)), 2)  # with ties, so that thresholds are met exactly
    y = np.stack([x[:, 0] * x[:, 1], np.sin(3 * x[:, 2]) + x[:, 3]], axis=1)
    return x, y + rng.normal(0, 0.05, y.shape), rng.uniform(0.5, 1.0, 300)


def answers(name, x, y, weight, settings):
    """What the library itself predicts, output by output."""
    single = x.astype(np.float32)
    base = (y * weight[:, None]).sum(axis=0) / weight.sum()
    if name == "forest":
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(random_state=3, **settings)
        return forest.fit(single, y, sample_weight=weight).predict(single)
    found = []
    for k in range(y.shape[1]):
        if name == "xgb":
            import xgboost

            options = {"tree_method": "hist", "base_score": 0.0, "seed": 3, "nthread": 1}
            learned = xgboost.DMatrix(single, y[:, k] - base[k], weight=weight)
            given = options | {n: v for n, v in settings.items() if n != "rounds"}
            found.append(base[k] + xgboost.train(given, learned, 30).predict(learned))
        else:
            import lightgbm

            options = {"boost_from_average": False, "verbose": -1, "seed": 3, "num_threads": 1}
            options |= {"deterministic": True, "force_row_wise": True}
            learned = lightgbm.Dataset(single.astype(float), y[:, k] - base[k], weight=weight)
            given = options | {n: v for n, v in settings.items() if n != "rounds"}
            booster = lightgbm.train(given, learned, 30)
            found.append(base[k] + booster.predict(single.astype(float)))
    return np.stack(found, axis=1)


@pytest.mark.parametrize(
    ("name", "module", "settings"),
    [
        ("xgb", "xgboost", {"rounds": 30, "max_depth": 4, "subsample": 0.8}),
        ("lgb", "lightgbm", {"rounds": 30, "num_leaves": 8}),
        ("forest", "sklearn", {"n_estimators": 20}),
    ],
)
def test_the_arrays_answer_what_the_library_answers(data, name, module, settings) -> None:
    pytest.importorskip(module)
    x, y, weight = data
    grown = trees.GROWERS[name](x, y, weight, settings, 3)
    found = grown.many(x)
    assert found.shape == (1, 300, 2)
    np.testing.assert_allclose(
        found[0], answers(name, x, y, weight, settings), rtol=1e-4, atol=1e-5
    )
    assert 1 - ((found[0] - y) ** 2).sum() / ((y - y.mean(axis=0)) ** 2).sum() > 0.8


def test_a_tree_of_one_leaf_is_a_constant(data) -> None:
    pytest.importorskip("lightgbm")
    x, _, weight = data
    constant = np.full((300, 1), 7.5)
    grown = trees.grow_lightgbm(x, constant, weight, {"rounds": 3}, 0)
    np.testing.assert_allclose(grown.many(x), 7.5, rtol=1e-6)
