"""The posterior of an ensemble for one query: mean, distribution and sample of each target.

The summary of the members has three parts on the transformed scale (see
`eahas.models.uncertainty.distribution`): their mean (`location`), their disagreement (`epistemic`)
and the deviation between runs with different seeds (`aleatoric`). There are M members, n
configurations, C curves with L values, and T scalars. The predictions of the members have the shape
(M, C, L) or (M, T) for one configuration, and (M, n, C, longest) or (M, n, T) for a list. The three
parts have the same shapes without the axis M.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from eahas.models.heads import CurveHead, Head
from eahas.models.query import Query
from eahas.models.uncertainty.distribution import Distribution, inverse_link
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles
from eahas.models.uncertainty.list_distribution import CurveListDistribution
from eahas.models.uncertainty.seed_noise import SeedNoise, generators
from eahas.spec.targets import Target

Array = np.ndarray
CURVE_BLOCK = 256  # rows of a list that are computed at once; keeps the work arrays small
MAX_KEPT = 8_000_000  # numbers in one part of a list of curves that is cached: 64 MB
SHARED = "all of its targets"  # part of the seed of the shared factors; no model has this name


@dataclass(frozen=True, eq=False)
class MemberSummary:
    """The summary of the outputs `out` (M, ..., outputs) of all members.

    `lengths` is the result of `Head.lengths`: the number of values of curves, or the number of
    epochs for scalars. Each part is computed at its first use, because the deviations take longer
    than the mean.
    """

    head: Head
    seed_noise: SeedNoise
    inflation: Array  # factor on the members' standard deviation of each target: (C, 1) or (T,)
    out: Array
    lengths: Any

    @cached_property
    def members(self) -> Array:
        """The location that each member predicts."""
        return self.head.locations(self.out, self.lengths)

    @cached_property
    def location(self) -> Array:
        """The mean of the members."""
        mean: Array = np.add.reduce(self.members, axis=0) / len(self.members)
        return self.head.bounded(mean)

    @cached_property
    def epistemic(self) -> Array:
        """Standard deviation of the members, multiplied by `inflation`."""
        return _inflated_std(self.members, self.location, self.inflation)

    @cached_property
    def aleatoric(self) -> Array:
        """Standard deviation between runs of one configuration."""
        if isinstance(self.head, CurveHead):
            return self.seed_noise.deviation(self._noise_outputs, self.location)
        return self.seed_noise.deviation(self._noise_outputs, self.location[..., None])[..., 0]

    @cached_property
    def _noise_outputs(self) -> Array:
        raw = self.out[..., -self.head.num_noise_outputs :]
        mean: Array = np.add.reduce(raw, axis=0) / len(raw)
        return mean

    def curve(self, k: int, target: Target, error_quantiles: ErrorQuantiles) -> Distribution:
        """The distribution of curve `k`. The deviations of other curves are not computed."""
        selected = slice(k, k + 1)
        location = self.location[..., selected, :]
        members = self.members[..., selected, :]
        epistemic = _inflated_std(members, location, self.inflation[selected])
        aleatoric = self.seed_noise.deviation(self._noise_outputs, self.location, selected)
        parts = [part[..., 0, :] for part in (location, epistemic, aleatoric)]
        return Distribution(target, parts[0], parts[1], parts[2], error_quantiles)


def _inflated_std(members: Array, location: Array, inflation: Array) -> Array:
    differences = members - location
    variance = np.add.reduce(differences * differences, axis=0) / len(members)
    inflated_std: Array = np.sqrt(variance) * inflation
    return inflated_std


@dataclass(frozen=True, eq=False)
class CurveListSummary:
    """The summary of a list of curves with different `lengths` (n,), padded with NaN.

    Each part is computed in blocks of rows, so that the members of all rows are never in memory at
    once. If the list `is_long`, `mean` and `distribution` compute a single curve and cache nothing.
    """

    head: CurveHead
    seed_noise: SeedNoise
    inflation: Array
    out: Array
    lengths: Array

    def _blocks(self) -> Iterator[tuple[Array, int, MemberSummary]]:
        """Iterate over blocks of rows with one length: the rows, the length, and the summary."""
        for length in np.unique(self.lengths).tolist():
            rows = np.flatnonzero(self.lengths == length)
            for start in range(0, len(rows), CURVE_BLOCK):
                block = rows[start : start + CURVE_BLOCK]
                out = self.out[:, block]
                summary = MemberSummary(self.head, self.seed_noise, self.inflation, out, length)
                yield block, length, summary

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, C, longest)"""
        return len(self.lengths), len(self.head.curves), int(self.lengths.max())

    @property
    def is_long(self) -> bool:
        """Whether one part of all curves together has more than MAX_KEPT numbers."""
        return prod(self.shape) > MAX_KEPT

    def _padded(self, *parts: str, first: tuple[int, ...] = ()) -> list[Array]:
        wholes = [np.full((*first, *self.shape), np.nan) for _ in parts]
        for rows, length, summary in self._blocks():
            for part, whole in zip(parts, wholes, strict=True):
                whole[..., rows, :, :length] = getattr(summary, part)
        return wholes

    @property
    def members(self) -> Array:
        return self._padded("members", first=(len(self.out),))[0]

    @cached_property
    def location(self) -> Array:
        return self._padded("location")[0]

    @cached_property
    def _deviations(self) -> list[Array]:
        """Both deviations; computing both takes little longer than computing one."""
        return self._padded("epistemic", "aleatoric")

    @property
    def epistemic(self) -> Array:
        return self._deviations[0]

    @property
    def aleatoric(self) -> Array:
        return self._deviations[1]

    def mean(self, k: int) -> Array:
        """The location (n, longest) of curve `k`, as a new array."""
        if not self.is_long or "location" in vars(self):
            return self.head.of_target(self.location, k).copy()
        selected = slice(k, k + 1)
        whole = np.full((self.shape[0], self.shape[2]), np.nan)
        for rows, length, summary in self._blocks():
            members = self.head.locations(summary.out, length, selected)
            mean = np.add.reduce(members, axis=0) / len(members)
            whole[rows, :length] = self.head.bounded(mean, selected)[..., 0, :]
        return whole

    def distribution(self, k: int, target: Target, error_quantiles: ErrorQuantiles) -> Distribution:
        """The distribution of curve `k`. For a long list, each use computes it again in blocks."""
        if not self.is_long:
            parts = [part[:, k] for part in (self.location, self.epistemic, self.aleatoric)]
            return Distribution(target, parts[0], parts[1], parts[2], error_quantiles)

        def blocks() -> Iterator[tuple[Array, Distribution]]:
            for rows, _, summary in self._blocks():
                yield rows, summary.curve(k, target, error_quantiles)

        return CurveListDistribution(target, error_quantiles, self.shape[::2], blocks)


