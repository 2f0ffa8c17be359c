"""Augmentation of a whole batch at once, on whatever device it lies: flip, crop, cutout."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def augment(
    images: Tensor, generator: torch.Generator, *, flip: float, crop_padding: int, cutout: int
) -> Tensor:
    """Each image flipped with probability `flip`, cropped from a padded frame, and cut out.

    Images are (batch, channels, height, width); the result is new wherever something was done.
    """
    if flip:
        images = _flip(images, generator, flip)
    if crop_padding:
        images = _crop(images, generator, crop_padding)
    if cutout:
        images = _cutout(images, generator, cutout)
    return images


def _flip(images: Tensor, generator: torch.Generator, probability: float) -> Tensor:
    flipped = _rand(images, generator) < probability
    return torch.where(flipped[:, None, None, None], images.flip(3), images)


def _crop(images: Tensor, generator: torch.Generator, padding: int) -> Tensor:
    n, _, height, width = images.shape
    padded = F.pad(images, (padding,) * 4)
    top, left = (_randint(n, 2 * padding + 1, generator, images.device) for _ in range(2))
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = left[:, None] + torch.arange(width, device=images.device)
    image = torch.arange(n, device=images.device)[:, None, None]
    cropped = padded.permute(0, 2, 3, 1)[image, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2)


def _cutout(images: Tensor, generator: torch.Generator, side: int) -> Tensor:
    """One square of `side` at a uniformly drawn centre is set to zero (DeVries and Taylor, 2017).

    The centre lies on a pixel, so the square may reach over the border.
    """
    n, _, height, width = images.shape
    row, column = (_randint(n, size, generator, images.device) for size in (height, width))
    near = [
        (torch.arange(size, device=images.device) - (centre[:, None] - side // 2))
        for size, centre in ((height, row), (width, column))
    ]
    inside = [(distance >= 0) & (distance < side) for distance in near]
    square = inside[0][:, :, None] & inside[1][:, None, :]
    return images.masked_fill(square[:, None], 0.0)


def _rand(images: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers, drawn where the generator lives."""
    return torch.rand(len(images), generator=generator, device=generator.device).to(images.device)


def _randint(n: int, high: int, generator: torch.Generator, device: torch.device) -> Tensor:
    return torch.randint(high, (n,), generator=generator, device=generator.device).to(device)
