"""Transform scalars to the scale on which they are fitted: logarithms, and totals per epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eahas.errors import FitError
from eahas.models.heads import ScalarHead
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs


def log_scale_scalars(runs: Runs, head: ScalarHead) -> np.ndarray:
    """The scalars (n, T) on the scale of the head's locations; NaN if unknown.

    A target on a log scale becomes its logarithm. From a total, the logarithm of the number of
    epochs is subtracted.

    Raises:
        FitError: a target on a log scale has a value that is not positive, or no run has a value of
            a target.
    """
    logs = np.array([on_log_scale(t) for t in head.scalars])
    for target, values in zip(head.scalars, runs.scalars.T, strict=True):
        if not np.isfinite(values).any():
            raise FitError(f"no training run has a value of {target.name}")
    check_positive(runs, head.scalars)
    transformed = np.where(logs, np.log(np.where(logs, runs.scalars, 1.0)), runs.scalars)
    transformed -= np.log(runs.epochs)[:, None] * head.per_epoch
    return transformed


def check_positive(runs: Runs, scalars: Sequence[Target]) -> None:
    """Raise FitError if one of these scalars is on a log scale and has a non-positive value."""
    for target in scalars:
        values = runs.values_of(target)
        wrong = values[values <= 0]
        if on_log_scale(target) and len(wrong):
            raise FitError(
                f"{target.name} has low: 0 and no high, and so is on a log scale, but "
                f"{len(wrong)} of {len(values)} runs have a value that is not positive, such as "
                f"{wrong[0]:g}; remove its low, or give it a high"
            )
