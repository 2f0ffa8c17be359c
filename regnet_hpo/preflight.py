"""What must hold before the first run, so that a mistake is one error and not one a run."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from eahas.checks import is_number
from eahas.energy import Meter, open_meter
from eahas.errors import DataError, SpecError, shown, unknown
from eahas.space.constraints import REGNET_DOMAIN
from eahas.space.parameters import Numeric, Parameter
from eahas.spec.spec import Spec
from eahas.spec.targets import Target
from regnet_hpo.data import DataSet, load_dataset
from regnet_hpo.settings import (
    LR_POLICIES,
    OPTIMISERS,
    PRECISIONS,
    MeasureSettings,
    measure_settings,
    train_settings,
)

EPOCHS = "OPTIM.MAX_EPOCH"
# What the trainer reads from a configuration: least, most, and whether only whole numbers.
NUMBERS = REGNET_DOMAIN | {
    "OPTIM.BASE_LR": (0, math.inf, False),
    "TRAIN.CUTOUT_LENGTH": (0, 10_000, True),
    EPOCHS: (1, 1_000_000, True),
}
NAMES = {"OPTIM.OPTIMIZER": OPTIMISERS, "OPTIM.LR_POLICY": LR_POLICIES}
# What a space may search instead of fixing it in its training section.
MORE_NUMBERS = {"TRAIN.BATCH_SIZE": (2, 1_000_000, True)}
MORE_NAMES = {"TRAIN.PRECISION": PRECISIONS}
# What it puts into the record of every run that ends well.
CURVES = ("train", "valid", "test")
EMA_CURVES = ("valid_ema", "test_ema")
SCALARS = (
    *("runtime_s", "train_energy_j", "test_energy_j"),
    *("wall_s", "cpu_time_s", "test_time_s", "flops", "params", "acts"),
)
IF_WHOLE = ("eval_time_s", "eval_energy_j")
IF_INFERENCE = ("single_image_s", "single_image_j", "batched_image_s", "batched_image_j")
PARTS = ("train_energy_gpu_j", "train_energy_cpu_j", "train_energy_dram_j", "train_energy_total_j")


def preflight(spec: Spec, device: str, data_dir: str | Path | None = None) -> DataSet:
    """The data of a spec that can be trained on `device`; `data_dir` as for `load_dataset`.

    Raises SpecError for a spec that the trainer does not understand or that measures what the
    device has not, DataError for data that are
    not there or do not fit the network and for a device that is not there.
    """
    check_trainable(spec)
    check_device(device)
    check_runtime(measure_settings(spec), device)
    data = load_dataset(spec.data, data_dir)
    check_fit(data, spec)
    return data


def check_trainable(spec: Spec) -> None:
    """Raise SpecError unless the trainer knows every parameter, setting and target of a spec."""
    if spec.network is None:
        raise SpecError(f"{spec.name}: training needs the section network")
    ema = train_settings(spec).ema is not None
    measure = measure_settings(spec)
    scalars = [*SCALARS, *PARTS]
    scalars += () if measure.window_s else IF_WHOLE
    scalars += IF_INFERENCE if measure.inference_s else ()
    read = (*NUMBERS, *NAMES, *MORE_NUMBERS, *MORE_NAMES)
    for name in spec.space.names:
        if name not in read:
            raise SpecError(f"{spec.name}: {unknown('parameter of the trainer', name, read)}")
        _check_parameter(spec.space[name])
    missing = [name for name in (*NUMBERS, *NAMES) if name not in spec.space.names]
    if missing:
        raise SpecError(
            f"{spec.name}: training needs the parameter{'s' * (len(missing) > 1)} "
            f"{', '.join(missing)}; one that is not searched is a choice with one value"
        )
    if spec.space.fidelity not in (None, EPOCHS):
        raise SpecError(f"{spec.name}: fidelity {spec.space.fidelity}; the trainer's is {EPOCHS}")
    for kind, targets, made in (
        ("curve", spec.curves, CURVES + EMA_CURVES if ema else CURVES),
        ("scalar", spec.scalars, scalars),
    ):
        for target in targets:
            if target.name in EMA_CURVES and not ema:
                raise SpecError(f"{spec.name}: the target {target.name} needs training: ema")
            if target.name not in made:
                raise SpecError(f"{spec.name}: {unknown(f'{kind} target', target.name, made)}")
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
        raise SpecError(f"{name}: the trainer always needs it, so it cannot have a condition")
    values, continuous = _values(parameter)
    names = NAMES | MORE_NAMES
    if name in names:
        for value in values:
            if value not in names[name]:
                raise SpecError(f"{name}: {unknown('choice', value, names[name])}")
        return
    low, high, whole = (NUMBERS | MORE_NUMBERS)[name]
    for value in values:
        if (
            not is_number(value)
            or not low <= value <= high
            or (whole and (continuous or value % 1))
        ):
            kind = "whole numbers" if whole else "numbers"
            raise SpecError(f"{name}: {kind} in {low:,}..{high:,} can be trained, got {value!r}")


def _values(parameter: Parameter) -> tuple[tuple[Any, ...], bool]:
    """The choices, or the two bounds; and whether it also takes what lies between whole numbers."""
    if isinstance(parameter, Numeric):
        return (parameter.low, parameter.high), not parameter.integer
    return parameter.choices, False


def check_runtime(settings: MeasureSettings, device: str) -> None:
    """Raise SpecError where CPU time is to stand for the runtime and does not."""
    if settings.runtime == "cpu_time" and not (device == "cpu" and settings.threads == 1):
        raise SpecError(
            f"measurement: runtime: cpu_time is of one pinned thread, and here are the device "
            f"{device} and threads: {settings.threads}; use runtime: wall"
        )


def default_device(spec: Spec) -> str:
    """Where runs are made if nobody says: a GPU if there is one, unless CPU time is asked for."""
    on_cpu = measure_settings(spec).runtime == "cpu_time" or not gpu_count()
    return "cpu" if on_cpu else "cuda"


def check_device(name: str) -> None:
    """Raise DataError unless `name` is cpu, or cuda or cuda:N and torch sees that GPU."""
    found = re.fullmatch(r"cpu|cuda(?::(\d{1,4}))?", name) if isinstance(name, str) else None
    if found is None:
        raise DataError(f"device {shown(name)} is unknown; allowed: cpu, cuda, cuda:0, ...")
    if name != "cpu" and int(found[1] or 0) >= gpu_count():
        raise DataError(f"device {name!r}: {_gpus_seen()}")


def gpu_count() -> int:
    """How many GPUs torch sees."""
    import torch

    return torch.cuda.device_count()


def _gpus_seen() -> str:
    """What there is in place of a GPU that was asked for."""
    import torch

    if count := gpu_count():
        return f"torch sees {', '.join(f'cuda:{index}' for index in range(count))} alone"
    if torch.version.cuda is None:
        return f"torch {torch.__version__} was built without CUDA; install a CUDA build, or use cpu"
    return "torch sees no CUDA device; look at nvidia-smi and CUDA_VISIBLE_DEVICES, or use cpu"


def check_fit(data: DataSet, spec: Spec) -> None:
    """Raise DataError unless images and labels are what the network section says."""
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


def meter_for(device: str, settings: MeasureSettings) -> Meter:
    """The energy meter of a run. Raises MeterError where the device has no such source."""
    return open_meter(
        device,
        source=settings.energy,
        estimate_w_per_core=settings.estimate_w_per_core,
        allow_mig=settings.allow_mig,
    )
