"""An ensemble of small networks as arrays: the members are an axis, numpy is all it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import CheckpointError, shown
from eahas.models.blocks import product

MLP = "mlp"
ROW_BLOCK = 512  # keeps the hidden layers of a long list inside the processor's cache
MAX_FEATURE = 1e4  # codes are in 0..1, logarithms below 1100, depths at most 1000
MAX_SUM = 1e37  # a thirtieth of what float32 holds


@dataclass(frozen=True, eq=False)
class MlpEnsemble:
    """M networks of one shape: ReLU between layers, none after the last.

    `weights[k]` is (M, inputs, outputs), `biases[k]` is (M, outputs), both float32.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def members(self) -> int:
        return len(self.biases[0])

    @property
    def inputs(self) -> int:
        return self.weights[0].shape[1]

    @property
    def outputs(self) -> int:
        return self.weights[-1].shape[2]

    @cached_property
    def _first(self) -> tuple[np.ndarray, np.ndarray]:
        """The first layers side by side, (inputs, M * hidden): one product serves all members."""
        side_by_side = np.concatenate(list(self.weights[0]), axis=1)
        return np.ascontiguousarray(side_by_side), self.biases[0].reshape(-1)

    def one(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for one row of features (F,): shape (M, outputs)."""
        weight, bias = self._first
        h = x.astype(np.float32) @ weight
        h += bias
        h = h.reshape(self.members, 1, -1)
        for layer_weight, layer_bias in zip(self.weights[1:], self._row_biases, strict=True):
            np.maximum(h, 0.0, out=h)
            h = np.matmul(h, layer_weight)
            h += layer_bias
        return h[:, 0]

    @cached_property
    def _row_biases(self) -> tuple[np.ndarray, ...]:
        return tuple(bias[:, None, :] for bias in self.biases[1:])

    def many(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for n rows of features (n, F): shape (M, n, outputs)."""
        if len(x) <= ROW_BLOCK and self.members == 1:
            return self._layers(x.astype(np.float32), 0)[None]
        out = np.empty((self.members, len(x), self.outputs), dtype=np.float32)
        for start in range(0, len(x), ROW_BLOCK):
            rows = slice(start, start + ROW_BLOCK)
            block = x[rows].astype(np.float32)
            for member in range(self.members):
                out[member, rows] = self._layers(block, member)
        return out

    def _layers(self, h: np.ndarray, member: int) -> np.ndarray:
        """Outputs of one member for rows of features, (n, outputs)."""
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if k:
                np.maximum(h, 0.0, out=h)
            h = product(h, weight[member])
            h += bias[member]
        return h

    def described(self) -> dict[str, Any]:
        return {"kind": MLP}

    def tensors(self) -> dict[str, np.ndarray]:
        named = {f"weight.{k}": w for k, w in enumerate(self.weights)}
        return named | {f"bias.{k}": b for k, b in enumerate(self.biases)}


def mlp_from_tensors(
    tensors: Mapping[str, np.ndarray], largest: float = MAX_FEATURE
) -> MlpEnsemble:
    """The ensemble of a checkpoint's arrays.

    Raises CheckpointError where they do not fit together, and where some input up to `largest`
    would lead beyond what float32 holds.
    """
    depth = sum(name.startswith("weight.") for name in tensors)
    wanted = [f"{kind}.{k}" for kind in ("weight", "bias") for k in range(depth)]
    if not depth or sorted(tensors) != sorted(wanted):
        found = shown(sorted(tensors))
        raise CheckpointError(f"holds the arrays {found}; wanted weight.k and bias.k from k = 0")
    weights = tuple(np.ascontiguousarray(tensors[f"weight.{k}"]) for k in range(depth))
    biases = tuple(np.ascontiguousarray(tensors[f"bias.{k}"]) for k in range(depth))
    _check_shapes(weights, biases)
    _check_reach(weights, biases, largest)
    return MlpEnsemble(weights, biases)


def _check_shapes(weights: Sequence[np.ndarray], biases: Sequence[np.ndarray]) -> None:
    width = None
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        fits = weight.ndim == 3 and bias.shape == (weight.shape[0], weight.shape[2])
        if not fits or 0 in weight.shape:
            raise CheckpointError(f"weight.{k} {weight.shape} and bias.{k} {bias.shape} do not fit")
        if weight.dtype != np.float32 or bias.dtype != np.float32:
            raise CheckpointError(
                f"weight.{k} is {weight.dtype} and bias.{k} is {bias.dtype}; allowed: float32"
            )
        if width is not None and weight.shape[:2] != width:
            raise CheckpointError(f"weight.{k} {weight.shape} does not follow the layer before it")
        width = (weight.shape[0], weight.shape[2])
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise CheckpointError(f"weight.{k} or bias.{k} holds a number that is not finite")


def _check_reach(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], largest: float
) -> None:
    """No sum inside the network may overflow, whichever of its terms have the same sign."""
    reach = np.full((len(biases[0]), weights[0].shape[1]), largest)
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        reach = np.matmul(reach[:, None], np.abs(weight))[:, 0] + np.abs(bias)
        if reach.max() > MAX_SUM:
            raise CheckpointError(f"weight.{k} or bias.{k} is so large that sums overflow")
