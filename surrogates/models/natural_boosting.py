"""Natural gradient boosting (Duan et al., "NGBoost", 2020): its trees of the mean, as arrays.

NGBoost fits a normal law, its mean and its deviation side by side; how far each step of the mean
goes depends on both. What is kept is the mean, which answers what the library answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.models.regressors import TreeEnsemble
from eahas.settings import number
from surrogates.models.optional import imported
from surrogates.models.trees import Tree, of_sklearn, together
from surrogates.settings import EnsembleSettings, fraction

Array = np.ndarray


@dataclass(frozen=True)
class NgbSettings(EnsembleSettings):
    """Settings of NGBoost, with its names; `max_depth` is that of its trees."""

    members: int = number(3, 2)
    n_estimators: int = number(200, 1)
    learning_rate: float = number(0.12)
    max_depth: int = number(4, 1)
    minibatch_frac: float = fraction(0.4)
    col_sample: float = fraction(0.5)


def grow_ngboost(
    x: Array, y: Array, weight: Array, settings: NgbSettings, seed: int
) -> TreeEnsemble:
    """y (n, K) from x (n, F) with weights (n,): for each output boosted trees of its own."""
    fitted = [fit_ngboost(x, column, weight, settings, seed) for column in y.T]
    base = np.array([model.init_params[0] for model in fitted])
    return together([_trees_of_mean(model) for model in fitted], base, x.shape[1])


def fit_ngboost(x: Array, y: Array, weight: Array, settings: NgbSettings, seed: int) -> Any:
    """The library's own model of one output (n,)."""
    ngboost = imported("ngboost", "ngboost", "ngboost")
    tree = imported("sklearn.tree", "scikit-learn", "train")
    model = ngboost.NGBRegressor(
        Base=tree.DecisionTreeRegressor(max_depth=settings.max_depth, random_state=seed),
        n_estimators=settings.n_estimators,
        learning_rate=settings.learning_rate,
        minibatch_frac=settings.minibatch_frac,
        col_sample=settings.col_sample,
        random_state=seed,
        verbose=False,
    )
    return model.fit(x.astype(np.float32), y, sample_weight=weight)


def _trees_of_mean(model: Any) -> list[Tree]:
    """Each step's tree, of the features that it was shown, as far as the step went."""
    trees = []
    for parts, scale, columns in zip(
        model.base_models, model.scalings, model.col_idxs, strict=True
    ):
        tree = of_sklearn(parts[0].tree_)
        step = -model.learning_rate * scale
        trees.append(Tree(columns[tree.feature], tree.threshold, tree.below, step * tree.value))
    return trees
