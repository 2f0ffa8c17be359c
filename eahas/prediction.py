"""What a benchmark answers: curves and scalars with their uncertainty, one run or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from eahas.distribution import Distribution
from eahas.spec import Target

if TYPE_CHECKING:
    from eahas.benchmark import Benchmark
    from eahas.ensemble import Belief

Array = np.ndarray


class Lazy(Mapping[str, Any]):
    """A mapping whose values are computed when asked for."""

    def __init__(self, names: Sequence[str], compute: Callable[[str], Any]) -> None:
        self._names, self._compute = tuple(names), compute

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


@dataclass(frozen=True)
class Prediction:
    """The prediction for one configuration, or for a list with one more axis in front.

    Each scalar target is an attribute (`runtime_s`, `train_energy_j`, `test_energy_j`): a float, or
    (n,). `curves[name]` is (MAX_EPOCH,), or (n, longest) padded with NaN past each MAX_EPOCH. `std`
    and `interval(level)` map every target to its deviation and to (low, high). Curves are decoded
    when first asked for.
    """

    benchmark: Benchmark = field(repr=False)
    configs: Sequence[Mapping[str, Any]]
    single: bool
    epochs: Any  # int, or (n,)
    _scalars: Mapping[str, Distribution] = field(repr=False)
    _decode: Callable[[], Belief] = field(repr=False)

    @cached_property
    def _belief(self) -> Belief:
        """Every curve, (C, E) or (n, C, longest)."""
        return self._decode()

    def _of(self, name: str) -> Distribution:
        """A target's distribution; a scalar's without decoding the curves."""
        if name in self._scalars:
            return self._scalars[name]
        at = self._curve_names.index(name)
        target, belief = self.benchmark.curve_targets[at], self._belief
        location, scale = belief.location[..., at, :], belief.scale[..., at, :]
        return Distribution(location, scale, False, target.low, target.high)

    def _curve(self, name: str) -> Array:
        """A curve without its deviation, which costs more than the curve."""
        return self._belief.location[..., self._curve_names.index(name), :]

    def __getattr__(self, name: str) -> Any:
        # Only called for names that are no field: the scalar targets.
        if not name.startswith("_") and name in self._scalars:
            return _plain(self._scalars[name].value)
        raise AttributeError(f"a prediction of {self.benchmark.name} has no {name!r}")

    @property
    def learning_curve(self) -> Array:
        """Validation accuracy in percent, of the weights' EMA where the spec has one."""
        return self.curves[self.benchmark.main_curve]

    @property
    def curves(self) -> Mapping[str, Array]:
        return Lazy(self._curve_names, self._curve)

    @property
    def std(self) -> Mapping[str, Any]:
        """The standard deviation of each target: members' disagreement and run-to-run noise."""
        return Lazy(self._names, lambda name: _plain(self._of(name).std))

    def interval(self, level: float = 0.9) -> Mapping[str, tuple[Any, Any]]:
        """The central interval of each target that holds `level` of the probability."""
        scalars = {name: d.interval(level) for name, d in self._scalars.items()}  # checks level

        def ends(name: str) -> tuple[Any, Any]:
            low, high = scalars[name] if name in scalars else self._of(name).interval(level)
            return _plain(low), _plain(high)

        return Lazy(self._names, ends)

    @property
    def _curve_names(self) -> tuple[str, ...]:
        return self.benchmark.curve_names

    @property
    def _names(self) -> tuple[str, ...]:
        return self._curve_names + tuple(self._scalars)

    def to_dict(self, level: float = 0.9) -> dict[str, Any]:
        """Everything as JSON-ready values, each target with its unit; past the end None."""
        interval, bench = self.interval(level), self.benchmark
        targets = {}
        for target in bench.spec.targets:
            if target.name not in self._names:
                continue
            low, high = interval[target.name]
            value = self._of(target.name).value
            targets[target.name] = {
                "value": _json(value),
                "std": _json(self._of(target.name).std),
                "low": _json(low),
                "high": _json(high),
                "unit": target.unit,
                **({"source": bench.energy_source} if is_energy(target) else {}),
            }
        configs = [bench.space.nest(bench.space.check(config)) for config in self.configs]
        return {
            "benchmark": bench.id,
            "config": configs[0] if self.single else configs,
            "epochs": _json(self.epochs),
            "level": level,
            "targets": targets,
        }

    def plot(self, level: float = 0.9) -> Any:
        """A matplotlib figure of the curves with their bands; needs the extra `plot`."""
        from eahas.plotting import plot_prediction

        return plot_prediction(self, level)


def is_energy(target: Target) -> bool:
    """Whether a target is joules, whose source must stand beside them."""
    return target.unit == "J"


def _plain(value: Array) -> Any:
    """A float for a single scalar, else the array."""
    return float(value) if np.ndim(value) == 0 else value


def _json(value: Any) -> Any:
    """Nested lists of floats with NaN as None."""
    if isinstance(value, (int, float)):
        return value
    listed = np.asarray(value).tolist()
    return _without_nan(listed)


def _without_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if value != value else value
