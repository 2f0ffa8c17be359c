"""Cumulative curves: the resources that a run has used after each epoch, such as time or energy.

A cumulative curve is the product of a total and a share curve that rises to 1
(`eahas.models.curves.monotone`). It therefore never decreases, and its last value is the predicted
total. This holds for the prediction, for each member, for each sampled run and for both ends of
each interval. A curve may name a scalar of the spec as its total; another model then predicts the
total. If it names none, this model predicts the last value of the curve.
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
    """The target of the share curve: the values of a cumulative curve divided by its last value."""
    return Target(curve.name, "curve", "", curve.direction, 0.0, 1.0, schedule=curve.schedule)


def end_of(curve: Target) -> Target:
    """The target of the last value of a curve without a total: a scalar with the curve's name."""
    return replace(curve, kind="scalar")


@dataclass(frozen=True, eq=False)
class Cumulative(PredictMixin):
    """A model of cumulative curves with one schedule. `predict` returns the curve `primary`.

    Attributes:
        shares: the ensemble that predicts the share curve of each curve (`share_of`).
        ends: the ensemble that predicts the last value of each curve without a total (`end_of`);
            None if every curve has a total.
        totals: the model of each total that is a scalar of the spec, by the name of the scalar.
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
        """The largest number of members among the models that it uses; see `predict_members`."""
        counts = [model.members for model in self.totals.values()]
        return max(self.shares.members, *counts, 0 if self.ends is None else self.ends.members)

    @property
    def parts(self) -> dict[str, Ensemble]:
        """The ensembles that are saved with this model: `shares`, and `ends` if it has one."""
        ends = {} if self.ends is None else {"ends": self.ends}
        return {"shares": self.shares, **ends}

    def total_of(self, curve: str) -> tuple[Model, str]:
        """The model that predicts the last value of a curve, and the name of its target there."""
        total = self.index[curve].total
        if total is not None:
            return self.totals[total], total
        assert self.ends is not None
        return self.ends, curve

    def select(self, target: str) -> Cumulative:
        """The same model with another curve as `primary`; EahasError for an unknown curve."""
        if not isinstance(target, str) or target not in self.index:
            raise EahasError(f"{self.name}: {unknown('target', target, self.index)}")
        return replace(self, primary=target)

    def predict_members(self, config: Any) -> dict[str, Array]:
        """The curve of each member: (M, L), or (M, n, longest) padded with NaN for a list.

        Member k is the product of member k of the total and member k of the share. If one of the
        two has fewer members, its members are repeated from the first one.
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

    On the log scale, the location of a curve is the sum of the location of its total and the
    logarithm of its share. The relative deviations of total and share are treated as independent.
    At the last epoch the share is exactly 1, so the distribution equals that of the total.
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
        """The predicted total times the mean share curve: (L,), or (n, longest) for a list."""
        posterior, total = self._total(target)
        share = rising_to_one(self._shares.mean(target))
        return _with_epoch_axis(posterior.mean(total)) * share

    def sample(self, target: str, seed: int) -> Any:
        """The curve of one sampled run of each configuration: a total times a share, both sampled.

        Where the predicted share is 0 (before training starts), the sampled share is 0 as well.
        """
        posterior, total = self._total(target)
        sampled = np.where(self._shares.mean(target) == 0.0, 0.0, self._shares.sample(target, seed))
        share = rising_to_one(sampled)
        return _with_epoch_axis(posterior.sample(total, seed)) * share

    def distribution(self, target: str) -> Distribution:
        """The predictive distribution of a curve, on the log scale.

        It uses the error quantiles of the total. The deviations of the share are scaled such that
        the standard deviation of the share does not change.
        """
        posterior, total = self._total(target)
        end, shares = posterior.distribution(total), self._shares.distribution(target)
        share = rising_to_one(shares.value)
        uncertain = (share > 0.0) & (share < 1.0)
        ratio = shares.error_quantiles.std / max(end.error_quantiles.std, 1e-12)
        relative = np.divide(shares.scale * ratio, share, out=np.zeros_like(share), where=uncertain)
        # The deviation of the logarithm of a log-normal share with this relative deviation:
        log_std = np.sqrt(np.log1p(relative * relative))
        per_unit = np.divide(log_std, shares.scale, out=np.zeros_like(share), where=relative > 0.0)

        def combined(end_std: Any, share_std: Array) -> Array:
            log_share_std = share_std * per_unit
            total_std = np.sqrt(
                np.square(_with_epoch_axis(end_std)) + log_share_std * log_share_std
            )
            return np.where(np.isnan(share), np.nan, total_std)

        log_share = np.log(share, out=np.full_like(share, -np.inf), where=~(share <= 0.0))
        return Distribution(
            self.model.index[target],
            _with_epoch_axis(end.location) + log_share,
            combined(end.epistemic, shares.epistemic),
            combined(end.aleatoric, shares.aleatoric),
            end.error_quantiles,
        )


def _with_epoch_axis(numbers: Any) -> Any:
    """One number per run as float64, with a last axis of length 1 for the epochs."""
    return np.asarray(numbers, dtype=float)[..., None]
