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
        return NearestNeighbours(_widths(self.space), self.codes)

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
    """The support of a table: every configuration that it predicts was trained."""

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
    far = NearestNeighbours(_widths(space), codes).mean_distances(codes, NEIGHBOURS, itself=True)
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


def _widths(space: Space) -> tuple[int, ...]:
    return tuple(p.width for p in space.parameters)
