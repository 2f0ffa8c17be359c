"""The training and measurement settings of a spec as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from eahas.energy import SOURCES
from eahas.errors import EahasError, SpecError
from eahas.settings import Settings, choice, flag, number, optional
from eahas.spec.spec import Spec

OPTIMISERS = ("sgd", "adam", "adamw")
LR_POLICIES = ("cos", "exp", "lin")
PRECISIONS = ("bf16", "fp32")
RUNTIMES = ("wall", "cpu_time")


@dataclass(frozen=True)
class SpecSettings(Settings):
    """Base of the settings in a section of a spec."""

    error: ClassVar[type[EahasError]] = SpecError


@dataclass(frozen=True)
class EmaSettings(SpecSettings):
    """Exponential moving average of the weights, see `regnet_hpo.ema`."""

    section = "training: ema"

    alpha: float = number(2.5e-4)
    update_period: int = number(32, 1)


@dataclass(frozen=True)
class TrainSettings(SpecSettings):
    """The fixed training settings; the others are in the configuration.

    `min_lr` is a fraction of the base learning rate. `precise_bn_samples` is the number of training
    images from which the batch-norm statistics of an evaluation are computed; if it is smaller than
    a batch, the running averages are used. `mixed_precision` is bfloat16 autocast in training;
    evaluation is in fp32. With `channels_last`, images and weights have that memory format, which
    changes only the speed. The parameters TRAIN.BATCH_SIZE and TRAIN.PRECISION of a space replace
    `batch_size` and `mixed_precision`.
    """

    section = "training"

    batch_size: int = number(1024, 2)
    eval_batch_size: int = number(1000, 1)
    label_smoothing: float = number(0.1, 0, 1)
    weight_decay: float = number(5e-4)
    momentum: float = number(0.9, 1e-6, 1)  # Nesterov momentum must be above 0
    warmup_epochs: int = number(5)
    warmup_factor: float = number(0.1)
    min_lr: float = number(1e-6, 0, 1)
    crop_padding: int = number(4)
    flip: float = number(0.5, 0, 1)
    precise_bn_samples: int = number(8192)
    ema: EmaSettings | None = optional(EmaSettings)  # noqa: RUF009  it returns a field
    mixed_precision: bool = flag(False)
    channels_last: bool = flag(True)


@dataclass(frozen=True)
class MeasureSettings(SpecSettings):
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

    section = "measurement"

    threads: int = number(0)
    runtime: str = choice("wall", RUNTIMES)
    energy: str = choice("auto", ("auto", *SOURCES))
    allow_mig: bool = flag(False)
    estimate_w_per_core: float = number(10.0)
    idle_s: float = number(5.0)
    test_window_s: float = number(0.1)
    window_s: float = number(0.0)
    ramp_s: float = number(1.0)
    inference_s: float = number(0.0)
    node_rest_w: float = number(0.0)


def train_settings(spec: Spec) -> TrainSettings:
    """The training section of a spec. Raises SpecError for an unknown field or a bad value."""
    return TrainSettings().changed(spec.training)


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
    return MeasureSettings().changed(spec.measurement)
