"""The two methods of metering a run: which one a spec selects, and what each of them does."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any, cast

import pytest

from eahas.records.schema import COLUMNS, ENERGY_METHODS
from regnet_hpo.device_lock import DeviceLock
from regnet_hpo.metering import METHODS, Metering, WholeRunMetering, WindowMetering, metering_class
from regnet_hpo.run_meter import RunMeter
from regnet_hpo.settings import MeasureSettings


class Recorder:
    """Stands for a run's meter and its device lock, and records what is asked of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.evaluation = self

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.calls.append(name)

    @contextlib.contextmanager
    def epoch(self) -> Iterator[None]:
        self.calls.append("start evaluation")
        yield
        self.calls.append("pause evaluation")

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        self.calls.append("lock shared")
        yield
        self.calls.append("unlock")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def epoch_of(metering: Metering, recorder: Recorder, loss: float) -> list[str]:
    """The calls during one epoch and its evaluation, under the lock for training."""

    def train() -> tuple[float, float]:
        recorder.calls.append("train")
        return loss, 50.0

    def evaluate() -> dict[str, float]:
        recorder.calls.append("evaluate")
        return {"test": 40.0}

    run_meter = cast(RunMeter, recorder)
    metering.before_training(run_meter)
    with metering.training_lock():
        result = metering.train_epoch(run_meter, train)
        assert result == (pytest.approx(loss, nan_ok=True), 50.0)
        if math.isfinite(loss):
            assert metering.evaluate(run_meter, evaluate) == {"test": 40.0}
    return recorder.calls


def test_a_spec_selects_the_method_by_the_window() -> None:
    assert metering_class(MeasureSettings()) is WholeRunMetering
    assert metering_class(MeasureSettings(window_s=4.0)) is WindowMetering


def test_the_methods_are_those_of_the_record_schema() -> None:
    assert set(METHODS) == set(ENERGY_METHODS) - {""}  # "": not metered
    columns = {column.name for column in COLUMNS}
    assert all(columns.issuperset(method.extra_scalars) for method in METHODS.values())


def test_a_whole_run_meters_training_and_evaluation_without_a_lock(recorder: Recorder) -> None:
    metering = WholeRunMetering(MeasureSettings(), cast(DeviceLock, recorder))
    assert epoch_of(metering, recorder, 1.0) == [
        "measure_idle",
        *("start", "train", "pause"),
        *("start evaluation", "evaluate", "pause evaluation"),
    ]


def test_a_whole_run_drops_an_epoch_that_diverged(recorder: Recorder) -> None:
    metering = WholeRunMetering(MeasureSettings(), cast(DeviceLock, recorder))
    assert epoch_of(metering, recorder, math.nan) == ["measure_idle", "start", "train", "drop"]


def test_a_windowed_run_shares_the_device_and_meters_nothing_while_it_trains(
    recorder: Recorder,
) -> None:
    metering = WindowMetering(MeasureSettings(window_s=1.0), cast(DeviceLock, recorder))
    assert epoch_of(metering, recorder, 1.0) == ["lock shared", "train", "evaluate", "unlock"]
