"""The interface of EA-HAS-Bench with its quantities and units, so that its search code runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eahas.benchmark.benchmark import Benchmark
from eahas.errors import EahasError
from eahas.models.protocol import Model
from eahas.spec.targets import Target

J_PER_KWH = 3.6e6


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """One of the four models of EA-HAS-Bench: a model with predictions in EA-HAS-Bench's unit."""

    ensemble: Model
    quantity: str  # test_error_percent, runtime_s_per_epoch, train_energy_kwh_per_epoch, ...
    si_factor: float = 1.0  # from the unit of the target to seconds or joules

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
        """The quantity of one configuration, or of a list, with an additional first axis.

        The parameters are those of `Model.predict`; the first four are in EA-HAS-Bench's order.
        """
        value = self.ensemble.predict(
            config,
            representation,
            with_noise,
            search_space,
            encoded=encoded,
            noise_seed=noise_seed,
        )
        if self.quantity == "test_error_percent":
            return 100.0 - value
        value = value if self.si_factor == 1.0 else value * self.si_factor
        if self.quantity.endswith("per_epoch"):
            value = value / self.ensemble.epochs_of(config, encoded=encoded)
        return value / J_PER_KWH if "kwh" in self.quantity else value


def reference_models(benchmark: Benchmark) -> list[ReferenceModel]:
    """The models of learning curve, runtime, training energy and test energy, in this order.

    Raises EahasError if the benchmark lacks one of them or if a unit cannot be converted. Warns
    (EstimatedEnergyWarning) if an energy is not measured.
    """
    names = benchmark.target_names
    curve = "test_ema" if "test_ema" in names else "test"
    wanted = {
        curve: "test_error_percent",
        "runtime_s": "runtime_s_per_epoch",
        "train_energy_j": "train_energy_kwh_per_epoch",
        "test_energy_j": "test_energy_kwh",
    }
    missing = [name for name in wanted if name not in names]
    if missing:
        raise EahasError(f"benchmark {benchmark.id} has no {', '.join(missing)}")
    benchmark.warn_not_measured(target for target in benchmark.targets if target.name in wanted)
    targets = {target.name: target for target in benchmark.targets}
    return [
        ReferenceModel(benchmark.model(name), quantity, _factor(benchmark, targets[name]))
        for name, quantity in wanted.items()
    ]


def _factor(benchmark: Benchmark, target: Target) -> float:
    """The factor from the unit of a time or an energy to SI; 1 for a curve."""
    if target.kind == "curve":
        return 1.0
    if target.si_factor is None or target.si_unit not in ("s", "J"):
        raise EahasError(
            f"benchmark {benchmark.id}: {target.name} in {target.unit or 'no unit'} cannot be "
            "converted to seconds or kWh"
        )
    return target.si_factor
