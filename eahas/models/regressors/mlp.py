"""An ensemble of small networks as stacked arrays with an axis of members; it needs only numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eahas.arrays import FINITE, ArraySpec, check_arrays
from eahas.errors import CheckpointError
from eahas.models.blocks import product

MLP = "mlp"
ROW_BLOCK = 512  # rows at once, so that the hidden layers fit into the cache of a core
MAX_FEATURE = 1e4  # encodings are in 0..1, logarithms below 1100, depths at most 1000
MAX_SUM = 1e37  # a thirtieth of the largest float32
ARRAYS = (
    ArraySpec(
        "weight.k",
        "float32",
        ("members", "width k", "width k+1"),
        "weights of layer k = 0, 1, ... of each member; width 0 is the number of inputs, the last "
        "width the number of outputs",
        FINITE,
    ),
    ArraySpec("bias.k", "float32", ("members", "width k+1"), "biases of layer k", FINITE),
)


@dataclass(frozen=True, eq=False)
class MlpEnsemble:
    """M networks with the same layer widths, with ReLU after every layer but the last.

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
        """The first layers of all members as one matrix (inputs, M * width) and one bias vector."""
        weight = np.concatenate(list(self.weights[0]), axis=1)
        return np.ascontiguousarray(weight), self.biases[0].reshape(-1)

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


def layer_specs(layers: int) -> list[ArraySpec]:
    """The array specs of networks with `layers` layers, from `ARRAYS`.

    The first width has the name `inputs`, the last width `outputs`.
    """
    widths = ["inputs", *(f"width {k}" for k in range(1, layers)), "outputs"]
    specs = []
    for k in range(layers):
        size = {"width k": widths[k], "width k+1": widths[k + 1]}
        for spec in ARRAYS:
            shape = tuple(size.get(str(dim), dim) for dim in spec.shape)
            specs.append(replace(spec, name=spec.name.replace(".k", f".{k}"), shape=shape))
    return specs


def mlp_from_tensors(
    tensors: Mapping[str, np.ndarray],
    largest: float = MAX_FEATURE,
    *,
    dims: Mapping[str, int] | None = None,
    prefix: str = "",
) -> MlpEnsemble:
    """The ensemble with the arrays of a checkpoint.

    `dims` are the required numbers of `members`, `inputs` and `outputs`. In the file, `prefix`
    precedes the names of the arrays. Raises CheckpointError if the arrays do not match `ARRAYS`, or
    if inputs with absolute values up to `largest` could overflow float32.
    """
    layers = max(1, sum(name.startswith("weight.") for name in tensors))
    check_arrays(tensors, layer_specs(layers), dims, prefix)
    weights = tuple(np.ascontiguousarray(tensors[f"weight.{k}"]) for k in range(layers))
    biases = tuple(np.ascontiguousarray(tensors[f"bias.{k}"]) for k in range(layers))
    _check_overflow(weights, biases, largest, prefix)
    return MlpEnsemble(weights, biases)


def _check_overflow(
    weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], largest: float, prefix: str
) -> None:
    """Raise CheckpointError if a sum in a network could overflow, for any signs of its terms."""
    bound = np.full((len(biases[0]), weights[0].shape[1]), largest)
    for k, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        bound = np.matmul(bound[:, None], np.abs(weight))[:, 0] + np.abs(bias)
        if bound.max() > MAX_SUM:
            raise CheckpointError(
                f"arrays '{prefix}weight.{k}' and '{prefix}bias.{k}' are so large that sums "
                f"overflow; allowed: sums up to {MAX_SUM:g} of inputs up to {largest:g}"
            )
