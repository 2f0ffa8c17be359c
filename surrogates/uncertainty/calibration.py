"""Calibrate an ensemble: fit its inflations and error quantiles to its errors on left-out runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eahas.models.ensemble import Ensemble
from eahas.models.uncertainty.distribution import Distribution, on_log_scale
from eahas.models.uncertainty.error_quantiles import LEVELS, ErrorQuantiles, normal_reach
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs
from surrogates.uncertainty.crossfit import CrossFit

Array = np.ndarray
INFLATIONS = np.geomspace(0.25, 8.0, 31)


def calibrate(crossfit: CrossFit) -> Ensemble:
    """The final model of a cross-fit, with fitted inflations and error quantiles.

    Each run is predicted by the model that was fitted to the other folds. The inflation of a target
    is a factor of the members' standard deviation; it maximises the likelihood of the errors under
    a normal distribution. The error quantiles are quantiles of |error| / standard deviation
    (cross-conformal prediction with a normalised score; Vovk, 2015; Lei et al., 2018). Every
    configuration has the same total weight, however many runs it has, and every run has the same
    weight as its epochs together.
    """
    inflations, error_quantiles = [], []
    for target in crossfit.whole.targets:
        predicted = _predict_unseen(crossfit, target)
        error, epistemic, aleatoric = _errors(predicted, crossfit.runs, target)
        weight = _weights(error, crossfit.runs.weight)
        inflation = _fit_inflation(error, epistemic, aleatoric, weight)
        score = np.abs(error) / np.hypot(inflation * epistemic, aleatoric)
        inflations.append(inflation)
        error_quantiles.append(_error_quantiles(score, weight))
    return replace(
        crossfit.whole, inflation=tuple(inflations), error_quantiles=tuple(error_quantiles)
    )


def _predict_unseen(crossfit: CrossFit, target: Target) -> Array:
    """Out-of-fold location, epistemic and aleatoric deviation without inflation.

    The shape is (n, 3, longest) for a curve and (n, 3, 1) for a scalar.
    """

    def predict(model: Ensemble, runs: Runs) -> Array:
        plain = replace(model, inflation=(1.0,) * len(model.targets))
        posterior: Distribution = plain.distribution(runs.configs)[target.name]
        moments = (posterior.location, posterior.epistemic, posterior.aleatoric)
        stacked = np.stack(moments, axis=1)
        return stacked if target.kind == "curve" else stacked[..., None]

    return crossfit.out_of_fold(predict)


def _errors(predicted: Array, runs: Runs, target: Target) -> tuple[Array, Array, Array]:
    """Errors and both deviations on the model's (log) scale, each (n,) or (n, longest)."""
    observed = runs.values_of(target)
    if target.kind == "curve":
        location, epistemic, aleatoric = (predicted[:, k] for k in range(3))
        return observed[:, : predicted.shape[-1]] - location, epistemic, aleatoric
    location, epistemic, aleatoric = (predicted[:, k, 0] for k in range(3))
    observed = np.log(observed) if on_log_scale(target) else observed
    return observed - location, epistemic, aleatoric


def _weights(error: Array, run_weights: Array) -> Array:
    """The weights of the errors, 0 for unknown errors; their sum over a run is its weight."""
    known = np.isfinite(error).reshape(len(error), -1)
    share = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
    weights: Array = (share * run_weights[:, None]).reshape(error.shape)
    return weights


def _fit_inflation(error: Array, epistemic: Array, aleatoric: Array, weight: Array) -> float:
    """The inflation with the highest likelihood; 1 if no error is known."""
    known = weight > 0
    if not known.any():
        return 1.0
    e, s, a, w = (array[known] for array in (error, epistemic, aleatoric, weight))
    losses = []
    for inflation in INFLATIONS:
        deviation = np.maximum(np.hypot(inflation * s, a), 1e-12)
        losses.append((w * (np.log(deviation) + 0.5 * (e / deviation) ** 2)).sum())
    return float(INFLATIONS[int(np.argmin(losses))])


def _error_quantiles(score: Array, weight: Array) -> ErrorQuantiles:
    """Quantiles of weighted scores at LEVELS; those of a normal distribution without scores."""
    known = weight > 0
    if not known.any():
        return ErrorQuantiles(tuple(map(normal_reach, LEVELS)))
    values, weights = score[known], weight[known]
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order]) / weights.sum()
    runs = max(1.0, float(weights.sum()))
    levels = np.minimum(np.array(LEVELS) * (1.0 + 1.0 / runs), 1.0)
    index = np.minimum(np.searchsorted(cumulative, levels - 1e-12), len(values) - 1)
    return ErrorQuantiles(tuple(values[order][index].tolist()))
