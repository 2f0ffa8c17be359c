"""What a model says about runs that it has not seen, for every run that it is fitted to.

The runs are cut into folds. The model is fitted once to all of them, and once to all folds but each
one: the errors of these on the fold that they lack are those of the whole model on new runs, or a
little larger (cross-fitting; Vovk, "Cross-conformal predictors", 2015).
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
class Crossed:
    """The model of all runs, and for each fold its rows of them and the model of the others."""

    whole: Ensemble
    runs: Runs
    parts: tuple[tuple[Array, Ensemble], ...]

    def gathered(self, tell: Callable[[Ensemble, Runs], Array]) -> Array:
        """What the models tell of the runs that they have not seen, (n, ...) in the runs' order.

        An answer is (m, ..., E), and E may differ from fold to fold: past the end stands NaN.
        """
        told = [(rows, tell(model, self.runs.where_rows(rows))) for rows, model in self.parts]
        between = told[0][1].shape[1:-1]
        longest = max(answer.shape[-1] for _, answer in told)
        whole = np.full((len(self.runs), *between, longest), np.nan)
        for rows, answer in told:
            whole[rows, ..., : answer.shape[-1]] = answer
        return whole

    def with_noise(self, whole: SeedNoise, parts: Sequence[SeedNoise]) -> Crossed:
        """The same with another noise of the model of all runs, and of each fold's."""
        others = tuple(
            (rows, replace(part, seed_noise=noise))
            for (rows, part), noise in zip(self.parts, parts, strict=True)
        )
        return Crossed(replace(self.whole, seed_noise=whole), self.runs, others)


def crossed(fit: Fit, runs: Runs, seed: int = 0, count: int = FOLDS) -> Crossed:
    """Fit a model to all runs and to all folds but each one. Raises FitError as `fit` does.

    The more folds there are, the more the models of all but one are like the whole one.
    """
    fold = folds(runs, count, seed)
    whole = fit(runs)
    rows = [np.flatnonzero(fold == k) for k in range(count)]
    parts = tuple((own, fit(runs.where(fold != k))) for k, own in enumerate(rows))
    return Crossed(whole, runs, parts)
