"""One fitted surrogate: features, a regressor, a head. Read from a folder by numpy.

Every ensemble predicts with the member axis first; mean, deviation and intervals are derived from
it in `eahas.belief` and `eahas.distribution`, for one configuration and for a list of them alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from eahas.belief import Belief, BeliefOfCurves, believe
from eahas.checks import is_whole
from eahas.distribution import Distribution, unlinked
from eahas.errors import EahasError, shown, unknown
from eahas.features import Features
from eahas.heads import CurveHead, Head
from eahas.question import Question, ask
from eahas.regressors import Regressor
from eahas.space import Space
from eahas.spec import Spec, Target

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A surrogate for some targets of a spec. `primary` is the one that `predict` returns.

    `calibration` multiplies the predicted deviation of each target, in the head's order, so that
    intervals on the validation runs hold what they promise. What else `manifest` says goes along
    when the ensemble is saved.
    """

    spec: Spec = field(repr=False)
    name: str
    features: Features = field(repr=False)
    regressor: Regressor = field(repr=False)
    head: Head = field(repr=False)
    calibration: tuple[float, ...]
    primary: str
    manifest: Mapping[str, Any] = field(repr=False)

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

    def predict(
        self,
        config: Any,
        representation: str | None = None,
        with_noise: bool = False,
        search_space: str | None = None,
        *,
        encoded: bool = False,
        noise_seed: int | None = None,
    ) -> Any:
        """The primary target of one configuration, or of a list of them.

        A curve is (MAX_EPOCH,) or, of a list, (n, longest) padded with NaN; a scalar is a float or
        (n,). With `encoded` a configuration is its code (see `Space.encode`). `with_noise` returns
        one plausible run instead of the prediction, drawn with `noise_seed`; without a seed each
        call draws anew. `representation` and `search_space` exist so that EA-HAS-Bench's search
        code runs unchanged; both are only checked. Raises ConfigError for a configuration outside
        the space.
        """
        self._check_interface(representation, search_space)
        question = ask(self.space, config, encoded=encoded)
        belief = self.believe(question)
        if not with_noise:
            return self.value(belief, self.primary)
        shape = () if question.single else (len(question.epochs),)
        normal = _generator(noise_seed).standard_normal(shape)
        if not question.single and isinstance(self.head, CurveHead):
            normal = normal[:, None]  # one number a run: its neighbouring epochs err together
        return self.distribution_of(belief, self.primary).draw(normal)

    def distribution(self, config: Any) -> dict[str, Distribution]:
        """What the ensemble believes about each target, in the shapes of `predict`."""
        belief = self.believe(ask(self.space, config))
        return {name: self.distribution_of(belief, name) for name in self.places}

    def predict_members(self, config: Any) -> dict[str, Array]:
        """Each member's own prediction, (M, MAX_EPOCH) a curve and (M,) a scalar.

        Of a list: (M, n, longest), padded with NaN, and (M, n).
        """
        members = self.believe(ask(self.space, config)).members
        return {
            target.name: unlinked(target, self.head.of_target(members, k))
            for k, target in enumerate(self.targets)
        }

    def epochs_of(self, config: Any, *, encoded: bool = False) -> Any:
        """The epochs that a configuration trains for, an int, or those of a list, (n,)."""
        return ask(self.space, config, encoded=encoded).epochs

    # From a question to an answer, in the steps that a benchmark takes one by one

    def believe(self, question: Question) -> Belief | BeliefOfCurves:
        """What the members say about the configurations that are asked for."""
        answer = self.regressor.one if question.single else self.regressor.many
        out = answer(question.seen_by(self.features))
        return believe(self.head, self._factors, out, question.epochs)

    def value(self, belief: Belief | BeliefOfCurves, name: str) -> Any:
        """The prediction of a target, without its deviation, which costs more."""
        k, target = self.places[name]
        location = self.head.of_target(belief.location, k)
        return location.copy() if target.kind == "curve" else unlinked(target, location)

    def distribution_of(self, belief: Belief | BeliefOfCurves, name: str) -> Distribution:
        """What is believed about a target."""
        (k, target), of_target = self.places[name], self.head.of_target
        return Distribution(target, of_target(belief.location, k), of_target(belief.scale, k))

    @cached_property
    def _factors(self) -> Array:
        factors = np.array(self.calibration)
        return factors[:, None] if isinstance(self.head, CurveHead) else factors

    def _check_interface(self, representation: str | None, search_space: str | None) -> None:
        for what, given, known in (
            ("representation", representation, REPRESENTATIONS),
            ("search_space", search_space, (*SEARCH_SPACES, self.spec.name)),
        ):
            if given is not None and not (isinstance(given, str) and given in known):
                raise EahasError(unknown(what, given, known))


# EA-HAS-Bench's own names: its callers' for a configuration, and those for its space.
REPRESENTATIONS = ("arch_str", "compact", "genotype", "dict", "config")
SEARCH_SPACES = ("nbgreen", "nbgreen_c10", "nbgreen_tiny", "nbtoy", "regnet", "eahasbench")


def _generator(seed: Any) -> np.random.Generator:
    if seed is not None and not (is_whole(seed) and seed >= 0):
        raise EahasError(f"noise_seed={shown(seed)}: allowed are whole numbers from 0, or None")
    return np.random.default_rng(seed)


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
