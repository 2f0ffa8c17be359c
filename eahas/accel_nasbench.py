"""The interface of Accel-NASBench for MnasNet networks, based on the shipped benchmark.

>>> from eahas.accel_nasbench import ANBEnsemble, EfficientNetSS
>>> space = EfficientNetSS()
>>> samples = space.random_sample(4, seed=0)
>>> mean, std = ANBEnsemble(device="zcu102", metric="throughput").query(samples)

See Ahmad et al., "Accel-NASBench: Sustainable Benchmarking for Accelerator-Aware NAS", 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eahas import api
from eahas.errors import ConfigError, EahasError, shown, unknown
from eahas.space.space import Space
from eahas.spec.spec import Spec

BENCHMARK = "accel-nasbench"
METRICS = ("throughput", "latency")
BLOCKS = 7
ROWS = ("e", "k", "l", "se")  # expansion, kernel, layers, squeeze-excite
EFFICIENTNET_B0 = (
    (1, 6, 6, 6, 6, 6, 6),
    (3, 3, 5, 3, 5, 5, 3),
    (1, 2, 2, 3, 3, 4, 1),
    (True,) * BLOCKS,
)
Architecture = dict[str, Any]


class EfficientNetSS:
    """The search space of Accel-NASBench: seven blocks with four choices each."""

    def __init__(self) -> None:
        self.space: Space = api.load_benchmark(BENCHMARK).space

    def manual_sample(self, rows: Sequence[Sequence[Any]]) -> Architecture:
        """The architecture of four rows of seven: expansion, kernel, layers, squeeze-excite.

        Raises ConfigError for another shape, and for a value that the space does not allow.
        """
        shaped = isinstance(rows, (list, tuple)) and len(rows) == len(ROWS)
        if not shaped or any(len(_listed(row)) != BLOCKS for row in rows):
            raise ConfigError(
                "manual_sample takes four lists of seven: expansion, kernel, layers and "
                f"squeeze-excite of each block; got {shown(rows)}"
            )
        columns = [
            [_as_choice(value, what) for value in row] for what, row in zip(ROWS, rows, strict=True)
        ]
        return self.space.check(
            {
                f"block{block}_{what}": column[block]
                for block in range(BLOCKS)
                for what, column in zip(ROWS, columns, strict=True)
            }
        )

    def efficientnet_b0(self) -> Architecture:
        """The architecture of EfficientNet-B0."""
        return self.manual_sample(EFFICIENTNET_B0)

    def random_sample(
        self, num_samples: int = 1, *, seed: int | None = None
    ) -> Architecture | list[Architecture]:
        """Sample one architecture, or a list of `num_samples` distinct architectures.

        Without a seed, each call uses a new random seed. Raises ConfigError if `num_samples` is not
        a whole number from 1.
        """
        if seed is None:
            seed = int(np.random.default_rng().integers(2**63))
        samples: list[Architecture] = self.space.sample(num_samples, seed=seed)
        return samples[0] if len(samples) == 1 else samples

    def size(self) -> int:
        """The number of architectures in the space."""
        return int(self.space.cardinality())

    __len__ = size


class ANBEnsemble:
    """The surrogate of the accuracy, or of a metric of a device if `device` is given.

    `model` and `seed` exist for compatibility with Accel-NASBench and have no effect: there is one
    ensemble per target. Raises EahasError for an unknown device or metric; the message lists the
    available ones.
    """

    def __init__(
        self,
        model: str = "xgb",
        device: str | None = None,
        metric: str = "throughput",
        seed: int | None = None,
    ) -> None:
        self.model, self.seed = model, seed
        spec = api.load_benchmark(BENCHMARK).spec
        name = "accuracy" if device is None else target_of(spec, device, metric)
        self.ensemble = api.load_ensemble(f"{BENCHMARK}/{name}")

    def load_ensemble(self) -> ANBEnsemble:
        """Return the object itself; its ensemble is already loaded."""
        return self

    def query(self, samples: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the prediction for each architecture, both (n,).

        Accuracy is in percent, throughput in images/s, latency in ms. Raises ConfigError for an
        architecture outside the space.
        """
        configs = [samples] if isinstance(samples, Mapping) else list(samples)
        distribution = self.ensemble.distribution(configs)[self.ensemble.primary]
        return np.asarray(distribution.value), np.asarray(distribution.std)


def target_of(spec: Spec, device: Any, metric: Any) -> str:
    """The name of the target for a metric of a device, for example `throughput_a100`.

    Upper and lower case are equal. Raises EahasError for an unknown device or metric; the message
    lists the devices with their metrics.
    """
    known = device_metrics(spec)
    if not known:
        raise EahasError(f"{spec.name} has no devices")
    pairs = "; ".join(f"{name}: {', '.join(metrics)}" for name, metrics in known.items())
    device_key, metric_key = (
        given.lower() if isinstance(given, str) else given for given in (device, metric)
    )
    if device_key not in known:
        raise EahasError(f"{unknown('device', device, known)}; metrics by device: {pairs}")
    if metric_key not in known[device_key]:
        raise EahasError(f"device {device} has no metric {shown(metric)}; by device: {pairs}")
    return f"{metric_key}_{device_key}"


def device_metrics(spec: Spec) -> dict[str, list[str]]:
    """The metrics of each device, from the names of the scalars of a spec."""
    metrics: dict[str, list[str]] = {}
    for target in spec.scalars:
        metric, _, device = target.name.partition("_")
        if metric in METRICS:
            metrics.setdefault(device, []).append(metric)
    return metrics


def supported_metrics() -> dict[str, list[str]]:
    """The metrics of each device in the benchmark."""
    return device_metrics(api.load_benchmark(BENCHMARK).spec)


def _listed(row: Any) -> Sequence[Any]:
    return row if isinstance(row, (list, tuple)) else ()


def _as_choice(value: Any, what: str) -> Any:
    """The value of a choice; 0 and 1 are converted to booleans for squeeze-excite."""
    return bool(value) if what == "se" and value in (0, 1) else value
