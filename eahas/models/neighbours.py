"""Mean distances of many codes to their nearest neighbours among reference codes.

A code is an encoded configuration, and the distance of two codes is the sum of the absolute
differences of their elements. It is therefore a sum over parameters. Most parameters have few
distinct codes among the references. For these parameters, one matrix product gives the distances:
the distances of each code to the distinct codes, times a one-hot matrix that states which distinct
code each reference has. Numerical parameters with many values are subtracted directly.

This search has rounding errors. The distances to the nearest references are therefore computed
again, as sums in the order of the elements, so that a result does not depend on the search method.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eahas.models.blocks import product

BLOCK_SIZE = 200_000  # distances in a block, so that they fit into the cache of a core
MIN_ROWS = 48  # codes in a block, for any number of references
MAX_DIRECT = 50_000  # for at most this many differences, plain subtraction is fastest
MAX_CODES = 16  # a numerical parameter with more distinct codes is subtracted directly
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class NearestNeighbours:
    """A nearest-neighbour search among reference codes.

    Attributes:
        widths: the number of elements of each parameter in a code, in order; their sum is W.
        references (m, W): the reference codes.
    """

    widths: tuple[int, ...]
    references: Array

    def mean_distances(self, codes: Array, count: int, *, exclude_self: bool = False) -> Array:
        """The mean distance (n,) of codes (n, W) to their `count` nearest references, float32.

        If there are fewer references, all of them count; without any, the result is 0. With
        `exclude_self`, the codes must be the references, and no code is its own neighbour.
        """
        count = min(count, len(self.references) - exclude_self)
        means = np.zeros(len(codes), dtype=np.float32)
        if count < 1:
            return means
        step = max(MIN_ROWS, BLOCK_SIZE // len(self.references))
        for start in range(0, len(codes), step):
            block = codes[start : start + step]
            excluded = start + np.arange(len(block)) if exclude_self else None
            nearest = self._smallest_distances(block, count, excluded)
            means[start : start + step] = nearest.mean(axis=1)
        return means

    def _smallest_distances(self, codes: Array, count: int, excluded: Array | None) -> Array:
        """The distances (n, count) to the nearest references, in increasing order.

        `excluded` (n,) is the index of a reference that is not a neighbour of each code.
        """
        few = codes.size * len(self.references) <= MAX_DIRECT
        distances = _l1_distances(codes, self.references) if few else self._distances(codes)
        if excluded is not None:
            distances[np.arange(len(codes)), excluded] = np.inf
        if few:
            smallest = np.partition(distances, count - 1, axis=1)[:, :count]
        else:
            nearest = self.references[_smallest_indices(distances, count)]
            smallest = _l1_distances(codes, nearest)
        return np.sort(smallest, axis=1)

    def _distances(self, codes: Array) -> Array:
        """The distances (n, m) of codes (n, W) to the references, up to rounding."""
        tabulated, one_hots, direct = self._product_terms
        to_distinct = [
            _l1_distances(codes[:, columns], distinct) for columns, distinct in tabulated
        ]
        distances = product(np.concatenate([codes[:, :0], *to_distinct], axis=1), one_hots)
        difference = np.empty_like(distances)
        for column in direct:
            np.subtract(codes[:, column, None], self.references[:, column], out=difference)
            distances += np.abs(difference, out=difference)
        return distances

    @cached_property
    def _product_terms(self) -> tuple[list[tuple[slice, Array]], Array, list[int]]:
        """The terms of the matrix product, and the columns that are subtracted directly.

        The terms are, for each parameter in the product, its columns and its k distinct codes
        (k, width), and a one-hot matrix (sum of k, m) with the code of each reference.
        """
        tabulated, one_hots, direct, start = [], [], [], 0
        for width in self.widths:
            columns = slice(start, start + width)
            start += width
            distinct, inverse = _unique_rows(self.references[:, columns])
            if width == 1 and len(distinct) > MAX_CODES:
                direct.append(columns.start)
            else:
                tabulated.append((columns, distinct))
                one_hots.append(np.arange(len(distinct))[:, None] == inverse)
        empty = np.zeros((0, len(self.references)), dtype=bool)
        return tabulated, np.concatenate([empty, *one_hots]).astype(np.float32), direct


def _l1_distances(codes: Array, references: Array) -> Array:
    """Distances (n, m) of codes (n, W) to references (m, W), or (n, m, W) if each has its own."""
    distances: Array = np.abs(codes[:, None] - references).sum(axis=2)
    return distances


def _smallest_indices(rows: Array, count: int) -> Array:
    """The indices (n, count) of the `count` smallest numbers of each row (n, m).

    This overwrites these numbers in `rows`.
    """
    row_indices = np.arange(len(rows))
    indices = np.empty((len(rows), count), dtype=np.intp)
    for k in range(count):  # a few passes of argmin are faster than one argpartition
        indices[:, k] = rows.argmin(axis=1)
        rows[row_indices, indices[:, k]] = np.inf
    return indices


def _unique_rows(codes: Array) -> tuple[Array, Array]:
    """The distinct rows (k, width) of codes (m, width), and the index (m,) of each row in them."""
    rows = np.ascontiguousarray(codes)
    as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).reshape(-1)
    _, first, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
    return rows[first], inverse.reshape(-1)
