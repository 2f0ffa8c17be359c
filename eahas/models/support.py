"""The support of a prediction: whether a configuration is similar to the training configurations.

The distance of two configurations is a sum over parameters: |a - b| for a min-max scaled number (on
a log scale where it is sampled on one), and 0 or 1 for a choice (Gower, "A general coefficient of
similarity", 1971). The distance of one configuration is its mean distance to the nearest NEIGHBOURS
training configurations. The score is the share of the training configurations whose distance to the
others is at least as large (a conformal p-value). It is about uniform on configurations that were
sampled like the training ones: one in a hundred of those has a score below 0.01. With n training
configurations, the smallest score is 1 / (n + 1), for a configuration whose distance is larger than
that of each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.arrays import ArraySpec, Bounds, check_arrays
from eahas.models.neighbours import NearestNeighbours
from eahas.models.query import Query
from eahas.space.parameters import Choice
from eahas.space.space import Space

NEIGHBOURS = 5
ARRAYS = (
    ArraySpec(
        "codes",
        "float32",
        ("configurations", "codes"),
        "the encodings of the distinct training configurations; see below",
        Bounds(0.0, 1.0, slack=1e-6),
    ),
    ArraySpec(
        "distances",
        "float32",
        ("configurations",),
        f"the mean distance of each of them to its {NEIGHBOURS} nearest neighbours, sorted",
        Bounds(0.0),
        "rising",
    ),
)
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Support:
    """The support that training configurations define.

    Attributes:
        space: the space of the configurations.
        codes (n, W): the `distance_codes` of the distinct training configurations.
        distances (n,): their mean distances to their nearest neighbours, in increasing order.
    """

    space: Space
    codes: Array
    distances: Array

    @property
    def least(self) -> float:
        """The smallest possible score."""
        return 1.0 / (len(self.distances) + 1.0)

    @cached_property
    def _nearest(self) -> NearestNeighbours:
        return NearestNeighbours(_widths(self.space), self.codes)

    def score(self, query: Query) -> Any:
        """The score in 0..1: a float, or (n,) for a list."""
        if query.single:
            return float(self._scores(self.space.encode_checked(query.values)[None])[0])
        return self._scores(self.space.encode_columns(query.values))

    def _scores(self, encoded: Array) -> Array:
        distances = self._nearest.mean_distances(distance_codes(self.space, encoded), NEIGHBOURS)
        smaller = np.searchsorted(self.distances, distances * (1.0 - 1e-6), side="left")
        count = len(self.distances)
        scores: Array = (count - smaller + 1.0) / (count + 1.0)
        return np.minimum(scores, 1.0)

    def tensors(self) -> dict[str, Array]:
        return {"codes": self.codes, "distances": self.distances}


@dataclass(frozen=True)
class Everywhere:
    """The support of a table: it has runs of every configuration that it predicts."""

    least = 1.0

    def score(self, query: Query) -> Any:
        """1.0 for one configuration, or an array (n,) of ones for a list."""
        return 1.0 if query.single else np.ones(len(query.epochs))


@dataclass(frozen=True)
class JointSupport:
    """The support of a benchmark with several parts: the smallest score of the parts."""

    parts: tuple[Any, ...]

    @property
    def least(self) -> float:
        """The smallest possible score."""
        return min(part.least for part in self.parts)

    def score(self, query: Query) -> Any:
        """The score in 0..1: a float, or (n,) for a list."""
        scores = np.min([part.score(query) for part in self.parts], axis=0)
        return float(scores) if query.single else scores


def support_of(space: Space, encoded: Array) -> Support:
    """The support that training configurations with the encodings (n, W) define."""
    codes = np.unique(distance_codes(space, encoded), axis=0)
    nearest = NearestNeighbours(_widths(space), codes)
    distances = nearest.mean_distances(codes, NEIGHBOURS, exclude_self=True)
    return Support(space, codes, np.sort(distances))


def support_from_tensors(space: Space, tensors: Mapping[str, Array]) -> Support:
    """The support with the arrays of a checkpoint; CheckpointError if they do not fit `ARRAYS`."""
    check_arrays(tensors, ARRAYS, {"codes": space.encoding_width})
    return Support(space, tensors["codes"], tensors["distances"])


def distance_codes(space: Space, encoded: Array) -> Array:
    """Codes (n, W) of which the sums of absolute differences are distances, from encodings (n, W).

    One-hot encodings are multiplied by 0.5, so that the distance of two different choices is 1.
    Numbers that are sampled on a log scale are transformed to that scale.
    """
    codes, start = encoded.astype(float), 0
    for p in space.parameters:
        if isinstance(p, Choice):
            codes[:, start : start + p.width] *= 0.5
        elif p.log and p.high > p.low:
            ratio = p.high / p.low
            codes[:, start] = np.log1p(codes[:, start] * (ratio - 1.0)) / np.log(ratio)
        start += p.width
    return codes.astype(np.float32)


def _widths(space: Space) -> tuple[int, ...]:
    return tuple(p.width for p in space.parameters)
