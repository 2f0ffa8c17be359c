"""Downsampling and normalisation."""

from __future__ import annotations

import numpy as np

from regnet_hpo.data.dataset import normalising_table
from regnet_hpo.data.images import downsample


def test_a_pixel_is_the_rounded_mean_of_its_square() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 2)).astype(np.uint8)
    squares = images.reshape(3, 2, 4, 2, 4, 2).astype(float)
    mean = squares.mean(axis=(2, 4))
    np.testing.assert_array_equal(downsample(images, 2, "x"), np.floor(mean + 0.5))


def test_white_stays_white() -> None:
    white = np.full((1, 32, 32, 3), 255, dtype=np.uint8)
    assert (downsample(white, 16, "x") == 255).all()


def test_every_channel_is_centred_and_scaled_by_its_own() -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 3)).astype(np.uint8)
    images[..., 1] //= 4
    table = normalising_table(images)
    found = np.stack([table[c][images[..., c]] for c in range(3)])
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(found.std(axis=(1, 2, 3)), 1, atol=1e-5)


def test_a_channel_that_never_varies_becomes_zero() -> None:
    table = normalising_table(np.full((2, 3, 3, 1), 7, dtype=np.uint8))
    assert (table == 0).all()
