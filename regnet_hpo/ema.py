"""Exponential moving average of the weights of a network, with the schedule of pycls."""

from __future__ import annotations

import copy

import torch
from torch import nn

from regnet_hpo.settings import EmaSettings


class Ema:
    """A copy of a network whose weights are the moving average of the network's weights.

    Every `update_period` steps the average moves towards the weights by the fraction
    alpha * batch_size / max_epoch * update_period, at most 1. During the warm-up it equals the
    weights.
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
        """Update the average after step `step` of epoch `epoch`, both counted from 0."""
        if step % self._period:
            return
        rate = 1.0 if epoch < self._warmup_epochs else self._rate
        current = network.state_dict()
        for name, average in self.network.state_dict().items():
            if average.is_floating_point():
                average.lerp_(current[name], rate)
            else:
                average.copy_(current[name])
