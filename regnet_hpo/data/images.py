"""Labelled images as a reader returns them, their checks, and downsampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eahas.errors import DataError


class DataSetFacts(NamedTuple):
    """Known facts about a data set.

    `sides` are the side lengths that its images may have, the official one first. `lossy` says
    whether the official files are JPEG.
    """

    classes: int
    sides: tuple[int, ...]
    lossy: bool


@dataclass(frozen=True)
class ImagePool:
    """Labelled images before they are split: labels (n,), int64, and a function for the images.

    `take` returns the images (k, height, width, channels), uint8, at k positions. Only these are
    decoded.
    """

    labels: np.ndarray
    take: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImagePools:
    """The images of a data set: for training and validation, and for testing.

    `where` is their folder or file, for messages; `source` is as in `DataSet`.
    """

    train: ImagePool
    test: ImagePool
    where: str
    source: str


def check_pools(pools: ImagePools, name: str, facts: DataSetFacts) -> ImagePools:
    """Return the pools; raise DataError if they cannot be the data set `name`.

    Every class must occur in both pools.
    """
    for pool in (pools.train, pools.test):
        if not len(pool):
            raise DataError(f"{pools.where} contains no images; download its files again")
        check_labels(pool.labels, name, facts, pools.where)
        classes = len(np.unique(pool.labels))
        if classes < facts.classes:
            raise DataError(
                f"{pools.where}: only {classes} of the {facts.classes} classes of {name} occur; "
                "is this another data set, or is it incomplete?"
            )
    return pools


def check_labels(labels: np.ndarray, name: str, facts: DataSetFacts, where: str) -> None:
    """Raise DataError if a label is not one of the data set."""
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high >= facts.classes:
        bad = low if low < 0 else high
        raise DataError(
            f"{where}: a label is {bad}; labels of {name} are 0..{facts.classes - 1}. "
            "Is this another data set?"
        )


def check_size(images: np.ndarray, name: str, facts: DataSetFacts, where: str) -> None:
    """Raise DataError if the images do not have a size of the data set."""
    height, width = images.shape[1:3]
    if height != width or height not in facts.sides:
        sides = " or ".join(f"{side}x{side}" for side in facts.sides)
        raise DataError(
            f"{where}: the images are {height}x{width}; allowed for {name}: {sides}. "
            "Is this another data set?"
        )


def downsample(images: np.ndarray, side: int, where: str) -> np.ndarray:
    """The images (n, side, side, channels), uint8: each pixel is the rounded mean of a square.

    Raises DataError if the original size is not a multiple of `side`.
    """
    n, height, width, channels = images.shape
    if height % side or width % side:
        raise DataError(
            f"data: image_size is {side}, and the images in {where} are {height}x{width}; "
            "allowed: sizes that divide this size"
        )
    factor = height // side
    if factor == 1:
        return images
    total = np.zeros((n, side, side, channels), dtype=np.uint32)
    for row in range(factor):
        for column in range(factor):
            total += images[:, row::factor, column::factor]
    area = factor * factor
    return ((total + area // 2) // area).astype(np.uint8)
