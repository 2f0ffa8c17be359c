"""Ensembles whose members predict codes: a codec decodes them to curves; scalars need no codec.

The noise of the ensemble is the root mean squared error of the members on the folds that they leave
out.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eahas.models.curves.bezier import epoch_positions
from eahas.models.curves.codecs import Codec
from eahas.models.ensemble import Ensemble
from eahas.models.heads import CurveHead, ScalarHead
from eahas.models.regressors import Joined, MlpEnsemble, Regressor
from surrogates.data.dataset import Runs
from surrogates.data.transforms import log_scale_scalars
from surrogates.models.codecs import encode, with_whole_curves
from surrogates.models.member_fits import CodeSettings, Progress, fit_members

MIN_NOISE = 1e-6
Array = np.ndarray


def fit_curve_codes(
    runs: Runs, settings: CodeSettings, progress: Progress | None = None, *, codec: str
) -> Ensemble:
    """Fit an ensemble for all curves of the spec: a regressor that predicts the codes of a codec.

    Raises:
        FitError: as in `surrogates.models.codecs.encode`, or there are fewer configurations than
            members.
    """
    spec = runs.spec
    runs = with_whole_curves(runs)
    encoded = encode(codec, runs, settings.degree, settings.seed)
    regressor, out_of_fold = fit_members(_curve_features(runs), encoded.codes, settings, progress)
    head = CurveHead(spec.curves, encoded.codec)
    noise = _curve_noise(runs, encoded.codec, out_of_fold)
    assert spec.main_curve is not None
    return Ensemble.uncalibrated(
        head,
        spec=spec,
        name="learning_curve",
        features=runs.features,
        regressor=_with_noise(regressor, noise),
        primary=spec.main_curve.name,
        manifest={"settings": settings.to_dict()},
    )


def fit_scalar_codes(
    runs: Runs, settings: CodeSettings, progress: Progress | None = None
) -> Ensemble:
    """Fit an ensemble for all scalars of the spec.

    Targets on a log scale are fitted as logarithms, and totals per epoch.

    Raises:
        FitError: there are fewer configurations than members, or a target on a log scale has a
            value that is not positive.
    """
    spec = runs.spec
    head = ScalarHead(spec.scalars)
    runs = runs.where(np.isfinite(runs.scalars).any(axis=1))
    transformed = log_scale_scalars(runs, head)
    regressor, out_of_fold = fit_members(runs, transformed, settings, progress)
    noise = np.sqrt(_weighted_nanmean((transformed - out_of_fold) ** 2, runs.weight))
    return Ensemble.uncalibrated(
        head,
        spec=spec,
        name="costs",
        features=runs.features,
        regressor=_with_noise(regressor, noise),
        primary=spec.scalars[0].name,
        manifest={"settings": settings.to_dict()},
    )


def _with_noise(regressor: Regressor, noise: Array) -> Joined:
    """The regressor with constant log standard deviations as additional outputs."""
    logs = np.log(np.maximum(noise, MIN_NOISE)).astype(np.float32)
    weights = np.zeros((1, regressor.inputs, len(logs)), dtype=np.float32)
    return Joined((regressor, MlpEnsemble((weights,), (logs[None],))))


def _curve_noise(runs: Runs, codec: Codec, codes: Array) -> Array:
    """Root mean squared errors (2 * C,) at the first and the last epoch of each curve."""
    ends = np.zeros((2, runs.curves.shape[1]))
    weights = np.zeros(2)
    for length in np.unique(runs.lengths):
        rows = np.flatnonzero(runs.lengths == length)
        decoded = codec.curves(codes[rows], int(length))
        squares = (runs.curves[rows][:, :, :length] - decoded) ** 2
        positions = epoch_positions(int(length))
        for k, share in enumerate((1.0 - positions, positions)):
            ends[k] += (squares * share).sum(axis=2).T @ runs.weight[rows] / share.sum().clip(1e-9)
            weights[k] += runs.weight[rows].sum()
    noise: Array = np.sqrt(ends / weights[:, None]).T.reshape(-1)
    return noise


def _curve_features(runs: Runs) -> Runs:
    """The runs with the features that affect costs only set to 0; regressors ignore constants."""
    return replace(runs, x=np.where(runs.features.of_costs, 0.0, runs.x))


def _weighted_nanmean(values: Array, weight: Array) -> Array:
    """The weighted mean over rows, without NaN."""
    known = np.isfinite(values)
    weights = known * weight[:, None]
    mean: Array = (np.where(known, values, 0.0) * weights).sum(axis=0) / weights.sum(axis=0)
    return mean
