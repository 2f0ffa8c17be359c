"""The training and measurement settings of a spec as frozen dataclasses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from eahas.checks import is_number, is_whole
from eahas.energy import SOURCES
from eahas.errors import SpecError, shown, unknown
from eahas.spec.spec import Spec

OPTIMISERS = ("sgd", "adam", "adamw")
LR_POLICIES = ("cos", "exp", "lin")
PRECISIONS = ("bf16", "fp32")
RUNTIMES = ("wall", "cpu_time")


def bounded(default: float, low: float = 0, high: float = math.inf) -> Any:
    """A field for a number with a default, in `low`..`high`."""
    return field(default=default, metadata={"low": low, "high": high})


@dataclass(frozen=True)
class EmaSettings:
    """Exponential moving average of the weights, see `regnet_hpo.ema`."""

    alpha: float = bounded(2.5e-4)
    update_period: int = bounded(32, 1)


@dataclass(frozen=True)
class TrainSettings:
    """The fixed training settings; the others are in the configuration.

    `min_lr` is a fraction of the base learning rate. `precise_bn_samples` is the number of training
    images from which the batch-norm statistics of an evaluation are computed; if it is smaller than
    a batch, the running averages are used. `mixed_precision` is bfloat16 autocast in training;
    evaluation is in fp32. With `channels_last`, images and weights have that memory format, which
    changes only the speed. The parameters TRAIN.BATCH_SIZE and TRAIN.PRECISION of a space replace
    `batch_size` and `mixed_precision`.
    """

    batch_size: int = bounded(1024, 2)
    eval_batch_size: int = bounded(1000, 1)
    label_smoothing: float = bounded(0.1, 0, 1)
    weight_decay: float = bounded(5e-4)
    momentum: float = bounded(0.9, 1e-6, 1)  # Nesterov momentum must be above 0
    warmup_epochs: int = bounded(5)
    warmup_factor: float = bounded(0.1)
    min_lr: float = bounded(1e-6, 0, 1)
    crop_padding: int = bounded(4)
    flip: float = bounded(0.5, 0, 1)
    precise_bn_samples: int = bounded(8192)
    ema: EmaSettings | None = None
    mixed_precision: bool = False
    channels_last: bool = True


@dataclass(frozen=True)
class MeasureSettings:
    """How time and energy are measured.

    `threads` is the number of CPU threads of torch (0: torch's own number). `runtime` is `wall`, or
    `cpu_time` if one thread does all the work: its CPU time is then the wall time on an idle core,
    whatever else the machine does. `allow_mig` meters a GPU in MIG mode as a whole, and flags the
    reading. `idle_s` is the duration of the measurement of idle power (0: none), `test_window_s`
    the shortest duration over which inference on the test images is repeated. `node_rest_w` is the
    power of everything in the node that no sensor measures (fans, disks, losses of the power
    supply), if the user knows it.

    With `window_s`, time and energy of training are those of complete epochs with exclusive use of
    the device, for at least `window_s` seconds after `ramp_s` seconds of training, scaled to all
    epochs; with 0 they are those of all epochs. `inference_s` is the shortest duration of the
    measurements of single images and of the largest batch (0: not measured).
    """

    threads: int = bounded(0)
    runtime: str = "wall"
    energy: str = "auto"
    allow_mig: bool = False
    estimate_w_per_core: float = bounded(10.0)
    idle_s: float = bounded(5.0)
    test_window_s: float = bounded(0.1)
    window_s: float = bounded(0.0)
    ramp_s: float = bounded(1.0)
    inference_s: float = bounded(0.0)
    node_rest_w: float = bounded(0.0)


def train_settings(spec: Spec) -> TrainSettings:
    """The training section of a spec. Raises SpecError for an unknown field or a bad value."""
    given = dict(spec.training)
    if given.get("ema") is not None:
        given["ema"] = build("training: ema", EmaSettings, given["ema"])
    return build("training", TrainSettings, given)


def run_settings(spec: Spec, config: Mapping[str, Any]) -> TrainSettings:
    """The training settings of a configuration: its parameters replace the fixed settings."""
    settings = train_settings(spec)
    if "TRAIN.BATCH_SIZE" in config:
        settings = replace(settings, batch_size=config["TRAIN.BATCH_SIZE"])
    if "TRAIN.PRECISION" in config:
        settings = replace(settings, mixed_precision=config["TRAIN.PRECISION"] == "bf16")
    return settings


def measure_settings(spec: Spec) -> MeasureSettings:
    """The measurement section of a spec. Raises SpecError for an unknown field or a bad value."""
    settings = build("measurement", MeasureSettings, spec.measurement)
    for name, allowed in (("runtime", RUNTIMES), ("energy", ("auto", *SOURCES))):
        if getattr(settings, name) not in allowed:
            raise SpecError("measurement: " + unknown(name, getattr(settings, name), allowed))
    return settings


T = TypeVar("T")


def build(section: str, cls: type[T], given: Any) -> T:
    """A settings object from a section of a spec.

    Each value is checked against its default's type, and against the bounds of `bounded`. Raises
    SpecError naming the section, the field and what is allowed.
    """
    if not isinstance(given, Mapping):
        raise SpecError(f"{section}: a mapping, got {shown(given)}")
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in known:
            raise SpecError(f"{section}: " + unknown("field", key, known))
        default, bounds = known[key].default, known[key].metadata
        if bounds:
            _check_number(f"{section}: {key}", value, isinstance(default, int), **bounds)
        elif default is not None and type(value) is not type(default):
            raise SpecError(f"{section}: {key} is like {default!r}, got {shown(value)}")
    return cls(**given)


def _check_number(what: str, value: Any, whole: bool, low: float, high: float) -> None:
    if not (is_whole if whole else is_number)(value) or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        limit = f"from {low:g}" if high == math.inf else f"in {low:g}..{high:g}"
        raise SpecError(f"{what} is {kind} {limit}, got {shown(value)}")
