"""Precise batch-norm statistics and accuracy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@torch.no_grad()
def precise_batch_norm(network: nn.Module, batches: list[Tensor]) -> None:
    """Replace the running statistics by the mean over `batches` of each batch's own.

    Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021; pycls computes the same before each
    evaluation. Leaves the network in training mode.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's cumulative average: every batch weighs the same
    network.train()
    with full_precision():
        for batch in batches:
            network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.inference_mode()
def correct(network: nn.Module, images: Tensor, labels: Tensor, batch_size: int) -> Tensor:
    """Whether each image is classified correctly: bool (n,). Sets evaluation mode; fp32."""
    network.eval()
    with full_precision():
        parts = [network(part).argmax(1) for part in images.split(batch_size)]
    return torch.cat(parts) == labels


@contextmanager
def full_precision() -> Iterator[None]:
    """Convolutions on a GPU in fp32, where torch's default is the shorter TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def percent(right: Tensor) -> float:
    """The share of true entries in percent."""
    return 100.0 * right.sum().item() / len(right)
