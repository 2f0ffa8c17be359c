"""Data augmentation: the random choices of an epoch are sampled first, then applied per batch.

All random choices of an epoch (order, flips, crops, cutouts) are sampled on the CPU as one integer
table, which is copied to the device once. A seed therefore gives the same batches on every device,
and a step needs nothing from the host.
"""

from __future__ import annotations

import torch
from torch import Tensor

POSITION, FLIP, TOP, LEFT, ROW, COLUMN = range(6)
"""Columns of a sample table: the position of the image, whether it is flipped, the top left corner
of its crop in the padded image, and the centre of its cutout."""


def sample_epoch(
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
    """Sample the random choices of an epoch over shuffled images.

    Args:
        images: the number of images.
        side: their side length in pixels.
        batch_size: the number of images per batch.
        batches: the number of batches.
        generator: advanced only for choices that are not fixed by the other arguments.
        flip: the probability of flipping an image horizontally.
        crop_padding: a crop lies anywhere in the image padded by so many pixels on each side.
        cutout: the side length of the cutout; 0: none.

    Returns:
        a table (batches, batch_size, 6), int64, with the columns POSITION, FLIP, TOP, LEFT, ROW and
        COLUMN.
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
    images: Tensor, values: Tensor, samples: Tensor, *, crop_padding: int, cutout: int
) -> Tensor:
    """One batch of images: selected, flipped, cropped, normalised and cut out.

    Args:
        images: all images (n, side, side, channels), uint8.
        values: the normalised value of each byte of a channel, (channels, 256).
        samples: one batch of a sample table, (batch, 6).
        crop_padding: the padding with which the table was sampled.
        cutout: the side length of the square that is set to zero (DeVries and Taylor, 2017). Its
            centre is a pixel of the image, so the square may extend over the border.

    Returns:
        (batch, channels, side, side) in the type of `values`, in the memory format channels_last.
        Padding and cutout are zero after normalisation, which is the mean colour.
    """
    side, channels = images.shape[1], images.shape[3]
    pixel = torch.arange(side, device=images.device)
    row = pixel + samples[:, TOP, None] - crop_padding
    column = pixel + samples[:, LEFT, None] - crop_padding
    inside = _within(row, side)[:, :, None] & _within(column, side)[:, None, :]
    if cutout:
        cut_row, cut_column = (
            _within(pixel - (samples[:, centre, None] - cutout // 2), cutout)
            for centre in (ROW, COLUMN)
        )
        inside = inside & ~(cut_row[:, :, None] & cut_column[:, None, :])
    column = torch.where(samples[:, FLIP, None] != 0, side - 1 - column, column)
    pixels = images[
        samples[:, POSITION, None, None],
        row.clamp(0, side - 1)[:, :, None],
        column.clamp(0, side - 1)[:, None, :],
    ]
    offset = 256 * torch.arange(channels, device=images.device)
    normal = values.flatten()[pixels + offset].masked_fill(~inside[:, :, :, None], 0.0)
    return normal.permute(0, 3, 1, 2)


def normalised(images: Tensor, values: Tensor) -> Tensor:
    """Images (n, side, side, channels), uint8, as they are evaluated; the result as `augmented`."""
    offset = 256 * torch.arange(images.shape[3], device=images.device)
    return values.flatten()[images + offset].permute(0, 3, 1, 2)


def _within(position: Tensor, size: int) -> Tensor:
    return (position >= 0) & (position < size)
