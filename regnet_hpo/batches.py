"""A pass over drawn batches that needs nothing from the host between them."""

from __future__ import annotations

import torch
from torch import Tensor

from regnet_hpo.augment import POSITION, augmented


class Pass:
    """Batches in the order of a table of draws, which lies on the device with a counter.

    Args:
        images: all training images (n, side, side, channels), uint8.
        labels: (n,), int64.
        values: what each byte of a channel is normalised to, (channels, 256).
        batches: the number of batches in a pass.
        batch_size: images in each.
        crop_padding: as it is drawn.
        cutout: as it is drawn.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor,
        values: Tensor,
        *,
        batches: int,
        batch_size: int,
        crop_padding: int,
        cutout: int,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self._images, self._labels, self._values = images, labels, values
        self._crop_padding, self._cutout = crop_padding, cutout
        self._format = memory_format
        self.batches = batches
        self._drawn = torch.zeros(batches, batch_size, 6, dtype=torch.int64, device=images.device)
        self.at = torch.zeros(1, dtype=torch.int64, device=images.device)

    def begin(self, drawn: Tensor) -> None:
        """Take the draws of a pass (see `draw_pass`) and stand before its first batch."""
        self._drawn.copy_(drawn, non_blocking=True)
        self.at.zero_()

    def batch(self) -> tuple[Tensor, Tensor]:
        """The next batch, augmented and in the memory format; and its labels."""
        drawn = self._drawn.index_select(0, self.at)[0]
        self.at += 1
        inputs = augmented(
            self._images,
            self._values,
            drawn,
            crop_padding=self._crop_padding,
            cutout=self._cutout,
        )
        labels = self._labels[drawn[:, POSITION]]
        return inputs.contiguous(memory_format=self._format), labels
