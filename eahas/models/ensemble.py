"""A fitted surrogate: features, a regressor and a head. Predictions need numpy only.

The first axis of the predictions of an ensemble is the member. `eahas.models.posterior` and
`eahas.models.uncertainty.distribution` derive mean, deviations and intervals from them, in the same
way for one configuration and for a list.
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
    """A surrogate for some targets of a spec. `predict` returns the target `primary`.

    `inflation` multiplies the standard deviation of the members on each target. `error_quantiles`
    describe the distribution of the standardised errors of each target. Both have the order of the
    head. A fit chooses them such that the intervals have their nominal coverage on held-out runs.
    Further entries of `manifest` are saved with the ensemble.
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
        """An ensemble before calibration: seed noise from the head, and normal error quantiles."""
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
        """For each target name, the position on the head's axis of targets, and the target."""
        return {target.name: (k, target) for k, target in enumerate(self.targets)}

    def select(self, target: str) -> Ensemble:
        """The same ensemble with another target as `primary`. Raises EahasError for other names."""
        if not isinstance(target, str) or target not in self.index:
            raise EahasError(f"{self.name}: {unknown('target', target, self.index)}")
        return replace(self, primary=target)

    def predict_members(self, config: Any) -> dict[str, Array]:
        """The prediction of each member for each target, by target name.

        A curve is (M, L), or (M, n, longest) padded with NaN for a list. A scalar is (M,), or
        (M, n) for a list.
        """
        members = self.posterior(make_query(self.space, config)).summary.members
        return {
            target.name: inverse_link(target, self.head.of_target(members, k))
            for k, target in enumerate(self.targets)
        }

    def posterior(self, query: Query) -> EnsemblePosterior:
        """The predictive distribution of every target for the configurations of a query."""
        evaluate = self.regressor.one if query.single else self.regressor.many
        out = evaluate(query.features_for(self.features))
        lengths = self.head.lengths(query.epochs)
        summary = summarise(self.head, self.seed_noise, self._inflation, out, lengths)
        return EnsemblePosterior(query, summary, self.index, self.error_quantiles, self.name)

    @cached_property
    def _inflation(self) -> Array:
        factors = np.array(self.inflation)
        return factors[:, None] if isinstance(self.head, CurveHead) else factors
