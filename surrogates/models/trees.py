"""Growing trees with the libraries that know how, and taking them home as arrays.

Each `grow_*` fits y (n, K) from x (n, F) with weights (n,): one ensemble member of K outputs, each
with trees of its own (of a forest: the same trees with values of their own). Features are rounded
to single precision first, as XGBoost and scikit-learn do, so that the arrays answer exactly what
the library would.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from eahas.models.regressors import TreeEnsemble
from surrogates.models.optional import imported

Array = np.ndarray


@dataclass(frozen=True)
class Tree:
    """One tree in node arrays; `below` (nodes, 2) holds -1 at leaves, `value` is (nodes, K)."""

    feature: Array
    threshold: Array  # a run goes to the first child where its feature is below
    below: Array
    value: Array


@dataclass(frozen=True)
class XgbSettings:
    """XGBoost's own names, and what every ensemble has: members, seed, degree of Bezier codes."""

    members: int = 5
    seed: int = 0
    degree: int = 5
    rounds: int = 500
    learning_rate: float = 0.05
    max_depth: int = 5
    min_child_weight: float = 2.0
    subsample: float = 0.8
    colsample_bytree: float = 0.6
    reg_lambda: float = 1.0


@dataclass(frozen=True)
class LgbSettings:
    """LightGBM's own names, beside members, seed and degree."""

    members: int = 5
    seed: int = 0
    degree: int = 5
    rounds: int = 500
    learning_rate: float = 0.05
    num_leaves: int = 16
    min_data_in_leaf: int = 5
    bagging_fraction: float = 0.8
    bagging_freq: int = 1
    feature_fraction: float = 0.6
    lambda_l2: float = 1.0


@dataclass(frozen=True)
class ForestSettings:
    """The names of scikit-learn's random forest, beside members, seed and degree."""

    members: int = 5
    seed: int = 0
    degree: int = 5
    n_estimators: int = 40
    min_samples_leaf: int = 1
    max_features: float = 1.0


COMMON = ("members", "seed", "degree", "rounds")  # what the libraries are not told by name
TreeSettings = XgbSettings | LgbSettings | ForestSettings


def grow_xgboost(
    x: Array, y: Array, weight: Array, settings: XgbSettings, seed: int
) -> TreeEnsemble:
    """Boosted trees of XGBoost (Chen and Guestrin, 2016), histogram method, squared error."""
    xgboost = imported("xgboost", "xgboost-cpu", "trees")
    options = {"objective": "reg:squarederror", "tree_method": "hist", "base_score": 0.0}
    options |= {"nthread": 1, "seed": seed, **own_names(settings)}

    def boosted(rest: Array) -> list[Tree]:
        data = xgboost.DMatrix(_single(x), rest, weight=weight)
        booster = xgboost.Booster(options, [data])  # as xgboost.train, which also judges each round
        for round_ in range(settings.rounds):
            booster.update(data, round_)
        trees = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"][
            "trees"
        ]
        return [_of_xgboost(tree) for tree in trees]

    return _each_output(boosted, x, y, weight)


def grow_lightgbm(
    x: Array, y: Array, weight: Array, settings: LgbSettings, seed: int
) -> TreeEnsemble:
    """Boosted trees of LightGBM (Ke et al., 2017), squared error."""
    lightgbm = imported("lightgbm", "lightgbm", "trees")
    options = {"objective": "regression", "boost_from_average": False, "num_threads": 1}
    options |= {"deterministic": True, "force_row_wise": True, "verbose": -1, "seed": seed}
    options |= own_names(settings)

    def boosted(rest: Array) -> list[Tree]:
        data = lightgbm.Dataset(_single(x).astype(float), rest, weight=weight)
        trees = lightgbm.train(options, data, settings.rounds).dump_model()["tree_info"]
        return [_of_lightgbm(tree["tree_structure"]) for tree in trees]

    return _each_output(boosted, x, y, weight)


