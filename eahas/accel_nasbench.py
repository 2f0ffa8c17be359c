"""Accel-NASBench's own names for searching MnasNet networks, over the benchmark that ships.

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
from eahas.space import Space

BENCHMARK = "accel-nasbench"
BLOCKS = 7
ROWS = ("e", "k", "l", "se")  # expansion, kernel, layers, squeeze-excite
Architecture = dict[str, Any]


class EfficientNetSS:
    """The search space under the name of its users: seven blocks of four choices each."""

    def __init__(self) -> None:
        self.space: Space = api.load_benchmark(BENCHMARK).space

    def manual_sample(self, rows: Sequence[Sequence[Any]]) -> Architecture:
        """The architecture of four rows of seven: expansion, kernel, layers, squeeze-excite.

        Raises ConfigError for another shape, and for a value that the space does not have.
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

    def random_sample(self, n: int = 1, *, seed: int = 0) -> list[Architecture]:
        """A list of `n` different architectures; ConfigError where `n` is no whole number."""
        drawn: list[Architecture] = self.space.sample(n, seed=seed)
        return drawn


class ANBEnsemble:
    """A surrogate under the names of its users: accuracy, or a metric of a device.

    `model` is accepted for their sake: what ships is the ensemble that predicts best. Raises
    EahasError listing the pairs of device and metric that there are.
    """

    def __init__(
        self, model: str = "xgb", device: str | None = None, metric: str = "throughput"
    ) -> None:
        self.model = model
        self.ensemble = api.load_ensemble(f"{BENCHMARK}/{target_of(device, metric)}")

    def query(self, samples: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each architecture, both (n,).

        Of accuracy in percent, throughput in images/s, latency in ms. Raises ConfigError for an
        architecture outside the space.
        """
        listed = [samples] if isinstance(samples, Mapping) else list(samples)
        found = self.ensemble.distribution(listed)[self.ensemble.primary]
        return np.asarray(found.value), np.asarray(found.std)


def target_of(device: str | None, metric: str) -> str:
    """The name of a target: `accuracy` without a device, else as `throughput_a100`.

    Raises EahasError naming the devices and the metrics that each has.
    """
    if device is None:
        return "accuracy"
    known = supported_metrics()
    if device not in known:
        raise EahasError(unknown("device", device, known))
    if metric not in known[device]:
        pairs = "; ".join(f"{name}: {', '.join(metrics)}" for name, metrics in known.items())
        raise EahasError(f"device {device} has no {shown(metric)}; there are {pairs}")
    return f"{metric}_{device}"


def supported_metrics() -> dict[str, list[str]]:
    """The metrics of each device, as the benchmark has them."""
    found: dict[str, list[str]] = {}
    for target in api.load_benchmark(BENCHMARK).scalars:
        metric, _, device = target.name.partition("_")
        if metric in ("throughput", "latency"):
            found.setdefault(device, []).append(metric)
    return found


def _listed(row: Any) -> Sequence[Any]:
    return row if isinstance(row, (list, tuple)) else ()


def _as_choice(value: Any, what: str) -> Any:
    """Squeeze-excite may be given as 0 or 1."""
    return bool(value) if what == "se" and value in (0, 1) else value
