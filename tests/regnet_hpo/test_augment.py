"""Flip, crop and cutout of whole batches."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from regnet_hpo.augment import POSITION, normalised, sample_epoch
from regnet_hpo.augment import augmented as applied


def numbered(n: int, size: int = 6, channels: int = 2) -> Tensor:
    """Images (n, size, size, channels) whose pixels differ within an image; none of them is 0."""
    pixels = torch.arange(1, channels * size * size + 1, dtype=torch.uint8)
    return pixels.reshape(1, size, size, channels).expand(n, -1, -1, -1)


def values(channels: int) -> Tensor:
    """Each byte stands for itself."""
    return torch.arange(256.0).expand(channels, -1)


def seen(images: Tensor) -> Tensor:
    """As the network sees them: (n, channels, size, size)."""
    return images.permute(0, 3, 1, 2).float()


def drawn(images: Tensor, seed: int = 0, **given: float) -> tuple[Tensor, dict[str, Any]]:
    """Draws of one batch of all images, and what they were drawn with."""
    settings: dict[str, Any] = {"flip": 0.0, "crop_padding": 0, "cutout": 0} | given
    generator = torch.Generator().manual_seed(seed)
    n, side = images.shape[:2]
    return sample_epoch(n, side, n, 1, generator, **settings)[0], settings


def augmented(images: Tensor, seed: int = 0, **given: float) -> Tensor:
    """All images in one batch, in their own order."""
    table, settings = drawn(images, seed, **given)
    table = table[table[:, POSITION].argsort()]
    del settings["flip"]
    return applied(images, values(images.shape[3]), table, **settings)


def test_nothing_asked_for_is_nothing_done() -> None:
    images = numbered(5)
    assert torch.equal(augmented(images), seen(images))


def test_a_certain_flip_mirrors_left_and_right() -> None:
    images = numbered(5)
    assert torch.equal(augmented(images, flip=1.0), seen(images).flip(3))


def test_a_flip_of_a_half_mirrors_each_image_or_leaves_it() -> None:
    images = numbered(200)
    found = augmented(images, flip=0.5)
    same = (found == seen(images)).flatten(1).all(1)
    mirrored = (found == seen(images).flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_a_crop_is_a_window_of_the_padded_frame_and_every_window_occurs() -> None:
    images = numbered(300, size=4)
    found = augmented(images, crop_padding=1)
    padded = torch.nn.functional.pad(seen(images), (1, 1, 1, 1))
    windows_seen = set()
    for image, frame in zip(found, padded, strict=True):
        windows = [
            (top, left)
            for top in range(3)
            for left in range(3)
            if torch.equal(image, frame[:, top : top + 4, left : left + 4])
        ]
        assert len(windows) == 1
        windows_seen.add(windows[0])
    assert len(windows_seen) == 9


@given(side=st.integers(1, 9), size=st.integers(1, 7), seed=st.integers(0, 2**32))
def test_cutout_zeroes_one_square_around_a_pixel(side: int, size: int, seed: int) -> None:
    images = numbered(4, size=size)
    found = augmented(images, seed, cutout=side)
    for image, cut in zip(seen(images), found, strict=True):
        hole = (cut == 0).all(0)
        assert torch.equal(hole, (cut == 0).any(0))
        assert torch.equal(cut[:, ~hole], image[:, ~hole])
        expected = [
            square(size, side, row, column) for row in range(size) for column in range(size)
        ]
        assert any(torch.equal(hole, mask) for mask in expected)


def square(size: int, side: int, row: int, column: int) -> Tensor:
    """The pixels of a square that begins side // 2 before its centre, cut off at the border."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    top, left = row - side // 2, column - side // 2
    mask[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = True
    return mask


def test_the_centre_of_a_cutout_is_any_pixel() -> None:
    found = augmented(torch.ones(500, 3, 3, 1, dtype=torch.uint8), cutout=1)
    assert (found.sum((1, 2, 3)) == 8).all()
    holes = (found == 0).sum((0, 1))
    assert (holes > 30).all()


def test_the_generator_decides() -> None:
    images = numbered(20)
    settings = {"flip": 0.5, "crop_padding": 2, "cutout": 3}
    assert torch.equal(augmented(images, 1, **settings), augmented(images, 1, **settings))
    assert not torch.equal(augmented(images, 1, **settings), augmented(images, 2, **settings))


def test_a_pass_takes_every_image_at_most_once() -> None:
    generator = torch.Generator().manual_seed(0)
    table = sample_epoch(23, 4, 5, 4, generator, flip=0.5, crop_padding=1, cutout=2)
    assert table.shape == (4, 5, 6)
    assert len(table[:, :, POSITION].unique()) == 20


def test_an_augmented_image_is_normalised_and_its_gaps_are_zero() -> None:
    """Zero after normalisation: the mean colour, and not black."""
    images = numbered(8, size=4, channels=3)
    table, settings = drawn(images, crop_padding=2, cutout=2)
    shifted = torch.arange(256.0) - torch.tensor([[10.0], [20.0], [30.0]])
    del settings["flip"]
    plain = applied(images, values(3), table, **settings)
    found = applied(images, shifted, table, **settings)
    gap = (plain == 0).all(1, keepdim=True)
    moved = plain - torch.tensor([10.0, 20.0, 30.0])[:, None, None]
    assert torch.equal(found, torch.where(gap, 0.0, moved))


def test_what_is_evaluated_is_what_is_trained_on_without_augmentation() -> None:
    images = numbered(5, channels=3)
    table = torch.randn(3, 256)
    order, settings = drawn(images)
    del settings["flip"]
    trained = applied(images, table, order, **settings)
    assert torch.equal(normalised(images, table)[order[:, POSITION]], trained)
    assert trained.is_contiguous(memory_format=torch.channels_last)
