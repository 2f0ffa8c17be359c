"""Labelled pictures: what a reader gives, checked against their name and averaged down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eahas.errors import DataError


class Facts(NamedTuple):
    """What a data set's name promises.

    `sides` are the sizes that its pictures may have, the official one first; `lossy` says that
    the official files are JPEG.
    """

    classes: int
    sides: tuple[int, ...]
    lossy: bool


@dataclass(frozen=True)
class Pool:
    """Labelled pictures before any split: labels (n,), int64, and how to come by the images.

    `take` gives the images (k, height, width, channels), uint8, at k positions; what is encoded is
    decoded then, and no more of it.
    """

    labels: np.ndarray
    take: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Pools:
    """What a reader found: pictures to train on (and to carve validation from), and to test on.

    `where` names the place for messages; `source` as in `DataSet`.
    """

    train: Pool
    test: Pool
    where: str
    source: str


def check_pools(pools: Pools, name: str, facts: Facts) -> Pools:
    """The pools, if their labels can be what the name says; else DataError says what was found.

    Every class must occur on both sides: fewer are another data set, or half of one.
    """
    for pool in (pools.train, pools.test):
        if not len(pool):
            raise DataError(f"{pools.where} holds no pictures; fetch its files again")
        check_labels(pool.labels, name, facts, pools.where)
        found = len(np.unique(pool.labels))
        if found < facts.classes:
            raise DataError(
                f"{pools.where}: {found} of the {facts.classes} classes of {name} occur; "
                "is this another data set, or half of one?"
            )
    return pools


def check_labels(labels: np.ndarray, name: str, facts: Facts, where: str) -> None:
    """Raise DataError where a label is none of the data set's."""
    least, most = int(labels.min(initial=0)), int(labels.max(initial=0))
    if least < 0 or most >= facts.classes:
        bad = least if least < 0 else most
        raise DataError(
            f"{where}: a label is {bad}; those of {name} are 0..{facts.classes - 1}. "
            "Is this another data set?"
        )


def check_size(images: np.ndarray, name: str, facts: Facts, where: str) -> None:
    """Raise DataError where the pictures have none of the data set's sizes."""
    height, width = images.shape[1:3]
    if height != width or height not in facts.sides:
        sides = " or ".join(f"{side}x{side}" for side in facts.sides)
        raise DataError(
            f"{where}: the pictures are {height}x{width}; {name} has {sides}. "
            "Is this another data set?"
        )


def averaged(images: np.ndarray, side: int, where: str) -> np.ndarray:
    """The images at `side` x `side`: each pixel the rounded mean of a square of the original.

    Raises DataError where the original side is no multiple of it.
    """
    n, height, width, channels = images.shape
    if height % side or width % side:
        raise DataError(
            f"data: image_size is {side}, and the pictures in {where} are {height}x{width}; "
            "they can be averaged down by whole factors only"
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
