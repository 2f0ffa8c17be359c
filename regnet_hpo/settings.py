"""What a spec fixes about training and measuring, as two frozen objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from eahas.errors import SpecError, unknown
from eahas.spec import Spec


@dataclass(frozen=True)
class EmaSettings:
    """Exponential moving average of the weights (pycls' schedule, see `regnet_hpo.ema`)."""

    alpha: float = 2.5e-4
    update_period: int = 32


@dataclass(frozen=True)
class TrainSettings:
    """The fixed part of the training recipe; the rest stands in the configuration."""

    batch_size: int = 1024
    eval_batch_size: int = 1000
    label_smoothing: float = 0.1
    weight_decay: float = 5e-4
    momentum: float = 0.9
    warmup_epochs: int = 5
    warmup_factor: float = 0.1
    min_lr: float = 1e-6
    crop_padding: int = 4
    flip: float = 0.5
    precise_bn_samples: int = 8192
    ema: EmaSettings | None = None
    mixed_precision: bool = False


@dataclass(frozen=True)
class MeasureSettings:
    """How time and energy are taken.

    `runtime` is `wall`, or `cpu_time` where one pinned thread does all the work, so that its CPU
    time is the wall time on an idle core whatever else the machine does. `test_window_s` is the
    least time over which inference is repeated.
    """

    threads: int = 0  # 0: leave torch's own choice
    runtime: str = "wall"
    energy: str = "auto"
    estimate_w_per_core: float = 10.0
    test_window_s: float = 0.1


def train_settings(spec: Spec) -> TrainSettings:
    """The training section of a spec. Raises SpecError naming an unknown field or a bad value."""
    given = dict(spec.training)
    if given.get("ema") is not None:
        given["ema"] = _build("training: ema", EmaSettings, given["ema"])
    return _build("training", TrainSettings, given)


def measure_settings(spec: Spec) -> MeasureSettings:
    """The measurement section of a spec. Raises SpecError naming an unknown field or value."""
    settings = _build("measurement", MeasureSettings, spec.measurement)
    if settings.runtime not in ("wall", "cpu_time"):
        raise SpecError("measurement: " + unknown("runtime", settings.runtime, ("wall", "cpu_time")))
    return settings


T = TypeVar("T")


def _build(section: str, cls: type[T], given: Any) -> T:
    if not isinstance(given, Mapping):
        raise SpecError(f"{section}: a mapping, got {given!r}")
    defaults = {f.name: f.default for f in fields(cls)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in defaults:
            raise SpecError(f"{section}: " + unknown("field", key, defaults))
        default = defaults[key]
        if default is None:
            continue
        number = isinstance(default, (int, float)) and not isinstance(default, bool)
        if isinstance(value, bool) if number else not isinstance(value, type(default)):
            raise SpecError(f"{section}: {key} is like {default!r}, got {value!r}")
        if number and (not isinstance(value, (int, float)) or not value >= 0):
            raise SpecError(f"{section}: {key} is a number from 0, got {value!r}")
        if isinstance(default, int) and not isinstance(default, bool) and value % 1:
            raise SpecError(f"{section}: {key} is a whole number, got {value!r}")
    return cls(**given)
