"""What a run cost: training, evaluation and inference metered apart, and what if it cannot be."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from eahas.energy import Meter
from eahas.energy.source import OtherProcesses, SourceFacts, Totals
from eahas.errors import MeterError
from eahas.records.schema import check_row
from eahas.spec.spec import Spec
from regnet_hpo import learner as module
from regnet_hpo import metering as metering
from regnet_hpo import run_meter as run_meter
from regnet_hpo import train as training
from regnet_hpo.data import DataSet
from regnet_hpo.learner import Learner
from regnet_hpo.train import Progress, Trainer, train

PLANNED = {"run_id": "r", "config_id": "c", "split": "train", "role": "main"}


class FakeSource:
    """A sensor of 5 W whose shortest honest window is 20 times `edge_s`."""

    poll_period_s = None

    def __init__(self, edge_s: float) -> None:
        self.facts = SourceFacts("rapl", "5 W x time", "fake", edge_s, systematic=0.05)

    def begin(self, t_s: float) -> None: ...

    def poll(self, t_s: float) -> None: ...

    def read(self, t_s: float, cpu_time_s: float) -> Totals:
        return Totals(5.0 * t_s)

    def other_processes(self, since_s: float) -> OtherProcesses:
        return OtherProcesses((7,))


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A training step takes 1 s of this clock, one look at a split 10 s; its meter sees 5 W."""
    clock = Clock()
    step, correct = Learner._step, module.correct

    def slow_step(self: Learner) -> None:
        clock.sleep(1.0)
        step(self)

    def slow_correct(*given: Any) -> Any:
        clock.sleep(10.0)
        return correct(*given)

    monkeypatch.setattr(Learner, "_step", slow_step)
    monkeypatch.setattr(module, "correct", slow_correct)
    monkeypatch.setattr(training, "correct", slow_correct)
    metered(monkeypatch, clock, edge_s=0.0)
    return clock


def metered(monkeypatch: pytest.MonkeyPatch, clock: Clock, edge_s: float) -> None:
    def meter(*_: object) -> Meter:
        source = FakeSource(edge_s)
        return Meter([source], clock=clock, cpu_clock=lambda: clock() / 2, sleep=clock.sleep)

    monkeypatch.setattr(run_meter, "meter_for", meter)


def test_training_and_evaluation_are_metered_apart(
    spec: Spec, config: dict[str, Any], digits: DataSet, clock: Clock
) -> None:
    record = train(spec, config, 0, dataset=digits)
    assert record["epoch_time_s"] == [2.0] * 3  # two steps of 1 s
    assert record["epoch_energy_j"] == pytest.approx([10.0] * 3)
    assert record["train_energy_j"] == pytest.approx(30.0)
    assert record["eval_time_s"] == 60.0  # two splits of 10 s
    assert record["eval_energy_j"] == pytest.approx(300.0)
    assert (record["wall_s"], record["cpu_time_s"]) == (6.0, 3.0)
    assert record["test_energy_j"] == pytest.approx(50.0)  # one pass over the test images


@pytest.mark.parametrize(("runtime", "seconds"), [("wall", 6.0), ("cpu_time", 3.0)])
def test_the_runtime_is_the_kind_of_time_that_the_spec_names(
    spec_with: Callable[..., Spec],
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    runtime: str,
    seconds: float,
) -> None:
    record = train(spec_with(measurement={"runtime": runtime}), config, 0, dataset=digits)
    assert record["runtime_s"] == seconds
    assert record["test_time_s"] == 10.0 * seconds / 6.0


def test_what_else_the_meter_knew_stands_beside_the_energy(
    spec: Spec, config: dict[str, Any], digits: DataSet, clock: Clock
) -> None:
    record = train(spec, config, 0, dataset=digits)
    assert (record["energy_source"], record["energy_formula"]) == ("rapl", "5 W x time")
    # What is not known is left out, and so is what has a column.
    assert json.loads(record["energy_reading"]) == {
        "device": "fake",
        "systematic": 0.05,
        "statistical": 0.0,
        "other_processes": [7],
    }


@pytest.mark.parametrize(("idle_s", "power_w"), [(3.0, 5.0), (0, None)])
def test_idle_power_is_measured_before_the_run_unless_told_otherwise(
    spec_with: Callable[..., Spec],
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    idle_s: float,
    power_w: float | None,
) -> None:
    record = train(spec_with(measurement={"idle_s": idle_s}), config, 0, dataset=digits)
    assert record["idle_power_w"] == power_w
    assert record["wall_s"] == 6.0


