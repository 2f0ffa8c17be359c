"""Learning curves as Bezier curves: a monotone x(t) for any network output, and decoding to epochs.

A learning curve over the integer epochs 1..E is a Bezier curve of degree n (3 to 6; EA-HAS-Bench,
NeurIPS 2022, section 3.2, uses the same family). Epochs are mapped to x = (epoch - 1) / (E - 1), so
that the two end control points have x = 0 and x = 1.

With the Bernstein polynomials b_k, x(t) = sum_k x_k b_k(t) and y(t) = sum_k y_k b_k(t). If the x_k
do not decrease, then neither does x(t): its derivative is n * sum_k (x_{k+1} - x_k) b_k(t) >= 0.
`x_control_points` therefore turns any n real numbers into n non-negative steps that sum to one.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eahas.errors import EahasError
from eahas.models.blocks import stacked_product

DEGREES = (3, 4, 5, 6)
"""The allowed degrees."""

DEFAULT_DEGREE = 5

_KNOTS = 192  # cells of the grid in t on which the inverse of x(t) is interpolated
_CURVES_PER_BLOCK = 128  # at most
_NUMBERS_PER_BLOCK = 64_000  # keeps the work arrays of a block inside a core's cache
_ROUNDING = 1e-6  # a smaller decrease may be a rounding error of single precision; it is allowed
_FLAT_SLOPE_SQUARED = 1e-10  # damps the Newton step where dx/dt is below 1e-5; no division by 0

Floats = NDArray[np.float64]


def bernstein(degree: int, t: ArrayLike) -> Floats:
    """The Bernstein basis of `degree` (any degree >= 0) at each t: shape (..., degree + 1)."""
    t = np.asarray(t, dtype=np.float64)[..., None]
    k = np.arange(degree + 1)
    binomials = np.array([comb(degree, i) for i in k], dtype=np.float64)
    basis: Floats = binomials * t**k * (1.0 - t) ** (degree - k)
    return basis


def x_control_points(raw: ArrayLike) -> Floats:
    """Control points 0 = x_0 <= ... <= x_n = 1, shape (..., n + 1), from any finite (..., n).

    The softmax of `raw` gives the n steps between neighbouring control points. Adding a constant to
    `raw` does not change the result. Raises EahasError if n is not an allowed degree.
    """
    raw = np.asarray(raw, dtype=np.float64)
    _check_degree(raw.shape[-1] if raw.ndim else 0, "raw")
    with np.errstate(over="ignore"):  # -1e308 - 1e308 is -inf, which gives the step 0
        return x_of_steps(raw)


def x_of_steps(raw: Floats) -> Floats:
    """`x_control_points` of float64 numbers with absolute values below 1e300, without checks."""
    x = np.zeros((*raw.shape[:-1], raw.shape[-1] + 1))
    steps = np.exp(raw - np.maximum.reduce(raw, axis=-1, keepdims=True))
    np.add.accumulate(steps, axis=-1, out=x[..., 1:])
    x /= x[..., -1:]
    return x


def raw_from_x_control_points(x_ctrl: ArrayLike, min_step: float = 1e-6) -> Floats:
    """The zero-mean `raw` (..., n) that `x_control_points` maps to `x_ctrl` (..., n + 1).

    Steps below `min_step` are first set to `min_step`, so that every logarithm is finite. If all
    steps are larger, `x_control_points` of the result equals `x_ctrl` up to rounding.
    """
    x = np.asarray(x_ctrl, dtype=np.float64)
    _check_degree(x.shape[-1] - 1 if x.ndim else -1, "x_ctrl")
    raw: Floats = np.log(np.maximum(np.diff(x, axis=-1), min_step))
    raw -= raw.mean(axis=-1, keepdims=True)
    return raw


@lru_cache(maxsize=64)
def epoch_positions(epochs: int) -> Floats:
    """x of the epochs 1..`epochs`, shape (epochs,), read-only; 0 for a single epoch."""
    if epochs < 1:
        raise EahasError(f"epochs is {epochs!r}; it must be at least 1")
    return _frozen(np.linspace(0.0, 1.0, epochs))


def decode(x_ctrl: ArrayLike, y_ctrl: ArrayLike, epochs: int) -> Floats:
    """y at every epoch 1..`epochs`, shape (..., epochs), of the curves with these control points.

    y_ctrl has the shape (..., n + 1). x_ctrl has the same shape. If C curves share their x control
    points, y_ctrl may be (..., C, n + 1) and x_ctrl (..., 1, n + 1); x(t) is then inverted once for
    all C curves. x_ctrl starts at 0, ends at 1 and does not decrease, as `x_control_points` returns
    it. The value at epoch 1 is exactly y_0, and the value at epoch E exactly y_n. The value at any
    other epoch is y(t) at a t with |x(t) - x| <= 1e-7; its error is at most 1e-9 of the range of
    y_ctrl.

    Raises EahasError if the degree is not allowed, if the shapes do not match, if x_ctrl does not
    rise from 0 to 1 (or is NaN), or if epochs < 1.
    """
    x, y, lead = _checked(x_ctrl, y_ctrl)
    return _decoded(x, y, epochs).reshape(*lead, epochs)


def decode_shared(x_ctrl: Floats, y_ctrl: Floats, epochs: int) -> Floats:
    """`decode` without checks, for C curves that share their x control points.

    x_ctrl (..., n + 1) must be a result of `x_control_points`, y_ctrl is (..., C, n + 1), and the
    result is (..., C, epochs). For one configuration the checks would take up to a tenth of the
    time of a query.
    """
    lead, size = y_ctrl.shape[:-1], y_ctrl.shape[-1]
    x, y = x_ctrl.reshape(-1, size), y_ctrl.reshape(-1, lead[-1], size)
    return _decoded(x, y, epochs).reshape(*lead, epochs)


def _decoded(x: Floats, y: Floats, epochs: int) -> Floats:
    """Curves (N, C, epochs) of x (N, n + 1) and y (N, C, n + 1); their end values are exact."""
    values = _values(x, y, epoch_positions(epochs))
    values[..., -1] = y[..., -1]
    values[..., 0] = y[..., 0]
    return values


def decode_at(x_ctrl: ArrayLike, y_ctrl: ArrayLike, x01: ArrayLike) -> Floats:
    """`decode` at positions x01 (P,) in [0, 1] instead of epochs: shape (..., P)."""
    x, y, lead = _checked(x_ctrl, y_ctrl)
    positions = _checked_positions(x01)
    values = _values(x, y, positions)
    values[..., positions == 0.0] = y[..., :1]
    values[..., positions == 1.0] = y[..., -1:]
    return values.reshape(*lead, positions.size)


def solve_t(x_ctrl: ArrayLike, x01: ArrayLike) -> Floats:
    """t in [0, 1] with |x(t) - x01| <= 1e-7, shape (..., P), for positions x01 (P,) in [0, 1]."""
    x, _, lead = _checked(x_ctrl, x_ctrl)
    positions = _checked_positions(x01)
    return _inverted(x, positions).reshape(*lead, positions.size)


def basis_at(x_ctrl: ArrayLike, x01: ArrayLike) -> Floats:
    """The Bernstein basis at positions x01 (P,): shape (..., n + 1, P); y(x01) = y_ctrl @ basis.

    A least-squares fit of y_ctrl uses it. Accuracy and raised errors are the same as for
    `decode_at`.
    """
    x, _, lead = _checked(x_ctrl, x_ctrl)
    positions = _checked_positions(x01)
    degree = x.shape[1] - 1
    to_power, _ = np.hsplit(_taylor_maps(degree)[0], 2)
    basis: Floats = to_power @ _powers(_inverted(x, positions), degree)
    return basis.reshape(*lead, degree + 1, positions.size)


def _values(x: Floats, y: Floats, positions: Floats) -> Floats:
    """Values (N, C, P) at the positions, from valid control points (N, n + 1) and (N, C, n + 1)."""
    values = np.empty((*y.shape[:2], positions.size))
    numbers = (2 + 3 * y.shape[1]) * positions.size  # of one row of x and its curves
    size = min(max(1, _NUMBERS_PER_BLOCK // max(numbers, 1)), _CURVES_PER_BLOCK)
    for first in range(0, len(x), size):
        block = slice(first, first + size)
        _values_of_block(x[block], y[block], positions, values[block])
    return values


def _values_of_block(x: Floats, y: Floats, positions: Floats, out: Floats) -> None:
    """Write the values of one block of curves to `out`.

    Interpolation on a grid inverts x(t) with an error of at most 1e-4 in t. One Newton step then
    squares this error. A Taylor series of second order gives the change of y over this step, so
    that one matrix product evaluates all polynomials.
    """
    count, channels, size = y.shape
    to_x, to_y = _taylor_maps(size - 1)
    t = _first_guess(x, positions)
    rows = np.empty((count, 2 + 3 * channels, size))
    rows[:, :2] = (x @ to_x).reshape(count, 2, size)
    rows[:, 2:] = (y @ to_y).reshape(count, -1, size)
    polynomials = stacked_product(rows, _powers(t, size - 1))
    step = _newton_step(positions, polynomials[:, 0], polynomials[:, 1])[:, None]
    y_terms = polynomials[:, 2:].reshape(count, channels, 3, positions.size)
    np.multiply(y_terms[:, :, 2], step, out=out)
    out += y_terms[:, :, 1]
    out *= step
    out += y_terms[:, :, 0]


def _inverted(x: Floats, positions: Floats) -> Floats:
    degree = x.shape[1] - 1
    to_x, _ = _taylor_maps(degree)
    t = _first_guess(x, positions)
    polynomials = (x @ to_x).reshape(len(x), 2, degree + 1) @ _powers(t, degree)
    t += _newton_step(positions, polynomials[:, 0], polynomials[:, 1])
    t[:, positions == 0.0] = 0.0
    t[:, positions == 1.0] = 1.0
    return np.clip(t, 0.0, 1.0, out=t)


def _first_guess(x: Floats, positions: Floats) -> Floats:
    """t (N, P) at the positions, by linear interpolation on a grid.

    Curve k of a block is shifted by 2 k along x. The intervals of the curves then do not overlap,
    and one call of `np.interp` interpolates all of them.
    """
    degree = x.shape[1] - 1
    guess = np.empty((len(x), positions.size))
    for first in range(0, len(x), _CURVES_PER_BLOCK):
        x_at_knots = x[first : first + _CURVES_PER_BLOCK] @ _knots(degree)[1]
        shift = 2.0 * np.arange(len(x_at_knots))[:, None]
        x_at_knots += shift
        knots = _repeated_knots(degree)[: x_at_knots.size]
        guess[first : first + _CURVES_PER_BLOCK] = np.interp(
            shift + positions, x_at_knots.ravel(), knots
        )
    return guess


def _newton_step(positions: Floats, x: Floats, dx_dt: Floats) -> Floats:
    step: Floats = (positions - x) * dx_dt
    step /= dx_dt * dx_dt + _FLAT_SLOPE_SQUARED
    return step


def _powers(t: Floats, degree: int) -> Floats:
    """t**0 .. t**degree, (N, degree + 1, P): a view in which each power is contiguous."""
    powers = np.empty((degree + 1, *t.shape))
    powers[0] = 1.0
    powers[1] = t
    for k in range(2, degree + 1):
        np.multiply(powers[k - 1], t, out=powers[k])
    return powers.transpose(1, 0, 2)


@lru_cache(maxsize=len(DEGREES))
def _knots(degree: int) -> tuple[Floats, Floats]:
    """A grid in t, denser at the ends where x(t) may be flat, and its basis (n + 1, knots)."""
    knots = np.sin(np.linspace(0.0, np.pi / 2.0, _KNOTS + 1)) ** 2
    return _frozen(knots), _frozen(np.ascontiguousarray(bernstein(degree, knots).T))


@lru_cache(maxsize=len(DEGREES))
def _repeated_knots(degree: int) -> Floats:
    """The grid in t, repeated for each curve of a block."""
    return _frozen(np.tile(_knots(degree)[0], _CURVES_PER_BLOCK))


@lru_cache(maxsize=len(DEGREES))
def _taylor_maps(degree: int) -> tuple[Floats, Floats]:
    """Matrices that map control points to power coefficients of [x, x'] and of [y, y', y''/2]."""
    size = degree + 1
    value = np.zeros((size, size))
    for k in range(size):
        for j in range(k, size):
            value[k, j] = comb(degree, k) * comb(degree - k, j - k) * (-1) ** (j - k)
    derivative = np.diag(np.arange(1.0, size), k=-1)
    first = value @ derivative
    second = first @ derivative / 2.0
    return _frozen(np.hstack((value, first))), _frozen(np.hstack((value, first, second)))


def _frozen(array: Floats) -> Floats:
    array.flags.writeable = False
    return array


def _check_degree(degree: int, name: str) -> None:
    if degree not in DEGREES:
        allowed = ", ".join(map(str, DEGREES))
        raise EahasError(f"{name} describes a curve of degree {degree}; allowed: {allowed}")


def _checked(x_ctrl: ArrayLike, y_ctrl: ArrayLike) -> tuple[Floats, Floats, tuple[int, ...]]:
    """Checked x (N, n + 1) and y (N, C, n + 1) in float64, and the leading shape of the values."""
    x = np.asarray(x_ctrl, dtype=np.float64)
    y = np.asarray(y_ctrl, dtype=np.float64)
    _check_degree(x.shape[-1] - 1 if x.ndim else -1, "x_ctrl")
    lead: tuple[int, ...] = y.shape[:-1]
    if x.shape == y.shape:
        y = y.reshape(-1, 1, y.shape[-1])
    elif x.ndim > 1 and y.ndim > 1 and x.shape == (*y.shape[:-2], 1, y.shape[-1]):
        y = y.reshape(-1, *y.shape[-2:])
    else:
        raise EahasError(
            f"x_ctrl has shape {x.shape} and y_ctrl {y.shape}; "
            "they must be equal, or x_ctrl (..., 1, n + 1) and y_ctrl (..., C, n + 1)"
        )
    x = x.reshape(-1, x.shape[-1])
    # For few numbers, count_nonzero is several times faster than all(). NaN fails every comparison.
    rising = np.count_nonzero(x[:, 1:] >= x[:, :-1] - _ROUNDING)
    ends = np.count_nonzero(x[:, 0] == 0.0) + np.count_nonzero(x[:, -1] == 1.0)
    if rising + ends < len(x) * (x.shape[1] + 1):
        raise EahasError("x_ctrl must start at 0, end at 1, and not decrease in between")
    return x, y, lead


def _checked_positions(x01: ArrayLike) -> Floats:
    positions = np.asarray(x01, dtype=np.float64)
    if positions.ndim != 1 or not ((positions >= 0.0) & (positions <= 1.0)).all():
        raise EahasError("x01 must be a one-dimensional array of positions between 0 and 1")
    return positions
