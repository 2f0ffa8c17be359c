"""Fit trees with XGBoost, LightGBM and scikit-learn, and export them to arrays.

Each `grow_*` function fits one ensemble member: outputs y (n, K) from features x (n, F) with
weights (n,). Each output has its own trees. Features are first rounded to single precision, as
XGBoost and scikit-learn do, so that the arrays give exactly the predictions of the library.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from eahas.models.regressors import TreeEnsemble
from eahas.settings import number
from surrogates.models.optional import import_optional
from surrogates.settings import EnsembleSettings, fraction

Array = np.ndarray


@dataclass(frozen=True)
class Tree:
    """One tree as arrays over its nodes."""

    feature: Array  # (nodes,)
    threshold: Array  # (nodes,); a run goes to the first child if its feature is below this
    children: Array  # (nodes, 2); -1 at leaves
    value: Array  # (nodes, K)


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
    """Boosted trees of XGBoost (Chen and Guestrin, 2016): histogram method, squared error."""
    xgboost = import_optional("xgboost", "xgboost-cpu", "trees")
    options = {"objective": "reg:squarederror", "tree_method": "hist", "base_score": 0.0}
    options |= {"nthread": 1, "seed": seed, **library_options(settings)}

    def boost(residual: Array) -> list[Tree]:
        data = xgboost.DMatrix(_single(x), residual, weight=weight)
        booster = xgboost.Booster(options, [data])  # like xgboost.train without its evaluations
        for round_ in range(settings.rounds):
            booster.update(data, round_)
        trees = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"][
            "trees"
        ]
        return [_tree_from_xgboost(tree) for tree in trees]

    return _boost_outputs(boost, x, y, weight)


def grow_lightgbm(
    x: Array, y: Array, weight: Array, settings: LgbSettings, seed: int
) -> TreeEnsemble:
    """Boosted trees of LightGBM (Ke et al., 2017): squared error."""
    lightgbm = import_optional("lightgbm", "lightgbm", "trees")
    options = {"objective": "regression", "boost_from_average": False, "num_threads": 1}
    options |= {"deterministic": True, "force_row_wise": True, "verbose": -1, "seed": seed}
    options |= library_options(settings)

    def boost(residual: Array) -> list[Tree]:
        data = lightgbm.Dataset(_single(x).astype(float), residual, weight=weight)
        trees = lightgbm.train(options, data, settings.rounds).dump_model()["tree_info"]
        return [_tree_from_lightgbm(tree["tree_structure"]) for tree in trees]

    return _boost_outputs(boost, x, y, weight)


def grow_forest(
    x: Array, y: Array, weight: Array, settings: ForestSettings, seed: int
) -> TreeEnsemble:
    """Random forests of scikit-learn (Breiman, 2001), one per output.

    The splits of a common forest would mostly follow the output with the largest variance.
    """
    ensemble = import_optional("sklearn.ensemble", "scikit-learn", "train")

    def grow(output: Array) -> list[Tree]:
        options = library_options(settings)
        forest = ensemble.RandomForestRegressor(random_state=seed, n_jobs=1, **options)
        forest.fit(_single(x), output, sample_weight=weight)
        trees = [tree_from_sklearn(estimator.tree_) for estimator in forest.estimators_]
        return [Tree(t.feature, t.threshold, t.children, t.value / len(trees)) for t in trees]

    return join_trees([grow(output) for output in y.T], np.zeros(y.shape[1]), x.shape[1])


def library_options(settings: TreeSettings) -> dict[str, Any]:
    """The settings that are passed to a library under its own names."""
    return {name: value for name, value in settings.to_dict().items() if name not in COMMON}


def _boost_outputs(
    boost: Callable[[Array], list[Tree]], x: Array, y: Array, weight: Array
) -> TreeEnsemble:
    """Fit the trees of each output to its difference from the weighted mean."""
    base = (y * weight[:, None]).sum(axis=0) / weight.sum()
    return join_trees([boost(residual) for residual in (y - base).T], base, x.shape[1])


def _tree_from_xgboost(tree: Mapping[str, Any]) -> Tree:
    left, right = (np.array(tree[f"{side}_children"]) for side in ("left", "right"))
    condition = np.array(tree["split_conditions"], dtype=np.float32).astype(float)
    leaf = left < 0
    return Tree(
        np.where(leaf, 0, np.array(tree["split_indices"])),
        np.where(leaf, np.inf, condition),
        np.stack([left, right], axis=1),
        np.where(leaf, condition, 0.0)[:, None],
    )


def _tree_from_lightgbm(root: Mapping[str, Any]) -> Tree:
    """Flatten LightGBM's nested nodes into arrays, with parents before their children."""
    feature: list[int] = []
    threshold: list[float] = []
    children: list[list[int]] = []
    value: list[float] = []
    waiting: list[tuple[Mapping[str, Any], int, int]] = [(root, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        index = len(feature)
        if parent >= 0:
            children[parent][side] = index
        children.append([-1, -1])
        if "leaf_value" in node:
            feature.append(0)
            threshold.append(np.inf)
            value.append(node["leaf_value"])
            continue
        assert node["decision_type"] == "<="
        feature.append(node["split_feature"])
        threshold.append(np.nextafter(node["threshold"], np.inf))
        value.append(0.0)
        waiting += [(node["left_child"], index, 0), (node["right_child"], index, 1)]
    return Tree(
        np.array(feature), np.array(threshold), np.array(children), np.array(value)[:, None]
    )


def tree_from_sklearn(tree: Any) -> Tree:
    """Convert a `tree_` of scikit-learn."""
    leaf = tree.children_left < 0
    values = tree.value[:, :, 0] * leaf[:, None]
    return Tree(
        np.where(leaf, 0, tree.feature),
        np.where(leaf, np.inf, np.nextafter(tree.threshold, np.inf)),
        np.stack([tree.children_left, tree.children_right], axis=1),
        values,
    )


def join_trees(outputs: Sequence[Sequence[Tree]], base: Array, inputs: int) -> TreeEnsemble:
    """Concatenate the nodes of all trees of all outputs."""
    trees = [tree for output_trees in outputs for tree in output_trees]
    slot = [k for k, output_trees in enumerate(outputs) for _ in output_trees]
    sizes = np.array([len(tree.feature) for tree in trees])
    root = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    children = []
    for first, tree in zip(root, trees, strict=True):
        itself = np.arange(len(tree.feature))[:, None]
        children.append(first + np.where(tree.children < 0, itself, tree.children))
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
