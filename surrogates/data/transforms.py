"""Scalars as they are learned: logarithms of one epoch's share, where that is their kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eahas.errors import FitError
from eahas.models.heads import ScalarHead
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs


def linked_scalars(runs: Runs, head: ScalarHead) -> np.ndarray:
    """(n, T), what the head's locations are at these runs without their epochs; NaN where unknown.

    Raises FitError for a target that is not positive though its kind is, or that no run has.
    """
    logs = np.array([on_log_scale(t) for t in head.scalars])
    for target, values in zip(head.scalars, runs.scalars.T, strict=True):
        if not np.isfinite(values).any():
            raise FitError(f"no training run has a value of {target.name}")
    check_positive(runs, head.scalars)
    linked = np.where(logs, np.log(np.where(logs, runs.scalars, 1.0)), runs.scalars)
    linked -= np.log(runs.epochs)[:, None] * head.per_epoch
    return linked


def check_positive(runs: Runs, scalars: Sequence[Target]) -> None:
    """FitError for a value of one of these scalars that has no logarithm and needs one."""
    for target in scalars:
        values = runs.values_of(target)
        wrong = values[values <= 0]
        if on_log_scale(target) and len(wrong):
            raise FitError(
                f"{target.name} has low: 0 and no high, and so is on a log scale, but "
                f"{len(wrong)} of {len(values)} runs hold what is not positive, as {wrong[0]:g}; "
                "leave its low out, or give it a high"
            )
