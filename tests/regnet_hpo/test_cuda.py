"""What only a GPU can show: graphs learn what eager steps learn, and its meter reads."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from eahas.records.schema import check_row
from eahas.spec.spec import Spec
from regnet_hpo.data import DataSet
from regnet_hpo.learner import Learner
from regnet_hpo.train import Progress, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
PLANNED = {"run_id": "r", "config_id": "c", "split": "train", "role": "main"}


@pytest.fixture
def spec(spec_with: Callable[..., Spec]) -> Spec:
    """The tiny spec with everything on that a step can do."""
    return spec_with(
        training={"flip": 0.5, "crop_padding": 2, "ema": {"alpha": 0.02, "update_period": 1}},
        measurement={"runtime": "wall", "threads": 0, "idle_s": 0.0},
    )


@pytest.mark.parametrize("optimiser", ["sgd", "adam", "adamw"])
def test_a_captured_step_is_the_eager_one(
    spec: Spec, config: dict[str, Any], digits: DataSet, optimiser: str
) -> None:
    """Up to the rounding of sums whose order is not fixed."""
    config |= {"OPTIM.OPTIMIZER": optimiser, "TRAIN.CUTOUT_LENGTH": 3, "OPTIM.BASE_LR": 0.01}
    eager, graphed = (Learner(spec, config, 0, digits, "cuda") for _ in range(2))
    graphed.capture()
    for epoch in range(3):
        one, other = (learner.train_epoch(epoch)[0] for learner in (eager, graphed))
        assert other == pytest.approx(one, rel=1e-3)
        eager.evaluate(epoch)
        graphed.evaluate(epoch)
    for a, b in zip(
        eager.network.state_dict().values(), graphed.network.state_dict().values(), strict=True
    ):
        apart = ~torch.isclose(b.float(), a.float(), rtol=1e-2, atol=1e-3)
        assert apart.float().mean() < 0.01  # where a gradient is about 0, Adam may step either way


@pytest.mark.parametrize("captured", [False, True])
def test_no_step_waits_for_the_device(
    spec: Spec, config: dict[str, Any], digits: DataSet, captured: bool
) -> None:
    learner = Learner(spec, config, 0, digits, "cuda")
    if captured:
        learner.capture()
    learner.train_epoch(0)  # an optimiser's moments are made in the first step
    learner.train_batches.start(learner._sample(learner.train_batches.count, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the mode calls itself a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(learner.train_batches.count):
            learner.step()
            assert learner.ema is not None
            learner.ema.update(learner.network, 1, step)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_capturing_changes_nothing(spec: Spec, config: dict[str, Any], digits: DataSet) -> None:
    learner = Learner(spec, config | {"OPTIM.OPTIMIZER": "adam"}, 0, digits, "cuda")
    before = {name: t.clone() for name, t in learner.network.state_dict().items()}
    learner.capture()
    after = learner.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    for state in learner.optimiser.state_dict()["state"].values():
        assert all(not value.any() for value in state.values() if torch.is_tensor(value))


def test_the_first_batches_are_those_of_the_processor(
    spec: Spec, config: dict[str, Any], digits: DataSet
) -> None:
    here, there = (Learner(spec, config, 0, digits, device) for device in ("cpu", "cuda"))
    for learner in (here, there):
        learner.train_batches.start(learner._sample(2, 0))
    (x, y), (u, v) = here.train_batches.next(), there.train_batches.next()
    assert torch.equal(x, u.cpu())
    assert torch.equal(y, v.cpu())


def test_a_killed_run_goes_on(
    spec: Spec, config: dict[str, Any], digits: DataSet, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    def kill(_: Progress) -> None:
        raise Killed

    path = tmp_path / "resume.pt"
    for _ in range(2):
        with pytest.raises(Killed):
            run(spec, config, digits, path, kill)
    record = run(spec, config, digits, path, None)
    unbroken = run(spec, config, digits, None, None)
    assert (record["status"], record["epochs"]) == ("ok", 3)
    assert record["train"] == pytest.approx(unbroken["train"], abs=5.0)


def run(
    spec: Spec, config: dict[str, Any], digits: DataSet, path: Path | None, on_epoch: Any
) -> dict[str, Any]:
    return train(
        spec, config, 0, device="cuda", dataset=digits, resume_file=path, on_epoch=on_epoch
    )


def test_a_record_is_complete_and_says_where_its_joules_come_from(
    spec_with: Callable[..., Spec], config: dict[str, Any], digits: DataSet
) -> None:
    spec = spec_with(
        measurement={
            "runtime": "wall",
            "threads": 0,
            "energy": "auto",
            "idle_s": 2.0,
            "window_s": 2.0,
            "inference_s": 2.0,
        }
    )
    record = train(spec, config, 0, device="cuda", dataset=digits)
    check_row(record | PLANNED, spec)
    assert record["energy_source"].startswith("nvml")
    assert record["energy_method"] == "window"
    assert record["train_energy_gpu_j"] == record["train_energy_j"] > 0
    assert record["train_energy_total_j"] > record["train_energy_j"]
    assert record["single_image_j"] > record["batched_image_j"] > 0
    assert record["idle_power_w"] > 0
