"""A tabular model: it looks up the measured runs of configurations with several seeds.

A table has the interface of an ensemble; its members are the measured runs. The location of a
target is the mean over the seeds on the transformed scale. Costs are on the log scale, so their
predicted value is the geometric mean. `aleatoric` is the standard deviation between the seeds,
shrunk towards a prior (see `eahas.models.uncertainty.seed_variance`), and `epistemic` is the
standard error of the mean. A sample of a configuration is one of its measured runs; all targets of
the sample are from this run.
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
    """The summary of one target on the transformed scale; each part is (N,) or (N, longest)."""

    location: Array
    epistemic: Array
    aleatoric: Array


@dataclass(frozen=True, eq=False)
class Table(PredictMixin):
    """The runs of N configurations with S seeds. `predict` returns the target `primary`.

    Attributes:
        flats: the configurations in canonical flat form, in the order of `Space.points`.
        seeds: the seed of each position on the axis of seeds.
        present (N, S): whether the run of a configuration with a seed exists.
        points: the number of configurations of the space; a partial table has fewer rows.
        values: the values of each target in its unit, NaN if a run has no value. A curve is
            (N, S, longest), in float32, or in float64 if it is cumulative. A scalar is (N, S), in
            float64.
        seed_variance: the prior of the variance between seeds, for each target.
        error_quantiles: the error quantiles of each target, for the error of the mean as a
            prediction of a run with a new seed.
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
        """The targets of the table, in the order of the spec."""
        return tuple(target for target in self.spec.targets if target.name in self.values)

    @property
    def members(self) -> int:
        return len(self.seeds)

    @cached_property
    def epochs(self) -> Array:
        """The number of epochs of each configuration, (N,); 1 if the space has no fidelity."""
        fidelity = self.space.fidelity
        return np.array([1 if fidelity is None else flat[fidelity] for flat in self.flats])

    @cached_property
    def _target(self) -> dict[str, Target]:
        return {target.name: target for target in self.targets}

    def lengths(self, name: str, epochs: Any) -> Any:
        """The number of values of a curve in runs with `epochs` epochs: an int, or (n,)."""
        return self._target[name].schedule.counts(epochs)

    def target(self, name: str) -> Target:
        """The target with a name. Raises EahasError if the table does not have it."""
        if not isinstance(name, str) or name not in self._target:
            raise EahasError(f"{self.name}: {unknown('target', name, self._target)}")
        return self._target[name]

    def row(self, flat: Mapping[str, Any]) -> int | None:
        """The row of a canonical flat configuration, or None if it has no run."""
        return self._row.get(tuple(map(flat.get, self.space.names)))

    def select(self, target: str) -> Table:
        """The same table with another target as `primary`. Raises EahasError for other names."""
        return replace(self, primary=self.target(target).name)

    def predict_members(self, config: Any) -> dict[str, Array]:
        """The run of each seed, by target name; NaN if there is no run with a seed.

        A curve is (S, L), or (S, n, longest) padded with NaN for a list. A scalar is (S,), or
        (S, n) for a list.
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
        """The posterior for a query. Raises ConfigError if a configuration has no run."""
        return TablePosterior(self, self._rows(query), query)

    def _rows(self, query: Query) -> Any:
        """The rows of the configurations of a query: an int, or (n,) for a list."""
        names = self.space.names
        if query.single:
            row = self.row(query.values)
            if row is None:
                raise self._missing_run(query.values, "")
            return row
        columns = (query.values[name].tolist() for name in names)
        rows = list(map(self._row.get, zip(*columns, strict=True)))
        if None in rows:
            missing = rows.index(None)
            raise self._missing_run(query.flats[missing], f"configs[{missing}]: ")
        return np.array(rows)

    @cached_property
    def _row(self) -> dict[tuple[Any, ...], int]:
        names = self.space.names
        return {tuple(map(flat.get, names)): row for row, flat in enumerate(self.flats)}

    def _missing_run(self, flat: Mapping[str, Any], position: str) -> ConfigError:
        return ConfigError(
            f"{position}{shown(dict(flat))} has no run in this table, which has runs of "
            f"{len(self.flats):,} of the {self.points:,} configurations of space {self.space.name}"
        )

    def summary(self, name: str) -> Summary:
        """The location and the deviations of a target for every configuration; computed once.

        A cumulative curve has at its last epoch the location and the deviations of its total.
        """
        if name not in self._summaries:
            target, values = self._target[name], self.values[name].astype(float)
            transformed = to_log_scale(target, values)
            curve = target.kind == "curve"
            mean, squares, count = moments(transformed if curve else transformed[..., None])
            lengths = self.lengths(name, self.epochs) if curve else np.ones_like(self.epochs)
            aleatoric = self.seed_variance[name].shrunk(mean, squares, count, lengths)
            epistemic = aleatoric / np.sqrt(np.maximum(count, 1))
            if curve and target.cumulative:  # one 0 makes the geometric mean 0
                mean[(values == 0.0).any(axis=1)] = -np.inf
            if curve and target.total in self._target:
                last = (np.arange(len(mean)), lengths - 1)
                total = self.summary(target.total)
                mean[last], aleatoric[last] = total.location, total.aleatoric
                epistemic[last] = total.epistemic
            if curve and target.cumulative:  # an aborted run is in the mean of its epochs only
                mean = rising(mean)
            parts = (mean, epistemic, aleatoric)
            self._summaries[name] = Summary(*(part if curve else part[:, 0] for part in parts))
        return self._summaries[name]


@dataclass(frozen=True, eq=False)
class TablePosterior:
    """The measured runs of the configurations of a query, which are `rows`: an int, or (n,)."""

    table: Table
    rows: Any
    query: Query

    def mean(self, target: str) -> Any:
        """The mean over the seeds, in the unit of the target.

        A curve is (L,), or (n, longest) for a list. A scalar is a float, or (n,) for a list.
        """
        location = self._part(self.table.summary(target).location, target)
        return inverse_link(self.table.target(target), location)

    def distribution(self, target: str) -> Distribution:
        """The predictive distribution of a run with a new seed, in the shapes of `mean`."""
        summary = self.table.summary(target)
        return Distribution(
            self.table.target(target),
            self._part(summary.location, target),
            self._part(summary.epistemic, target),
            self._part(summary.aleatoric, target),
            self.table.error_quantiles[target],
        )

    def sample(self, target: str, seed: int) -> Any:
        """A measured run of each configuration: run number `seed` modulo r if it has r runs."""
        runs = self.table.values[target][self.rows, self._seeds(seed)]
        if self.table.target(target).kind == "curve":
            longest = np.max(self.table.lengths(target, self.query.epochs))
            return runs[..., :longest].astype(float)
        return float(runs) if self.query.single else runs

    def _seeds(self, seed: int) -> Array | int:
        """The position of the sampled run of each configuration on the axis of seeds."""
        present = self.table.present[self.rows]
        run_numbers = np.array([seed % r if r else 0 for r in range(self.table.members + 1)])
        present_first = np.argsort(~present, axis=-1, kind="stable")
        number = run_numbers[present.sum(axis=-1)]
        if self.query.single:
            return int(present_first[number])
        return present_first[np.arange(len(present_first)), number]

    def _part(self, part: Array, target: str) -> Any:
        """The rows of the query in a part of a summary: a float, or a new array."""
        if part.ndim == 1:
            return float(part[self.rows]) if self.query.single else part[self.rows]
        lengths = self.table.lengths(target, self.query.epochs)
        if self.query.single:
            return part[self.rows, :lengths].copy()
        return part[self.rows, : int(lengths.max())]
