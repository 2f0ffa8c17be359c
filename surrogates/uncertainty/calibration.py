"""Calibrating an ensemble: its deviations hold what they promise on runs that it has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eahas.models.ensemble import Ensemble
from eahas.models.uncertainty.distribution import Distribution, on_log_scale
from eahas.models.uncertainty.error_quantiles import LEVELS, ErrorQuantiles, normal_reach
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs
from surrogates.uncertainty.crossfit import Crossed

Array = np.ndarray
INFLATIONS = np.geomspace(0.25, 8.0, 31)


def calibrated(crossed: Crossed) -> Ensemble:
    """The whole model with its inflations and laws.

    From the runs that it was fitted to, each told by the model of the other folds. The inflation of
    the members' disagreement on a target is the likeliest one under a normal law. The law's reaches
    are quantiles of |error| / deviation (cross-conformal prediction with a normalised score; Vovk,
    2015; Lei et al., 2018). The runs of one configuration together weigh as much as any other's one
    run, and so do the epochs of a curve.
    """
    inflations, error_quantiles = [], []
    for target in crossed.whole.targets:
        error, epistemic, aleatoric = _errors(_told(crossed, target), crossed.runs, target)
        weight = _weights(error, crossed.runs.weight)
        inflation = _likeliest(error, epistemic, aleatoric, weight)
        score = np.abs(error) / np.hypot(inflation * epistemic, aleatoric)
        inflations.append(inflation)
        error_quantiles.append(_law(score, weight))
    return replace(
        crossed.whole, inflation=tuple(inflations), error_quantiles=tuple(error_quantiles)
    )


def _told(crossed: Crossed, target: Target) -> Array:
    """Location and both deviations, not inflated: (n, 3, longest), of a scalar (n, 3, 1)."""

    def tell(model: Ensemble, runs: Runs) -> Array:
        plain = replace(model, inflation=(1.0,) * len(model.targets))
        found: Distribution = plain.distribution(runs.configs)[target.name]
        parts = np.stack([found.location, found.epistemic, found.aleatoric], axis=1)
        return parts if target.kind == "curve" else parts[..., None]

    return crossed.gathered(tell)


def _errors(told: Array, runs: Runs, target: Target) -> tuple[Array, Array, Array]:
    """Errors and both deviations on the linked scale, each (n,) or (n, longest)."""
    seen = runs.values_of(target)
    if target.kind == "curve":
        location, epistemic, aleatoric = (told[:, k] for k in range(3))
        return seen[:, : told.shape[-1]] - location, epistemic, aleatoric
    location, epistemic, aleatoric = (told[:, k, 0] for k in range(3))
    return (np.log(seen) if on_log_scale(target) else seen) - location, epistemic, aleatoric


def _weights(error: Array, of_runs: Array) -> Array:
    """The weight of each known error, 0 elsewhere; those of a run add up to the run's own."""
    known = np.isfinite(error).reshape(len(error), -1)
    share = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
    found: Array = (share * of_runs[:, None]).reshape(error.shape)
    return found


def _likeliest(error: Array, epistemic: Array, aleatoric: Array, weight: Array) -> float:
    known = weight > 0
    if not known.any():
        return 1.0
    e, s, a, w = (part[known] for part in (error, epistemic, aleatoric, weight))
    surprises = []
    for inflation in INFLATIONS:
        deviation = np.maximum(np.hypot(inflation * s, a), 1e-12)
        surprises.append((w * (np.log(deviation) + 0.5 * (e / deviation) ** 2)).sum())
    return float(INFLATIONS[int(np.argmin(surprises))])


def _law(score: Array, weight: Array) -> ErrorQuantiles:
    """The quantiles of weighted scores at LEVELS; the normal law's where there are none."""
    known = weight > 0
    if not known.any():
        return ErrorQuantiles(tuple(map(normal_reach, LEVELS)))
    values, weights = score[known], weight[known]
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    runs = max(1.0, float(weights.sum()))
    wanted = np.minimum(np.array(LEVELS) * (1.0 + 1.0 / runs), 1.0)
    at = np.minimum(np.searchsorted(reached, wanted - 1e-12), len(values) - 1)
    return ErrorQuantiles(tuple(values[order][at].tolist()))
