"""Forests and boosted trees as arrays, independent of the library that fitted them.

The arrays contain the nodes of all trees. A run continues from a node to the first child if its
feature is below the threshold of the node, and to the second child if not. A leaf is its own child.
All trees can therefore be traversed with the same number of steps.
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
PATHS_AT_ONCE = 200_000  # runs x trees in a block; its work arrays fit into the cache of a core
MAX_VALUE = 1e30
TREE_COUNT = Dim("trees", low=0)
NODE = Bounds(0, below="nodes")
ARRAYS = (
    ArraySpec(
        "feature",
        "int32",
        ("nodes",),
        "the index of the feature that a node compares; 0 for a leaf",
        Bounds(0, below="inputs"),
    ),
    ArraySpec(
        "threshold",
        "float64",
        ("nodes",),
        "the threshold for the feature; infinity for a leaf",
        Bounds(finite=False),
    ),
    ArraySpec(
        "children",
        "int32",
        ("nodes", 2),
        "the next node if the feature is below the threshold, and the next node if not; both have "
        "higher indices than the node; a leaf is its own child",
        NODE,
    ),
    ArraySpec(
        "value",
        "float32",
        ("nodes",),
        "the value that a leaf adds; 0 for an inner node",
        Bounds(-MAX_VALUE, MAX_VALUE),
    ),
    ArraySpec("root", "int32", (TREE_COUNT,), "the index of the first node of each tree", NODE),
    ArraySpec(
        "slot",
        "int32",
        (TREE_COUNT,),
        "the member and output that each tree adds to: member * outputs + output",
        Bounds(0, below="members * outputs"),
    ),
    ArraySpec(
        "base", "float64", ("members", "outputs"), "the value before the trees are added", FINITE
    ),
    ArraySpec("inputs", "int32", (1,), "the number of features", Bounds(1), binds="inputs"),
)


@dataclass(frozen=True, eq=False)
class TreeEnsemble(SingleRowMixin):
    """T trees with N nodes in total. Features are compared in single precision.

    Attributes:
        feature (N,): the index of the feature that a node compares; 0 for a leaf.
        threshold (N,): the threshold for the feature; infinity for a leaf.
        children (N, 2): the next nodes, below the threshold and otherwise; a leaf is its own child.
        value (N,): the value that a leaf adds; 0 for an inner node.
        root (T,): the index of the first node of each tree.
        slot (T,): the member and output that a tree adds to: member * outputs + output.
        base (M, outputs): the values before the trees are added.
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
        """The largest number of steps from a root to a leaf."""
        depth, nodes = 0, np.unique(self.root)
        while len(inner := nodes[self.children[nodes, 0] != nodes]):
            depth, nodes = depth + 1, np.unique(self.children[inner])
        return depth

    @cached_property
    def _flat_children(self) -> np.ndarray:
        return np.ascontiguousarray(self.children.reshape(-1).astype(np.intp))

    def many(self, x: np.ndarray) -> np.ndarray:
        x = x.astype(np.float32)
        out = np.empty((self.members, len(x), self.outputs))
        step = max(1, PATHS_AT_ONCE // max(1, len(self.root)))
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            out[:, rows] = self._sums(self._leaves(x[rows]))
        return out

    def _leaves(self, x: np.ndarray) -> np.ndarray:
        """The index (n, T) of the leaf that each run reaches in each tree."""
        nodes = np.broadcast_to(self.root.astype(np.intp), (len(x), len(self.root)))
        rows = np.arange(len(x))[:, None]
        for _ in range(self._depth):
            second = x[rows, self.feature[nodes]] >= self.threshold[nodes]
            nodes = self._flat_children[2 * nodes + second]
        return nodes

    def _sums(self, leaves: np.ndarray) -> np.ndarray:
        """The outputs (M, n, outputs): the sums of the values of the leaves (n, T)."""
        count, slots = len(leaves), self.base.size
        bins = np.arange(count)[:, None] * slots + self.slot
        values = self.value[leaves].ravel()
        sums = np.bincount(bins.ravel(), values, minlength=count * slots)
        return sums.reshape(count, *self.base.shape).transpose(1, 0, 2) + self.base[:, None]

    def described(self) -> dict[str, Any]:
        return {"kind": TREES}

    def tensors(self) -> dict[str, np.ndarray]:
        return {s.name: np.atleast_1d(getattr(self, s.name)).astype(s.dtype) for s in ARRAYS}


def trees_from_tensors(tensors: Mapping[str, np.ndarray], *, prefix: str = "") -> TreeEnsemble:
    """The trees with the arrays of a checkpoint. In the file, `prefix` precedes their names.

    Raises CheckpointError if the arrays do not match `ARRAYS`, or if the nodes do not form trees.
    """
    sizes = check_arrays(tensors, ARRAYS, prefix=prefix)
    _check_children(tensors["children"], prefix)
    own = {name: array for name, array in tensors.items() if name != "inputs"}
    return TreeEnsemble(**own, inputs=sizes["inputs"])


def _check_children(children: np.ndarray, prefix: str) -> None:
    """Raise CheckpointError unless each node is a leaf or its children have higher indices.

    Every path then ends at a leaf.
    """
    nodes = np.arange(len(children))[:, None]
    valid = (children == nodes).all(axis=1) | (children > nodes).all(axis=1)
    if not valid.all():
        node = int(np.argmin(valid))
        raise CheckpointError(
            f"array '{prefix}children' holds {children[node].tolist()} at index [{node}]; allowed: "
            f"two nodes with higher indices, or [{node}, {node}] for a leaf"
        )
