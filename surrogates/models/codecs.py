"""Fit curve codecs to runs, and compute the codes of these runs.

A code is a short vector that a codec decodes to curves; regressors predict codes (see
`eahas.models.curves.codecs`). Runs of all lengths use one codec, because it describes a curve by
relative positions: 0 at its first value, 1 at its last, and even steps in between. With the default
schedule these are relative epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from eahas.errors import FitError, unknown
from eahas.models.curves.bezier import (
    DEFAULT_DEGREE,
    basis_at,
    epoch_positions,
    raw_from_x_control_points,
)
from eahas.models.curves.codecs import BezierCodec, Codec, GridCodec
from eahas.models.curves.monotone import MONOTONE, MonotoneCodec
from eahas.models.regressors import MlpEnsemble
from surrogates.data.dataset import Runs
from surrogates.models.bezier_fit import fit
from surrogates.models.vae import fit_vae

GRID_POINTS = 32
GRID_POWER = 1.5  # learning curves bend in their first epochs, so the grid is dense there
COMPONENTS = 6  # of the singular value decomposition, per curve (NAS-Bench-X11: Yan et al., 2021)
EDGE = 0.02  # minimum distance of an initial control point from its bounds, relative to the range
RIDGE = 1e-6
STEP_RIDGE = 1e-5  # per value; pulls the steps that the values of a share curve do not determine
MIN_SHARE_STEP = 1e-3  # between y control points of a share curve, so that it has a logarithm
Array = np.ndarray


@dataclass(frozen=True)
class Encoded:
    """A codec, and the codes (n, codec.outputs) of the runs that it was fitted to."""

    codec: Codec
    codes: Array


def bezier(runs: Runs, degree: int = DEFAULT_DEGREE) -> Encoded:
    """Bezier control points; all curves of a run have the x control points of its main curve."""
    low, high = curve_bounds(runs)
    codec = BezierCodec(degree, low, high)
    codes = np.empty((len(runs), codec.outputs))
    bottom, top = np.array(low)[:, None], np.array(high)[:, None]
    for length in np.unique(runs.lengths):
        rows = np.flatnonzero(runs.lengths == length)
        curves = runs.curves[rows][:, :, :length]
        x = fit(curves[:, _main_curve(runs)], degree).x_ctrl
        y = _least_squares(curves, basis_at(x, epoch_positions(int(length))))
        share = np.clip((y - bottom) / (top - bottom), EDGE, 1.0 - EDGE)
        raw = np.log(share / (1.0 - share)).reshape(len(rows), -1)
        codes[rows] = np.concatenate([raw_from_x_control_points(x), raw], axis=1)
    return Encoded(codec, codes)


def monotone(runs: Runs, degree: int = DEFAULT_DEGREE) -> Encoded:
    """Steps of share curves; see `MonotoneCodec`. A curve that begins at 0 in all runs always does.

    The curves of a run share the spacing that suits the first one best.
    """
    from_zero = (runs.curves[:, :, 0] == 0.0).all(axis=0)
    codec = MonotoneCodec(degree, tuple(from_zero.tolist()))
    codes = np.empty((len(runs), codec.outputs))
    for length in np.unique(runs.lengths):
        rows = np.flatnonzero(runs.lengths == length)
        curves, at = runs.curves[rows][:, :, :length], epoch_positions(int(length))
        x = fit(curves[:, 0], degree).x_ctrl
        steps = _rising_steps(curves, x, basis_at(x, at), at)
        raw = np.log(np.maximum(steps, MIN_SHARE_STEP))
        raw[:, from_zero, 0] = 0.0
        raw = raw.reshape(len(rows), -1)
        codes[rows] = np.concatenate([raw_from_x_control_points(x), raw], axis=1)
    return Encoded(codec, codes)


def _rising_steps(curves: Array, x: Array, basis: Array, at: Array) -> Array:
    """Steps (m, C, n + 1) >= 0 of y control points, by least squares (Lawson and Hanson, 1974).

    Curves (m, C, L) at positions (L,), x control points (m, n + 1), bases (m, n + 1, L). Steps that
    the values do not determine are those between the curve's values at the x control points.
    """
    from scipy.optimize import nnls

    steps = np.empty((*curves.shape[:2], x.shape[1]))
    pull = np.sqrt(STEP_RIDGE * len(at)) * np.eye(x.shape[1])
    for i, (of_run, places, points) in enumerate(zip(curves, x, basis, strict=True)):
        of_steps = np.cumsum(points[::-1], axis=0)[::-1]  # a step raises all later control points
        matrix = np.concatenate([of_steps.T, pull])
        for k, curve in enumerate(of_run):
            plain = np.diff(np.interp(places, at, curve), prepend=0.0)
            steps[i, k] = nnls(matrix, np.concatenate([curve, pull @ plain]))[0]
    return steps


def identity(runs: Runs) -> Encoded:
    """The values of the curves at the positions of the grid."""
    positions, values = _on_grid(runs)
    return Encoded(GridCodec(values.shape[1], positions), values.reshape(len(runs), -1))


def svd(runs: Runs, components: int = COMPONENTS) -> Encoded:
    """Coefficients of the values on the grid in their first `components` principal directions."""
    positions, values = _on_grid(runs)
    flat = values.reshape(len(runs), -1)
    mean = flat.mean(axis=0)
    _, _, directions = np.linalg.svd(flat - mean, full_matrices=False)
    kept = directions[: min(components, len(directions))]
    decoder = MlpEnsemble((kept[None].astype(np.float32),), (mean[None].astype(np.float32),))
    return Encoded(GridCodec(values.shape[1], positions, decoder), (flat - mean) @ kept.T)


def vae(runs: Runs, seed: int = 0) -> Encoded:
    """Codes of a variational autoencoder of the values at the positions of the grid."""
    positions, values = _on_grid(runs)
    decoder, codes = fit_vae(values, runs.weight, seed)
    return Encoded(GridCodec(values.shape[1], positions, decoder), codes)


def last(runs: Runs) -> Encoded:
    """The values at the last epoch, which NAS-Bench-301 and Accel-NASBench predict.

    A decoded curve is the mean curve of the runs, shifted to end at the predicted value. It is
    exact at the last epoch and only a rough approximation before it.
    """
    positions, values = _on_grid(runs)
    mean = np.average(values, axis=0, weights=runs.weight)
    count, points = mean.shape
    shift = np.repeat(np.eye(count), points, axis=1)[None].astype(np.float32)
    shape = (mean - mean[:, -1:]).reshape(1, -1).astype(np.float32)
    return Encoded(
        GridCodec(count, positions, MlpEnsemble((shift,), (shape,))), values[:, :, -1].copy()
    )


CODECS: Mapping[str, Callable[[Runs, int, int], Encoded]] = {  # runs, degree, seed
    "bezier": lambda runs, degree, _: bezier(runs, degree),
    "identity": lambda runs, *_: identity(runs),
    "svd": lambda runs, *_: svd(runs),
    "vae": lambda runs, _, seed: vae(runs, seed),
    "last": lambda runs, *_: last(runs),
}


def encode(name: str, runs: Runs, degree: int = DEFAULT_DEGREE, seed: int = 0) -> Encoded:
    """Fit the codec with this name to the runs whose curves are all complete.

    Raises:
        FitError: the name is unknown, or no run has complete curves.
    """
    if name == MONOTONE:  # of shares alone, and so the codec of no family
        return monotone(with_whole_curves(runs), degree)
    if name not in CODECS:
        raise FitError(unknown("codec", name, CODECS))
    return CODECS[name](with_whole_curves(runs), degree, seed)


def with_whole_curves(runs: Runs) -> Runs:
    """The runs whose curves all have a value at every scheduled epoch.

    Raises:
        FitError: there is no such run.
    """
    whole = [np.isfinite(c[:, :e]).all() for c, e in zip(runs.curves, runs.lengths, strict=True)]
    if not any(whole):
        raise FitError("no training run has a value of every curve at every epoch")
    return runs.where(np.array(whole))


@dataclass(frozen=True)
class InitialCode:
    """A codec, and the code that networks predict before training.

    An output of 0 means the code `shift` (K,), and an output of 1 differs from it by `scale` (K,).
    A good initial code matters most for the x control points, so it comes from fits of single runs.
    """

    codec: Codec
    shift: Array
    scale: Array


def initial_code(name: str, runs: Runs, degree: int = DEFAULT_DEGREE, seed: int = 0) -> InitialCode:
    """The median code of the runs.

    Raises:
        FitError: as in `encode`.
    """
    encoded = encode(name, runs, degree, seed)
    shift = np.median(encoded.codes, axis=0)
    if isinstance(encoded.codec, (BezierCodec, MonotoneCodec)):
        return InitialCode(encoded.codec, shift, np.ones(len(shift)))
    return InitialCode(encoded.codec, shift, np.maximum(encoded.codes.std(axis=0), 1e-6))


def _main_curve(runs: Runs) -> int:
    """Index of the learning curve among the curves."""
    main = runs.spec.main_curve
    assert main is not None
    return runs.spec.curves.index(main)


def _least_squares(curves: Array, basis: Array) -> Array:
    """y control points (m, C, n + 1) of curves (m, C, E) for bases (m, n + 1, E)."""
    gram = basis @ basis.swapaxes(1, 2)
    gram += RIDGE * basis.shape[2] * np.eye(basis.shape[1])
    y: Array = np.linalg.solve(gram, basis @ curves.swapaxes(1, 2)).swapaxes(1, 2)
    return y


def curve_bounds(runs: Runs) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lower and upper bounds of each curve.

    A missing bound is replaced by the extreme value in the data, extended by a tenth of the range.
    """
    lows, highs = [], []
    for k, target in enumerate(runs.spec.curves):
        data_low, data_high = np.nanmin(runs.curves[:, k]), np.nanmax(runs.curves[:, k])
        margin = 0.1 * (data_high - data_low) or 1.0
        lows.append(float(data_low - margin if target.low is None else target.low))
        highs.append(float(data_high + margin if target.high is None else target.high))
    return tuple(lows), tuple(highs)


def _on_grid(runs: Runs) -> tuple[Array, Array]:
    """The positions of the grid (G,), and the curves of every run at these (n, C, G)."""
    positions = np.linspace(0.0, 1.0, GRID_POINTS) ** GRID_POWER
    values = np.empty((len(runs), runs.curves.shape[1], GRID_POINTS))
    for i, length in enumerate(runs.lengths.tolist()):
        at = epoch_positions(length)
        for k, curve in enumerate(runs.curves[i, :, :length]):
            values[i, k] = np.interp(positions, at, curve)
    return positions, values
