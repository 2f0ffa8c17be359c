"""Ensembles of regressors that predict codes: of curves through a codec, of scalars as they are.

How far members stray on the runs that they have not seen is the noise of the ensemble.
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
from surrogates.data.transforms import linked_scalars
from surrogates.models.codecs import encode, with_whole_curves
from surrogates.models.member_fits import CodeSettings, Progress, fit_members

MIN_NOISE = 1e-6
Array = np.ndarray


def fit_curves_coded(
    runs: Runs, settings: CodeSettings, progress: Progress | None = None, *, codec: str
) -> Ensemble:
    """An ensemble for every curve of the spec: a regressor of the codes of a codec.

    Raises FitError as `surrogates.models.codecs.encode`, and for fewer configurations than members.
    """
    spec = runs.spec
    runs = with_whole_curves(runs)
    encoded = encode(codec, runs, settings.degree, settings.seed)
    regressor, unseen = fit_members(_seen_by_curves(runs), encoded.codes, settings, progress)
    head = CurveHead(spec.curves, encoded.codec)
    noise = _noise_of_curves(runs, encoded.codec, unseen)
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


def fit_scalars_coded(
    runs: Runs, settings: CodeSettings, progress: Progress | None = None
) -> Ensemble:
    """An ensemble for every scalar, on a log scale and per epoch where that is its kind.

    Raises FitError for fewer configurations than members, and for a target that is not positive
    though its kind is.
    """
    spec = runs.spec
    head = ScalarHead(spec.scalars)
    runs = runs.where(np.isfinite(runs.scalars).any(axis=1))
    linked = linked_scalars(runs, head)
    regressor, unseen = fit_members(runs, linked, settings, progress)
    noise = np.sqrt(_mean_of_known((linked - unseen) ** 2, runs.weight))
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
    """The regressor with constant log deviations beside its outputs."""
    logs = np.log(np.maximum(noise, MIN_NOISE)).astype(np.float32)
    weights = np.zeros((1, regressor.inputs, len(logs)), dtype=np.float32)
    return Joined((regressor, MlpEnsemble((weights,), (logs[None],))))


def _noise_of_curves(runs: Runs, codec: Codec, codes: Array) -> Array:
    """Deviations (2 * C,) at the first and the last epoch of each curve."""
    ends = np.zeros((2, runs.curves.shape[1]))
    counted = np.zeros(2)
    for length in np.unique(runs.epochs):
        rows = np.flatnonzero(runs.epochs == length)
        drawn = codec.curves(codes[rows], int(length))
        squares = (runs.curves[rows][:, :, :length] - drawn) ** 2
        along = epoch_positions(int(length))
        for k, share in enumerate((1.0 - along, along)):
            ends[k] += (squares * share).sum(axis=2).T @ runs.weight[rows] / share.sum().clip(1e-9)
            counted[k] += runs.weight[rows].sum()
    noise: Array = np.sqrt(ends / counted[:, None]).T.reshape(-1)
    return noise


def _seen_by_curves(runs: Runs) -> Runs:
    """The runs without what matters to costs alone: a constant, which no regressor sees."""
    return replace(runs, x=np.where(runs.features.of_costs, 0.0, runs.x))


def _mean_of_known(values: Array, weight: Array) -> Array:
    """The weighted mean over rows of what is not NaN."""
    known = np.isfinite(values)
    weights = known * weight[:, None]
    mean: Array = (np.where(known, values, 0.0) * weights).sum(axis=0) / weights.sum(axis=0)
    return mean
