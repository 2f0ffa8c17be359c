"""Share curves: what has been spent of a total after each epoch, from 0 or a first share up to 1.

A share curve is a Bezier curve whose y control points do not decrease and end at 1, over x control
points that do not decrease either. So y(x) does not decrease, whatever numbers a regressor predicts
(its derivative in t is a sum of non-negative steps; see `eahas.models.curves.bezier`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.models.curves import bezier

MONOTONE = "monotone"
EVERY = slice(None)  # of the curves
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class MonotoneCodec:
    """Each curve a Bezier curve of one degree that rises to 1; the curves of a run share x.

    Outputs, in order: n raw steps of x, then for each curve n + 1 raw steps of y, from 0 to the
    first control point and on to the last. A softmax turns raw steps into steps that sum to 1.

    Attributes:
        from_zero: of each curve, whether it begins at exactly 0; its first step is then not used.
    """

    degree: int
    from_zero: tuple[bool, ...]

    @property
    def outputs(self) -> int:
        return self.degree + len(self.from_zero) * (self.degree + 1)

    @cached_property
    def _kept(self) -> Array:
        """(C, n + 1): 0 for each first step that is not used, else 1."""
        kept = np.ones((len(self.from_zero), self.degree + 1))
        kept[np.array(self.from_zero), 0] = 0.0
        return kept

    def control_points(self, out: Array, of: slice = EVERY) -> tuple[Array, Array]:
        """x (..., n + 1) and y (..., C, n + 1) of outputs (..., outputs), for the curves `of`."""
        n = self.degree
        x = bezier.x_of_steps(out[..., :n].astype(np.float64))
        raw = out[..., n:].reshape(*out.shape[:-1], len(self.from_zero), n + 1).astype(np.float64)
        raw = np.where(self._kept[of] > 0.0, raw[..., of, :], -np.inf)
        steps = np.exp(raw - raw.max(axis=-1, keepdims=True))
        y = np.cumsum(steps, axis=-1)
        y /= y[..., -1:]
        return x, y

    def curves(self, out: Array, length: int, of: slice = EVERY) -> Array:
        """Curves (..., C, L) of outputs (..., outputs), or only the curves `of`.

        None decreases, and the last value is 1.
        """
        x, y = self.control_points(out, of)
        return rising_to_one(bezier.decode_shared(x, y, length))

    def described(self) -> dict[str, Any]:
        return {"codec": MONOTONE, "degree": self.degree, "from_zero": list(self.from_zero)}

    def tensors(self) -> Mapping[str, Array]:
        return {}


def rising_to_one(shares: Array) -> Array:
    """Curves (..., L) that are moved as little as needed to stay in 0..1, to rise and to end at 1.

    What rounding or noise makes higher than a later value is lowered to it. NaN is left as it is;
    no value may be NaN but those after the last.
    """
    shares = np.clip(shares, 0.0, 1.0)
    last = np.isfinite(shares).sum(axis=-1, keepdims=True) - 1
    np.put_along_axis(shares, np.maximum(last, 0), 1.0, axis=-1)
    return rising(shares)


def rising(values: Array) -> Array:
    """Curves (..., L), NaN past their ends, with each value that exceeds a later one lowered to it.

    The ends stay as they are.
    """
    backwards: Array = np.fmin.accumulate(values[..., ::-1], axis=-1)
    return backwards[..., ::-1].copy()
