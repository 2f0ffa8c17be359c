"""Precise batch-norm statistics, and accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from regnet_hpo.cuda_graph import CudaGraph


class PreciseNorm:
    """Batch-norm statistics of a network: the mean over batches of the statistics of each batch.

    Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021; pycls computes the same before each
    evaluation. The forward passes are in fp32.

    Args:
        network: its running statistics are replaced.
        next_batch: returns the inputs of the next batch.
    """

    def __init__(self, network: nn.Module, next_batch: Callable[[], Tensor]) -> None:
        self._network, self._next_batch = network, next_batch
        self._norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        self._running = [
            buffer
            for norm in self._norms
            for buffer in (norm.running_mean, norm.running_var)
            if buffer is not None
        ]
        self._sums = [torch.zeros_like(buffer) for buffer in self._running]
        self._forward = CudaGraph(self._one_batch)

    def __call__(self, batches: int) -> None:
        """Compute the statistics over `batches` batches. Leaves the network in training mode."""
        for tensor in (*self._sums, *self._running):
            tensor.zero_()
        with self._batch_statistics():
            for _ in range(batches):
                self._forward()
        for buffer, total in zip(self._running, self._sums, strict=True):
            torch.div(total, batches, out=buffer)

    def warm_up(self, state: Callable[[], Mapping[str, Tensor]]) -> None:
        """As `CudaGraph.warm_up`."""
        with self._batch_statistics():
            self._forward.warm_up(lambda: {**state(), **self._totals()})

    def capture(self, state: Callable[[], Mapping[str, Tensor]], device: torch.device) -> None:
        """As `CudaGraph.capture`."""
        with self._batch_statistics():
            self._forward.capture(lambda: {**state(), **self._totals()}, device)

    def release(self) -> None:
        """As `CudaGraph.release`."""
        self._forward.release()

    def _totals(self) -> dict[str, Tensor]:
        return {f"sum {index}": total for index, total in enumerate(self._sums)}

    @torch.no_grad()
    def _one_batch(self) -> None:
        with full_precision():
            self._network(self._next_batch())
        for total, buffer in zip(self._sums, self._running, strict=True):
            total.add_(buffer)

    @contextmanager
    def _batch_statistics(self) -> Iterator[None]:
        """Set the momentum to 1: the running statistics are then those of the last batch."""
        self._network.train()
        momenta = [norm.momentum for norm in self._norms]
        for norm in self._norms:
            norm.momentum = 1.0
        try:
            yield
        finally:
            for norm, momentum in zip(self._norms, momenta, strict=True):
                norm.momentum = momentum


@torch.inference_mode()
def correct(network: nn.Module, images: Tensor, labels: Tensor, batch_size: int) -> Tensor:
    """Whether each image is classified correctly, bool (n,), in fp32. Sets evaluation mode."""
    network.eval()
    with full_precision():
        predicted = [network(batch).argmax(1) for batch in images.split(batch_size)]
    return torch.cat(predicted) == labels


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute convolutions on a GPU in fp32 instead of TF32, torch's default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def percent(is_correct: Tensor) -> float:
    """The fraction of true entries in percent."""
    return 100.0 * is_correct.sum().item() / len(is_correct)
