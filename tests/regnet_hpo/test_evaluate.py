"""Precise batch-norm statistics, and accuracy."""

from __future__ import annotations

import torch
from torch import nn

from regnet_hpo.evaluate import PreciseNorm, correct, percent
from regnet_hpo.network import ConvNorm


def batches(count: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(8, 2, 4, 4, generator=generator) * (k + 1) + k for k in range(count)]


def precise_batch_norm(network: nn.Module, given: list[torch.Tensor]) -> None:
    following = iter(given)
    PreciseNorm(network, lambda: next(following))(len(given))


def test_the_statistics_are_the_means_of_the_batches_own() -> None:
    norm = nn.BatchNorm2d(2)
    given = batches()
    precise_batch_norm(norm, given)
    flat = [b.transpose(0, 1).flatten(1) for b in given]
    mean = torch.stack([f.mean(1) for f in flat]).mean(0)
    var = torch.stack([f.var(1) for f in flat]).mean(0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, var)


def test_what_was_there_before_leaves_no_trace() -> None:
    fresh, used = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    used(torch.full((4, 2, 3, 3), 100.0))
    for norm in (fresh, used):
        precise_batch_norm(norm, batches())
    assert torch.equal(fresh.running_mean, used.running_mean)
    assert torch.equal(fresh.running_var, used.running_var)


def test_it_leaves_momentum_weights_and_training_mode() -> None:
    network = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2, momentum=0.3)).eval()
    before = [p.clone() for p in network.parameters()]
    precise_batch_norm(network, batches())
    assert network[1].momentum == 0.3
    assert network.training
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert all(p.grad is None for p in network.parameters())


def test_a_folded_norm_is_the_norm_of_the_convolution() -> None:
    block = ConvNorm(2, 6, 3, stride=2, groups=2)
    with torch.no_grad():
        block.norm.weight.uniform_(0.5, 2.0)
        block.norm.bias.uniform_(-1.0, 1.0)
    precise_batch_norm(block, batches())
    block.eval()
    x = batches(1)[0]
    torch.testing.assert_close(block(x), block.norm(block.conv(x)), rtol=1e-4, atol=1e-5)


class Sign(nn.Module):
    """Says class 1 where the only pixel is positive; records its mode and the batch sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert x.dtype == torch.float32
        self.sizes.append(len(x))
        return torch.stack([-x[:, 0, 0, 0], x[:, 0, 0, 0]], 1)


def test_accuracy_counts_every_image_in_evaluation_mode() -> None:
    network = Sign().train()
    images = torch.tensor([1.0, -1.0, 2.0, -2.0, 3.0]).reshape(5, 1, 1, 1)
    right = correct(network, images, torch.tensor([1, 0, 1, 1, 0]), 2)
    assert right.tolist() == [True, True, True, False, False]
    assert network.sizes == [2, 2, 1]
    assert percent(right) == 60.0
