"""The moving average of the weights, on its schedule."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from regnet_hpo.ema import Ema
from regnet_hpo.settings import EmaSettings


def network(value: float) -> nn.Module:
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    with torch.no_grad():
        for number in net.state_dict().values():
            number.fill_(value)
    return net


def moved(ema: Ema, epoch: int, step: int) -> float:
    """Where the average stands after it followed a network of ones."""
    ema.update(network(1.0), epoch, step)
    return ema.network[0].weight.item()


def ema_of(alpha: float = 2.5e-4, period: int = 32, batch: int = 1024, epochs: int = 50) -> Ema:
    settings = EmaSettings(alpha=alpha, update_period=period)
    return Ema(network(0.0), settings, batch_size=batch, max_epoch=epochs, warmup_epochs=5)


def test_the_weights_are_copied_during_the_warm_up() -> None:
    assert moved(ema_of(), epoch=4, step=0) == 1.0


@pytest.mark.parametrize("epochs", [50, 100, 200])
def test_after_the_warm_up_it_moves_by_the_scaled_alpha(epochs: int) -> None:
    rate = 2.5e-4 * 1024 / epochs * 32
    assert moved(ema_of(epochs=epochs), epoch=5, step=0) == pytest.approx(rate, rel=1e-6)


def test_the_rate_is_capped_at_one() -> None:
    assert moved(ema_of(alpha=1.0), epoch=5, step=0) == 1.0


def test_it_moves_only_once_a_period() -> None:
    ema = ema_of(period=4)
    where = [moved(ema, epoch=9, step=step) for step in range(9)]
    assert [b != a for a, b in pairwise(where)] == [step % 4 == 0 for step in range(1, 9)]


def test_buffers_follow_too_and_counts_are_copied() -> None:
    ema = ema_of()
    ema.update(network(1.0), 5, 0)
    state = ema.network.state_dict()
    assert 0 < state["1.running_mean"].item() < 1
    assert state["1.num_batches_tracked"].item() == 1


def test_it_is_a_copy_without_gradients() -> None:
    net = network(0.0)
    ema = Ema(net, EmaSettings(), batch_size=2, max_epoch=2, warmup_epochs=0)
    with torch.no_grad():
        net[0].weight.fill_(7.0)
    assert ema.network[0].weight.item() == 0.0
    assert not any(p.requires_grad for p in ema.network.parameters())
