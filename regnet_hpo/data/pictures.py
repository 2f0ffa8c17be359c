"""Labelled pictures as arrays: decoded from files, averaged down, checked against their name."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eahas.errors import DataError, MissingExtraError

MOST_THREADS = 16


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
    """Images (n, height, width, channels), uint8, and labels (n,), int64, before any split."""

    images: np.ndarray
    labels: np.ndarray

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


def decoded(files: Sequence[bytes], names: Sequence[str], where: str) -> tuple[np.ndarray, str]:
    """RGB pixels (n, side, side, 3), uint8, of encoded pictures, and the format of the first.

    `names` say for messages which picture is which. Raises DataError for one that is damaged or of
    another size than the first, MissingExtraError where Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("reading pictures", "pillow", "train") from None

    def one(content: bytes, name: str) -> tuple[np.ndarray, str]:
        try:
            with Image.open(io.BytesIO(content)) as picture:
                return np.asarray(picture.convert("RGB")), str(picture.format)
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for broken files
            raise DataError(
                f"{where}: {name} is no picture or a damaged one ({error}); fetch the file again"
            ) from None

    if not files:
        raise DataError(f"{where} holds no pictures")
    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as threads:
        found = threads.map(one, files, names, chunksize=256)
        first, kind = next(found)
        pixels = np.empty((len(files), *first.shape), dtype=np.uint8)
        pixels[0] = first
        for row, (picture, _) in enumerate(found, start=1):
            if picture.shape != first.shape:
                raise DataError(
                    f"{where}: {names[row]} is {_size(picture)} and {names[0]} is {_size(first)}; "
                    "all pictures of a data set have one size"
                )
            pixels[row] = picture
    return pixels, kind


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[0]}x{picture.shape[1]}"


def checked(pool: Pool, name: str, facts: Facts, where: str) -> Pool:
    """The pool, if it can be what its name says; else DataError says what was found."""
    height, width = pool.images.shape[1:3]
    if height != width or height not in facts.sides:
        sides = " or ".join(f"{side}x{side}" for side in facts.sides)
        raise DataError(f"{where}: the pictures are {height}x{width}; {name} has {sides}")
    check_labels(pool.labels, name, facts, where)
    return pool


def check_labels(labels: np.ndarray, name: str, facts: Facts, where: str) -> None:
    """Raise DataError where a label is none of the data set's."""
    least, most = int(labels.min(initial=0)), int(labels.max(initial=0))
    if least < 0 or most >= facts.classes:
        bad = least if least < 0 else most
        raise DataError(
            f"{where}: a label is {bad}; those of {name} are 0..{facts.classes - 1}. "
            "Is this another data set?"
        )


def require_all_classes(pools: Iterable[Pool], name: str, facts: Facts, where: str) -> None:
    """Raise DataError unless every class occurs: fewer are another data set, or half of one."""
    for pool in pools:
        found = len(np.unique(pool.labels))
        if found < facts.classes:
            raise DataError(
                f"{where}: {found} of the {facts.classes} classes of {name} occur; "
                "is this another data set, or half of one?"
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
