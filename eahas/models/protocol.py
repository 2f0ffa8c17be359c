"""The interface of models, whether they predict or look up.

`Benchmark` and `Prediction` use a model through `Model` alone. `PredictMixin` implements the
methods for users on top of `Model.posterior`.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from eahas.errors import EahasError, unknown
from eahas.models.query import Query, make_query
from eahas.models.uncertainty.distribution import Distribution
from eahas.models.uncertainty.seed_noise import check_seed
from eahas.space.space import Space
from eahas.spec.spec import Spec
from eahas.spec.targets import Target


class Posterior(Protocol):
    """The predictive distribution of each target of a model for one query, by target name."""

    def mean(self, target: str) -> Any:
        """The prediction: a curve is (L,) or (n, longest), a scalar a float or (n,)."""

    def distribution(self, target: str) -> Distribution:
        """The predictive distribution, in the same shapes."""

    def sample(self, target: str, seed: int) -> Any:
        """One sampled run of each configuration, in the same shapes; a seed samples all targets."""


class Model(Protocol):
    """A model of some targets of a spec. `predict` returns the target `primary`.

    Members, such as networks or seeds, are the first axis of `predict_members`.
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
        """The same model with another target as `primary`. Raises EahasError for other names."""

    def posterior(self, query: Query) -> Posterior:
        """The predictive distribution of every target for the configurations of a query."""

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
        """The primary target of one configuration or of a list; see `PredictMixin`."""

    def distribution(self, config: Any) -> dict[str, Distribution]:
        """The predictive distribution of each target, by name."""

    def predict_members(self, config: Any) -> dict[str, np.ndarray]:
        """The prediction of each member for each target, by target name."""

    def epochs_of(self, config: Any, *, encoded: bool = False) -> Any:
        """The number of training epochs of a configuration, an int, or (n,) for a list."""


class PredictMixin:
    """Predictions for configurations, for any `Model`."""

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

        A curve is (L,), or (n, longest) padded with NaN for a list. A scalar is a float, or (n,)
        for a list. With `encoded`, `config` is the encoding of a configuration (see
        `Space.encode`), or one row per encoding. With `with_noise` or a `noise_seed`, the result is
        a sample of one run instead of the prediction; without a seed, each call returns a new
        sample. `representation` and `search_space` exist for compatibility with the search code of
        EA-HAS-Bench; they are checked and otherwise ignored. Raises ConfigError for a configuration
        outside the space, and EahasError for other arguments that are not allowed.
        """
        for argument, given, allowed in (
            ("representation", representation, REPRESENTATIONS),
            ("search_space", search_space, (*SEARCH_SPACES, self.spec.name)),
        ):
            if given is not None and not (isinstance(given, str) and given in allowed):
                raise EahasError(unknown(argument, given, allowed))
        check_seed(noise_seed)
        query = make_query(self.space, config, encoded=encoded)
        posterior = self.posterior(query)
        if not with_noise and noise_seed is None:
            return posterior.mean(self.primary)
        if noise_seed is None:
            noise_seed = int(np.random.default_rng().integers(2**63))
        return posterior.sample(self.primary, noise_seed)

    def distribution(self: Model, config: Any) -> dict[str, Distribution]:
        """The predictive distribution of each target, in the shapes of `predict`."""
        posterior = self.posterior(make_query(self.space, config))
        return {target.name: posterior.distribution(target.name) for target in self.targets}

    def epochs_of(self: Model, config: Any, *, encoded: bool = False) -> Any:
        """The number of training epochs of a configuration, an int, or (n,) for a list."""
        return make_query(self.space, config, encoded=encoded).epochs


# The names that EA-HAS-Bench uses for representations of configurations and for search spaces.
REPRESENTATIONS = ("arch_str", "compact", "genotype", "dict", "config")
SEARCH_SPACES = ("nbgreen", "nbgreen_c10", "nbgreen_tiny", "nbtoy", "regnet", "eahasbench")
