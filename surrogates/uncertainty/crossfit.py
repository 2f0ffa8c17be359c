"""Cross-fitting: predictions for every run by a model that was not fitted to its configuration.

The runs are split into folds. The final model is fitted to all runs, and for each fold another
model is fitted to all other folds. The errors of these models on their left-out folds are as large
as those of the final model on new runs, or slightly larger (Vovk, "Cross-conformal predictors",
2015).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eahas.models.ensemble import Ensemble
from eahas.models.uncertainty.seed_noise import SeedNoise
from surrogates.data.dataset import Runs
from surrogates.data.folds import folds

Array = np.ndarray
FOLDS = 5
Fit = Callable[[Runs], Ensemble]


@dataclass(frozen=True)
class CrossFit:
    """A model of all runs, and one model for each fold.

    Attributes:
        whole: the model that was fitted to all runs.
        runs: the n runs.
        folds: for each fold the row numbers of its runs, and the model of the other folds.
    """

    whole: Ensemble
    runs: Runs
    folds: tuple[tuple[Array, Ensemble], ...]

    def out_of_fold(self, predict: Callable[[Ensemble, Runs], Array]) -> Array:
        """Predictions for all runs, (n, ..., E) in their order; each by the model of other folds.

        `predict(model, runs)` returns (m, ..., E). If E differs between folds, the shorter ones are
        padded with NaN.
        """
        predictions = [
            (rows, predict(model, self.runs.where_rows(rows))) for rows, model in self.folds
        ]
        middle = predictions[0][1].shape[1:-1]
        longest = max(values.shape[-1] for _, values in predictions)
        joined = np.full((len(self.runs), *middle, longest), np.nan)
        for rows, values in predictions:
            joined[rows, ..., : values.shape[-1]] = values
        return joined

    def with_seed_noise(self, whole: SeedNoise, folds: Sequence[SeedNoise]) -> CrossFit:
        """A copy with these noise models, one for the final model and one for each fold's model."""
        noisy = tuple(
            (rows, replace(model, seed_noise=noise))
            for (rows, model), noise in zip(self.folds, folds, strict=True)
        )
        return CrossFit(replace(self.whole, seed_noise=whole), self.runs, noisy)


def cross_fit(fit: Fit, runs: Runs, seed: int = 0, count: int = FOLDS) -> CrossFit:
    """Fit a model to all runs, and for each of `count` folds one to all other folds.

    With more folds, the models of the folds are more similar to the final one.

    Raises:
        FitError: there are fewer configurations than folds, or `fit` raises it.
    """
    fold = folds(runs, count, seed)
    whole = fit(runs)
    rows = [np.flatnonzero(fold == k) for k in range(count)]
    models = tuple((held_out, fit(runs.where(fold != k))) for k, held_out in enumerate(rows))
    return CrossFit(whole, runs, models)
