"""The metrics of one side of a split, by the names under which NAS-Bench-301's fits print them."""

from __future__ import annotations

import numpy as np

from eahas.models.ensemble import Ensemble
from surrogates.data.dataset import Runs
from surrogates.evaluation.metrics import FURTHER, METRICS, mse, once, r2, rmse

MEASURES = {
    "mse": mse,
    "rmse": rmse,
    "r2": r2,
    "kendall_tau": METRICS["kendall_tau"],
    "kendall_tau_2_dec": FURTHER["kendall_tau_2_dec"],
    "kendall_tau_1_dec": FURTHER["kendall_tau_1_dec"],
    "spearmanr": METRICS["spearman"],
}


def side_metrics(model: Ensemble, runs: Runs) -> dict[str, float]:
    """Of a model's primary scalar, in its own unit, on the runs that know it."""
    _, target = model.index[model.primary]
    seen = runs.values_of(target)
    runs, seen = runs.where(np.isfinite(seen)), seen[np.isfinite(seen)]
    if len(seen) < 2:
        return {}
    predicted = model.distribution(runs.configs)[target.name].value
    mae = {"mae": float(np.abs(predicted - seen).mean())}
    return mae | {name: once(metric, predicted, seen) for name, metric in MEASURES.items()}
