"""The exponential moving average of a network's weights, on pycls' schedule."""

from __future__ import annotations

import copy

import torch
from torch import nn

from regnet_hpo.settings import EmaSettings


class Ema:
    """A copy of the network that follows its weights.

    Every `update_period` steps the copy moves by alpha * batch_size / max_epoch * update_period,
    capped at 1; during the warm-up it equals the weights.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: EmaSettings,
        *,
        batch_size: int,
        max_epoch: int,
        warmup_epochs: int,
    ) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._period = settings.update_period
        self._rate = min(1.0, settings.alpha * batch_size / max_epoch * settings.update_period)
        self._warmup_epochs = warmup_epochs

    @torch.no_grad()
    def update(self, network: nn.Module, epoch: int, step: int) -> None:
        """Follow the network after step `step` of epoch `epoch`, both counted from 0."""
        if step % self._period:
            return
        rate = 1.0 if epoch < self._warmup_epochs else self._rate
        theirs = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], rate)
            else:
                mine.copy_(theirs[name])