def test_an_energy_that_the_spec_predicts_must_be_metered(
    spec: Spec,
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metered(monkeypatch, clock, edge_s=1.0)
    with pytest.raises(MeterError, match="3 epochs of 6 s in all are too short"):
        train(spec, config, 0, dataset=digits)


def test_an_energy_that_the_spec_does_not_predict_may_be_missing(
    spec_with: Callable[..., Spec],
    tiny: dict[str, Any],
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metered(monkeypatch, clock, edge_s=1.0)
    tiny["targets"]["scalars"] = ["runtime_s"]
    spec = spec_with()
    record = train(spec, config, 0, dataset=digits)
    assert record["status"] == "ok"
    assert "train_energy_j" not in record
    assert record["energy_missing"].startswith("train_energy_j: 3 epochs of 6 s")
    check_row(record | PLANNED, spec)


def test_a_diverged_run_that_cannot_be_metered_is_not_lost(
    spec: Spec,
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def poison(_: Progress) -> None:
        with torch.no_grad():
            trainer.learner.network.head.bias.fill_(math.nan)

    metered(monkeypatch, clock, edge_s=100.0)
    trainer = Trainer(spec, config, 0, dataset=digits)
    record = trainer.run(None, poison)
    assert record["status"] == "diverged"
    assert record["epoch_time_s"] == [2.0]
    assert "train_energy_j" not in record
    assert "train_energy_j: 1 epochs of 2 s in all are too short" in record["energy_missing"]
    check_row(record | PLANNED, spec)


def test_the_meter_is_closed_whatever_happens(
    spec: Spec, config: dict[str, Any], digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(spec, config, 0, dataset=digits)
    monkeypatch.setattr(trainer.learner, "train_epoch", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.run()
    with pytest.raises(MeterError, match="closed"):
        trainer.run_meter.meter.start()


# Measured over a window


@pytest.fixture
def window(spec_with: Callable[..., Spec], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Epochs of 2 s, measured for at least 5 s after a ramp of 3 s."""
    monkeypatch.setattr(metering.time, "perf_counter", clock)
    return spec_with(measurement={"window_s": 5.0, "ramp_s": 3.0})


def test_a_window_is_whole_epochs_scaled_to_all(
    window: Spec, config: dict[str, Any], digits: DataSet, clock: Clock
) -> None:
    record = train(window, config, 0, dataset=digits)
    assert (record["energy_method"], record["metered_epochs"]) == ("window", 3)
    assert (record["wall_s"], record["train_energy_j"]) == (6.0, pytest.approx(30.0))
    assert "epoch_energy_j" not in record  # no epoch of the run itself was metered
    assert "eval_time_s" not in record
    check_row(record | PLANNED, window)


def test_a_window_of_many_short_epochs_has_two_ends(
    spec_with: Callable[..., Spec],
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Epochs of 2 s and a shortest window of 30: metered one by one they would need 116 s."""
    monkeypatch.setattr(metering.time, "perf_counter", clock)
    spec = spec_with(measurement={"window_s": 1.0, "ramp_s": 0.0})
    metered(monkeypatch, clock, edge_s=1.5)
    record = train(spec, config, 0, dataset=digits)
    assert record["metered_epochs"] == 15
    assert record["train_energy_j"] == pytest.approx(30.0)


def test_the_way_of_metering_changes_no_curve(
    window: Spec, spec_with: Callable[..., Spec], config: dict[str, Any], digits: DataSet
) -> None:
    plain = spec_with(measurement={"window_s": 0.0})
    one, other = (train(each, config, 0, dataset=digits) for each in (window, plain))
    assert one["test"] == other["test"]
    assert other["energy_method"] == "whole"


def test_a_window_is_measured_exclusively_after_shared_training(
    window: Spec,
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer = Trainer(window, config, 0, dataset=digits)
    seen: list[str] = []

    class Recorded:
        def _recorded(self, name: str) -> Any:
            @contextlib.contextmanager
            def lock() -> Any:
                seen.append(f"{name} at {clock():g} s")
                yield
                seen.append(f"released at {clock():g} s")

            return lock

        shared = property(lambda self: self._recorded("shared"))
        exclusive = property(lambda self: self._recorded("exclusive"))

    trainer.metering = dataclasses.replace(trainer.metering, device_lock=Recorded())
    trainer.run()
    # capture; three epochs of 2 + 20 s; 5 s idle, 4 s ramp, 6 s window, inference twice
    assert seen == [
        *("shared at 0 s", "released at 0 s"),
        *("shared at 0 s", "released at 22 s", "shared at 22 s", "released at 44 s"),
        *("shared at 44 s", "released at 66 s", "exclusive at 66 s", "released at 101 s"),
    ]


def test_a_diverged_run_has_no_window(
    spec_with: Callable[..., Spec], config: dict[str, Any], digits: DataSet
) -> None:
    spec = spec_with(
        parameters={"OPTIM.BASE_LR": {"type": "choice", "choices": [1e20]}},
        measurement={"window_s": 1.0},
    )
    record = train(spec, config | {"OPTIM.BASE_LR": 1e20}, 0, dataset=digits)
    assert record["status"] == "diverged"
    assert "runtime_s" not in record
    check_row(record | PLANNED, spec)


# Parts of a node


class Host(FakeSource):
    """A processor of 3 W, 1 W of it memory."""

    def __init__(self) -> None:
        self.facts = SourceFacts("rapl", "3 W x time", "host", 0.0, has_dram=True)

    def read(self, t_s: float, cpu_time_s: float) -> Totals:
        return Totals(3.0 * t_s, dram_j=t_s)


def test_gpu_processor_and_memory_stand_apart_and_add_up(
    spec_with: Callable[..., Spec],
    config: dict[str, Any],
    digits: DataSet,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = spec_with(measurement={"node_rest_w": 2.0})
    trainer = Trainer(spec, config, 0, dataset=digits)
    host = Meter([Host()], clock=clock, cpu_clock=clock, sleep=clock.sleep)
    trainer.run_meter.host = host
    trainer.run_meter.restart()
    record = trainer.run()
    assert record["train_energy_j"] == record["train_energy_gpu_j"] == pytest.approx(30.0)
    assert record["train_energy_cpu_j"] == pytest.approx(12.0)
    assert record["train_energy_dram_j"] == pytest.approx(6.0)
    assert record["train_energy_total_j"] == pytest.approx(30.0 + 12.0 + 6.0 + 2.0 * 6.0)
    assert json.loads(record["energy_parts"]) == {
        "gpu": "rapl",
        "cpu": "rapl",
        "dram": "rapl",
        "total": "gpu + cpu + dram + 2 W x wall_s",
    }


def test_a_processor_that_fails_leaves_the_gpus_part(
    spec: Spec, config: dict[str, Any], digits: DataSet, clock: Clock
) -> None:
    class Broken(Host):
        def read(self, t_s: float, cpu_time_s: float) -> Totals:
            return Totals(0.0, dram_j=0.0)

    trainer = Trainer(spec, config, 0, dataset=digits)
    trainer.run_meter.host = Meter([Broken()], clock=clock, cpu_clock=clock, sleep=clock.sleep)
    trainer.run_meter.restart()
    record = trainer.run()
    assert record["train_energy_gpu_j"] == pytest.approx(30.0)
    assert not {"train_energy_cpu_j", "train_energy_total_j"} & {
        name for name, value in record.items() if value is not None
    }
    assert "not metered: energy_j" in json.loads(record["energy_parts"])["cpu"]


def test_on_a_processor_there_is_no_gpu(
    spec: Spec, config: dict[str, Any], digits: DataSet, clock: Clock
) -> None:
    record = train(spec, config, 0, dataset=digits)
    assert "train_energy_gpu_j" not in record
    assert record["train_energy_cpu_j"] == record["train_energy_total_j"] == pytest.approx(30.0)


# Single images


def test_inference_is_measured_on_one_image_and_on_the_largest_batch(
    spec_with: Callable[..., Spec], config: dict[str, Any], digits: DataSet, clock: Clock
) -> None:
    """Each pass takes 10 s of the clock at 5 W, whatever its batch."""
    spec = spec_with(measurement={"inference_s": 15.0, "runtime": "wall"})
    record = train(spec, config, 0, dataset=digits)
    assert record["largest_batch"] == 32  # of 50 test images
    assert (record["single_image_s"], record["single_image_j"]) == (10.0, pytest.approx(50.0))
    assert record["batched_image_s"] == pytest.approx(10.0 / 32)
    assert record["batched_image_j"] == pytest.approx(50.0 / 32)
    check_row(record | PLANNED, spec)


def test_a_batch_that_does_not_fit_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    def correct(_: Any, images: torch.Tensor, *__: Any) -> torch.Tensor:
        if len(images) > 9:
            raise torch.OutOfMemoryError
        return torch.ones(len(images))

    monkeypatch.setattr(training, "correct", correct)
    assert training.largest_batch(torch.nn.Identity(), torch.zeros(50, 1, 2, 2)) == 8
