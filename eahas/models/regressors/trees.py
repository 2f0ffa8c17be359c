"""Forests and boosted trees as arrays, whichever library grew them.

All nodes of all trees stand in one row. A node sends a run to its first child where the feature is
below the threshold, else to its second; a leaf sends every run to itself, so that every tree may be
descended by the same number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import CheckpointError, shown
from eahas.models.regressors.single_row import SingleRowMixin

TREES = "trees"
NAMES = {
    "feature": np.int32,
    "threshold": np.float64,
    "children": np.int32,
    "value": np.float32,
    "root": np.int32,
    "slot": np.int32,
    "base": np.float64,
    "inputs": np.int32,
}
PATHS_AT_ONCE = 200_000  # runs times trees: keeps the work arrays inside the processor's cache
MAX_VALUE = 1e30


@dataclass(frozen=True, eq=False)
class TreeEnsemble(SingleRowMixin):
    """T trees of N nodes in all. Features are compared in single precision.

    Attributes:
        feature (N,): which feature a node looks at; of a leaf 0.
        threshold (N,): of a leaf infinity.
        children (N, 2): the nodes below; of a leaf itself.
        value (N,): what a leaf adds; of an inner node 0.
        root (T,): the first node of each tree.
        slot (T,): where a tree adds: member * outputs + output.
        base (M, outputs): what the trees are added to.
        inputs: the number of features.
    """

    feature: np.ndarray
    threshold: np.ndarray
    children: np.ndarray
    value: np.ndarray
    root: np.ndarray
    slot: np.ndarray
    base: np.ndarray
    inputs: int

    @property
    def members(self) -> int:
        return len(self.base)

    @property
    def outputs(self) -> int:
        return self.base.shape[1]

    @cached_property
    def _depth(self) -> int:
        """Steps from a root to the lowest leaf."""
        depth, at = 0, np.unique(self.root)
        while len(inner := at[self.children[at, 0] != at]):
            depth, at = depth + 1, np.unique(self.children[inner])
        return depth

    @cached_property
    def _flat_children(self) -> np.ndarray:
        return np.ascontiguousarray(self.children.reshape(-1).astype(np.intp))

    def many(self, x: np.ndarray) -> np.ndarray:
        x = _single(x)
        out = np.empty((self.members, len(x), self.outputs))
        step = max(1, PATHS_AT_ONCE // max(1, len(self.root)))
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            out[:, rows] = self._sums(self._leaves(x[rows]))
        return out

    def _leaves(self, x: np.ndarray) -> np.ndarray:
        """The leaf (n, T) where each run ends in each tree."""
        at = np.broadcast_to(self.root.astype(np.intp), (len(x), len(self.root)))
        rows = np.arange(len(x))[:, None]
        for _ in range(self._depth):
            second = x[rows, self.feature[at]] >= self.threshold[at]
            at = self._flat_children[2 * at + second]
        return at

    def _sums(self, leaves: np.ndarray) -> np.ndarray:
        """What the leaves (n, T) add up to: (M, n, outputs)."""
        count, slots = len(leaves), self.base.size
        into = np.arange(count)[:, None] * slots + self.slot
        weights = self.value[leaves].ravel()
        sums = np.bincount(into.ravel(), weights, minlength=count * slots)
        return sums.reshape(count, *self.base.shape).transpose(1, 0, 2) + self.base[:, None]

    def described(self) -> dict[str, Any]:
        return {"kind": TREES}

    def tensors(self) -> dict[str, np.ndarray]:
        return {name: np.atleast_1d(getattr(self, name)).astype(t) for name, t in NAMES.items()}


def trees_from_tensors(tensors: Mapping[str, np.ndarray]) -> TreeEnsemble:
    """The trees of a checkpoint's arrays; CheckpointError where they are no trees."""
    if sorted(tensors) != sorted(NAMES):
        raise CheckpointError(f"holds the arrays {shown(sorted(tensors))}; wanted {sorted(NAMES)}")
    for name, dtype in NAMES.items():
        if tensors[name].dtype != dtype:
            raise CheckpointError(f"{name} is {tensors[name].dtype}; allowed: {np.dtype(dtype)}")
    nodes, trees_count = tensors["feature"].size, tensors["root"].size
    wanted: dict[str, tuple[int, ...]] = {"children": (nodes, 2), "root": (trees_count,)}
    wanted |= {"inputs": (1,), **dict.fromkeys(("feature", "threshold", "value"), (nodes,))}
    base = tensors["base"]
    if not nodes or base.ndim != 2 or not base.size:
        raise CheckpointError("holds trees whose arrays do not fit together")
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            raise CheckpointError("holds trees whose arrays do not fit together")
    if tensors["slot"].shape != (trees_count,):
        raise CheckpointError("root and slot are of a different number of trees")
    trees = TreeEnsemble(
        **{n: tensors[n] for n in NAMES if n != "inputs"}, inputs=int(tensors["inputs"][0])
    )
    _check_nodes(trees)
    return trees


def _check_nodes(trees: TreeEnsemble) -> None:
    nodes = np.arange(len(trees.feature))
    leaf = (trees.children == nodes[:, None]).all(axis=1)
    below = (trees.children > nodes[:, None]) & (trees.children < len(nodes))
    finite = np.isfinite(trees.base).all() and not np.isnan(trees.threshold).any()
    for name, right in (
        ("children", leaf | below.all(axis=1)),
        ("feature", (trees.feature >= 0) & (trees.feature < trees.inputs)),
        ("root", (trees.root >= 0) & (trees.root < len(nodes))),
        ("slot", (trees.slot >= 0) & (trees.slot < trees.base.size)),
        ("value", np.abs(trees.value) <= MAX_VALUE),
        ("base or threshold", np.array(finite)),
    ):
        if not right.all():
            raise CheckpointError(f"{name} holds what no tree can have")


def _single(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32)
