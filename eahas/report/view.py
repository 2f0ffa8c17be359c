"""Predictions and fronts as plain data: what text, figures and pages are made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.energy.energy_facts import EnergyFacts
from eahas.spec.targets import Target

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class TargetView:
    """The prediction of one target, in its unit.

    Each number is a float for a scalar and (L,) for a curve of L values; for a list of n
    configurations (n,) and (n, longest), padded with NaN.

    Attributes:
        low, high: the ends of the central interval.
        energy: source, boundary and so on of an energy, None for other quantities.
        r2: of the target on held-out runs, for a curve at its last epoch; None: not known.
        epochs: of the values of a curve, in their shape; None for a scalar.
    """

    target: Target
    value: Any
    std: Any
    epistemic_std: Any
    aleatoric_std: Any
    low: Any
    high: Any
    energy: EnergyFacts | None
    r2: float | None
    epochs: Any = None

    def lengths(self, epochs: Any) -> Any:
        """How many values a curve has in runs of so many epochs, an int or (n,)."""
        return self.target.schedule.counts(epochs)

    @property
    def source(self) -> str | None:
        """The source of an energy as it stands beside its value; None for other quantities."""
        return None if self.energy is None else self.energy.label


@dataclass(frozen=True, eq=False)
class PredictionView:
    """The prediction of a benchmark for one configuration or for a list of n.

    Attributes:
        benchmark: name and version.
        configs: the nested configurations; a list of one for a single one.
        epochs: an int, or (n,).
        level: of the intervals.
        main: the name of the curve that is called the learning curve; None without curves.
        support: a float in 0..1, or (n,); `min_support` is the smallest value that it can have.
        noise_seed: of a sampled run; None for a prediction.
        looked_up: whether the benchmark is a table.
        fidelity: the name of the parameter that holds the epochs; None without one.
        manifest: the benchmark's.
    """

    benchmark: str
    description: str
    single: bool
    configs: list[dict[str, Any]]
    epochs: Any
    level: float
    curves: tuple[TargetView, ...]
    scalars: tuple[TargetView, ...]
    main: str | None
    support: Any
    min_support: float
    noise_seed: int | None
    looked_up: bool
    fidelity: str | None
    manifest: Mapping[str, Any]

    @property
    def targets(self) -> tuple[TargetView, ...]:
        return self.curves + self.scalars

    @property
    def energies(self) -> dict[str, EnergyFacts]:
        """Source, boundary and so on of each energy, by the name of its target."""
        return {v.target.name: v.energy for v in self.targets if v.energy is not None}

    @property
    def main_curve(self) -> TargetView:
        return next(view for view in self.curves if view.target.name == self.main)

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON-ready values, each target with its unit and quantity; past the end
        None. An energy has its source and whether that is a measurement, and what else is known.
        """
        return {
            "benchmark": self.benchmark,
            "config": self.configs[0] if self.single else self.configs,
            "epochs": _json(self.epochs),
            "support": _json(self.support),
            "noise_seed": self.noise_seed,
            "level": float(self.level),
            "targets": {view.target.name: _described(view) for view in self.targets},
        }


@dataclass(frozen=True, eq=False)
class FrontView:
    """Predicted fronts of one objective against each of several costs, over n configurations.

    Attributes:
        values: the predictions of each target by name, (n,); for a curve at the last epoch.
        fronts: the rows of the front against each cost, in the order of the cost.
        energies: source, boundary and so on of each energy by the name of its target.
    """

    benchmark: str
    objective: Target
    costs: tuple[Target, ...]
    values: Mapping[str, Array]
    fronts: Mapping[str, Array]
    energies: Mapping[str, EnergyFacts]

    @property
    def sources(self) -> dict[str, str]:
        """The source of each energy, as it stands beside its values."""
        return {name: facts.label for name, facts in self.energies.items()}


NUMBERS = ("value", "std", "epistemic_std", "aleatoric_std", "low", "high")


def _described(view: TargetView) -> dict[str, Any]:
    target = view.target
    numbers = {name: _json(getattr(view, name)) for name in NUMBERS}
    facts: dict[str, Any] = {"unit": target.unit, "quantity": target.quantity}
    if target.si_factor not in (None, 1.0):
        facts |= {"si_factor": target.si_factor, "si_unit": target.si_unit}
    if view.energy is not None:
        facts |= {k: v for k, v in view.energy.to_dict().items() if v is not None}
    elif target.device is not None:
        facts["device"] = target.device
    epochs = {} if view.epochs is None else {"epochs": _whole(_json(view.epochs))}
    return {**numbers, **epochs, **facts}


def _json(value: Any) -> Any:
    """Nested lists of numbers with NaN as None."""
    return _without_nan(np.asarray(value).tolist())


def _whole(value: Any) -> Any:
    """Nested lists of numbers or None, with the numbers as ints."""
    if isinstance(value, list):
        return [_whole(v) for v in value]
    return None if value is None else int(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if value != value else value
