"""Metrics on one part of a split, with the names that NAS-Bench-301's fits print."""

from __future__ import annotations

import numpy as np

from eahas.models.ensemble import Ensemble
from surrogates.data.dataset import Runs
from surrogates.evaluation.metrics import EXTRA_METRICS, METRICS, mse, r2, rmse, unweighted

MEASURES = {
    "mse": mse,
    "rmse": rmse,
    "r2": r2,
    "kendall_tau": METRICS["kendall_tau"],
    "kendall_tau_2_dec": EXTRA_METRICS["kendall_tau_2_dec"],
    "kendall_tau_1_dec": EXTRA_METRICS["kendall_tau_1_dec"],
    "spearmanr": METRICS["spearman"],
}


def side_metrics(model: Ensemble, runs: Runs) -> dict[str, float]:
    """Metrics of a model's primary scalar, in its unit, on the runs that have a value of it."""
    _, target = model.index[model.primary]
    observed = runs.values_of(target)
    runs, observed = runs.where(np.isfinite(observed)), observed[np.isfinite(observed)]
    if len(observed) < 2:
        return {}
    predicted = model.distribution(runs.configs)[target.name].value
    mae = {"mae": float(np.abs(predicted - observed).mean())}
    others = {name: unweighted(metric, predicted, observed) for name, metric in MEASURES.items()}
    return mae | others
