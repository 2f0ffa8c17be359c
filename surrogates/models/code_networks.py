"""Networks fitted to codes: the loss is taken on the codes, not on what is drawn from them.

Quicker than `surrogates.models.network_training.fit_curves`, and blind to which part of a code
matters: each is learned in units of its own deviation. Missing codes are left out of the loss.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from eahas.models.regressors import MlpEnsemble
from surrogates.data.dataset import Runs
from surrogates.models.network_training import Data, NetSettings, Progress, optimised, sound
from surrogates.models.networks import MemberMlp

Array = np.ndarray


def fit_code_networks(
    runs: Runs, codes: Array, settings: NetSettings, progress: Progress | None = None
) -> MlpEnsemble:
    """Networks from the features of runs to their codes (n, K); each member leaves a fold out.

    What never varies among the runs is not seen. Raises FitError where the fit diverges.
    """
    mean, std = np.nanmean(codes, axis=0), np.maximum(np.nanstd(codes, axis=0), 1e-6)
    wanted = torch.from_numpy((codes - mean) / std).float()
    known = torch.isfinite(wanted)
    rng = np.random.default_rng(settings.seed)

    def batch_loss(network: MemberMlp, data: Data, generator: torch.Generator) -> Tensor:
        rows = rng.choice(len(runs), min(settings.batch_size, len(runs)), replace=False)
        error = network(data.x[:, rows], generator) - wanted[rows].nan_to_num()
        squares = torch.where(known[rows], error, 0.0) ** 2
        weight = data.weight[:, rows]
        return (squares.mean(-1) * weight).sum() / weight.sum()

    start, blind = np.zeros(codes.shape[1]), runs.x.std(axis=0) <= 1e-6
    network, data = optimised(runs, len(start), start, batch_loss, settings, progress, blind=blind)
    return sound(network.to_numpy(data.mean, data.std, std, mean))
