"""What the trainer takes: pictures as bytes, and the table that normalises them."""

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
    """Three splits, and what each byte of a channel becomes: `table` (channels, 256), float32.

    Labels count `classes`, whether or not each occurs. `source` says what the pictures are beyond
    the name: `cifar10-jpeg` is not CIFAR-10 bit for bit.
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
        """Twelve hex digits of every image and label."""
        digest = hashlib.sha256()
        for split in (self.train, self.valid, self.test):
            digest.update(np.ascontiguousarray(split.images).data)
            digest.update(np.ascontiguousarray(split.labels).data)
        return digest.hexdigest()[:12]


def normalising_table(images: np.ndarray) -> np.ndarray:
    """(channels, 256), float32: each byte less the channel's mean, over its deviation.

    Mean and deviation are those of these images (n, height, width, channels): of the training
    split, so that nothing of the others is known. A channel that never varies becomes zero.
    """
    pixels = images.reshape(-1, images.shape[-1]).astype(np.float64)
    mean, std = pixels.mean(axis=0), pixels.std(axis=0)
    centred = np.arange(256.0) - mean[:, None]
    return np.divide(centred, std[:, None], out=0 * centred, where=std[:, None] > 0).astype(
        np.float32
    )
