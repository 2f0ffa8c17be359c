"""A table: every configuration was trained with several seeds, and predictions are look-ups.

A table has the interface of an ensemble, with measured runs as members. The location of a target is
the mean over the seeds on the transformed scale: for a cost, which is transformed by the logarithm,
the value is the geometric mean. `aleatoric` is the deviation between the seeds, shrunk towards a
prior (see `eahas.models.uncertainty.seed_variance`), and `epistemic` the standard error of their
mean. A sample of a configuration is one of its measured runs, with all that was measured in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from eahas.errors import ConfigError, EahasError, shown, unknown
from eahas.models.curves.monotone import rising
from eahas.models.protocol import PredictMixin
from eahas.models.query import Query, make_query
from eahas.models.uncertainty.distribution import Distribution, inverse_link, to_log_scale
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles
from eahas.models.uncertainty.seed_variance import SeedVariance, moments
from eahas.space.space import Space
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

Array = np.ndarray


class Summary(NamedTuple):
    """The summary of one target on the transformed scale, each part (N,) or (N, longest)."""

    location: Array
    epistemic: Array
    aleatoric: Array


@dataclass(frozen=True, eq=False)
class Table(PredictMixin):
    """The runs of N configurations with S seeds. `primary` is the target that `predict` returns.

    Attributes:
        flats: the configurations, flat and canonical, in the order of `Space.points`.
        seeds: of the runs, in the order of their axis.
        present (N, S): whether there is such a run.
        points: how many configurations the space has; a partial table has fewer.
        values: of each target, in its unit and NaN where a run has none: a curve (N, S, longest)
            in float32, a cumulative curve and a scalar (N, S) in float64.
        typical: of each target, how far seeds lie apart.
        laws: of each target, how errors spread: that of a new seed's run around the mean.
    """

    spec: Spec = field(repr=False)
    name: str
    flats: tuple[Mapping[str, Any], ...] = field(repr=False)
    seeds: tuple[int, ...]
    present: Array = field(repr=False)
    points: int
    values: Mapping[str, Array] = field(repr=False)
    seed_variance: Mapping[str, SeedVariance] = field(repr=False)
    error_quantiles: Mapping[str, ErrorQuantiles] = field(repr=False)
    primary: str
    manifest: Mapping[str, Any] = field(repr=False)
    _summaries: dict[str, Summary] = field(default_factory=dict, repr=False)

    @property
    def space(self) -> Space:
        return self.spec.space

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """In the order of the spec."""
        return tuple(target for target in self.spec.targets if target.name in self.values)

    @property
    def members(self) -> int:
        return len(self.seeds)

    @cached_property
    def epochs(self) -> Array:
        """MAX_EPOCH of each configuration, (N,); 1 without a fidelity."""
        fidelity = self.space.fidelity
        return np.array([1 if fidelity is None else flat[fidelity] for flat in self.flats])

    @cached_property
    def _target(self) -> dict[str, Target]:
        return {target.name: target for target in self.targets}

    def lengths(self, name: str, epochs: Any) -> Any:
        """How many values the curve of a name has in runs of so many epochs, an int or (n,)."""
        return self._target[name].schedule.counts(epochs)

    def target(self, name: str) -> Target:
        """The target of a name; EahasError where the table does not hold it."""
        if not isinstance(name, str) or name not in self._target:
            raise EahasError(f"{self.name}: {unknown('target', name, self._target)}")
        return self._target[name]

    def row(self, flat: Mapping[str, Any]) -> int | None:
        """The row of a flat canonical configuration; None where it has no run."""
        return self._row.get(tuple(map(flat.get, self.space.names)))

    def select(self, target: str) -> Table:
        """The same table with another of its targets as the one that `predict` returns."""
        return replace(self, primary=self.target(target).name)

    def predict_members(self, config: Any) -> dict[str, Array]:
        """The run of each seed, (S, L) for a curve and (S,) for a scalar; NaN: no run.

        For a list: (S, n, longest), padded with NaN, and (S, n).
        """
        query = make_query(self.space, config)
        rows = self._rows(query)
        members = {}
        for name in self._target:
            runs = self.values[name][rows].astype(float)
            if self._target[name].kind == "curve":
                runs = runs[..., : np.max(self.lengths(name, query.epochs))]
            members[name] = runs if isinstance(rows, int) else np.moveaxis(runs, 1, 0)
        return members

    def posterior(self, query: Query) -> TablePosterior:
        """The runs of the configurations of a query; ConfigError for one that has no run."""
        return TablePosterior(self, self._rows(query), query)

    def _rows(self, query: Query) -> Any:
        """The rows of the configurations, an int or (n,)."""
        names = self.space.names
        if query.single:
            row = self.row(query.values)
            if row is None:
                raise self._without_run(query.values, "")
            return row
        columns = (query.values[name].tolist() for name in names)
        rows = list(map(self._row.get, zip(*columns, strict=True)))
        if None in rows:
            at = rows.index(None)
            raise self._without_run(query.flats[at], f"configs[{at}]: ")
        return np.array(rows)

    @cached_property
    def _row(self) -> dict[tuple[Any, ...], int]:
        names = self.space.names
        return {tuple(map(flat.get, names)): row for row, flat in enumerate(self.flats)}

    def _without_run(self, flat: Mapping[str, Any], where: str) -> ConfigError:
        return ConfigError(
            f"{where}{shown(dict(flat))} has no run in this table, which holds "
            f"{len(self.flats):,} of the {self.points:,} configurations of space {self.space.name}"
        )

    def summary(self, name: str) -> Summary:
        """Location and deviations of a target, of every configuration; computed once.

        Those of a cumulative curve at its end are those of its total.
        """
        if name not in self._summaries:
            target, values = self._target[name], self.values[name].astype(float)
            transformed = to_log_scale(target, values)
            curve = target.kind == "curve"
            mean, squares, count = moments(transformed if curve else transformed[..., None])
            lengths = self.lengths(name, self.epochs) if curve else np.ones_like(self.epochs)
            aleatoric = self.seed_variance[name].shrunk(mean, squares, count, lengths)
            epistemic = aleatoric / np.sqrt(np.maximum(count, 1))
            if curve and target.cumulative:  # a geometric mean of numbers with a 0 is 0
                mean[(values == 0.0).any(axis=1)] = -np.inf
            if curve and target.total in self._target:
                last = (np.arange(len(mean)), lengths - 1)
                of_total = self.summary(target.total)
                mean[last], aleatoric[last] = of_total.location, of_total.aleatoric
                epistemic[last] = of_total.epistemic
            if curve and target.cumulative:  # a run that broke off is in the mean at first
                mean = rising(mean)
            parts = (mean, epistemic, aleatoric)
            self._summaries[name] = Summary(*(part if curve else part[:, 0] for part in parts))
        return self._summaries[name]


@dataclass(frozen=True, eq=False)
class TablePosterior:
    """The measured runs of the configurations of a query; `rows` is an int or (n,)."""

    table: Table
    rows: Any
    query: Query

    def mean(self, target: str) -> Any:
        """The mean over the seeds: a curve is (E,) or (n, longest), a scalar a float or (n,)."""
        location = self._part(self.table.summary(target).location, target)
        return inverse_link(self.table.target(target), location)

    def distribution(self, target: str) -> Distribution:
        """The distribution of the run of a new seed, and of the mean, in the same shapes."""
        summary = self.table.summary(target)
        return Distribution(
            self.table.target(target),
            self._part(summary.location, target),
            self._part(summary.epistemic, target),
            self._part(summary.aleatoric, target),
            self.table.error_quantiles[target],
        )

    def sample(self, target: str, seed: int) -> Any:
        """A measured run: of a configuration with r runs, the one numbered `seed` modulo r."""
        runs = self.table.values[target][self.rows, self._seeds(seed)]
        if self.table.target(target).kind == "curve":
            longest = np.max(self.table.lengths(target, self.query.epochs))
            return runs[..., :longest].astype(float)
        return float(runs) if self.query.single else runs

    def _seeds(self, seed: int) -> Array | int:
        """The position of the sampled run of each configuration on the axis of seeds."""
        present = self.table.present[self.rows]
        number = np.array([seed % r if r else 0 for r in range(self.table.members + 1)])
        order = np.argsort(~present, axis=-1, kind="stable")
        chosen = number[present.sum(axis=-1)]
        if self.query.single:
            return int(order[chosen])
        return order[np.arange(len(order)), chosen]

    def _part(self, part: Array, target: str) -> Any:
        """The rows of the query: a float, or an array of its own."""
        if part.ndim == 1:
            return float(part[self.rows]) if self.query.single else part[self.rows]
        lengths = self.table.lengths(target, self.query.epochs)
        if self.query.single:
            return part[self.rows, :lengths].copy()
        return part[self.rows, : int(lengths.max())]
