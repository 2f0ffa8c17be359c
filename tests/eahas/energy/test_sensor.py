"""A sensor's updates, its rise, and its phases, on traces that are known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from fake_nvml import COUNTER, FIELDS, POWER, FakeGpu, FakeNvml, VirtualClock
from traces import Load, synthesise

from eahas.energy import Meter
from eahas.energy.nvml import Nvml
from eahas.energy.sensor import observe, phase_shifted, sensor_updates, updates
from eahas.energy.source import OtherProcesses, SourceFacts, Totals
from eahas.errors import MeterError


class Clock:
    """A millisecond passes with every look at it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 0.001
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def seen(value_at, seconds: float):
    clock = Clock()
    return observe(lambda: value_at(clock.now_s), lambda: clock.now_s >= seconds, clock)


def test_the_interval_is_that_of_the_updates() -> None:
    changes, reads = seen(lambda t: np.floor(t / 0.02), 3.0)
    found = updates("energy counter", changes, reads, 1.0, counts=True)
    assert found.median_s == pytest.approx(0.02, abs=0.0015)
    assert found.longest_s < 0.023
    assert found.reads == reads > 2000
    assert found.rise_s is None


def test_a_late_update_shows_in_the_longest_interval() -> None:
    late = [t for t in np.arange(0, 3, 0.02) if not 1.0 < t < 1.3]
    changes, reads = seen(lambda t: np.searchsorted(late, t), 3.0)
    found = updates("energy counter", changes, reads, 0.5, counts=True)
    assert found.median_s == pytest.approx(0.02, abs=0.0015)
    assert found.longest_s == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("lag_s", [0.1, 1.0])
def test_the_rise_is_the_lag_of_an_average(lag_s: float) -> None:
    """Power steps from 100 to 500 W after 1 s; the sensor tells the mean of the last `lag_s`."""

    def told(t: float) -> float:
        at = np.floor(t / 0.05) * 0.05
        return 100 + 400 * min(1.0, max(0.0, (at - 1.0) / lag_s)) + 1e-6 * at

    changes, reads = seen(told, 4.0)
    found = updates("plain power", changes, reads, 1.0, counts=False)
    assert found.rise_s == pytest.approx(0.9 * lag_s, abs=0.06)


def test_a_load_that_moves_nothing_has_no_rise() -> None:
    changes, reads = seen(lambda t: 100 - np.floor(t / 0.05) * 1e-6, 3.0)
    assert updates("plain power", changes, reads, 1.0, counts=False).rise_s is None


def test_a_value_that_never_changes_is_an_error() -> None:
    changes, reads = seen(lambda _: 7.0, 1.0)
    with pytest.raises(MeterError, match=r"changed 1 times in \d+ reads: it is stuck"):
        updates("energy counter", changes, reads, 0.5, counts=True)


class PartTime:
    """A sensor whose power depends on the phase at which a window begins."""

    poll_period_s = None

    def __init__(self, power_of_phase) -> None:
        self.facts = SourceFacts("nvml_counter", "x", "GPU", 0.1)
        self._power_of_phase = power_of_phase
        self._windows = 0
        self._joules = 0.0

    def begin(self, t_s: float) -> None:
        self._t_s, self._phase = t_s, t_s % 0.1

    def poll(self, t_s: float) -> None: ...

    def read(self, t_s: float, cpu_time_s: float) -> Totals:
        self._joules += self._power_of_phase(self._phase) * (t_s - self._t_s)
        self._t_s = t_s
        return Totals(self._joules)

    def other_processes(self, since_s: float) -> OtherProcesses:
        return OtherProcesses(())


def test_windows_at_different_phases_show_what_one_window_hides() -> None:
    def phases(power_of_phase):
        clock = Clock()
        meter = Meter([PartTime(power_of_phase)], clock=lambda: clock.now_s, cpu_clock=lambda: 0.0)
        return phase_shifted(
            meter, lambda: clock.sleep(0.05), windows=8, sleep=clock.sleep, clock=clock
        )

    steady, readings = phases(lambda _: 300.0)
    assert steady.power_w == pytest.approx(300.0)
    assert steady.relative_std == pytest.approx(0.0, abs=1e-9)
    assert len(readings) == 8
    assert all(reading.duration_s * reading.repeats >= 2.0 for reading in readings)
    moving, _ = phases(lambda phase: 200.0 if phase < 0.05 else 400.0)
    assert moving.relative_std > 0.1
    assert moving.relative_error == pytest.approx(moving.relative_std / 8**0.5)


class RealClock(VirtualClock):
    """Lets a fake GPU replay its trace in real time."""

    def __init__(self) -> None:
        self._began_s = time.perf_counter()

    @property
    def now_s(self) -> float:
        return time.perf_counter() - self._began_s


def watched(gpu: FakeGpu) -> list:
    """A quarter of a second at rest and half a second of load, for each value that it tells."""
    library = Nvml(FakeNvml(RealClock(), [gpu]))
    return sensor_updates(library, gpu, lambda: time.sleep(0.01), idle_s=0.25, load_s=0.5)


def test_what_a_gpu_tells_is_read_while_it_works() -> None:
    gpu = FakeGpu(synthesise(Load("ripple", 0.02, ((4.0, 300.0),))))
    found = watched(gpu)
    assert [each.what for each in found] == ["energy counter", "instant power", "plain power"]
    for each in found:
        assert each.reads > each.changes > 4
        assert each.median_s < 0.3
    gpu.fail(FIELDS)
    assert [each.what for each in watched(gpu)] == ["energy counter", "plain power"]


def test_a_gpu_that_tells_nothing_or_one_thing_again_and_again() -> None:
    gpu = FakeGpu([(0.0, 300.0, 1_000)])
    with pytest.raises(MeterError, match="energy counter changed 1 times"):
        watched(gpu)
    for function in (COUNTER, FIELDS, POWER):
        gpu.fail(function)
    with pytest.raises(MeterError, match="Fake H100 reports no power"):
        watched(gpu)
