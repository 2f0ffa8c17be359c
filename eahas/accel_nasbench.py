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

    def efficientnet_b0(self) -> Architecture:
        """The architecture of EfficientNet-B0."""
        return self.manual_sample(EFFICIENTNET_B0)

    def random_sample(
        self, num_samples: int = 1, *, seed: int | None = None
    ) -> Architecture | list[Architecture]:
        """One architecture, or a list of `num_samples` different ones; anew without a seed.

        Raises ConfigError where `num_samples` is no whole number from 1.
        """
        if seed is None:
            seed = int(np.random.default_rng().integers(2**63))
        drawn: list[Architecture] = self.space.sample(num_samples, seed=seed)
        return drawn[0] if len(drawn) == 1 else drawn

    def size(self) -> int:
        """How many architectures there are."""
        return int(self.space.cardinality())

    __len__ = size


class ANBEnsemble:
    """A surrogate under the names of its users: accuracy, or a metric of a device.

    `model` and `seed` are accepted for their sake: what ships is the ensemble that predicts best.
    Raises EahasError listing the pairs of device and metric that there are.
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
        """Itself: it is loaded already."""
        return self

    def query(self, samples: Any) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each architecture, both (n,).

        Of accuracy in percent, throughput in images/s, latency in ms. Raises ConfigError for an
        architecture outside the space.
        """
        listed = [samples] if isinstance(samples, Mapping) else list(samples)
        found = self.ensemble.distribution(listed)[self.ensemble.primary]
        return np.asarray(found.value), np.asarray(found.std)


def target_of(spec: Spec, device: Any, metric: Any) -> str:
    """The name of a device's metric among the targets of a spec, as `throughput_a100`.

    Capitals do not matter. Raises EahasError listing the devices and the metrics that each has.
    """
    known = measured(spec)
    if not known:
        raise EahasError(f"{spec.name} has no device at all")
    pairs = "; ".join(f"{name}: {', '.join(metrics)}" for name, metrics in known.items())
    named, wanted = (word.lower() if isinstance(word, str) else word for word in (device, metric))
    if named not in known:
        raise EahasError(f"{unknown('device', device, known)}; there are {pairs}")
    if wanted not in known[named]:
        raise EahasError(f"device {device} has no metric {shown(metric)}; there are {pairs}")
    return f"{wanted}_{named}"


def measured(spec: Spec) -> dict[str, list[str]]:
    """The metrics of each device, from the names of a spec's scalars."""
    found: dict[str, list[str]] = {}
    for target in spec.scalars:
        metric, _, device = target.name.partition("_")
        if metric in METRICS:
            found.setdefault(device, []).append(metric)
    return found


def supported_metrics() -> dict[str, list[str]]:
    """The metrics of each device, as the benchmark has them."""
    return measured(api.load_benchmark(BENCHMARK).spec)


def _listed(row: Any) -> Sequence[Any]:
    return row if isinstance(row, (list, tuple)) else ()


def _as_choice(value: Any, what: str) -> Any:
    """Squeeze-excite may be given as 0 or 1."""
    return bool(value) if what == "se" and value in (0, 1) else value
