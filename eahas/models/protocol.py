"""What a benchmark asks of its models, whether they predict or look up.

`Model` is all that `Benchmark` and `Prediction` know of one. `Asked` gives a model the questions of
users, in terms of the steps that each model takes in its own way.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from eahas.errors import EahasError, unknown
from eahas.models.query import Question, ask
from eahas.models.uncertainty.distribution import Distribution
from eahas.models.uncertainty.seed_noise import check_seed
from eahas.space.space import Space
from eahas.spec.spec import Spec, Target


class Model(Protocol):
    """Some targets of a spec. `primary` is the one that `predict` returns.

    What `believe` and `drawn` return is the model's own: it is only handed back to it. Members,
    networks or seeds say, are the first axis of `predict_members`.
    """

    @property
    def spec(self) -> Spec: ...
    @property
    def name(self) -> str: ...
    @property
    def primary(self) -> str: ...
    @property
    def space(self) -> Space: ...
    @property
    def targets(self) -> tuple[Target, ...]: ...
    @property
    def members(self) -> int: ...

    def select(self, target: str) -> Model:
        """The same model with another of its targets as the primary one; EahasError for others."""

    def believe(self, question: Question) -> Any:
        """What is believed about the configurations that are asked for."""

    def value(self, belief: Any, name: str, drawn: Any = None) -> Any:
        """The prediction of a target, or what was `drawn` of it."""

    def distribution_of(self, belief: Any, name: str) -> Distribution:
        """What is believed about a target."""

    def drawn(self, belief: Any, question: Question, noise_seed: int) -> Any:
        """One run of each configuration."""

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
        """The primary target of one configuration, or of a list of them; see `Asked`."""

    def distribution(self, config: Any) -> dict[str, Distribution]:
        """What is believed about each target."""

    def predict_members(self, config: Any) -> dict[str, np.ndarray]:
        """Each member's own prediction of each target."""

    def epochs_of(self, config: Any, *, encoded: bool = False) -> Any:
        """The epochs that a configuration trains for, an int, or those of a list, (n,)."""


class Asked:
    """The questions of users, for any `Model`."""

    def predict(
        self: Model,
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
        (n,). With `encoded` a configuration is its code (see `Space.encode`). `with_noise` or a
        `noise_seed` asks for one run instead of the prediction; without a seed each call draws
        anew. `representation` and `search_space` exist so that EA-HAS-Bench's search code runs
        unchanged; both are only checked. Raises ConfigError for a configuration outside the space.
        """
        for what, given, known in (
            ("representation", representation, REPRESENTATIONS),
            ("search_space", search_space, (*SEARCH_SPACES, self.spec.name)),
        ):
            if given is not None and not (isinstance(given, str) and given in known):
                raise EahasError(unknown(what, given, known))
        check_seed(noise_seed)
        question = ask(self.space, config, encoded=encoded)
        belief = self.believe(question)
        if not with_noise and noise_seed is None:
            return self.value(belief, self.primary)
        if noise_seed is None:
            noise_seed = int(np.random.default_rng().integers(2**63))
        return self.value(belief, self.primary, self.drawn(belief, question, noise_seed))

    def distribution(self: Model, config: Any) -> dict[str, Distribution]:
        """What is believed about each target, in the shapes of `predict`."""
        belief = self.believe(ask(self.space, config))
        return {target.name: self.distribution_of(belief, target.name) for target in self.targets}

    def epochs_of(self: Model, config: Any, *, encoded: bool = False) -> Any:
        """The epochs that a configuration trains for, an int, or those of a list, (n,)."""
        return ask(self.space, config, encoded=encoded).epochs


# EA-HAS-Bench's own names: its callers' for a configuration, and those for its space.
REPRESENTATIONS = ("arch_str", "compact", "genotype", "dict", "config")
SEARCH_SPACES = ("nbgreen", "nbgreen_c10", "nbgreen_tiny", "nbtoy", "regnet", "eahasbench")
