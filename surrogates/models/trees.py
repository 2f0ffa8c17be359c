"""Growing trees with the libraries that know how, and taking them home as arrays.

Each `grow_*` fits y (n, K) from x (n, F) with weights (n,): one ensemble member of K outputs, each
with trees of its own (of a forest: the same trees with values of their own). Features are rounded
to single precision first, as XGBoost and scikit-learn do, so that the arrays answer exactly what
the library would.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from eahas.models.regressors import TreeEnsemble
from eahas.settings import number
from surrogates.models.optional import imported
from surrogates.settings import EnsembleSettings, fraction

Array = np.ndarray


@dataclass(frozen=True)
class Tree:
    """One tree in node arrays; `below` (nodes, 2) holds -1 at leaves, `value` is (nodes, K)."""

    feature: Array
    threshold: Array  # a run goes to the first child where its feature is below
    below: Array
    value: Array


@dataclass(frozen=True)
class BoostingSettings(EnsembleSettings):
    """Settings of gradient boosting: `rounds` trees per output and member."""

    rounds: int = number(500, 1)
    learning_rate: float = number(0.05)


@dataclass(frozen=True)
class XgbSettings(BoostingSettings):
    """Settings of XGBoost, with its names."""

    max_depth: int = number(5, 1)
    min_child_weight: float = number(2.0)
    subsample: float = fraction(0.8)
    colsample_bytree: float = fraction(0.6)
    reg_lambda: float = number(1.0)


@dataclass(frozen=True)
class LgbSettings(BoostingSettings):
    """Settings of LightGBM, with its names."""

    num_leaves: int = number(16, 2, 2**17)
    min_data_in_leaf: int = number(5, 1)
    bagging_fraction: float = fraction(0.8)
    bagging_freq: int = number(1)
    feature_fraction: float = fraction(0.6)
    lambda_l2: float = number(1.0)


@dataclass(frozen=True)
class ForestSettings(EnsembleSettings):
    """Settings of random forests, with the names of scikit-learn."""

    n_estimators: int = number(40, 1)
    min_samples_leaf: int = number(1, 1)
    max_features: float = fraction(1.0)


# Settings that a library does not get as options.
COMMON = {*(field.name for field in fields(EnsembleSettings)), "rounds"}
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
    """The options of a library, by its own names."""
    return {name: value for name, value in settings.to_dict().items() if name not in COMMON}


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
