"""Trees as arrays: what they answer, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.errors import CheckpointError
from eahas.models.regressors import TreeEnsemble, regressor_from_tensors
from eahas.models.regressors import trees as module
from eahas.models.regressors.trees import trees_from_tensors

INF = np.inf


def two_trees() -> TreeEnsemble:
    """x0 < 0.5 ? 1 : (x1 < 2 ? 10 : 20), and a single leaf of 5 for the second output."""
    return TreeEnsemble(
        feature=np.array([0, 0, 1, 0, 0, 0], dtype=np.int32),
        threshold=np.array([0.5, INF, 2.0, INF, INF, INF]),
        children=np.array([[1, 2], [1, 1], [3, 4], [3, 3], [4, 4], [5, 5]], dtype=np.int32),
        value=np.array([0, 1, 0, 10, 20, 5], dtype=np.float32),
        root=np.array([0, 5], dtype=np.int32),
        slot=np.array([0, 1], dtype=np.int32),
        base=np.array([[100.0, 200.0]]),
        inputs=2,
    )


def test_a_run_ends_in_one_leaf_of_every_tree() -> None:
    trees = two_trees()
    x = np.array([[0.4, 9.0], [0.5, 1.9], [0.6, 2.0]])
    expected = [[101.0, 205.0], [110.0, 205.0], [120.0, 205.0]]
    assert trees.many(x).tolist() == [expected]
    assert [trees.one(row).tolist() for row in x] == [[row] for row in expected]
    assert (trees.members, trees.inputs, trees.outputs) == (1, 2, 2)


def test_long_lists_are_descended_in_blocks(monkeypatch) -> None:
    trees, x = two_trees(), np.random.default_rng(0).uniform(0, 3, (50, 2))
    whole = trees.many(x)
    monkeypatch.setattr(module, "PATHS_AT_ONCE", 7)
    np.testing.assert_array_equal(trees.many(x), whole)


def test_they_come_back_from_their_arrays() -> None:
    trees, x = two_trees(), np.random.default_rng(0).uniform(0, 3, (50, 2))
    back = regressor_from_tensors(trees.described(), trees.tensors())
    np.testing.assert_array_equal(back.many(x), trees.many(x))


@pytest.mark.parametrize(
    ("name", "array", "why"),
    [
        (
            "children",
            [[0, 1]] * 6,
            r"holds \[0, 1\] at index \[0\]; allowed: two nodes",
        ),
        ("children", [[0, 0]] * 6, r"holds \[0, 0\] at index \[1\]; .* or \[1, 1\] for a leaf"),
        (
            "children",
            [[1, 1], [0, 0], *[[k, k] for k in range(2, 6)]],
            r"holds \[0, 0\] at index \[1\]",
        ),
        (
            "children",
            [[9, 9], [1, 1], [3, 4], [3, 3], [4, 4], [5, 5]],
            r"holds 9 at .* 0..nodes - 1 = 5",
        ),
        ("children", [[1, 2]], r"has shape \(1, 2\); allowed: \(nodes = 6, 2\)"),
        ("children", [1, 1, 1, 1, 1, 1], r"has shape \(6,\); allowed: \(nodes = 6, 2\)"),
        ("feature", [0, 0, 2, 0, 0, 0], r"holds 2 at index \[2\]; .* 0..inputs - 1"),
        ("feature", [0, 0, -1, 0, 0, 0], "holds -1 at index"),
        ("feature", [], r"has shape \(0,\); allowed: \(nodes from 1\)"),
        ("threshold", [0], r"has shape \(1,\); allowed: \(nodes = 6\)"),
        ("threshold", [np.nan, INF, 2.0, INF, INF, INF], "holds nan"),
        ("value", [0, 1, 0, 10, 20, INF], r"holds inf at index \[5\]; .* in -1e\+30..1e\+30"),
        ("root", [0, 6], r"holds 6 at index \[1\]; .* 0..nodes - 1"),
        ("slot", [0], r"has shape \(1,\); allowed: \(trees = 2\)"),
        ("slot", [0, 2], r"holds 2 at index \[1\]; .* 0..members \* outputs - 1"),
        ("base", [[np.nan, 0.0]], "holds nan .* finite numbers"),
        ("base", [], r"has shape .*allowed: \(members from 1, outputs from 1\)"),
        ("inputs", [2, 2], r"has shape \(2,\); allowed: \(1\)"),
        ("inputs", [0], "holds 0 .* from 1"),
    ],
)
def test_what_is_no_tree_is_refused(name, array, why) -> None:
    tensors = two_trees().tensors()
    tensors[name] = np.asarray(array, dtype=tensors[name].dtype)
    with pytest.raises(CheckpointError, match=f"array '{name}' {why}"):
        trees_from_tensors(tensors)


def test_arrays_of_another_kind_are_refused() -> None:
    tensors = two_trees().tensors()
    with pytest.raises(CheckpointError, match=r"'value' has type float64; allowed: float32"):
        trees_from_tensors(tensors | {"value": tensors["value"].astype(float)})
    with pytest.raises(CheckpointError, match=r"array 'slot' is missing; needed: feature, "):
        trees_from_tensors({k: v for k, v in tensors.items() if k != "slot"})
