"""Fit Bezier curves to learning curves: search a library of spacings, then Levenberg-Marquardt.

A spacing is a choice of the x control points. It determines the parameter t of every epoch, so the
best y control points are the solution of a linear least-squares problem (variable projection: Golub
and Pereyra, 1973). The n - 1 degrees of freedom of the spacing are searched in two stages:

1. A library contains every non-decreasing choice of interior x control points from a set of levels.
   Each spacing has an orthonormal basis, so the residuals of all curves for all spacings are one
   matrix product. About 20 directions span all bases, and the product is computed in these.
2. The best spacings are refined by Levenberg-Marquardt steps in the raw parameters of
   `eahas.models.curves.bezier.x_control_points`, for all curves at once, with Kaufman's
   approximation (1975).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eahas.errors import FitError
from eahas.models.curves.bezier import (
    DEFAULT_DEGREE,
    DEGREES,
    basis_at,
    epoch_positions,
    raw_from_x_control_points,
    x_control_points,
)

Floats = NDArray[np.floating[Any]]

MIN_STEP = 1e-3
"""Minimum distance between neighbouring x control points of a fit, as a fraction of the run."""

_LEVELS = {3: 60, 4: 22, 5: 13, 6: 10}  # by degree; about 2000 spacings for each
_LEVEL_POWER = 3.0  # learning curves bend in their first epochs, so the levels are dense near 0
_MIN_DIRECTION = 4e-3  # directions with a smaller share (rms) of the library's bases are left out
_RIDGE = 1e-9  # per epoch; makes y control points that the epochs do not determine follow a line
_CURVES_PER_BLOCK = 128
_INITIAL_DAMPING = 1e-2
_MIN_DAMPING = 1e-8  # above 0, because a constant added to raw has no effect (singular curvature)
_MAX_STEP = 2.0  # in the raw parameters: a step between control points changes by e**2 at most


@dataclass(frozen=True)
class BezierFit:
    """N fitted curves of degree n; `bezier.decode(x_ctrl, y_ctrl, E)` evaluates them."""

    x_ctrl: Floats
    """x control points (N, n + 1), from 0 to 1, each step at least MIN_STEP."""
    y_ctrl: Floats
    """y control points (N, n + 1), in the unit of the curves."""
    rmse: Floats
    """Root mean squared residual over the epochs (N,), in the unit of the curves."""


def fit(
    curves: ArrayLike, degree: int = DEFAULT_DEGREE, *, starts: int = 1, iterations: int = 1
) -> BezierFit:
    """Fit Bezier curves of `degree` to curves (N, E) of one length by least squares, E >= 1.

    Args:
        curves: values of each curve at each epoch, (N, E).
        degree: degree of the Bezier curves.
        starts: number of spacings of the library from which each curve is refined; the best result
            is kept.
        iterations: number of Levenberg-Marquardt steps from each start. The cost is proportional to
            starts * iterations.

    Raises:
        FitError: `curves` is not (N, E) or contains a value that is not finite (the message names
            the row), or degree, starts or iterations is out of range.
    """
    values = _check_arguments(curves, degree, starts, iterations)
    count = len(values)
    x_ctrl = np.empty((count, degree + 1))
    y_ctrl = np.empty((count, degree + 1))
    rmse = np.empty(count)
    for first in range(0, count, _CURVES_PER_BLOCK):
        block = slice(first, first + _CURVES_PER_BLOCK)
        x_ctrl[block], y_ctrl[block], rmse[block] = _fit_block(
            values[block], degree, starts, iterations
        )
    return BezierFit(x_ctrl, y_ctrl, rmse)


def _check_arguments(curves: ArrayLike, degree: int, starts: int, iterations: int) -> Floats:
    values = np.asarray(curves, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 1:
        raise FitError(f"curves has shape {values.shape}; it must be (curves, epochs >= 1)")
    if degree not in DEGREES:
        raise FitError(f"degree is {degree!r}; allowed: {', '.join(map(str, DEGREES))}")
    if starts < 1 or iterations < 0:
        raise FitError(f"starts is {starts!r}, iterations {iterations!r}; at least 1 and 0 needed")
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise FitError(f"curves[{int(np.argmin(finite))}] contains a value that is not finite")
    return values


def _fit_block(
    values: Floats, degree: int, starts: int, iterations: int
) -> tuple[Floats, Floats, Floats]:
    count, epochs = values.shape
    line, bent, scale = _remove_line(values)
    if epochs <= degree + 1:  # as many control points as epochs: any spacing fits exactly
        best = _project(bent, _make_spacings(np.zeros((count, degree)), epochs))
    else:
        best = _search(bent, degree, starts, iterations)
    x = best.spacings.x
    y = scale * best.coefficients + line[:, :1] + line[:, 1:] * x
    return x, y, scale[:, 0] * np.sqrt(best.cost / epochs)


def _search(bent: Floats, degree: int, starts: int, iterations: int) -> _Projections:
    library = _library(degree, bent.shape[1])
    chosen = library.best_spacings(bent, starts)
    best = _refine(bent, library.spacings.take(chosen[:, 0]), iterations)
    for start in range(1, chosen.shape[1]):
        best.take_better(_refine(bent, library.spacings.take(chosen[:, start]), iterations))
    return best


def _remove_line(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Subtract the least-squares line from each curve and scale the remainder to unit rms.

    Returns the lines (m, 2) as (offset, slope), the scaled remainders (m, E) and their scales
    (m, 1). Every spacing represents any straight line exactly, so the search needs the remainder
    only.
    """
    epochs = values.shape[1]
    x = epoch_positions(epochs)
    centred = x - x.mean()
    slope_weights = centred / max(float(centred @ centred), 1e-300)
    mean, slope = (values @ np.column_stack((np.full(epochs, 1.0 / epochs), slope_weights))).T
    line = np.column_stack((mean - slope * x.mean(), slope))
    bent = values - line @ np.stack((np.ones(epochs), x))
    squares = np.einsum("me,me->m", bent, bent)
    rounding = 1e-28 * np.einsum("me,me->m", values, values) + 1e-300
    scale = np.sqrt(np.maximum(squares, rounding) / epochs)[:, None]
    bent /= scale
    return line, bent, scale


