"""One fitted surrogate: features, a regressor, a head. Read from a folder by numpy.

Every ensemble predicts with the member axis first; mean, deviation and intervals are derived from
it in `eahas.models.posterior` and `eahas.models.uncertainty.distribution`, for one configuration
and for a list of them alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import EahasError, unknown
from eahas.models.features.features import Features
from eahas.models.heads import CurveHead, Head
from eahas.models.posterior import EnsemblePosterior, summarise
from eahas.models.protocol import PredictMixin
from eahas.models.query import Query, make_query
from eahas.models.regressors import Regressor
from eahas.models.uncertainty.distribution import inverse_link
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles, normal_quantiles
from eahas.models.uncertainty.seed_noise import SeedNoise, head_seed_noise
from eahas.space.space import Space
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Ensemble(PredictMixin):
    """A surrogate for some targets of a spec. `primary` is the one that `predict` returns.

    `inflation` multiplies the members' disagreement on each target, and `error_quantiles` say how
    errors spread around it, both in the head's order: chosen so that intervals hold what they
    promise on runs that were not fitted. What else `manifest` says goes along when the ensemble is
    saved.
    """

    spec: Spec = field(repr=False)
    name: str
    features: Features = field(repr=False)
    regressor: Regressor = field(repr=False)
    head: Head = field(repr=False)
    seed_noise: SeedNoise = field(repr=False)
    inflation: tuple[float, ...]
    error_quantiles: tuple[ErrorQuantiles, ...] = field(repr=False)
    primary: str
    manifest: Mapping[str, Any] = field(repr=False)

    @classmethod
    def uncalibrated(cls, head: Head, **parts: Any) -> Ensemble:
        """An ensemble as its fit leaves it: the noise as the head says it, errors normal."""
        count = len(head.targets)
        return cls(
            head=head,
            seed_noise=head_seed_noise(count, curves=isinstance(head, CurveHead)),
            inflation=(1.0,) * count,
            error_quantiles=(normal_quantiles(),) * count,
            **parts,
        )

    @property
    def space(self) -> Space:
        return self.spec.space

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.head.targets

    @property
    def members(self) -> int:
        return self.regressor.members

    @cached_property
    def index(self) -> dict[str, tuple[int, Target]]:
        """The position of each target on the head's axis of targets, and the target, by name."""
        return {target.name: (k, target) for k, target in enumerate(self.targets)}

    def select(self, target: str) -> Ensemble:
        """The same ensemble with another of its targets as the one that `predict` returns."""
        if not isinstance(target, str) or target not in self.index:
            raise EahasError(f"{self.name}: {unknown('target', target, self.index)}")
        return replace(self, primary=target)

    def predict_members(self, config: Any) -> dict[str, Array]:
        """The prediction of each member, (M, L) for a curve and (M,) for a scalar.

        For a list: (M, n, longest), padded with NaN, and (M, n).
        """
        members = self.posterior(make_query(self.space, config)).summary.members
        return {
            target.name: inverse_link(target, self.head.of_target(members, k))
            for k, target in enumerate(self.targets)
        }

    def posterior(self, query: Query) -> EnsemblePosterior:
        """The predictive distribution of every target for the configurations of a query."""
        outputs = self.regressor.one if query.single else self.regressor.many
        out = outputs(query.features_for(self.features))
        lengths = self.head.lengths(query.epochs)
        summary = summarise(self.head, self.seed_noise, self._inflation, out, lengths)
        return EnsemblePosterior(query, summary, self.index, self.error_quantiles, self.name)

    @cached_property
    def _inflation(self) -> Array:
        factors = np.array(self.inflation)
        return factors[:, None] if isinstance(self.head, CurveHead) else factors
