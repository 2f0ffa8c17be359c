"""Kernel machines as arrays: support vector regression and the mean of a Gaussian process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.arrays import ArraySpec, Bounds, check_arrays
from eahas.models.blocks import product
from eahas.models.regressors.single_row import SingleRowMixin

KERNEL = "kernel"
DISTANCES_AT_ONCE = 500_000
MAX_ABS = 1e30
LIMITED = Bounds(-MAX_ABS, MAX_ABS)
ARRAYS = (
    ArraySpec("center", "float64", ("inputs",), "subtracted from the features", LIMITED),
    ArraySpec("rate", "float64", ("inputs",), "factors on the centered features", LIMITED),
    ArraySpec("support", "float64", ("vectors", "inputs"), "scaled support vectors", LIMITED),
    ArraySpec(
        "coefficient",
        "float64",
        ("vectors", "outputs"),
        "coefficients of the support vectors",
        LIMITED,
    ),
    ArraySpec("intercept", "float64", ("outputs",), "added to the sum of kernels", LIMITED),
)


@dataclass(frozen=True, eq=False)
class KernelMachine(SingleRowMixin):
    """sum_s coefficient_s * exp(-|z - support_s|^2) + intercept, z = (x - center) * rate.

    A weighted sum of Gaussian kernels. `rate` contains the inverse width of the kernel along each
    feature. There is one member.

    Attributes:
        center, rate (F,): the scaling of the features.
        support (S, F): the support vectors, which are scaled features of training runs.
        coefficient (S, outputs): the coefficients of the support vectors.
        intercept (outputs,): added to the weighted sum.
    """

    center: np.ndarray
    rate: np.ndarray
    support: np.ndarray
    coefficient: np.ndarray
    intercept: np.ndarray

    @property
    def members(self) -> int:
        return 1

    @property
    def inputs(self) -> int:
        return len(self.center)

    @property
    def outputs(self) -> int:
        return len(self.intercept)

    @cached_property
    def _squares(self) -> np.ndarray:
        squares: np.ndarray = (self.support * self.support).sum(axis=1)
        return squares

    def many(self, x: np.ndarray) -> np.ndarray:
        out = np.empty((1, len(x), self.outputs))
        step = max(1, DISTANCES_AT_ONCE // len(self.support))
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            z = (x[rows] - self.center) * self.rate
            squared_distance = (
                (z * z).sum(axis=1)[:, None] + self._squares - 2.0 * product(z, self.support.T)
            )
            kernel = np.exp(-np.maximum(squared_distance, 0.0))
            out[0, rows] = product(kernel, self.coefficient) + self.intercept
        return out

    def described(self) -> dict[str, Any]:
        return {"kind": KERNEL}

    def tensors(self) -> dict[str, np.ndarray]:
        return {s.name: np.asarray(getattr(self, s.name), s.dtype) for s in ARRAYS}


def kernel_from_tensors(tensors: Mapping[str, np.ndarray], *, prefix: str = "") -> KernelMachine:
    """The machine with the arrays of a checkpoint. In the file, `prefix` precedes their names.

    Raises CheckpointError if the arrays do not match `ARRAYS`.
    """
    check_arrays(tensors, ARRAYS, prefix=prefix)
    return KernelMachine(**tensors)
