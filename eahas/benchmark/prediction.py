"""What a benchmark answers: curves and scalars with their uncertainty, one run or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eahas.benchmark.model_set import ModelSet
from eahas.models.protocol import Model, Posterior
from eahas.models.query import Query
from eahas.models.uncertainty.distribution import Distribution
from eahas.models.uncertainty.error_quantiles import normal_reach
from eahas.report.text import held_out_r2
from eahas.report.view import PredictionView, TargetView
from eahas.spec.targets import Target

Array = np.ndarray


class Lazy(Mapping[str, Any]):
    """A mapping whose values are computed when asked for."""

    def __init__(self, names: Sequence[str], compute: Callable[[str], Any]) -> None:
        self._names, self._compute = names, compute

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(f"{name!r}; there are {', '.join(self._names)}")
        return self._compute(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr({name: self[name] for name in self})


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The prediction for one configuration, or for a list with one more axis in front.

    Each scalar target is an attribute (`runtime_s`, `train_energy_j`, `test_energy_j`): a float, or
    (n,). `curves[name]` is (MAX_EPOCH,), or (n, longest) padded with NaN past each MAX_EPOCH; a
    curve with a schedule has a value for each of the epochs `epochs_of(name)` instead. `std` and
    `interval(level)` map every target to its deviation and to (low, high). Everything is computed
    when it is first asked for.

    With a `noise_seed` the values are those of one plausible run, of a table those of a measured
    one; deviations and intervals stay those of the configuration.
    """

    benchmark: ModelSet
    query: Query
    noise_seed: int | None = None
    _posteriors: dict[Model, Posterior] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.benchmark.table is not None:
            self._posterior(self.benchmark.table)  # says now which configuration has no run

    @property
    def single(self) -> bool:
        return self.query.single

    @property
    def epochs(self) -> Any:
        """MAX_EPOCH of the configuration, or of each of them, (n,); 1 without a fidelity."""
        return self.query.epochs

    @property
    def configs(self) -> list[dict[str, Any]]:
        """The configurations in canonical nested form; a list of one for a single one."""
        return self.query.configs

    def _posterior(self, model: Model) -> Posterior:
        """The posterior of a model, computed once."""
        posterior = self._posteriors.get(model)
        if posterior is None:
            posterior = self._posteriors[model] = model.posterior(self.query)
        return posterior

    def _value(self, name: str) -> Any:
        posterior = self._posterior(self.benchmark.model_of[name])
        if self.noise_seed is None:
            return posterior.mean(name)
        return posterior.sample(name, self.noise_seed)

    def _distribution(self, name: str) -> Distribution:
        return self._posterior(self.benchmark.model_of[name]).distribution(name)

    def __getattr__(self, name: str) -> Any:
        # Only called for names that are no attribute of the class: the scalar targets.
        if name.startswith("_") or name not in self.benchmark.scalar_names:
            raise AttributeError(f"a prediction has no {name!r}")
        return self._value(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.benchmark.scalar_names]

    def __repr__(self) -> str:
        what = self.configs[0] if self.single else f"{len(self.epochs)} configurations"
        return f"Prediction({self.benchmark.id}, {what})"

    @property
    def learning_curve(self) -> Array:
        """The main curve, in its unit: validation accuracy where there is one, else the first."""
        return self._value(self.benchmark.main_curve)

    @property
    def curves(self) -> Mapping[str, Array]:
        return Lazy(self.benchmark.curve_names, self._value)

    def epochs_of(self, name: str) -> Array:
        """The epochs of the values of a curve, in the shape of `curves[name]`.

        Of a list they are floats, padded with NaN. Raises KeyError for an unknown curve.
        """
        schedules = {target.name: target.schedule for target in self.benchmark.curves}
        schedule = Lazy(tuple(schedules), schedules.__getitem__)[name]
        if self.single:
            return schedule.epochs_of(self.epochs).copy()
        lengths = schedule.counts(self.epochs)
        epochs = np.full((len(lengths), int(lengths.max())), np.nan)
        for row, length, count in zip(epochs, self.epochs.tolist(), lengths, strict=True):
            row[:count] = schedule.epochs_of(length)
        return epochs

    @property
    def std(self) -> Mapping[str, Any]:
        """The standard deviation of each target: of both parts together, calibrated."""
        return Lazy(self.benchmark.target_names, lambda name: self._distribution(name).std)

    @property
    def epistemic_std(self) -> Mapping[str, Any]:
        """What more training runs would settle: the members' disagreement on each target."""
        return Lazy(
            self.benchmark.target_names, lambda name: self._distribution(name).epistemic_std
        )

    @property
    def aleatoric_std(self) -> Mapping[str, Any]:
        """What they would not: the deviation between runs of one configuration."""
        return Lazy(
            self.benchmark.target_names, lambda name: self._distribution(name).aleatoric_std
        )

    @property
    def support(self) -> Any:
        """How well the training runs support the answer: a float in 0..1, or (n,).

        The share of the training configurations that lie at least as far from the others as this
        one lies from them: about uniform on configurations like theirs, near 0 outside their
        support. See `eahas.models.support`.
        """
        return self.benchmark.support.score(self.query)

    def interval(self, level: float = 0.9) -> Mapping[str, tuple[Any, Any]]:
        """The central interval of each target that holds `level` of the probability."""
        normal_reach(level)  # says now what is wrong with a level
        names = self.benchmark.target_names
        return Lazy(names, lambda name: self._distribution(name).interval(level))

    def to_dict(self, level: float = 0.9) -> dict[str, Any]:
        """Everything as JSON-ready values, each target with its unit; past the end None."""
        return prediction_view(self, level).to_dict()

    def plot(self, level: float = 0.9) -> Any:
        """A matplotlib figure of the curves with their bands; needs the extra `plot`."""
        from eahas.report.plotting import plot_prediction

        return plot_prediction(prediction_view(self, level))


def prediction_view(prediction: Prediction, level: float = 0.9) -> PredictionView:
    """The prediction as plain data with the central intervals of `level`, for reports."""
    normal_reach(level)
    models = prediction.benchmark

    def view(target: Target) -> TargetView:
        distribution = prediction._distribution(target.name)
        low, high = distribution.interval(level)
        return TargetView(
            target=target,
            value=prediction._value(target.name),
            std=distribution.std,
            epistemic_std=distribution.epistemic_std,
            aleatoric_std=distribution.aleatoric_std,
            low=low,
            high=high,
            source=models.energy_source if target.is_energy else None,
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
