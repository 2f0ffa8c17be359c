"""Folds of runs, for the members of an ensemble and for cross-fitting."""

from __future__ import annotations

import numpy as np

from eahas.errors import FitError
from surrogates.data.dataset import Runs


def folds(runs: Runs, count: int, seed: int) -> np.ndarray:
    """The fold of each run, (n,); all runs of one configuration are in the same fold.

    Raises:
        FitError: there are fewer configurations than folds.
    """
    names, inverse = np.unique(runs.config_id, return_inverse=True)
    if len(names) < count:
        raise FitError(
            f"{len(names)} training configurations for {count} folds; at least one a fold is "
            "needed: collect more, or choose fewer folds or members"
        )
    order = np.random.default_rng(seed).permutation(len(names)) % count
    return order[inverse]
