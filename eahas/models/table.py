"""A table: every configuration was trained with several seeds, and is looked up.

It answers what an ensemble answers, from measured runs. Members are the seeds. The location of a
target is the mean over the seeds on the linked scale, so that of a cost, which is linked by the
logarithm, the value is the geometric mean. `aleatoric` is the deviation between the seeds, shrunk
towards what is typical (see `eahas.models.uncertainty.seed_variance`), `epistemic` the standard
error of their mean. One run of a configuration is a run that was made, with all that was measured
in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from eahas.errors import ConfigError, EahasError, shown, unknown
from eahas.models.protocol import Asked
from eahas.models.query import Question, ask
from eahas.models.uncertainty.distribution import Distribution, on_log_scale, unlinked
from eahas.models.uncertainty.error_quantiles import Law
from eahas.models.uncertainty.seed_variance import Typical, moments
from eahas.space.space import Space
from eahas.spec.spec import Spec, Target

Array = np.ndarray


class Rows(NamedTuple):
    """What is believed: the rows of the configurations, and their epochs. An int each, or (n,)."""

    rows: Any
    epochs: Any


class Told(NamedTuple):
    """Of one target on the linked scale, each (N,) or (N, longest)."""

    location: Array
    epistemic: Array
    aleatoric: Array


@dataclass(frozen=True, eq=False)
class Table(Asked):
    """The runs of N configurations with S seeds. `primary` is the target that `predict` returns.

    Attributes:
        flats: the configurations, flat and canonical, in the order of `Space.points`.
        seeds: of the runs, in the order of their axis.
        present (N, S): whether there is such a run.
        points: how many configurations the space has; a partial table has fewer.
        values: of each target, in its unit and NaN where a run has none: a curve (N, S, longest)
            in float32, a scalar (N, S).
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
    typical: Mapping[str, Typical] = field(repr=False)
    laws: Mapping[str, Law] = field(repr=False)
    primary: str
    manifest: Mapping[str, Any] = field(repr=False)
    _told: dict[str, Told] = field(default_factory=dict, repr=False)

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

    def select(self, target: str) -> Table:
        """The same table with another of its targets as the one that `predict` returns."""
        if not isinstance(target, str) or target not in self._target:
            raise EahasError(f"{self.name}: {unknown('target', target, self._target)}")
        return replace(self, primary=target)

    def predict_members(self, config: Any) -> dict[str, Array]:
        """Each seed's own run, (S, MAX_EPOCH) a curve and (S,) a scalar; NaN where there is none.

        Of a list: (S, n, longest), padded with NaN, and (S, n).
        """
        rows, epochs = self.believe(ask(self.space, config))
        found = {}
        for name in self._target:
            runs = self.values[name][rows].astype(float)
            if self._target[name].kind == "curve":
                runs = runs[..., : np.max(epochs)]
            found[name] = runs if isinstance(rows, int) else np.moveaxis(runs, 1, 0)
        return found

    # From a question to an answer, in the steps that a benchmark takes one by one

    def believe(self, question: Question) -> Rows:
        """Where the configurations stand; ConfigError for one that has no run."""
        names = self.space.names
        if question.single:
            row = self._row.get(tuple(map(question.values.get, names)))
            if row is None:
                raise self._without_run(question.values, "")
            return Rows(row, question.epochs)
        columns = (question.values[name].tolist() for name in names)
        found = list(map(self._row.get, zip(*columns, strict=True)))
        if None in found:
            at = found.index(None)
            raise self._without_run(question.flats[at], f"configs[{at}]: ")
        return Rows(np.array(found), question.epochs)

    @cached_property
    def _row(self) -> dict[tuple[Any, ...], int]:
        names = self.space.names
        return {tuple(map(flat.get, names)): row for row, flat in enumerate(self.flats)}

    def _without_run(self, flat: Mapping[str, Any], where: str) -> ConfigError:
        return ConfigError(
            f"{where}{shown(dict(flat))} has no run in this table, which holds "
            f"{len(self.flats):,} of the {self.points:,} configurations of space {self.space.name}"
        )

    def value(self, belief: Rows, name: str, drawn: Array | int | None = None) -> Any:
        """The mean of a target, or the value of the runs that were `drawn`."""
        target = self._target[name]
        if drawn is None:
            return unlinked(target, _at(self.told(name).location, belief))
        runs = self.values[name][belief.rows, drawn]
        if target.kind == "curve":
            return runs[..., : np.max(belief.epochs)].astype(float)
        return float(runs) if isinstance(belief.rows, int) else runs

    def distribution_of(self, belief: Rows, name: str) -> Distribution:
        """What is known of a target."""
        told = self.told(name)
        return Distribution(
            self._target[name],
            _at(told.location, belief),
            _at(told.epistemic, belief),
            _at(told.aleatoric, belief),
            self.laws[name],
        )

    def drawn(self, belief: Rows, question: Question, noise_seed: int) -> Array | int:
        """The places of one run of each configuration on the axis of seeds, an int or (n,).

        Of a configuration with r runs it is the one numbered `noise_seed` modulo r.
        """
        number = np.array([noise_seed % r if r else 0 for r in range(self.members + 1)])
        order = np.argsort(~self.present[belief.rows], axis=-1, kind="stable")
        chosen = number[self.present[belief.rows].sum(axis=-1)]
        if question.single:
            return int(order[chosen])
        return order[np.arange(len(order)), chosen]

    def told(self, name: str) -> Told:
        """What the runs say of a target, of every configuration; computed once."""
        if name not in self._told:
            target, values = self._target[name], self.values[name].astype(float)
            linked = np.log(values) if on_log_scale(target) else values
            curve = target.kind == "curve"
            mean, squares, count = moments(linked if curve else linked[..., None])
            epochs = self.epochs if curve else np.ones_like(self.epochs)
            aleatoric = self.typical[name].shrunk(mean, squares, count, epochs)
            epistemic = aleatoric / np.sqrt(np.maximum(count, 1))
            parts = (mean, epistemic, aleatoric)
            self._told[name] = Told(*(part if curve else part[:, 0] for part in parts))
        return self._told[name]


def _at(part: Array, belief: Rows) -> Any:
    """The rows of a part that is asked for: a float, or an array of its own."""
    rows, epochs = belief
    if part.ndim == 1:
        return float(part[rows]) if isinstance(rows, int) else part[rows]
    if isinstance(rows, int):
        return part[rows, :epochs].copy()
    return part[rows, : int(epochs.max())]
