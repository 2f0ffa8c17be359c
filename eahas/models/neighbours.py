"""Mean distances of many codes to their nearest neighbours among some others.

The distance is the sum of the absolute differences of two codes. It is a sum over parameters, and
most parameters have few different codes among the others. Such a parameter is a matrix product:
the distances of a code to each of these few, times the one-hot of the one that each of the others
has. Numbers with many values are subtracted directly. This finds the nearest; their distances are
then summed in the order of the codes, so that a result does not depend on how they were found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eahas.models.blocks import product

BLOCK_SIZE = 200_000  # distances in a block: they stay in the processor's cache
MIN_ROWS = 48  # codes in a block, whatever the number of the others
MAX_DIRECT = 50_000  # for so few differences of numbers, plain subtraction is fastest
MAX_CODES = 16  # a number with more values is subtracted directly
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class NearestNeighbours:
    """The others, as codes (m, W), and the width of each parameter's part of a code, in order."""

    widths: tuple[int, ...]
    others: Array

    def mean_distances(self, codes: Array, count: int, *, itself: bool = False) -> Array:
        """The mean distance (n,) of codes (n, W) to their `count` nearest others, float32.

        `itself`: the codes are the others, and none is its own neighbour. 0 without any other.
        """
        count = min(count, len(self.others) - itself)
        means = np.zeros(len(codes), dtype=np.float32)
        if count < 1:
            return means
        step = max(MIN_ROWS, BLOCK_SIZE // len(self.others))
        for start in range(0, len(codes), step):
            block = codes[start : start + step]
            own = start + np.arange(len(block)) if itself else None
            means[start : start + step] = self._smallest(block, count, own).mean(axis=1)
        return means

    def _smallest(self, codes: Array, count: int, own: Array | None) -> Array:
        """The distances (n, count) to the nearest others, rising; not to those numbered `own`."""
        few = codes.size * len(self.others) <= MAX_DIRECT
        apart = _summed(codes, self.others) if few else self._distances(codes)
        if own is not None:
            apart[np.arange(len(codes)), own] = np.inf
        if few:
            smallest = np.partition(apart, count - 1, axis=1)[:, :count]
        else:
            smallest = _summed(codes, self.others[_places_of_smallest(apart, count)])
        return np.sort(smallest, axis=1)

    def _distances(self, codes: Array) -> Array:
        """The distances (n, m) of codes (n, W) to the others, up to rounding."""
        listed, one_hots, direct = self._parts
        to_codes = [np.abs(codes[:, None, at] - known).sum(axis=2) for at, known in listed]
        apart = product(np.concatenate([codes[:, :0], *to_codes], axis=1), one_hots)
        difference = np.empty_like(apart)
        for column in direct:
            np.subtract(codes[:, column, None], self.others[:, column], out=difference)
            apart += np.abs(difference, out=difference)
        return apart

    @cached_property
    def _parts(self) -> tuple[list[tuple[slice, Array]], Array, list[int]]:
        """What the product needs, and the columns of the numbers with many values.

        For each parameter in the product: its columns, and its different codes (k, width). Then the
        one-hots of the others, (sum of k, m).
        """
        listed, one_hots, direct, at = [], [], [], 0
        for width in self.widths:
            columns = slice(at, at + width)
            at += width
            different, which = _different(self.others[:, columns])
            if width == 1 and len(different) > MAX_CODES:
                direct.append(columns.start)
            else:
                listed.append((columns, different))
                one_hots.append(np.arange(len(different))[:, None] == which)
        none = np.zeros((0, len(self.others)), dtype=bool)
        return listed, np.concatenate([none, *one_hots]).astype(np.float32), direct


def _summed(codes: Array, others: Array) -> Array:
    """Distances (n, m) of codes (n, W) to others (m, W), or to those of each code, (n, m, W)."""
    distances: Array = np.abs(codes[:, None] - others).sum(axis=2)
    return distances


def _places_of_smallest(rows: Array, count: int) -> Array:
    """Where the `count` smallest numbers of each row (n, m) stand: (n, count). `rows` changes."""
    every = np.arange(len(rows))
    places = np.empty((len(rows), count), dtype=np.intp)
    for k in range(count):  # a few passes of argmin are faster than one argpartition
        places[:, k] = rows.argmin(axis=1)
        rows[every, places[:, k]] = np.inf
    return places


def _different(codes: Array) -> tuple[Array, Array]:
    """The different rows of codes (m, width), (k, width), and which of them each row is, (m,)."""
    rows = np.ascontiguousarray(codes)
    as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).reshape(-1)
    _, first, which = np.unique(as_bytes, return_index=True, return_inverse=True)
    return rows[first], which.reshape(-1)