@dataclass
class _Spacings:
    """S choices of the x control points, and the arrays that depend on them only."""

    raw: Floats  # (S, n)
    x: Floats  # (S, n + 1)
    chain: Floats  # (S, n - 1, n), d x_k / d raw_j for 0 < k < n
    basis: Floats  # (S, n + 1, E)
    inverse: Floats  # (S, n + 1, n + 1), the inverse of the basis' Gram matrix

    def take(self, rows: NDArray[np.intp] | slice) -> _Spacings:
        return _Spacings(*(array[rows] for array in vars(self).values()))


def _make_spacings(raw: Floats, epochs: int) -> _Spacings:
    n = raw.shape[1]
    free = 1.0 - n * MIN_STEP
    share = x_control_points(raw)
    x = free * share + MIN_STEP * np.arange(n + 1)
    x[:, -1] = 1.0
    below = np.tri(n - 1, n)  # step j lies before x_k
    chain = free * np.diff(share, axis=1)[:, None, :] * (below - share[:, 1:-1, None])
    basis = basis_at(x, epoch_positions(epochs))
    gram = basis @ basis.transpose(0, 2, 1)
    gram[:, range(n + 1), range(n + 1)] += _RIDGE * epochs
    return _Spacings(raw, x, chain, basis, np.linalg.inv(gram))


@dataclass
class _Projections:
    """The least-squares fits of m curves, with one spacing for each."""

    spacings: _Spacings
    coefficients: Floats  # (m, n + 1), y control points
    residual: Floats  # (m, E)
    cost: Floats  # (m,) sum of squared residuals

    def take_better(self, other: _Projections) -> NDArray[np.bool_]:
        """Overwrite the curves for which `other` has a lower cost; return a mask of these (m,)."""
        better = other.cost < self.cost
        pairs = [(vars(self.spacings)[name], new) for name, new in vars(other.spacings).items()]
        pairs.append((self.coefficients, other.coefficients))
        pairs.append((self.residual, other.residual))
        pairs.append((self.cost, other.cost))
        for old, new in pairs:
            where = better.reshape(-1, *[1] * (old.ndim - 1))
            np.copyto(old, new, where=where)
        return better


def _project(bent: Floats, spacings: _Spacings) -> _Projections:
    basis = spacings.basis
    coefficients = (spacings.inverse @ (basis @ bent[:, :, None]))[:, :, 0]
    residual = bent - (coefficients[:, None, :] @ basis)[:, 0]
    return _Projections(spacings, coefficients, residual, (residual * residual).sum(axis=1))


