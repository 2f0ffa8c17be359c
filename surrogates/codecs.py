"""Fitting curve codecs to the curves of runs, and the codes of these runs.

A code is what a regressor has to predict; see `eahas.codecs`. Runs of every length share one codec:
curves are taken over the share of the run that is done, from 0 at the first epoch to 1 at the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from eahas.bezier import basis_at, epoch_positions, raw_from_x_control_points
from eahas.codecs import BezierCodec, Codec, GridCodec
from eahas.errors import FitError, unknown
from eahas.regressors import MlpEnsemble
from surrogates.bezier_fit import fit
from surrogates.dataset import Runs

GRID_POINTS = 32
GRID_POWER = 1.5  # learning curves bend in their first epochs, so the grid is dense there
COMPONENTS = 6  # of the singular value decomposition, per curve (NAS-Bench-X11: Yan et al., 2021)
EDGE = 0.02  # how near to its bounds a start may place a control point
RIDGE = 1e-6
Array = np.ndarray


@dataclass(frozen=True)
class Encoded:
    """A codec and the codes (n, codec.outputs) of the runs that it was fitted to."""

    codec: Codec
    codes: Array


def bezier(runs: Runs, degree: int = 5) -> Encoded:
    """Control points. The curves of a run share the spacing that suits its main curve best."""
    low, high = curve_bounds(runs)
    codec = BezierCodec(degree, low, high)
    codes = np.empty((len(runs), codec.outputs))
    for length in np.unique(runs.epochs):
        rows = np.flatnonzero(runs.epochs == length)
        curves = runs.curves[rows][:, :, :length]
        x = fit(curves[:, main_curve(runs)], degree).x_ctrl
        basis = basis_at(x, epoch_positions(int(length)))  # (m, n + 1, E)
        gram = basis @ basis.transpose(0, 2, 1) + RIDGE * length * np.eye(degree + 1)
        y = np.linalg.solve(
            gram[:, None], (curves[:, :, None] @ basis[:, None].swapaxes(2, 3)).swapaxes(2, 3)
        )
        share = (y[..., 0] - np.array(low)[:, None]) / (np.array(high) - np.array(low))[:, None]
        share = np.clip(share, EDGE, 1.0 - EDGE)
        raw = np.log(share / (1.0 - share)).reshape(len(rows), -1)
        codes[rows] = np.concatenate([raw_from_x_control_points(x), raw], axis=1)
    return Encoded(codec, codes)


def identity(runs: Runs) -> Encoded:
    """The values at the grid's positions, as they are."""
    positions, values = _on_grid(runs)
    return Encoded(GridCodec(values.shape[1], positions), values.reshape(len(runs), -1))


def svd(runs: Runs, components: int = COMPONENTS) -> Encoded:
    """The first `components` principal directions of the values at the grid's positions."""
    positions, values = _on_grid(runs)
    flat = values.reshape(len(runs), -1)
    mean = flat.mean(axis=0)
    _, _, directions = np.linalg.svd(flat - mean, full_matrices=False)
    kept = directions[: min(components, len(directions))]
    decoder = MlpEnsemble((kept[None].astype(np.float32),), (mean[None].astype(np.float32),))
    return Encoded(GridCodec(values.shape[1], positions, decoder), (flat - mean) @ kept.T)


CODECS: Mapping[str, Callable[[Runs], Encoded]] = {
    "bezier": bezier,
    "identity": identity,
    "svd": svd,
}


def encode(name: str, runs: Runs) -> Encoded:
    """The codec of a name, fitted; FitError for an unknown name."""
    if name not in CODECS:
        raise FitError(unknown("codec", name, CODECS))
    return CODECS[name](runs)


def main_curve(runs: Runs) -> int:
    """Which of the curves is called the learning curve."""
    names = [target.name for target in runs.spec.curves]
    return next((names.index(name) for name in ("valid_ema", "valid") if name in names), 0)


def curve_bounds(runs: Runs) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Each curve's bounds; where it has none, its range in the data with a tenth more each side."""
    lows, highs = [], []
    for k, target in enumerate(runs.spec.curves):
        seen_low, seen_high = np.nanmin(runs.curves[:, k]), np.nanmax(runs.curves[:, k])
        margin = 0.1 * (seen_high - seen_low) or 1.0
        lows.append(float(seen_low - margin if target.low is None else target.low))
        highs.append(float(seen_high + margin if target.high is None else target.high))
    return tuple(lows), tuple(highs)


def _on_grid(runs: Runs) -> tuple[Array, Array]:
    """The grid (G,), and every run's curves on it: (n, C, G)."""
    positions = np.linspace(0.0, 1.0, GRID_POINTS) ** GRID_POWER
    values = np.empty((len(runs), runs.curves.shape[1], GRID_POINTS))
    for i, epochs in enumerate(runs.epochs.tolist()):
        at = epoch_positions(epochs)
        for k, curve in enumerate(runs.curves[i, :, :epochs]):
            values[i, k] = np.interp(positions, at, curve)
    return positions, values
