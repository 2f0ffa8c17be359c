"""Networks fitted to codes: the loss is the error of the codes, not of the decoded curves.

This is faster than `surrogates.models.network_training.fit_curves`, but it treats all numbers of a
code as equally important: each is standardised by its own standard deviation. The loss skips
missing codes.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eahas.models.regressors import MlpEnsemble
from surrogates.data.dataset import Runs
from surrogates.models.network_training import (
    Data,
    NetSettings,
    Progress,
    check_converged,
    train_networks,
)
from surrogates.models.networks import MemberMlp

Array = np.ndarray


def fit_code_networks(
    runs: Runs, codes: Array, settings: NetSettings, progress: Progress | None = None
) -> MlpEnsemble:
    """Fit networks that predict the codes (n, K) of runs from their features.

    Each member leaves one fold out. Features that are constant among the runs are ignored.

    Raises:
        FitError: the fit diverged.
    """
    mean, std = np.nanmean(codes, axis=0), np.maximum(np.nanstd(codes, axis=0), 1e-6)
    targets = torch.from_numpy((codes - mean) / std).float()
    known = torch.isfinite(targets)
    rng = np.random.default_rng(settings.seed)

    def batch_loss(network: MemberMlp, data: Data, generator: torch.Generator) -> Tensor:
        rows = rng.choice(len(runs), min(settings.batch_size, len(runs)), replace=False)
        error = network(data.x[:, rows], generator) - targets[rows].nan_to_num()
        squares = torch.where(known[rows], error, 0.0) ** 2
        weight = data.weight[:, rows]
        return (squares.mean(-1) * weight).sum() / weight.sum()

    bias, constant = np.zeros(codes.shape[1]), runs.x.std(axis=0) <= 1e-6
    network, data = train_networks(
        runs, len(bias), bias, batch_loss, settings, progress, ignored=constant
    )
    return check_converged(network.to_numpy(data.mean, data.std, std, mean))
