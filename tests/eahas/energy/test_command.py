"""The energy of a command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fake_nvml import FakeGpu, FakeNvml, VirtualClock
from traces import Load, synthesise

from eahas.energy.command import CPU, GPU, meter_command, open_parts
from eahas.errors import MeterError

BUSY = [sys.executable, "-c", "sum(i * i for i in range(3_000_000))"]


def parts(tmp_path: Path, **given):
    return open_parts("cpu", estimate_w_per_core=10.0, root=tmp_path, **given)


def test_a_childs_processor_time_counts(tmp_path: Path) -> None:
    meters, passed_over = parts(tmp_path)
    found = meter_command(BUSY, meters, passed_over=passed_over)
    assert set(found.readings) == {CPU}
    reading = found.readings[CPU]
    assert reading.source == "estimated"
    assert reading.cpu_time_s > 0.05
    assert found.energy_j == pytest.approx(10.0 * reading.cpu_time_s)
    assert found.passed_over[CPU][0].startswith("rapl: no package domain")
    assert found.to_dict()["exit_code"] == 0


def test_repeats_give_the_mean(tmp_path: Path) -> None:
    meters, _ = parts(tmp_path)
    found = meter_command(BUSY, meters, repeats=3)
    assert found.repeats == 3
    reading = found.readings[CPU]
    assert (reading.repeats, reading.flags) == (3, ("repeated",))
    assert found.energy_j == reading.energy_j == pytest.approx(10.0 * reading.cpu_time_s)
    once = meter_command(BUSY, meters)
    assert 0.3 < found.energy_j / once.energy_j < 2.0  # one run, not three


def test_a_failing_command_ends_the_repeats_and_is_told(tmp_path: Path) -> None:
    meters, _ = parts(tmp_path)
    failing = [sys.executable, "-c", "sum(range(10**6)); raise SystemExit(3)"]
    found = meter_command(failing, meters, repeats=5)
    assert (found.exit_code, found.repeats) == (3, 1)


def test_a_command_that_sleeps_uses_little_and_not_nothing(tmp_path: Path) -> None:
    meters, _ = parts(tmp_path)
    found = meter_command(["sleep", "0.1"], meters)
    assert 0 < found.energy_j < 1
    assert found.duration_s > 0.1


def test_a_part_that_cannot_be_metered_costs_neither_the_others_nor_the_exit_status(
    tmp_path: Path,
) -> None:
    class Refuses:
        def start(self) -> Refuses:
            return self

        def stop(self, *, repeats: int) -> None:
            raise MeterError("too short")

    meters, _ = parts(tmp_path)
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    found = meter_command(failing, {**meters, GPU: Refuses()}, passed_over={GPU: ("old",)})
    assert set(found.readings) == {CPU}
    assert found.passed_over[GPU] == ("old", "too short")
    assert found.exit_code == 3
    assert meter_command(failing, {GPU: Refuses()}).exit_code == 3
    with pytest.raises(MeterError, match="gpu: too short"):
        meter_command(["true"], {GPU: Refuses()})


def test_a_command_that_is_none(tmp_path: Path) -> None:
    meters, _ = parts(tmp_path)
    with pytest.raises(FileNotFoundError):
        meter_command(["no-such-command-anywhere"], meters)


def test_auto_tells_why_there_is_no_gpu(tmp_path: Path) -> None:
    class NoDriver:
        class NVMLError(Exception):
            value = 9

            def __str__(self) -> str:
                return "Driver Not Loaded"

        def nvmlInit(self) -> None:
            raise self.NVMLError

    meters, passed_over = open_parts(estimate_w_per_core=10.0, root=tmp_path, nvml=NoDriver())
    assert set(meters) == {CPU}
    assert "Driver Not Loaded" in passed_over[GPU][0]


def test_auto_is_every_gpu_whatever_their_order(tmp_path: Path) -> None:
    """CUDA's order of two GPUs may be unknown, but all are all; and the command is no stranger."""
    clock = VirtualClock()
    rows = synthesise(Load("steady", 0.1, ((4.0, 300.0),), ripple_w=0.0))
    gpus = [FakeGpu(rows, uuid=f"GPU-{n}", processes=[(os.getpid(), 0, 9)]) for n in range(2)]
    meters, passed_over = open_parts(
        estimate_w_per_core=10.0,
        root=tmp_path,
        nvml=FakeNvml(clock, gpus),
        environ={"CUDA_VISIBLE_DEVICES": "1"},
        clock=clock,
        sleep=clock.sleep,
        ticker=clock.ticker,
    )
    assert GPU not in passed_over
    with meters[GPU].window() as window:
        clock.sleep(3.0)
    assert window.reading.energy_j == pytest.approx(1800.0, rel=0.01)
    assert len(window.reading.parts) == 2


def test_a_gpu_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(MeterError, match="no energy source for cuda"):
        open_parts("cuda", estimate_w_per_core=10.0, root=tmp_path)
