"""Share curves: the share of a total that a run has used after each epoch; the last share is 1.

A share curve starts at 0 or above. It is a Bezier curve whose x and y control points do not
decrease; the last y control point is 1. Whatever numbers a regressor predicts, y(x) therefore does
not decrease: its derivative in t is a sum of non-negative terms (see `eahas.models.curves.bezier`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.models.curves import bezier

MONOTONE = "monotone"
ALL_CURVES = slice(None)
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class MonotoneCodec:
    """Decodes C Bezier curves of degree n that rise to 1 and share their x control points.

    The outputs are n raw steps of x, followed by n + 1 raw steps of y of each curve. The first step
    of y leads from 0 to the first control point, each further one to the next control point. A
    softmax maps raw steps to steps that sum to 1.

    Attributes:
        from_zero (C,): whether each curve starts at exactly 0; its first step is then not used.
    """

    degree: int
    from_zero: tuple[bool, ...]

    @property
    def outputs(self) -> int:
        return self.degree + len(self.from_zero) * (self.degree + 1)

    @cached_property
    def _step_mask(self) -> Array:
        """The mask (C, n + 1) of the steps of y: 0 for a step that is not used, else 1."""
        mask = np.ones((len(self.from_zero), self.degree + 1))
        mask[np.array(self.from_zero), 0] = 0.0
        return mask

    def control_points(self, out: Array, selected: slice = ALL_CURVES) -> tuple[Array, Array]:
        """x (..., n + 1), and y (..., C, n + 1) of the selected curves, from raw outputs."""
        n = self.degree
        x = bezier.x_of_steps(out[..., :n].astype(np.float64))
        raw = out[..., n:].reshape(*out.shape[:-1], len(self.from_zero), n + 1).astype(np.float64)
        raw = np.where(self._step_mask[selected] > 0.0, raw[..., selected, :], -np.inf)
        steps = np.exp(raw - raw.max(axis=-1, keepdims=True))
        y = np.cumsum(steps, axis=-1)
        y /= y[..., -1:]
        return x, y

    def curves(self, out: Array, length: int, selected: slice = ALL_CURVES) -> Array:
        """Curves (..., C, L) of outputs (..., outputs); `selected` selects some of the curves.

        No curve decreases, and each ends at 1.
        """
        x, y = self.control_points(out, selected)
        return rising_to_one(bezier.decode_shared(x, y, length))

    def described(self) -> dict[str, Any]:
        return {"codec": MONOTONE, "degree": self.degree, "from_zero": list(self.from_zero)}

    def tensors(self) -> Mapping[str, Array]:
        return {}


def rising_to_one(shares: Array) -> Array:
    """Curves (..., L), corrected such that they lie in 0..1, do not decrease and end at 1.

    Values are clipped to 0..1, and each value that exceeds a later one is lowered to that value;
    rounding and noise can cause both. Only the values after the end of a curve may be NaN; they
    stay NaN.
    """
    shares = np.clip(shares, 0.0, 1.0)
    last = np.isfinite(shares).sum(axis=-1, keepdims=True) - 1
    np.put_along_axis(shares, np.maximum(last, 0), 1.0, axis=-1)
    return rising(shares)


def rising(values: Array) -> Array:
    """Curves (..., L), with each value that exceeds a later one lowered to that value.

    The last value of a curve does not change. Values after the end of a curve are NaN.
    """
    backwards: Array = np.fmin.accumulate(values[..., ::-1], axis=-1)
    return backwards[..., ::-1].copy()
