"""The batches of one epoch, made on the device without the host."""

from __future__ import annotations

import torch
from torch import Tensor

from regnet_hpo.augment import POSITION, augmented


class EpochBatches:
    """The batches of an epoch in the order of a sample table, which lies on the device.

    A counter on the device says which batch is next, so that a captured step moves on by itself.

    Args:
        images: all training images (n, side, side, channels), uint8.
        labels: (n,), int64.
        values: the normalised value of each byte of a channel, (channels, 256).
        count: the number of batches in an epoch.
        batch_size: the number of images per batch.
        crop_padding: as for `sample_epoch`.
        cutout: as for `augmented`.
        memory_format: of the batches.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        values: Tensor,
        *,
        count: int,
        batch_size: int,
        crop_padding: int,
        cutout: int,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self._images, self._labels, self._values = images, labels, values
        self._crop_padding, self._cutout = crop_padding, cutout
        self._format = memory_format
        self.count = count
        self._samples = torch.zeros(count, batch_size, 6, dtype=torch.int64, device=images.device)
        self.index = torch.zeros(1, dtype=torch.int64, device=images.device)

    def start(self, samples: Tensor) -> None:
        """Start an epoch with a sample table (see `sample_epoch`)."""
        self._samples.copy_(samples, non_blocking=True)
        self.index.zero_()

    def next(self) -> tuple[Tensor, Tensor]:
        """The next batch: augmented images in the memory format, and their labels."""
        samples = self._samples.index_select(0, self.index)[0]
        self.index += 1
        inputs = augmented(
            self._images,
            self._values,
            samples,
            crop_padding=self._crop_padding,
            cutout=self._cutout,
        )
        labels = self._labels[samples[:, POSITION]]
        return inputs.contiguous(memory_format=self._format), labels
