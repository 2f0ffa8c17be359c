"""Checks before the first run, so that a mistake causes one error instead of one per run."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from eahas.checks import is_number
from eahas.errors import DataError, SpecError, shown, unknown
from eahas.space.architectures.regnet import REGNET_DOMAIN, NetworkFacts
from eahas.space.parameters import Numeric, Parameter
from eahas.spec.spec import Spec
from eahas.spec.targets import Target
from regnet_hpo.data import DataSet, load_dataset
from regnet_hpo.metering import metering_class
from regnet_hpo.settings import (
    LR_POLICIES,
    OPTIMISERS,
    PRECISIONS,
    MeasureSettings,
    measure_settings,
    train_settings,
)

EPOCHS = "OPTIM.MAX_EPOCH"
# Parameters that the trainer needs. Numbers: lowest, highest, and whether they must be whole.
NUMBERS = REGNET_DOMAIN | {
    "OPTIM.BASE_LR": (0, math.inf, False),
    "TRAIN.CUTOUT_LENGTH": (0, 10_000, True),
    EPOCHS: (1, 1_000_000, True),
}
NAMES = {"OPTIM.OPTIMIZER": OPTIMISERS, "OPTIM.LR_POLICY": LR_POLICIES}
# Parameters that a space may have; otherwise its training section fixes them.
OPTIONAL_NUMBERS = {"TRAIN.BATCH_SIZE": (2, 1_000_000, True)}
OPTIONAL_NAMES = {"TRAIN.PRECISION": PRECISIONS}
# Targets that the record of every run has, unless the run failed or diverged.
CURVES = ("train", "valid", "test")
EMA_CURVES = ("valid_ema", "test_ema")
SCALARS = (
    *("runtime_s", "train_energy_j", "test_energy_j"),
    *("wall_s", "cpu_time_s", "test_time_s", "flops", "params", "acts"),
    *("train_energy_gpu_j", "train_energy_cpu_j", "train_energy_dram_j", "train_energy_total_j"),
)
INFERENCE_SCALARS = ("single_image_s", "single_image_j", "batched_image_s", "batched_image_j")


def preflight(spec: Spec, device: str, data_dir: str | Path | None = None) -> DataSet:
    """Check that a spec can be trained on `device` and return its data.

    `data_dir` is as for `load_dataset`. Raises SpecError if the trainer does not support the spec
    or the device cannot make its measurements, DataError if the device or the images are missing or
    the images do not fit the network.
    """
    check_trainable(spec)
    check_device(device)
    check_runtime(measure_settings(spec), device)
    data = load_dataset(spec.data, data_dir)
    check_fit(data, spec)
    return data


def check_trainable(spec: Spec) -> None:
    """Raise SpecError unless the trainer supports every parameter, setting and target of a spec."""
    if not isinstance(spec.network, NetworkFacts):
        raise SpecError(f"{spec.name}: training needs the section network, that of a RegNet")
    ema = train_settings(spec).ema is not None
    measure = measure_settings(spec)
    curves = (*CURVES, *EMA_CURVES) if ema else CURVES
    scalars = [*SCALARS, *metering_class(measure).extra_scalars]
    scalars += INFERENCE_SCALARS if measure.inference_s else ()
    supported = (*NUMBERS, *NAMES, *OPTIONAL_NUMBERS, *OPTIONAL_NAMES)
    for name in spec.space.names:
        if name not in supported:
            raise SpecError(f"{spec.name}: {unknown('parameter of the trainer', name, supported)}")
        _check_parameter(spec.space[name])
    missing = [name for name in (*NUMBERS, *NAMES) if name not in spec.space.names]
    if missing:
        raise SpecError(
            f"{spec.name}: training needs the parameter{'s' * (len(missing) > 1)} "
            f"{', '.join(missing)}; declare a fixed parameter as a choice with one value"
        )
    if spec.space.fidelity not in (None, EPOCHS):
        raise SpecError(f"{spec.name}: fidelity {spec.space.fidelity}; allowed: {EPOCHS}")
    for kind, targets, recorded in (
        ("curve", spec.curves, curves),
        ("scalar", spec.scalars, scalars),
    ):
        for target in targets:
            if not target.schedule.is_every_epoch or (kind == "curve" and target.cumulative):
                raise SpecError(
                    f"{spec.name}: the trainer evaluates after every epoch and records no running "
                    f"totals; {target.name} must be a curve of every epoch that is not cumulative"
                )
            if target.name in EMA_CURVES and not ema:
                raise SpecError(f"{spec.name}: the target {target.name} needs training: ema")
            if target.name not in recorded:
                raise SpecError(f"{spec.name}: {unknown(f'{kind} target', target.name, recorded)}")
            _check_unit(target)


def _check_unit(target: Target) -> None:
    """Raise SpecError where a spec gives a unit to what the trainer records in another one."""
    made = {"_s": "s", "_j": "J"}.get(target.name[-2:])
    if made and target.unit and (target.si_factor, target.si_unit) != (1.0, made):
        raise SpecError(
            f"targets: {target.name} is in {target.unit}, but the trainer records it in {made}; "
            f"write unit: {made}"
        )


def _check_parameter(parameter: Parameter) -> None:
    name = parameter.name
    if parameter.condition is not None:
        raise SpecError(f"{name}: the trainer always needs it; it cannot have a condition")
    values, continuous = _values(parameter)
    names = NAMES | OPTIONAL_NAMES
    if name in names:
        for value in values:
            if value not in names[name]:
                raise SpecError(f"{name}: {unknown('choice', value, names[name])}")
        return
    low, high, whole = (NUMBERS | OPTIONAL_NUMBERS)[name]
    for value in values:
        if (
            not is_number(value)
            or not low <= value <= high
            or (whole and (continuous or value % 1))
        ):
            kind = "whole numbers" if whole else "numbers"
            raise SpecError(f"{name} is {value!r}; allowed: {kind} in {low:,}..{high:,}")


def _values(parameter: Parameter) -> tuple[tuple[Any, ...], bool]:
    """The choices or the two bounds, and whether values between whole numbers are possible."""
    if isinstance(parameter, Numeric):
        return (parameter.low, parameter.high), not parameter.integer
    return parameter.choices, False


def check_runtime(settings: MeasureSettings, device: str) -> None:
    """Raise SpecError if the runtime is CPU time and the run does not use one CPU thread."""
    if settings.runtime == "cpu_time" and not (device == "cpu" and settings.threads == 1):
        raise SpecError(
            f"measurement: runtime: cpu_time needs device cpu and threads: 1, got device {device} "
            f"and threads: {settings.threads}; use runtime: wall"
        )


def default_device(spec: Spec) -> str:
    """The default device: a GPU if there is one, unless the spec's runtime is CPU time."""
    on_cpu = measure_settings(spec).runtime == "cpu_time" or not gpu_count()
    return "cpu" if on_cpu else "cuda"


