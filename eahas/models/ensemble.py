"""One fitted surrogate: features, a regressor, a head. Read from a folder by numpy.

Every ensemble predicts with the member axis first; mean, deviation and intervals are derived from
it in `eahas.models.posterior` and `eahas.models.uncertainty.distribution`, for one configuration
and for a list of them alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import EahasError, unknown
from eahas.models.features.features import Features
from eahas.models.heads import CurveHead, Head
from eahas.models.posterior import AnyBelief, believe
from eahas.models.protocol import Asked
from eahas.models.query import Question, ask
from eahas.models.regressors import Regressor
from eahas.models.uncertainty.distribution import Distribution, unlinked
from eahas.models.uncertainty.error_quantiles import Law, normal_law
from eahas.models.uncertainty.seed_noise import Noise, generators, plain_noise
from eahas.space.space import Space
from eahas.spec.spec import Spec, Target

Array = np.ndarray
SHARED = "all of its targets"  # of the seed of what is drawn for all models; no model's name


@dataclass(frozen=True, eq=False)
class Ensemble(Asked):
    """A surrogate for some targets of a spec. `primary` is the one that `predict` returns.

    `inflation` multiplies the members' disagreement on each target, and `laws` say how errors
    spread around it, both in the head's order: chosen so that intervals hold what they promise on
    runs that were not fitted. What else `manifest` says goes along when the ensemble is saved.
    """

    spec: Spec = field(repr=False)
    name: str
    features: Features = field(repr=False)
    regressor: Regressor = field(repr=False)
    head: Head = field(repr=False)
    noise: Noise = field(repr=False)
    inflation: tuple[float, ...]
    laws: tuple[Law, ...] = field(repr=False)
    primary: str
    manifest: Mapping[str, Any] = field(repr=False)

    @classmethod
    def uncalibrated(cls, head: Head, **parts: Any) -> Ensemble:
        """An ensemble as its fit leaves it: the noise as the head says it, errors normal."""
        count = len(head.targets)
        return cls(
            head=head,
            noise=plain_noise(count, curves=isinstance(head, CurveHead)),
            inflation=(1.0,) * count,
            laws=(normal_law(),) * count,
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
    def places(self) -> dict[str, tuple[int, Target]]:
        """Each target by its name, with its place on the head's axis of targets."""
        return {target.name: (k, target) for k, target in enumerate(self.targets)}

    def select(self, target: str) -> Ensemble:
        """The same ensemble with another of its targets as the one that `predict` returns."""
        if not isinstance(target, str) or target not in self.places:
            raise EahasError(f"{self.name}: {unknown('target', target, self.places)}")
        return replace(self, primary=target)

    # What a user asks

    def predict_members(self, config: Any) -> dict[str, Array]:
        """Each member's own prediction, (M, MAX_EPOCH) a curve and (M,) a scalar.

        Of a list: (M, n, longest), padded with NaN, and (M, n).
        """
        members = self.believe(ask(self.space, config)).members
        return {
            target.name: unlinked(target, self.head.of_target(members, k))
            for k, target in enumerate(self.targets)
        }

    # From a question to an answer, in the steps that a benchmark takes one by one

    def believe(self, question: Question) -> AnyBelief:
        """What the members say about the configurations that are asked for."""
        answer = self.regressor.one if question.single else self.regressor.many
        out = answer(question.seen_by(self.features))
        return believe(self.head, self.noise, self._inflation, out, question.epochs)

    def value(self, belief: AnyBelief, name: str, drawn: Array | None = None) -> Any:
        """The prediction of a target, or what was `drawn` of it."""
        k, target = self.places[name]
        location = self.head.of_target(belief.location if drawn is None else drawn, k)
        if drawn is None and target.kind == "curve":
            return location.copy()  # inside its bounds already
        return unlinked(target, location)

    def distribution_of(self, belief: AnyBelief, name: str) -> Distribution:
        """What is believed about a target."""
        (k, target), of_target = self.places[name], self.head.of_target
        return Distribution(
            target,
            of_target(belief.location, k),
            of_target(belief.epistemic, k),
            of_target(belief.aleatoric, k),
            self.laws[k],
        )

    def drawn(self, belief: AnyBelief, question: Question, noise_seed: int) -> Array:
        """One run of each configuration, on the linked scale, in the shape of `location`.

        The ensembles of a benchmark draw a run together: its shared factors depend on the seed and
        the configuration alone.
        """
        curves = isinstance(self.head, CurveHead)
        strayed = np.array(belief.location)
        rows = [strayed] if question.single else strayed
        lengths = [question.epochs] if question.single else question.epochs
        aleatoric = [belief.aleatoric] if question.single else belief.aleatoric
        for flat, row, deviation, epochs in zip(
            question.flats, rows, aleatoric, lengths, strict=True
        ):
            shared, fresh = generators(noise_seed, flat, SHARED, self.name)
            shape = (self.noise.series, int(epochs) if curves else 1)
            noise = self.noise.draw(
                shared.standard_normal(self.noise.factors), fresh.standard_normal(shape)
            )
            at = (..., slice(shape[1])) if curves else ...
            row[at] += deviation[at] * (noise if curves else noise[:, 0])
        return strayed

    @cached_property
    def _inflation(self) -> Array:
        factors = np.array(self.inflation)
        return factors[:, None] if isinstance(self.head, CurveHead) else factors


class EstimatedEnergyWarning(UserWarning):
    """Joules that are a formula of CPU time were used to rank or to budget."""


def warn_estimated(what: str, formula: str) -> None:
    """Say once a process that an energy is estimated, not measured."""
    warnings.warn(
        f"{what}: the energy is estimated ({formula}), not measured; rankings by it repeat the "
        "rankings by time",
        EstimatedEnergyWarning,
        stacklevel=3,
    )