Summary = MemberSummary | CurveListSummary


def summarise(
    head: Head, seed_noise: SeedNoise, inflation: Array, out: Array, lengths: Any
) -> Summary:
    """The summary of outputs (M, outputs) with one length, or (M, n, outputs) with lengths (n,)."""
    if isinstance(head, CurveHead) and out.ndim > 2:
        return CurveListSummary(head, seed_noise, inflation, out, lengths)
    return MemberSummary(head, seed_noise, inflation, out, lengths)


@dataclass(frozen=True, eq=False)
class EnsemblePosterior:
    """The predictive distribution of every target of an ensemble for one query.

    Attributes:
        index: for each target name, the position on the head's axis of targets, and the target.
        error_quantiles: the error quantiles of each target, in the order of the head.
        name: the name of the ensemble; it is part of the seed of the noise that is not shared.
    """

    query: Query
    summary: Summary
    index: Mapping[str, tuple[int, Target]]
    error_quantiles: tuple[ErrorQuantiles, ...]
    name: str
    _samples: dict[int, Array] = field(default_factory=dict, repr=False)

    def mean(self, target: str) -> Any:
        """The prediction in the unit of the target: the mean of the members.

        On the log scale, this is the exponential of the mean of the logarithms, which is the median
        of the posterior. A curve has the shape (L,), or (n, longest) for a list. A scalar is a
        float, or (n,) for a list.
        """
        k, described = self.index[target]
        if isinstance(self.summary, CurveListSummary):
            return self.summary.mean(k)
        location = self.summary.head.of_target(self.summary.location, k)
        if described.kind == "curve":
            return location.copy()  # it is inside the bounds already
        return inverse_link(described, location)

    def distribution(self, target: str) -> Distribution:
        """The predictive distribution of a target."""
        (k, described), select = self.index[target], self.summary.head.of_target
        if isinstance(self.summary, CurveListSummary):
            return self.summary.distribution(k, described, self.error_quantiles[k])
        return Distribution(
            described,
            select(self.summary.location, k),
            select(self.summary.epistemic, k),
            select(self.summary.aleatoric, k),
            self.error_quantiles[k],
        )

    def sample(self, target: str, seed: int) -> Any:
        """A target of one sampled run of each configuration; a seed samples all targets jointly."""
        if seed not in self._samples:
            self._samples[seed] = self._sample_run(seed)
        k, described = self.index[target]
        return inverse_link(described, self.summary.head.of_target(self._samples[seed], k))

    def _sample_run(self, seed: int) -> Array:
        """Sample one run of each configuration, on the transformed scale, shaped like `location`.

        The ensembles of a benchmark sample a run jointly: the shared factors depend only on the
        seed and the configuration.
        """
        query, seed_noise = self.query, self.summary.seed_noise
        curves = isinstance(self.summary.head, CurveHead)
        runs = np.array(self.summary.location)
        rows = [runs] if query.single else runs
        lengths = [self.summary.lengths] if query.single else self.summary.lengths
        aleatoric = self.summary.aleatoric
        deviations = [aleatoric] if query.single else aleatoric
        for flat, row, deviation, length in zip(
            query.flats, rows, deviations, lengths, strict=True
        ):
            shared, independent = generators(seed, flat, SHARED, self.name)
            shape = (seed_noise.series, int(length) if curves else 1)
            noise = seed_noise.sample(
                shared.standard_normal(seed_noise.factors), independent.standard_normal(shape)
            )
            known = (..., slice(shape[1])) if curves else ...  # without the padding
            row[known] += deviation[known] * (noise if curves else noise[:, 0])
        return runs
