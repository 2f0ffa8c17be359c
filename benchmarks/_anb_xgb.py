"""Accel-NASBench's XGBoost surrogates, reimplemented with their tuned settings and their encoding.

The settings are the defaults of `configs/model_configs/gradient_boosting/*` in
github.com/afzalxo/Accel-NASBench (Apache-2.0): at most 20,000 rounds, stopped when the validation
error has not improved for 100 rounds. The code here is ours.
"""

from __future__ import annotations

import numpy as np

from surrogates.data.dataset import Runs

Array = np.ndarray
ROUNDS, PATIENCE = 20_000, 100
# max_depth, min_child_weight, colsample_bytree, colsample_bylevel, lambda, alpha, learning_rate
TUNED = {
    "accuracy": (3, 63, 0.99979, 0.91578, 5.42373, 0.230006, 0.0937281),
    "throughput_a100": (18, 55, 0.909738, 0.48309, 83.9589, 0.00214595, 0.0101951),
    "throughput_3090": (18, 86, 0.915653, 0.480486, 0.0283519, 0.807355, 0.0242175),
    "throughput_tpuv2": (3, 96, 0.976085, 0.497828, 1.85526, 0.00559248, 0.0611749),
    "throughput_tpuv3": (5, 1, 0.648787, 0.836355, 0.0174629, 0.416331, 0.00351761),
    "throughput_zcu102": (5, 75, 0.652367, 0.719877, 0.00301566, 3.23919, 0.0094668),
    "throughput_vck190": (18, 69, 0.876126, 0.728966, 48.7414, 0.00228787, 0.00431468),
    "latency_zcu102": (3, 4, 0.846523, 0.720469, 0.00257606, 0.00226698, 0.0924205),
    "latency_vck190": (14, 100, 0.933263, 0.991063, 982.692, 0.00474198, 0.0999460),
}
NAMES = (
    *("max_depth", "min_child_weight", "colsample_bytree", "colsample_bylevel"),
    *("lambda", "alpha", "learning_rate"),
)


def fit_and_predict(train: Runs, valid: Runs, test: Runs, target: str, seed: int) -> Array:
    """Fit to the train runs, stop early on the valid runs, and predict the test runs (n,)."""
    import xgboost

    def data(runs: Runs) -> tuple[Array, Array]:
        (scalar,) = (t for t in runs.spec.scalars if t.name == target)
        return _ordinal(runs), runs.values_of(scalar)

    matrices = []
    for runs in (train, valid):
        x, y = data(runs)
        known = np.isfinite(y)
        matrices.append(xgboost.DMatrix(x[known], label=y[known]))
    options = {"objective": "reg:squarederror", "nthread": 1, "seed": seed}
    options |= dict(zip(NAMES, TUNED[target], strict=True))
    model = xgboost.train(
        options,
        matrices[0],
        ROUNDS,
        evals=[(matrices[1], "valid")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    predicted: Array = model.predict(
        xgboost.DMatrix(_ordinal(test)), iteration_range=(0, model.best_iteration + 1)
    )
    return predicted.astype(float)


def _ordinal(runs: Runs) -> Array:
    """The index of each choice in the list of choices, as ConfigSpace numbers them."""
    columns = runs.columns()
    return np.stack(
        [
            np.searchsorted(np.unique(column.astype(float)), column.astype(float))
            for column in columns.values()
        ],
        axis=1,
    ).astype(float)
