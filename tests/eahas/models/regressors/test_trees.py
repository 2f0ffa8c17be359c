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
        ("children", [[0, 1]] * 6, "children holds what no tree can have"),  # a loop
        ("children", [[9, 9], [1, 1], [3, 4], [3, 3], [4, 4], [5, 5]], "children"),
        ("children", [[1, 2]], "do not fit together"),
        ("feature", [0, 0, 2, 0, 0, 0], "feature holds"),
        ("feature", [0, 0, -1, 0, 0, 0], "feature holds"),
        ("feature", [0], "do not fit together"),
        ("threshold", [np.nan, INF, 2.0, INF, INF, INF], "base or threshold"),
        ("value", [0, 1, 0, 10, 20, INF], "value holds"),
        ("root", [0, 6], "root holds"),
        ("root", [0], "different number of trees"),
        ("slot", [0, 2], "slot holds"),
        ("base", [[np.nan, 0.0]], "base or threshold"),
        ("base", [], "do not fit together"),
        ("inputs", [2, 2], "do not fit together"),
    ],
)
def test_what_is_no_tree_is_refused(name, array, why) -> None:
    tensors = two_trees().tensors()
    tensors[name] = np.asarray(array, dtype=tensors[name].dtype)
    with pytest.raises(CheckpointError, match=why):
        trees_from_tensors(tensors)


def test_arrays_of_another_kind_are_refused() -> None:
    tensors = two_trees().tensors()
    with pytest.raises(CheckpointError, match=r"value is float64; allowed: float32"):
        trees_from_tensors(tensors | {"value": tensors["value"].astype(float)})
    with pytest.raises(CheckpointError, match=r"holds the arrays"):
        trees_from_tensors({k: v for k, v in tensors.items() if k != "slot"})
