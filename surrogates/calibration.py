"""Calibrating an ensemble: deviations scaled until its intervals hold on runs it has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eahas.distribution import half_width
from eahas.ensemble import Ensemble
from eahas.heads import CurveHead
from surrogates.dataset import Runs


def calibrated(ensemble: Ensemble, runs: Runs, level: float = 0.9) -> Ensemble:
    """The ensemble with deviations scaled so that `level` intervals hold on these runs.

    One factor a target: the quantile of |error| / deviation over that of the normal law (split
    conformal prediction with a normalised score; Lei et al., 2018). The epochs of a curve together
    weigh as much as any other run's.
    """
    found = ensemble.distribution(runs.configs)
    factors = []
    for k, target in enumerate(ensemble.targets):
        belief = found[target.name]
        if isinstance(ensemble.head, CurveHead):
            seen = runs.curves[:, k, : belief.location.shape[1]]
        else:
            seen = np.log(runs.scalars[:, k]) if belief.log else runs.scalars[:, k]
        score = np.abs(seen - belief.location) / belief.scale
        factor = _quantile_of_runs(score, level) / half_width(level)
        factors.append(float(ensemble.calibration[k] * factor))
    return replace(ensemble, calibration=tuple(factors))


def _quantile_of_runs(scores: np.ndarray, level: float) -> float:
    """The quantile of scores (n,), or of (n, E) where every run has the same weight; NaN left out.

    The normal law's where there is no score at all.
    """
    known = np.isfinite(scores).reshape(len(scores), -1)
    if not known.any():
        return half_width(level)
    share = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
    values, weights = scores.reshape(known.shape)[known], share[known]
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(reached, level - 1e-12)])
