"""What a run cost: training, evaluation and inference metered apart, and what if it cannot be."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from eahas.errors import MeterError
from eahas.record_schema import check_row
from eahas.spec import Spec
from regnet_hpo import train as module
from regnet_hpo.data import DataSet
from regnet_hpo.energy import Meter
from regnet_hpo.energy.source import Company, SourceFacts, Totals
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

    def company(self, since_s: float) -> Company:
        return Company((7,))


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
    step, correct = Trainer._step, module.correct

    def slow_step(self: Trainer) -> None:
        clock.sleep(1.0)
        step(self)

    def slow_correct(*given: Any) -> Any:
        clock.sleep(10.0)
        return correct(*given)

    monkeypatch.setattr(Trainer, "_step", slow_step)
    monkeypatch.setattr(module, "correct", slow_correct)
    metered(monkeypatch, clock, edge_s=0.0)
    return clock


def metered(monkeypatch: pytest.MonkeyPatch, clock: Clock, edge_s: float) -> None:
    def meter(*_: object) -> Meter:
        source = FakeSource(edge_s)
        return Meter([source], clock=clock, cpu_clock=lambda: clock() / 2, sleep=clock.sleep)

    monkeypatch.setattr(module, "meter_for", meter)


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
            trainer.network.head.bias.fill_(math.nan)

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
    monkeypatch.setattr(trainer, "_train_epoch", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.run(None, None)
    with pytest.raises(MeterError, match="closed"):
        trainer.meter.start()
