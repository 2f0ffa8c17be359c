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

from eahas.arrays import FINITE, ArraySpec, Bounds, Dim, check_arrays
from eahas.errors import CheckpointError
from eahas.models.regressors.single_row import SingleRowMixin

TREES = "trees"
PATHS_AT_ONCE = 200_000  # runs times trees: keeps the work arrays inside the processor's cache
MAX_VALUE = 1e30
TREE_COUNT = Dim("trees", low=0)
NODE = Bounds(0, below="nodes")
ARRAYS = (
    ArraySpec(
        "feature",
        "int32",
        ("nodes",),
        "the feature that a node compares; of a leaf 0",
        Bounds(0, below="inputs"),
    ),
    ArraySpec(
        "threshold",
        "float64",
        ("nodes",),
        "what it is compared with; of a leaf infinity",
        Bounds(finite=False),
    ),
    ArraySpec(
        "children",
        "int32",
        ("nodes", 2),
        "the next node if the feature is below the threshold, and if not; both stand later in the "
        "array, or are the node itself, which then is a leaf",
        NODE,
    ),
    ArraySpec(
        "value",
        "float32",
        ("nodes",),
        "what a leaf adds; of another node 0",
        Bounds(-MAX_VALUE, MAX_VALUE),
    ),
    ArraySpec("root", "int32", (TREE_COUNT,), "the first node of each tree", NODE),
    ArraySpec(
        "slot",
        "int32",
        (TREE_COUNT,),
        "where each tree adds: member * outputs + output",
        Bounds(0, below="members * outputs"),
    ),
    ArraySpec(
        "base", "float64", ("members", "outputs"), "what the values of the trees add to", FINITE
    ),
    ArraySpec("inputs", "int32", (1,), "the number of features", Bounds(1), binds="inputs"),
)


@dataclass(frozen=True, eq=False)
class TreeEnsemble(SingleRowMixin):
    """T trees of N nodes in all. Features are compared in single precision.

    Attributes:
        feature (N,): the feature that a node compares; 0 for a leaf.
        threshold (N,): what it is compared with; infinity for a leaf.
        children (N, 2): the next nodes; a leaf is its own child.
        value (N,): what a leaf adds; 0 for an inner node.
        root (T,): the first node of each tree.
        slot (T,): where a tree adds its value: member * outputs + output.
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
        return {s.name: np.atleast_1d(getattr(self, s.name)).astype(s.dtype) for s in ARRAYS}


def trees_from_tensors(tensors: Mapping[str, np.ndarray], *, prefix: str = "") -> TreeEnsemble:
    """The trees of a checkpoint's arrays; `prefix` stands before their names in the file.

    Raises CheckpointError where they do not fit `ARRAYS`, or nodes do not form trees.
    """
    sizes = check_arrays(tensors, ARRAYS, prefix=prefix)
    _check_children(tensors["children"], prefix)
    own = {name: array for name, array in tensors.items() if name != "inputs"}
    return TreeEnsemble(**own, inputs=sizes["inputs"])


def _check_children(children: np.ndarray, prefix: str) -> None:
    """A node that is no leaf has later nodes below it, so that each way ends at a leaf."""
    nodes = np.arange(len(children))[:, None]
    fits = (children == nodes).all(axis=1) | (children > nodes).all(axis=1)
    if not fits.all():
        node = int(np.argmin(fits))
        raise CheckpointError(
            f"array '{prefix}children' holds {children[node].tolist()} at index [{node}]; allowed: "
            f"two later nodes, or twice {node} for a leaf"
        )


def _single(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32)
