"""The prediction of a benchmark: curves and scalars with their uncertainty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from eahas.benchmark.model_set import ModelSet
from eahas.models.protocol import Model, Posterior
from eahas.models.query import Query, restored_query
from eahas.models.uncertainty.distribution import Distribution
from eahas.models.uncertainty.error_quantiles import normal_reach
from eahas.report.text import held_out_r2
from eahas.report.view import PredictionView, TargetView
from eahas.spec.targets import Target

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
ScalarT = TypeVar("ScalarT", float, FloatArray)  # of one configuration, or of a list
EpochsT = TypeVar("EpochsT", int, IntArray)


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Generic[ScalarT, EpochsT]):
    """The prediction for one configuration, or for a list of n configurations.

    `prediction[name]` is the value of a target. A curve is an array (E,) with one value per epoch;
    a scalar is a float. For a list, a curve is (n, longest), padded with NaN after the end of each
    run, and a scalar is (n,). A curve with a schedule has values only at the epochs
    `epochs_of(name)`. A scalar target is also an attribute (`prediction.runtime_s`), unless a
    prediction has another attribute of that name. `std` maps each target to its standard deviation,
    and `interval(level)` to (low, high). Values are computed at the first access.

    With a `noise_seed` the values are those of one sampled run, or for a table those of a measured
    run. Standard deviations and intervals do not depend on `noise_seed`.

    A pickle of a prediction contains a reference to its benchmark, which is loaded at unpickling.
    """

    benchmark: ModelSet
    _query: Query
    noise_seed: int | None = None
    _posteriors: dict[Model, Posterior] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.benchmark.table is not None:
            self._posterior(self.benchmark.table)  # raises if a configuration has no run

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.benchmark, self._query.values, self.single, self.noise_seed)

    @property
    def single(self) -> bool:
        """Whether this is the prediction for one configuration instead of a list."""
        return self._query.single

    @property
    def epochs(self) -> EpochsT:
        """MAX_EPOCH of the configuration, or (n,) for a list; 1 if the space has no fidelity."""
        epochs = self._query.epochs
        return epochs if self.single else epochs.copy()

    @property
    def configs(self) -> list[dict[str, Any]]:
        """The configurations in canonical nested form; a list also for one configuration."""
        return self._query.configs

    def _posterior(self, model: Model) -> Posterior:
        """The posterior of a model; it is computed once."""
        posterior = self._posteriors.get(model)
        if posterior is None:
            posterior = self._posteriors[model] = model.posterior(self._query)
        return posterior

    def _value(self, name: str) -> Any:
        posterior = self._posterior(self.benchmark.model_of[name])
        if self.noise_seed is None:
            return posterior.mean(name)
        return posterior.sample(name, self.noise_seed)

    def distribution(self, name: str) -> Distribution:
        """The predictive distribution of a target; KeyError for an unknown target."""
        self._check(name)
        return self._posterior(self.benchmark.model_of[name]).distribution(name)

    def _check(self, name: str) -> None:
        if name not in self.benchmark.model_of:
            raise KeyError(f"{name!r}; there are {', '.join(self.benchmark.target_names)}")

    def __getitem__(self, name: str) -> ScalarT | FloatArray:
        """The value of a target; KeyError, which lists the targets, for an unknown target."""
        self._check(name)
        value: ScalarT | FloatArray = self._value(name)
        return value

    def __iter__(self) -> Iterator[str]:
        """The names of the targets."""
        return iter(self.benchmark.target_names)

    def __len__(self) -> int:
        return len(self.benchmark.target_names)

    def __contains__(self, name: object) -> bool:
        return name in self.benchmark.model_of

    def __getattr__(self, name: str) -> ScalarT:
        # Python calls this only for names that are not attributes of the class.
        if name.startswith("_") or name not in self.benchmark.scalar_names:
            raise AttributeError(f"a prediction has no attribute {name!r}")
        value: ScalarT = self._value(name)
        return value

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.benchmark.scalar_names]

    def __repr__(self) -> str:
        what = self.configs[0] if self.single else f"{len(self._query.epochs)} configurations"
        return f"Prediction({self.benchmark.id}, {what})"

    @property
    def learning_curve(self) -> FloatArray:
        """The main curve in its unit: validation accuracy if predicted, else the first curve."""
        curve: FloatArray = self._value(self.benchmark.main_curve)
        return curve

    @property
    def curves(self) -> Mapping[str, FloatArray]:
        """The value of each curve, by the name of its target."""
        return PredictionMapping(self, "value", self.benchmark.curve_names)

    def epochs_of(self, name: str) -> IntArray | FloatArray:
        """The epochs at which a curve has values, in the shape of its value.

        For a list they are floats, padded with NaN. Raises KeyError, which lists the curves, for an
        unknown curve.
        """
        schedules = {target.name: target.schedule for target in self.benchmark.curves}
        if name not in schedules:
            raise KeyError(f"{name!r}; there are {', '.join(schedules)}")
        schedule, lengths = schedules[name], self._query.epochs
        if self.single:
            return schedule.epochs_of(lengths).copy()
        counts = schedule.counts(lengths)
        epochs = np.full((len(counts), int(counts.max())), np.nan)
        for row, length, count in zip(epochs, lengths.tolist(), counts.tolist(), strict=True):
            row[:count] = schedule.epochs_of(length)
        return epochs

    @property
    def std(self) -> Mapping[str, ScalarT | FloatArray]:
        """The calibrated standard deviation of each target: epistemic and aleatoric combined."""
        return PredictionMapping(self, "std", self.benchmark.target_names)

    @property
    def epistemic_std(self) -> Mapping[str, ScalarT | FloatArray]:
        """The standard deviation between the ensemble members; more training runs reduce it."""
        return PredictionMapping(self, "epistemic_std", self.benchmark.target_names)

    @property
    def aleatoric_std(self) -> Mapping[str, ScalarT | FloatArray]:
        """The standard deviation between runs of one configuration with different seeds."""
        return PredictionMapping(self, "aleatoric_std", self.benchmark.target_names)

    @property
    def support(self) -> ScalarT:
        """How close the configuration is to the training configurations: in 0..1, or (n,).

        It is the fraction of the training configurations whose distance to the other training
        configurations is at least the distance of this configuration to them. It is about uniform
        for configurations from the same sampling distribution, and near 0 far from the training
        configurations. See `eahas.models.support`.
        """
        support: ScalarT = self.benchmark.support.score(self._query)
        return support

    def interval(
        self, level: float = 0.9
    ) -> Mapping[str, tuple[ScalarT, ScalarT] | tuple[FloatArray, FloatArray]]:
        """The central prediction interval of each target, with probability `level`.

        Raises EahasError for a level outside (0, 1).
        """
        normal_reach(level)  # raises at the call, not at the first use
        return PredictionMapping(self, "interval", self.benchmark.target_names, level)

    def to_dict(self, level: float = 0.9) -> dict[str, Any]:
        """The prediction as JSON-ready values, each target with its unit; None instead of NaN."""
        return prediction_view(self, level).to_dict()

    def plot(self, level: float = 0.9) -> Any:
        """A matplotlib figure of the curves with their bands; needs the extra `plot`."""
        from eahas.report.plotting import plot_prediction

        return plot_prediction(prediction_view(self, level))


class PredictionMapping(Mapping[str, Any]):
    """A mapping from targets to their values, standard deviations or intervals.

    A value is computed at its look-up. Raises KeyError, which lists the targets, for an unknown
    target.
    """

    def __init__(
        self,
        prediction: Prediction[Any, Any],
        part: str,
        names: tuple[str, ...],
        level: float | None = None,
    ) -> None:
        self._prediction, self._part, self._names, self._level = prediction, part, names, level

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(f"{name!r}; there are {', '.join(self._names)}")
        if self._part == "value":
            return self._prediction[name]
        distribution = self._prediction.distribution(name)
        if self._level is not None:
            return distribution.interval(self._level)
        return getattr(distribution, self._part)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr({name: self[name] for name in self})


def _restored(
    benchmark: ModelSet, values: Mapping[str, Any], single: bool, noise_seed: int | None
) -> Prediction[Any, Any]:
    """The prediction of a pickle; its configurations were checked before it was pickled."""
    return Prediction(benchmark, restored_query(benchmark.space, values, single), noise_seed)


def prediction_view(prediction: Prediction[Any, Any], level: float = 0.9) -> PredictionView:
    """The prediction with its central intervals of probability `level` as plain data."""
    normal_reach(level)
    models = prediction.benchmark

    def view(target: Target) -> TargetView:
        distribution = prediction.distribution(target.name)
        low, high = distribution.interval(level)
        return TargetView(
            target=target,
            value=prediction[target.name],
            std=distribution.std,
            epistemic_std=distribution.epistemic_std,
            aleatoric_std=distribution.aleatoric_std,
            low=low,
            high=high,
            energy=models.energies.get(target.name),
            r2=held_out_r2(models.manifest, target),
            epochs=prediction.epochs_of(target.name) if target.kind == "curve" else None,
        )

    return PredictionView(
        benchmark=models.id,
        description=models.spec.description,
        single=prediction.single,
        configs=prediction.configs,
        epochs=prediction.epochs,
        level=level,
        curves=tuple(map(view, models.curves)),
        scalars=tuple(map(view, models.scalars)),
        main=models.main_curve if models.curves else None,
        support=prediction.support,
        min_support=models.support.least,
        noise_seed=prediction.noise_seed,
        looked_up=models.table is not None,
        fidelity=models.space.fidelity,
        manifest=models.manifest,
    )