def grow_forest(
    x: Array, y: Array, weight: Array, settings: ForestSettings, seed: int
) -> TreeEnsemble:
    """Random forests of scikit-learn (Breiman, 2001), one an output.

    One for all of them would split by the output that varies most.
    """
    ensemble = imported("sklearn.ensemble", "scikit-learn", "train")

    def grown(output: Array) -> list[Tree]:
        forest = ensemble.RandomForestRegressor(random_state=seed, n_jobs=1, **own_names(settings))
        forest.fit(_single(x), output, sample_weight=weight)
        trees = [of_sklearn(estimator.tree_) for estimator in forest.estimators_]
        return [Tree(t.feature, t.threshold, t.below, t.value / len(trees)) for t in trees]

    return together([grown(output) for output in y.T], np.zeros(y.shape[1]), x.shape[1])


def own_names(settings: TreeSettings) -> dict[str, Any]:
    """What a library is told in its own words."""
    return {name: value for name, value in asdict(settings).items() if name not in COMMON}


def _each_output(
    boosted: Callable[[Array], list[Tree]], x: Array, y: Array, weight: Array
) -> TreeEnsemble:
    """Trees of each output, grown on what is left of it beside its mean."""
    base = (y * weight[:, None]).sum(axis=0) / weight.sum()
    return together([boosted(rest) for rest in (y - base).T], base, x.shape[1])


def _of_xgboost(tree: Mapping[str, Any]) -> Tree:
    left, right = (np.array(tree[f"{side}_children"]) for side in ("left", "right"))
    condition = np.array(tree["split_conditions"], dtype=np.float32).astype(float)
    leaf = left < 0
    return Tree(
        np.where(leaf, 0, np.array(tree["split_indices"])),
        np.where(leaf, np.inf, condition),
        np.stack([left, right], axis=1),
        np.where(leaf, condition, 0.0)[:, None],
    )


def _of_lightgbm(root: Mapping[str, Any]) -> Tree:
    """Its nodes are nested; here they stand in a row, parents before children."""
    feature: list[int] = []
    threshold: list[float] = []
    below: list[list[int]] = []
    value: list[float] = []
    waiting: list[tuple[Mapping[str, Any], int, int]] = [(root, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        at = len(feature)
        if parent >= 0:
            below[parent][side] = at
        below.append([-1, -1])
        if "leaf_value" in node:
            feature.append(0)
            threshold.append(np.inf)
            value.append(node["leaf_value"])
            continue
        assert node["decision_type"] == "<="
        feature.append(node["split_feature"])
        threshold.append(np.nextafter(node["threshold"], np.inf))
        value.append(0.0)
        waiting += [(node["left_child"], at, 0), (node["right_child"], at, 1)]
    return Tree(np.array(feature), np.array(threshold), np.array(below), np.array(value)[:, None])


def of_sklearn(tree: Any) -> Tree:
    """A `tree_` of scikit-learn."""
    leaf = tree.children_left < 0
    values = tree.value[:, :, 0] * leaf[:, None]
    return Tree(
        np.where(leaf, 0, tree.feature),
        np.where(leaf, np.inf, np.nextafter(tree.threshold, np.inf)),
        np.stack([tree.children_left, tree.children_right], axis=1),
        values,
    )


def together(outputs: Sequence[Sequence[Tree]], base: Array, inputs: int) -> TreeEnsemble:
    """All trees of all outputs in one row of nodes."""
    trees = [tree for of_output in outputs for tree in of_output]
    slot = [k for k, of_output in enumerate(outputs) for _ in of_output]
    sizes = np.array([len(tree.feature) for tree in trees])
    root = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    children = []
    for first, tree in zip(root, trees, strict=True):
        itself = np.arange(len(tree.feature))[:, None]
        children.append(first + np.where(tree.below < 0, itself, tree.below))
    return TreeEnsemble(
        feature=np.concatenate([tree.feature for tree in trees]).astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
        children=np.concatenate(children).astype(np.int32),
        value=np.concatenate([tree.value[:, 0] for tree in trees]).astype(np.float32),
        root=root.astype(np.int32),
        slot=np.array(slot, dtype=np.int32),
        base=np.asarray(base, dtype=np.float64)[None],
        inputs=inputs,
    )


def _single(x: Array) -> Array:
    return x.astype(np.float32)
