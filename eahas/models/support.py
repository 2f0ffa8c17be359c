"""Whether a configuration lies where training runs were: the support of an answer.

The distance of two configurations is the sum over parameters of how far they differ: |a - b| of a
min-max scaled number, on a log scale where it is drawn on one, and 0 or 1 of a choice (Gower, "A
general coefficient of similarity", 1971). A configuration's own distance is its mean distance to
the NEAREST training configurations. The score is the share of the training configurations whose
distance to the others is at least as large (a conformal p-value). It is about uniform on
configurations that were drawn like the training ones, so that a score below 0.01 marks what one in
a hundred of those would be. Of n training configurations it is 1 / (n + 1), the least that it can
be, where a configuration is farther out than each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.arrays import ArraySpec, Bounds, check_arrays
from eahas.models.blocks import product
from eahas.models.query import Query
from eahas.space.parameters import Choice
from eahas.space.space import Space

NEIGHBOURS = 5
ARRAYS = (
    ArraySpec(
        "codes",
        "float32",
        ("configurations", "codes"),
        "the encodings of the distinct configurations that the fit learned from; see below",
        Bounds(0.0, 1.0, slack=1e-6),
    ),
    ArraySpec(
        "distances",
        "float32",
        ("configurations",),
        f"the mean distance of each of them to its {NEIGHBOURS} nearest others",
        Bounds(0.0),
        "rising",
    ),
)
BLOCK_SIZE = 200_000  # distances in a block: they stay in the processor's cache
MIN_ROWS = 48  # configurations in a block, whatever the number of the others
MAX_DIRECT = 50_000  # so few differences of codes are subtracted sooner than taken apart
MAX_CODES = 16  # a number with more values is subtracted directly
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Support:
    """The training configurations as `placed` codes (n, W), and their distances (n,)."""

    space: Space
    codes: Array
    distances: Array  # rising

    @property
    def least(self) -> float:
        """The smallest score that there is."""
        return 1.0 / (len(self.distances) + 1.0)

    @cached_property
    def _nearest(self) -> NearestNeighbours:
        return NearestNeighbours(self.space, self.codes)

    def score(self, query: Query) -> Any:
        """A float in 0..1 for one configuration, (n,) for a list."""
        if query.single:
            return float(self._scores(self.space.encode_checked(query.values)[None])[0])
        return self._scores(self.space.encode_columns(query.values))

    def _scores(self, encoded: Array) -> Array:
        far = self._nearest.mean_distances(placed(self.space, encoded), NEIGHBOURS)
        nearer = np.searchsorted(self.distances, far * (1.0 - 1e-6), side="left")
        count = len(self.distances)
        scores: Array = (count - nearer + 1.0) / (count + 1.0)
        return np.minimum(scores, 1.0)

    def tensors(self) -> dict[str, Array]:
        return {"codes": self.codes, "distances": self.distances}


@dataclass(frozen=True)
class Everywhere:
    """The support of a table: what it answers was trained."""

    least = 1.0

    def score(self, query: Query) -> Any:
        """1.0 for one configuration, ones (n,) for a list."""
        return 1.0 if query.single else np.ones(len(query.epochs))


@dataclass(frozen=True)
class JointSupport:
    """The support of several parts: the smallest score among them."""

    parts: tuple[Any, ...]

    @property
    def least(self) -> float:
        """The smallest score that there is."""
        return min(part.least for part in self.parts)

    def score(self, query: Query) -> Any:
        """A float in 0..1 for one configuration, (n,) for a list."""
        scores = np.min([part.score(query) for part in self.parts], axis=0)
        return float(scores) if query.single else scores


def support_of(space: Space, encoded: Array) -> Support:
    """The support that training configurations of these codes (n, W) give."""
    codes = np.unique(placed(space, encoded), axis=0)
    far = NearestNeighbours(space, codes).mean_distances(codes, NEIGHBOURS, itself=True)
    return Support(space, codes, np.sort(far))


def support_from_tensors(space: Space, tensors: Mapping[str, Array]) -> Support:
    """The support of a checkpoint's arrays; CheckpointError where they do not fit `ARRAYS`."""
    check_arrays(tensors, ARRAYS, {"codes": space.encoding_width})
    return Support(space, tensors["codes"], tensors["distances"])


