"""EA-HAS-Bench's interface with EA-HAS-Bench's meaning, so that its search code runs unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eahas.benchmark.benchmark import Benchmark
from eahas.errors import EahasError, warn_estimated
from eahas.models.protocol import Model

J_PER_KWH = 3.6e6


@dataclass(frozen=True, eq=False)
class ReferenceModel:
    """One of the four models: one of ours whose answer is converted to EA-HAS-Bench's unit."""

    ensemble: Model
    quantity: str  # test_error_percent, runtime_s_per_epoch, train_energy_kwh_per_epoch, ...

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
        """The quantity of one configuration, or of a list with one more axis in front.

        It takes what `Model.predict` takes, the first four in EA-HAS-Bench's order.
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
        if self.quantity.endswith("per_epoch"):
            value = value / self.ensemble.epochs_of(config, encoded=encoded)
        return value / J_PER_KWH if "kwh" in self.quantity else value


def reference_models(benchmark: Benchmark) -> list[ReferenceModel]:
    """Learning curve, runtime, training energy, test energy, in EA-HAS-Bench's order.

    Raises EahasError where the benchmark lacks one of them. Warns once where joules are estimated.
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
    if benchmark.energy_source == "estimated":
        warn_estimated(benchmark.id, benchmark.manifest["energy"]["formula"])
    return [ReferenceModel(benchmark.model(name), quantity) for name, quantity in wanted.items()]
