"""Flip, crop and cutout of whole batches."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from regnet_hpo.augment import augment


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(n: int, size: int = 6, channels: int = 2) -> Tensor:
    """Images whose pixels are all different, and none of them zero."""
    pixels = torch.arange(1.0, n * channels * size * size + 1)
    return pixels.reshape(n, channels, size, size)


def augmented(images: Tensor, seed: int = 0, **given: float) -> Tensor:
    settings = {"flip": 0.0, "crop_padding": 0, "cutout": 0} | given
    return augment(images, generator(seed), **settings)


def test_nothing_asked_for_is_nothing_done() -> None:
    images = numbered(5)
    torch.testing.assert_close(augmented(images), images, rtol=0, atol=0)


def test_a_certain_flip_mirrors_left_and_right() -> None:
    images = numbered(5)
    torch.testing.assert_close(augmented(images, flip=1.0), images.flip(3), rtol=0, atol=0)


def test_a_flip_of_a_half_mirrors_each_image_or_leaves_it() -> None:
    images = numbered(200)
    found = augmented(images, flip=0.5)
    same = (found == images).flatten(1).all(1)
    mirrored = (found == images.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_a_crop_is_a_window_of_the_padded_frame_and_every_window_occurs() -> None:
    images = numbered(300, size=4)
    found = augmented(images, crop_padding=1)
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    seen = set()
    for image, frame in zip(found, padded, strict=True):
        windows = [
            (top, left)
            for top in range(3)
            for left in range(3)
            if torch.equal(image, frame[:, top : top + 4, left : left + 4])
        ]
        assert len(windows) == 1
        seen.add(windows[0])
    assert len(seen) == 9


@given(side=st.integers(1, 9), size=st.integers(1, 7), seed=st.integers(0, 2**32))
def test_cutout_zeroes_one_square_around_a_pixel(side: int, size: int, seed: int) -> None:
    images = numbered(4, size=size)
    found = augmented(images, seed, cutout=side)
    for image, cut in zip(images, found, strict=True):
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
    found = augmented(torch.ones(500, 1, 3, 3), cutout=1)
    assert (found.sum((1, 2, 3)) == 8).all()
    holes = (found == 0).sum((0, 1))
    assert (holes > 30).all()


def test_the_generator_decides() -> None:
    images = numbered(20)
    settings = {"flip": 0.5, "crop_padding": 2, "cutout": 3}
    assert torch.equal(augmented(images, 1, **settings), augmented(images, 1, **settings))
    assert not torch.equal(augmented(images, 1, **settings), augmented(images, 2, **settings))