def placed(space: Space, encoded: Array) -> Array:
    """Codes (n, W) whose differences are distances.

    One-hots are halved, so that two different choices are 1 apart; numbers that are drawn on a log
    scale are on that scale.
    """
    found, at = encoded.astype(float), 0
    for p in space.parameters:
        if isinstance(p, Choice):
            found[:, at : at + p.width] *= 0.5
        elif p.log and p.high > p.low:
            ratio = p.high / p.low
            found[:, at] = np.log1p(found[:, at] * (ratio - 1.0)) / np.log(ratio)
        at += p.width
    return found.astype(np.float32)


@dataclass(frozen=True, eq=False)
class NearestNeighbours:
    """The mean distance of configurations to the nearest of some others, by their `placed` codes.

    The distance is a sum over parameters. A parameter that has few different codes among the others
    contributes to a matrix product: the distance to each of these codes, times the one-hot of the
    code that each of the others has. No difference is taken of large sums, so that the product is
    as exact as the sum. Numbers with many values are subtracted directly.
    """

    space: Space
    codes: Array  # (m, W)

    @cached_property
    def _parts(self) -> tuple[list[tuple[slice, Array]], Array, list[int]]:
        """What the product needs, and the columns of the numbers with many values.

        Of each parameter of the product its columns and its different codes (k, width); the
        one-hots (sum of k, m) of the others.
        """
        listed, one_hots, direct, at = [], [], [], 0
        for p in self.space.parameters:
            columns = slice(at, at + p.width)
            different, where = _different(self.codes[:, columns])
            at += p.width
            if p.width == 1 and len(different) > MAX_CODES:
                direct.append(columns.start)
            else:
                listed.append((columns, different))
                one_hots.append(np.arange(len(different))[:, None] == where)
        none = np.zeros((0, len(self.codes)), dtype=bool)
        return listed, np.concatenate([none, *one_hots]).astype(np.float32), direct

    def mean_distances(self, codes: Array, count: int, *, itself: bool = False) -> Array:
        """The mean distance (n,) of codes (n, W) to their `count` nearest others, float32.

        `itself`: the codes are the others, and none is its own neighbour.
        """
        count = min(count, len(self.codes) - itself)
        means = np.zeros(len(codes), dtype=np.float32)
        if count < 1:
            return means
        step = max(MIN_ROWS, BLOCK_SIZE // len(self.codes))
        for start in range(0, len(codes), step):
            apart = self._distances(codes[start : start + step])
            if itself:
                own = np.arange(len(apart))
                apart[own, start + own] = np.inf
            apart.partition(count - 1, axis=1)
            means[start : start + step] = apart[:, :count].mean(axis=1)
        return means

    def _distances(self, codes: Array) -> Array:
        """The distances (n, m) of codes (n, W) to the others."""
        if codes.size * len(self.codes) <= MAX_DIRECT:
            whole: Array = np.abs(codes[:, None] - self.codes).sum(axis=2)
            return whole
        listed, one_hots, direct = self._parts
        to_codes = [np.abs(codes[:, None, at] - known).sum(axis=2) for at, known in listed]
        apart = product(np.concatenate([codes[:, :0], *to_codes], axis=1), one_hots)
        difference = np.empty_like(apart)
        for column in direct:
            np.subtract(codes[:, column, None], self.codes[:, column], out=difference)
            apart += np.abs(difference, out=difference)
        return apart


def _different(codes: Array) -> tuple[Array, Array]:
    """The different rows of codes (m, width), (k, width), and which of them each row is, (m,)."""
    rows = np.ascontiguousarray(codes)
    as_bytes = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).reshape(-1)
    _, first, where = np.unique(as_bytes, return_index=True, return_inverse=True)
    return rows[first], where.reshape(-1)
