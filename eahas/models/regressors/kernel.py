"""Kernel machines as arrays: support vector regression and the mean of a Gaussian process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import CheckpointError, shown
from eahas.models.blocks import product

KERNEL = "kernel"
NDIM = {"center": 1, "rate": 1, "support": 2, "coefficient": 2, "intercept": 1}
DISTANCES_AT_ONCE = 500_000
MAX_ABS = 1e30


@dataclass(frozen=True, eq=False)
class KernelMachine:
    """sum_s coefficient_s * exp(-|z - support_s|^2) + intercept, z = (x - center) * rate.

    A Gaussian kernel whose width, one a feature, stands in `rate`; one member.

    Attributes:
        center, rate (F,): how features are scaled.
        support (S, F): scaled features of the runs that count.
        coefficient (S, outputs), intercept (outputs,): what they contribute.
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

    def one(self, x: np.ndarray) -> np.ndarray:
        return self.many(x[None])[:, 0]

    def many(self, x: np.ndarray) -> np.ndarray:
        out = np.empty((1, len(x), self.outputs))
        step = max(1, DISTANCES_AT_ONCE // len(self.support))
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            z = (x[rows] - self.center) * self.rate
            distance = (
                (z * z).sum(axis=1)[:, None] + self._squares - 2.0 * product(z, self.support.T)
            )
            near = np.exp(-np.maximum(distance, 0.0))
            out[0, rows] = product(near, self.coefficient) + self.intercept
        return out

    def described(self) -> dict[str, Any]:
        return {"kind": KERNEL}

    def tensors(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(getattr(self, name), np.float64) for name in NDIM}


def kernel_from_tensors(tensors: Mapping[str, np.ndarray]) -> KernelMachine:
    """The machine of a checkpoint's arrays; CheckpointError where they do not fit together."""
    if sorted(tensors) != sorted(NDIM):
        raise CheckpointError(f"holds the arrays {shown(sorted(tensors))}; wanted {sorted(NDIM)}")
    for name, ndim in NDIM.items():
        array = tensors[name]
        if array.dtype != np.float64 or array.ndim != ndim or not array.size:
            raise CheckpointError(
                f"{name} is {array.dtype} {array.shape}; allowed: float64 of {ndim} axes"
            )
        if not (np.abs(array) <= MAX_ABS).all():
            raise CheckpointError(f"{name} holds a number that is not finite, or too large")
    machine = KernelMachine(**tensors)
    shapes = (machine.rate.shape, machine.support.shape, machine.coefficient.shape)
    count, width = len(machine.support), machine.inputs
    if shapes != ((width,), (count, width), (count, machine.outputs)):
        raise CheckpointError(f"holds a kernel machine whose shapes do not fit: {shown(shapes)}")
    return machine
