"""What is refused before the first run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from eahas.errors import DataError, SpecError
from eahas.spec.spec import Spec, spec_from_dict
from regnet_hpo import preflight as module
from regnet_hpo.data import DataSet
from regnet_hpo.preflight import (
    check_device,
    check_fit,
    check_runtime,
    check_trainable,
    preflight,
)
from regnet_hpo.settings import MeasureSettings
from sweeps.specs import list_specs, load_spec


@pytest.mark.parametrize("name", [n for n in list_specs() if n.startswith("regnet")])
def test_every_spec_that_ships_is_understood(name: str) -> None:
    check_trainable(load_spec(name))


def test_preflight_gives_the_data(spec: Spec) -> None:
    assert len(preflight(spec, "cpu").train) == 60


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"OPTIM.MOMENTUM": {"type": "choice", "choices": [0.9]}}, "'OPTIM.MOMENTUM' is unknown"),
        ({"OPTIM.LR_POLICY": None}, "training needs the parameter OPTIM.LR_POLICY;"),
        (
            {"OPTIM.LR_POLICY": None, "TRAIN.CUTOUT_LENGTH": None},
            "needs the parameters TRAIN.CUTOUT_LENGTH, OPTIM.LR_POLICY; declare",
        ),
        (
            {"OPTIM.LR_POLICY": {"type": "choice", "choices": ["cos", "step"]}},
            "OPTIM.LR_POLICY: choice 'step' is unknown; allowed: cos, exp, lin",
        ),
        (
            {"OPTIM.OPTIMIZER": {"type": "choice", "choices": ["rmsprop"]}},
            "OPTIM.OPTIMIZER: choice 'rmsprop' is unknown; allowed: sgd, adam, adamw",
        ),
        (
            {"OPTIM.BASE_LR": {"type": "float", "low": -1.0, "high": 1.0}},
            "OPTIM.BASE_LR is -1.0; allowed: numbers in 0..inf",
        ),
        (
            {"TRAIN.CUTOUT_LENGTH": {"type": "float", "low": 0.0, "high": 2.0}},
            "TRAIN.CUTOUT_LENGTH is 0.0; allowed: whole numbers in 0..10,000",
        ),
        (
            {
                "TRAIN.CUTOUT_LENGTH": {
                    "type": "choice",
                    "choices": [3],
                    "when": {"OPTIM.OPTIMIZER": ["sgd"]},
                }
            },
            "TRAIN.CUTOUT_LENGTH: the trainer always needs it",
        ),
    ],
)
def test_parameters_that_the_trainer_would_not_read_are_refused(
    tiny: dict[str, Any], parameters: dict[str, Any], message: str
) -> None:
    changed = tiny["parameters"] | parameters
    tiny["parameters"] = {name: given for name, given in changed.items() if given is not None}
    with pytest.raises(SpecError) as raised:
        check_trainable(spec_from_dict(tiny))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"curves": ["valid_ema"]}, "the target valid_ema needs training: ema"),
        ({"curves": {"loss": {}}}, "curve target 'loss' is unknown; allowed: train, valid, test"),
        ({"scalars": {"latency_s": {}}}, "scalar target 'latency_s' is unknown"),
        ({"curves": {"valid": {"epochs": [1, 2]}}}, "valid must be a curve of every epoch"),
        ({"curves": {"test": {"cumulative": True}}}, "test must be a curve of every epoch"),
    ],
)
def test_targets_that_no_record_would_have_are_refused(
    tiny: dict[str, Any], targets: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError) as raised:
        check_trainable(spec_from_dict(tiny | {"targets": targets}))
    assert message in str(raised.value)


def test_curves_of_the_ema_are_understood_where_it_is_on(
    spec_with: Callable[..., Spec],
) -> None:
    check_trainable(spec_with(targets={"curves": ["test_ema"]}, training={"ema": {}}))


def test_a_spec_without_a_network_cannot_be_trained(tiny: dict[str, Any]) -> None:
    del tiny["network"], tiny["constraints"]
    with pytest.raises(SpecError, match="needs the section network"):
        check_trainable(spec_from_dict(tiny))


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "mps", None, 0])
def test_unknown_devices_are_refused(name: Any) -> None:
    with pytest.raises(DataError, match="is unknown; allowed: cpu, cuda"):
        check_device(name)


@pytest.mark.parametrize(
    ("name", "seen", "built", "message"),
    [
        ("cuda", 0, None, r"'cuda': torch .* was built without CUDA; install a CUDA build"),
        ("cuda", 0, "13.0", r"'cuda': torch sees no CUDA device; check nvidia-smi"),
        ("cuda:1", 1, "13.0", r"'cuda:1': torch sees cuda:0 only"),
        ("cuda:9999", 8, "13.0", r"torch sees cuda:0, cuda:1, .*, cuda:7 only"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, seen: int, built: str | None, message: str
) -> None:
    monkeypatch.setattr(module, "gpu_count", lambda: seen)
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(DataError, match=message):
        check_device(name)


def test_data_must_be_what_the_network_section_says(
    spec_with: Callable[..., Spec], digits: DataSet
) -> None:
    with pytest.raises(DataError, match=r"shape \(8, 8, 1\).*says \(16, 16, 1\)"):
        check_fit(digits, spec_with(network={"image_size": 16}))
    with pytest.raises(DataError, match="digits has 10 classes; the network section says 9"):
        check_fit(digits, spec_with(network={"image_size": 8, "classes": 9}))
    with pytest.raises(DataError, match="digits has 10 classes; the network section says 200"):
        check_fit(digits, spec_with(network={"image_size": 8, "classes": 200}))


@pytest.mark.parametrize(("device", "threads"), [("cuda", 1), ("cpu", 0), ("cpu", 2)])
def test_cpu_time_is_a_runtime_for_one_pinned_thread_alone(device: str, threads: int) -> None:
    check_runtime(MeasureSettings(runtime="cpu_time", threads=1), "cpu")
    check_runtime(MeasureSettings(runtime="wall", threads=threads), device)
    with pytest.raises(SpecError, match="cpu_time needs device cpu and threads: 1"):
        check_runtime(MeasureSettings(runtime="cpu_time", threads=threads), device)


@pytest.mark.parametrize(
    ("gpus", "runtime", "expected"),
    [(0, "wall", "cpu"), (1, "wall", "cuda"), (1, "cpu_time", "cpu")],
)
def test_a_gpu_is_the_default_where_there_is_one(
    spec_with: Callable[..., Spec],
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    runtime: str,
    expected: str,
) -> None:
    import regnet_hpo.preflight as module

    monkeypatch.setattr(module, "gpu_count", lambda: gpus)
    assert module.default_device(spec_with(measurement={"runtime": runtime})) == expected


@pytest.mark.parametrize(
    ("scalars", "message"),
    [
        ({"train_energy_j": {"unit": "kWh"}}, "train_energy_j is in kWh, .* records it in J"),
        ({"runtime_s": {"unit": "ms"}}, "runtime_s is in ms, .* records it in s"),
        ({"test_energy_j": {"unit": "J/image"}}, "test_energy_j is in J/image"),
    ],
)
def test_what_the_trainer_records_has_its_unit(tiny: Any, scalars: Any, message: str) -> None:
    tiny["targets"]["scalars"] = scalars
    with pytest.raises(SpecError, match=message):
        check_trainable(spec_from_dict(tiny))