def _refine(bent: Floats, start: _Spacings, iterations: int) -> _Projections:
    """Levenberg-Marquardt steps in raw for all curves at once; each curve has its own damping."""
    best = _project(bent, start)
    damping = np.full(len(bent), _INITIAL_DAMPING)
    for _ in range(iterations):
        gradient, curvature = _gauss_newton(best)
        diagonal = np.einsum("mii->mi", curvature)  # a view
        diagonal += (damping * (diagonal.mean(axis=1) + 1e-12))[:, None]
        step = np.linalg.solve(curvature, gradient)[:, :, 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        step *= _MAX_STEP / np.maximum(longest, _MAX_STEP)
        trial = _make_spacings(best.spacings.raw + step, bent.shape[1])
        better = best.take_better(_project(bent, trial))
        damping = np.maximum(damping * np.where(better, 0.2, 6.0), _MIN_DAMPING)
    return best


def _gauss_newton(at: _Projections) -> tuple[Floats, Floats]:
    """Gradient of -cost / 2 (m, n, 1) and Gauss-Newton curvature of cost / 2 (m, n, n) in raw.

    A change d of x_k changes the curve by -(dy/dx) * b_k * d at a fixed position x. The best y
    control points change as well, so only the component orthogonal to the basis remains.
    """
    x, basis, chain = at.spacings.x, at.spacings.basis, at.spacings.chain
    rates = np.stack((_derivative(at.coefficients), _derivative(x)), axis=1) @ basis
    slope = rates[:, 0] / np.maximum(rates[:, 1], MIN_STEP)
    moved = basis[:, 1:-1] * -slope[:, None, :]
    overlap = moved @ basis.transpose(0, 2, 1)
    curvature = moved @ moved.transpose(0, 2, 1)
    curvature -= overlap @ at.spacings.inverse @ overlap.transpose(0, 2, 1)
    to_raw = chain.transpose(0, 2, 1)
    return to_raw @ (moved @ at.residual[:, :, None]), to_raw @ curvature @ chain


def _derivative(control: Floats) -> Floats:
    """Control points (m, n + 1) of the derivative with respect to t, raised to degree n."""
    n = control.shape[1] - 1
    step = np.diff(control, axis=1)
    k = np.arange(1, n + 1)
    result = np.zeros_like(control)
    result[:, 1:] = k * step
    result[:, :-1] += k[::-1] * step
    return result


@dataclass(frozen=True)
class _Library:
    spacings: _Spacings
    directions: Floats
    """(E, R), orthonormal; they span the curves of all spacings without their straight lines."""
    bases: NDArray[np.float32]
    """(R, B * S): the B orthonormal basis curves of each spacing, expressed in the directions."""

    def best_spacings(self, bent: Floats, count: int) -> NDArray[np.intp]:
        """The `count` spacings that explain most of each curve, (m, count), the best first."""
        coefficients = (bent @ self.directions).astype(np.float32) @ self.bases
        coefficients = coefficients.reshape(len(bent), -1, len(self.spacings.raw))
        explained = np.einsum("mbs,mbs->ms", coefficients, coefficients)
        best = np.empty((len(bent), min(count, explained.shape[1])), dtype=np.intp)
        for k in range(best.shape[1]):  # a few argmax calls are faster than a sort
            best[:, k] = explained.argmax(axis=1)
            np.put_along_axis(explained, best[:, k : k + 1], -1.0, axis=1)
        return best


@lru_cache(maxsize=4)
def _library(degree: int, epochs: int) -> _Library:
    """The library of a degree and a number of epochs, cached; 0.1 s and 20 MB for 200 epochs."""
    spacings = _make_spacings(_all_spacings(degree), epochs)
    # Every eighth spacing is enough to find the directions, because neighbours hardly differ.
    sample = _bent_bases(spacings.take(slice(None, None, 8)).basis)
    columns = sample.transpose(1, 0, 2).reshape(epochs, -1)
    strength, vectors = np.linalg.eigh(columns @ columns.T / len(sample))
    directions = vectors[:, strength > _MIN_DIRECTION**2]
    blocks = range(0, len(spacings.raw), _CURVES_PER_BLOCK)
    reduced = np.concatenate(
        [directions.T @ _bent_bases(spacings.basis[k : k + _CURVES_PER_BLOCK]) for k in blocks]
    )
    bases = reduced.transpose(1, 2, 0).reshape(directions.shape[1], -1)
    return _Library(spacings, directions, np.ascontiguousarray(bases, dtype=np.float32))


def _all_spacings(degree: int) -> Floats:
    """raw (S, degree) of every non-decreasing choice of interior control points from the levels."""
    levels = (np.arange(1, _LEVELS[degree] + 1) / (_LEVELS[degree] + 1)) ** _LEVEL_POWER
    interior = np.array([*combinations_with_replacement(levels, degree - 1)])
    x = np.pad(interior, ((0, 0), (1, 1)), constant_values=((0, 0), (0.0, 1.0)))
    return raw_from_x_control_points(x, min_step=MIN_STEP)


def _bent_bases(basis: Floats) -> Floats:
    """Orthonormal bases (S, E, B) of the curves of bases (S, n + 1, E), without straight lines.

    A constant and x replace the first and the last basis function.
    """
    count, _, epochs = basis.shape
    ones = np.ones((count, epochs, 1))
    line = np.broadcast_to(epoch_positions(epochs)[:, None], ones.shape)
    columns = np.concatenate((ones, line, basis[:, 1:-1].transpose(0, 2, 1)), axis=2)
    return np.linalg.qr(columns).Q[:, :, 2:]
