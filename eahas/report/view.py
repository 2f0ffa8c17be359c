"""Predictions and fronts as plain data, from which text, figures and pages are made."""

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

    For one configuration, `value` and the other numbers are floats for a scalar, and arrays (L,)
    for a curve of L values. For a list of n configurations they are (n,), and (n, longest) padded
    with NaN.

    Attributes:
        low, high: the ends of the central prediction interval.
        energy: source, boundary and so on of an energy; None for other quantities.
        r2: R2 on held-out runs, for a curve at the last epoch; None if not known.
        epochs: the epochs of the values of a curve, in their shape; None for a scalar.
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
        """The number of values of a curve in runs of `epochs` epochs, an int or (n,)."""
        return self.target.schedule.counts(epochs)

    @property
    def source(self) -> str | None:
        """The label of an energy's source; None for other quantities."""
        return None if self.energy is None else self.energy.label


@dataclass(frozen=True, eq=False)
class PredictionView:
    """The prediction of a benchmark for one configuration or for a list of n.

    Attributes:
        benchmark: name and version of the benchmark.
        single: whether it is for one configuration instead of a list.
        configs: the nested configurations; a list also for one configuration.
        epochs: the number of epochs of the configuration, an int, or (n,).
        level: the probability of the intervals.
        main: the name of the learning curve; None without curves.
        support: a float in 0..1, or (n,); `min_support` is its smallest possible value.
        noise_seed: the seed of a sampled run; None if the values are means.
        looked_up: whether the benchmark is a table.
        fidelity: the name of the parameter with the number of epochs; None without one.
        manifest: the manifest of the benchmark.
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
        """The prediction as JSON-ready values, with None instead of NaN.

        Each target has its unit and quantity; an energy also has its known facts: its source,
        whether it is measured, and so on.
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
    """The predicted Pareto fronts of one objective and each of several costs.

    Attributes:
        values: the predictions (n,) of n configurations by the name of the target; of a curve,
            those at its last epoch.
        fronts: the indices of the configurations on each front, by the name of the cost and in
            rising order of the cost.
        energies: source, boundary and so on of each energy, by the name of its target.
    """

    benchmark: str
    objective: Target
    costs: tuple[Target, ...]
    values: Mapping[str, Array]
    fronts: Mapping[str, Array]
    energies: Mapping[str, EnergyFacts]

    @property
    def sources(self) -> dict[str, str]:
        """The label of the source of each energy, by the name of its target."""
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
