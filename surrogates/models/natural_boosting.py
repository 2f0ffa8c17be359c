"""Natural gradient boosting (Duan et al., "NGBoost", 2020), with its trees exported to arrays.

NGBoost fits the mean and the standard deviation of a normal distribution together; the size of each
step of the mean depends on both. Only the trees of the mean are exported; they give the same
predictions as the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.models.regressors import TreeEnsemble
from eahas.settings import number
from surrogates.models.optional import import_optional
from surrogates.models.trees import Tree, join_trees, tree_from_sklearn
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
    """Fit y (n, K) from x (n, F) with weights (n,); each output has its own boosted trees."""
    fitted = [fit_ngboost(x, column, weight, settings, seed) for column in y.T]
    base = np.array([model.init_params[0] for model in fitted])
    return join_trees([_mean_trees(model) for model in fitted], base, x.shape[1])


def fit_ngboost(x: Array, y: Array, weight: Array, settings: NgbSettings, seed: int) -> Any:
    """Fit the library's model of one output (n,)."""
    ngboost = import_optional("ngboost", "ngboost", "ngboost")
    tree = import_optional("sklearn.tree", "scikit-learn", "train")
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


def _mean_trees(model: Any) -> list[Tree]:
    """The tree of each boosting step, with the indices of all features and scaled leaf values."""
    trees = []
    for parts, scale, columns in zip(
        model.base_models, model.scalings, model.col_idxs, strict=True
    ):
        tree = tree_from_sklearn(parts[0].tree_)
        step = -model.learning_rate * scale
        trees.append(Tree(columns[tree.feature], tree.threshold, tree.children, step * tree.value))
    return trees
