"""A pass over the training images: all its randomness drawn first, then applied batch by batch.

What is random about a pass (order, flips, crops, cutouts) is drawn on the CPU, as one table of
whole numbers that goes to the device once. So a seed means the same batches on every device, and
a step needs nothing from the host.
"""

from __future__ import annotations

import torch
from torch import Tensor

POSITION, FLIP, TOP, LEFT, ROW, COLUMN = range(6)
"""Columns of a table of draws: which image, whether it is mirrored, where the window of its crop
begins in the padded frame, and the centre of its cutout."""


def draw_pass(
    images: int,
    side: int,
    batch_size: int,
    batches: int,
    generator: torch.Generator,
    *,
    flip: float,
    crop_padding: int,
    cutout: int,
) -> Tensor:
    """A table of draws (batches, batch_size, 6), int64, for a pass over shuffled images.

    Each image is mirrored with probability `flip`, and its window lies anywhere in a frame that is
    `crop_padding` wider on all sides. Nothing is drawn for what is not asked for.
    """
    order = torch.randperm(images, generator=generator)[: batches * batch_size]
    table = torch.zeros(batches, batch_size, 6, dtype=torch.int64)
    table[:, :, POSITION] = order.reshape(batches, batch_size)
    table[:, :, TOP] = table[:, :, LEFT] = crop_padding
    for batch in table:
        if flip:
            batch[:, FLIP] = torch.rand(batch_size, generator=generator) < flip
        if crop_padding:
            for column in (TOP, LEFT):
                batch[:, column] = torch.randint(
                    2 * crop_padding + 1, (batch_size,), generator=generator
                )
        if cutout:
            for column in (ROW, COLUMN):
                batch[:, column] = torch.randint(side, (batch_size,), generator=generator)
    return table


def augmented(
    images: Tensor, values: Tensor, drawn: Tensor, *, crop_padding: int, cutout: int
) -> Tensor:
    """One batch: picked, mirrored, cropped from a zero-padded frame, normalised and cut out.

    Args:
        images: all images (n, side, side, channels), uint8.
        values: what each byte of a channel is normalised to, (channels, 256).
        drawn: a batch of a table of draws, (batch, 6).
        crop_padding: as it was drawn.
        cutout: side of the square that is set to zero around the centre that was drawn (DeVries
            and Taylor, 2017). The centre lies on a pixel, so the square may reach over the border.

    Returns:
        (batch, channels, side, side) in the type of `values`, in the memory format channels_last.
        Padding and cutout are zero after normalisation: the mean colour.
    """
    side, channels = images.shape[1], images.shape[3]
    at = torch.arange(side, device=images.device)
    row = at + drawn[:, TOP, None] - crop_padding
    column = at + drawn[:, LEFT, None] - crop_padding
    inside = _within(row, side)[:, :, None] & _within(column, side)[:, None, :]
    if cutout:
        cut_row, cut_column = (
            _within(at - (drawn[:, centre, None] - cutout // 2), cutout) for centre in (ROW, COLUMN)
        )
        inside = inside & ~(cut_row[:, :, None] & cut_column[:, None, :])
    column = torch.where(drawn[:, FLIP, None] != 0, side - 1 - column, column)
    pixels = images[
        drawn[:, POSITION, None, None],
        row.clamp(0, side - 1)[:, :, None],
        column.clamp(0, side - 1)[:, None, :],
    ]
    offset = 256 * torch.arange(channels, device=images.device)
    found = values.flatten()[pixels + offset].masked_fill(~inside[:, :, :, None], 0.0)
    return found.permute(0, 3, 1, 2)


def normalised(images: Tensor, values: Tensor) -> Tensor:
    """Images (n, side, side, channels), uint8, as they are evaluated; laid out as `augmented`."""
    offset = 256 * torch.arange(images.shape[3], device=images.device)
    return values.flatten()[images + offset].permute(0, 3, 1, 2)


def _within(position: Tensor, size: int) -> Tensor:
    return (position >= 0) & (position < size)
