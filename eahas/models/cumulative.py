"""Cumulative curves: what a run has spent after each epoch, as elapsed seconds or joules.

A cumulative curve is a total times a share curve that rises to 1 (`eahas.models.curves.monotone`).
So it never falls, and it ends at the prediction of its total: for the prediction, each member, each
sampled run and the ends of each interval. The total is a scalar of the spec, which another model
predicts, or, where a curve names none, the curve's own end, which this model predicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import EahasError, unknown
from eahas.models.curves.monotone import rising_to_one
from eahas.models.ensemble import Ensemble
from eahas.models.protocol import Model, Posterior, PredictMixin
from eahas.models.query import Query
from eahas.models.uncertainty.distribution import Distribution
from eahas.space.space import Space
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

Array = np.ndarray


def share_of(curve: Target) -> Target:
    """The share of a cumulative curve: its values over its last one."""
    return Target(curve.name, "curve", "", curve.direction, 0.0, 1.0, schedule=curve.schedule)


def end_of(curve: Target) -> Target:
    """The end of a cumulative curve that names no total: a scalar of the curve's own name."""
    return replace(curve, kind="scalar")


@dataclass(frozen=True, eq=False)
class Cumulative(PredictMixin):
    """The cumulative curves of one schedule. `primary` is the one that `predict` returns.

    Attributes:
        shares: predicts `share_of` each curve.
        ends: predicts `end_of` each curve without a total; None where all have one.
        totals: the model of each total that is a scalar of the spec, by the scalar's name.
    """

    spec: Spec = field(repr=False)
    name: str
    targets: tuple[Target, ...]
    shares: Ensemble = field(repr=False)
    ends: Ensemble | None = field(repr=False)
    totals: Mapping[str, Model] = field(repr=False)
    primary: str
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def space(self) -> Space:
        return self.spec.space

    @cached_property
    def index(self) -> dict[str, Target]:
        """The curves by name."""
        return {target.name: target for target in self.targets}

    @property
    def members(self) -> int:
        """The largest number of members of the models behind it; see `predict_members`."""
        counts = [model.members for model in self.totals.values()]
        return max(self.shares.members, *counts, 0 if self.ends is None else self.ends.members)

    @property
    def parts(self) -> dict[str, Ensemble]:
        """Its own ensembles: `shares`, and `ends` where there is one."""
        ends = {} if self.ends is None else {"ends": self.ends}
        return {"shares": self.shares, **ends}

    def total_of(self, curve: str) -> tuple[Model, str]:
        """The model that predicts the end of a curve, and the name of the target in it."""
        total = self.index[curve].total
        if total is not None:
            return self.totals[total], total
        assert self.ends is not None
        return self.ends, curve

    def select(self, target: str) -> Cumulative:
        """The same model with another of its curves as the one that `predict` returns."""
        if not isinstance(target, str) or target not in self.index:
            raise EahasError(f"{self.name}: {unknown('target', target, self.index)}")
        return replace(self, primary=target)

    def predict_members(self, config: Any) -> dict[str, Array]:
        """The curve of each member, (M, L), or (M, n, longest) for a list, padded with NaN.

        Member k is member k of the total times member k of the share; where one of them has fewer
        members, they are counted from its first again.
        """
        numbers = np.arange(self.members)
        shares, curves = self.shares.predict_members(config), {}
        for name in self.index:
            model, total = self.total_of(name)
            ends = model.predict_members(config)[total]
            share = shares[name][numbers % len(shares[name])]
            curves[name] = ends[numbers % len(ends)][..., None] * share
        return curves

    def posterior(self, query: Query) -> CumulativePosterior:
        """The predictive distribution of every curve for the configurations of a query."""
        return CumulativePosterior(self, query)


@dataclass(frozen=True, eq=False)
class CumulativePosterior:
    """The predictive distribution of the curves of a `Cumulative` for one query.

    On the log scale the location of a curve is that of its total plus the logarithm of the share,
    and the relative deviations of both are taken as independent. At the end the share is 1 without
    a deviation, so that the distribution is that of the total.
    """

    model: Cumulative
    query: Query

    @cached_property
    def _shares(self) -> Posterior:
        return self.model.shares.posterior(self.query)

    @cached_property
    def _totals(self) -> dict[int, Posterior]:
        return {}

    def _total(self, curve: str) -> tuple[Posterior, str]:
        model, name = self.model.total_of(curve)
        if id(model) not in self._totals:
            self._totals[id(model)] = model.posterior(self.query)
        return self._totals[id(model)], name

    def mean(self, target: str) -> Any:
        """The prediction of the total times the mean share: (L,), or (n, longest)."""
        posterior, total = self._total(target)
        share = rising_to_one(self._shares.mean(target))
        return _per_run(posterior.mean(total)) * share

    def sample(self, target: str, seed: int) -> Any:
        """A curve of one run of each configuration: a sampled total times a sampled share.

        A share that is predicted to be 0, as that before training, is 0 in every run.
        """
        posterior, total = self._total(target)
        sampled = np.where(self._shares.mean(target) == 0.0, 0.0, self._shares.sample(target, seed))
        share = rising_to_one(sampled)
        return _per_run(posterior.sample(total, seed)) * share

    def distribution(self, target: str) -> Distribution:
        """The predictive distribution of a curve, on the log scale.

        Errors follow the quantiles of the total's errors; the deviations of the share are scaled so
        that its standard deviation is kept.
        """
        posterior, total = self._total(target)
        end, shares = posterior.distribution(total), self._shares.distribution(target)
        share = rising_to_one(shares.value)
        moving = (share > 0.0) & (share < 1.0)
        ratio = shares.error_quantiles.std / max(end.error_quantiles.std, 1e-12)
        relative = np.divide(shares.scale * ratio, share, out=np.zeros_like(share), where=moving)
        # A log-normal share with this relative deviation has it on the log scale:
        on_log = np.sqrt(np.log1p(relative * relative))
        per_unit = np.divide(on_log, shares.scale, out=np.zeros_like(share), where=relative > 0.0)

        def combined(of_end: Any, of_share: Array) -> Array:
            own = of_share * per_unit
            whole = np.sqrt(np.square(_per_run(of_end)) + own * own)
            return np.where(np.isnan(share), np.nan, whole)

        logs = np.log(share, out=np.full_like(share, -np.inf), where=~(share <= 0.0))
        return Distribution(
            self.model.index[target],
            _per_run(end.location) + logs,
            combined(end.epistemic, shares.epistemic),
            combined(end.aleatoric, shares.aleatoric),
            end.error_quantiles,
        )


def _per_run(of_runs: Any) -> Any:
    """A number of each run with an axis for the values of its curve: (1,) or (n, 1)."""
    return np.asarray(of_runs, dtype=float)[..., None]
