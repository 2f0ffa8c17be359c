"""The data of a training: images as bytes, and the table that normalises them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Split:
    """Images (n, height, width, channels), uint8; labels (n,), int64."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    """Three splits, and the normalised value of each byte of a channel.

    Attributes:
        classes: the number of classes; labels are 0..classes - 1.
        table: (channels, 256), float32.
        source: the name, and how the images differ from the official ones: `cifar10-jpeg` is not
            bit-identical to CIFAR-10.
    """

    name: str
    train: Split
    valid: Split
    test: Split
    classes: int
    table: np.ndarray
    source: str

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of the SHA-256 of all images and labels."""
        digest = hashlib.sha256()
        for split in (self.train, self.valid, self.test):
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels).data)
        return digest.hexdigest()[:12]


def normalising_table(images: np.ndarray) -> np.ndarray:
    """The normalised value of each byte of a channel, (channels, 256), float32.

    Mean and standard deviation are those of `images` (n, height, width, channels): use the images
    of the training split. A constant channel becomes zero.
    """
    pixels = images.reshape(-1, images.shape[-1]).astype(np.float64)
    mean, std = pixels.mean(axis=0), pixels.std(axis=0)
    centred = np.arange(256.0) - mean[:, None]
    return np.divide(centred, std[:, None], out=0 * centred, where=std[:, None] > 0).astype(
        np.float32
    )