def check_device(name: str) -> None:
    """Raise DataError unless `name` is cpu, or cuda or cuda:N and torch sees that GPU."""
    match = re.fullmatch(r"cpu|cuda(?::(\d{1,4}))?", name) if isinstance(name, str) else None
    if match is None:
        raise DataError(f"device {shown(name)} is unknown; allowed: cpu, cuda, cuda:0, ...")
    if name != "cpu" and int(match[1] or 0) >= gpu_count():
        raise DataError(f"device {name!r}: {_gpus_seen()}")


def gpu_count() -> int:
    """The number of GPUs that torch sees."""
    import torch

    return torch.cuda.device_count()


def _gpus_seen() -> str:
    """Explain why a requested GPU is missing."""
    import torch

    if count := gpu_count():
        return f"torch sees {', '.join(f'cuda:{index}' for index in range(count))} only"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA; install a CUDA build, or use cpu"
    return "torch sees no CUDA device; check nvidia-smi and CUDA_VISIBLE_DEVICES, or use cpu"


def check_fit(data: DataSet, spec: Spec) -> None:
    """Raise DataError unless images and classes agree with the spec's network section."""
    facts = spec.network
    assert facts is not None
    if facts.classes != data.classes:
        raise DataError(
            f"data: {data.name} has {data.classes} classes; the network section says "
            f"{facts.classes}"
        )
    shape = (facts.image_size, facts.image_size, facts.in_channels)
    for name, split in (("train", data.train), ("valid", data.valid), ("test", data.test)):
        if split.images.shape[1:] != shape:
            raise DataError(
                f"data: {name} images of {data.name} have the shape {split.images.shape[1:]}; "
                f"the network section says {shape} (height, width, channels)"
            )
