"""Characterise the energy sensor of a GPU: the interval and the delay of its updates.

On some GPUs the reported power is an average over a second, or it covers only a quarter of each
tenth of a second ("Part-time Power Measurements", arXiv 2312.02741). Characterise a sensor before
you trust it. The interval between its updates gives the shortest valid window. Its rise time gives
the time after the start of a load that has to be discarded. Windows that begin at different phases
of the sensor show a statistical error that one window does not reveal. None of these shows an error
of the sensor's calibration.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from eahas.errors import MeterError

from .meter import Meter
from .nvml import Nvml, NvmlProblem, text
from .reading import EnergyReading

RISE_SHARE = 0.9  # of the difference between idle and load
Change = tuple[float, float]  # time at which a value was first read, and the value


@dataclasses.dataclass(frozen=True)
class Updates:
    """Intervals between the changes of a value that was read as fast as possible.

    Attributes:
        what: name of the value.
        reads: number of reads.
        changes: number of changes.
        median_s: median interval between two changes, in seconds.
        longest_s: longest interval between two changes, in seconds.
        rise_s: seconds from the start of a load until the value has risen by 90 % of the difference
            between idle and load; None if the value is a counter or did not rise.
    """

    what: str
    reads: int
    changes: int
    median_s: float
    longest_s: float
    rise_s: float | None


@dataclasses.dataclass(frozen=True)
class Phases:
    """Statistics of windows of the same work that begin at different phases of the sensor.

    Attributes:
        windows: number of windows.
        power_w: mean power over the windows.
        relative_std: standard deviation of the power, relative to the mean.
        relative_error: standard error of the mean power, relative to the mean.
        disagreement: mean of `EnergyReading.disagreement`; None if no window has one.
    """

    windows: int
    power_w: float
    relative_std: float
    relative_error: float
    disagreement: float | None


def observe(
    read: Callable[[], float], until: Callable[[], bool], clock: Callable[[], float]
) -> tuple[list[Change], int]:
    """Read a value until `until` returns true; return its changes and the number of reads."""
    changes: list[Change] = []
    reads = 0
    while not until():
        value, t_s = read(), clock()
        reads += 1
        if not changes or value != changes[-1][1]:
            changes.append((t_s, value))
    return changes, reads


def updates(
    what: str, changes: list[Change], reads: int, loaded_s: float, *, counts: bool
) -> Updates:
    """Statistics of the changes of a value.

    Args:
        what: name of the value, for messages.
        changes: the changes, in order.
        reads: number of reads.
        loaded_s: time at which the load began.
        counts: whether the value is a counter.

    Raises:
        MeterError: the value changed fewer than four times.
    """
    times = np.array([t_s for t_s, _ in changes])
    if len(times) < 4:
        raise MeterError(f"{what} changed {len(times)} times in {reads} reads: it is stuck")
    gaps = np.diff(times)[1:]  # the first value appeared before the first read
    return Updates(
        what=what,
        reads=reads,
        changes=len(times),
        median_s=float(np.median(gaps)),
        longest_s=float(gaps.max()),
        rise_s=None if counts else _rise(changes, loaded_s),
    )


def _rise(changes: list[Change], loaded_s: float) -> float | None:
    before = [value for t_s, value in changes if t_s < loaded_s]
    after = [(t_s, value) for t_s, value in changes if t_s >= loaded_s]
    if not before or len(after) < 2:
        return None
    idle, plateau = before[-1], float(np.median([value for _, value in after[len(after) // 2 :]]))
    threshold = idle + RISE_SHARE * (plateau - idle)
    return next((t_s - loaded_s for t_s, value in after if value >= threshold > idle), None)


def sensor_updates(
    nvml: Nvml,
    handle: Any,
    load: Callable[[], object],
    *,
    idle_s: float = 2.0,
    load_s: float = 4.0,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Updates]:
    """Measure the updates of a GPU's energy counter, instant power and plain power.

    Values that the GPU does not report are left out. Each value is read as fast as possible for
    `idle_s` seconds while the device is idle, then for `load_s` seconds while `load` is repeated.

    Args:
        nvml: the library.
        handle: NVML's handle of the GPU.
        load: work of a fraction of a second that waits until the device has finished it.
        idle_s: seconds without load.
        load_s: seconds under load.
        clock: returns seconds; never decreases.
        sleep: waits for a number of seconds.

    Raises:
        MeterError: the GPU reports none of the values, a read failed, or a value hardly changed.
    """
    measured = []
    for what, read, counts in _readable(nvml, handle):
        stop = threading.Event()
        results: list[tuple[list[Change], int]] = []

        def watch(read: Callable[[], float] = read, stop: threading.Event = stop) -> None:
            results.append(observe(read, stop.is_set, clock))  # noqa: B023  joined below

        watcher = threading.Thread(target=watch, name="energy-sensor", daemon=True)
        watcher.start()
        try:
            sleep(idle_s)
            loaded_s = clock()
            while clock() - loaded_s < load_s:
                load()
        finally:
            stop.set()
            watcher.join()
        if not results:
            raise MeterError(f"{what} could not be read while the device worked")
        measured.append(updates(what, *results[0], loaded_s, counts=counts))
    return measured


def _readable(nvml: Nvml, handle: Any) -> list[tuple[str, Callable[[], float], bool]]:
    """The values that this GPU reports: name, function that reads it, whether it is a counter."""
    from .gpu import FI_DEV_POWER_INSTANT

    def reader(function: str) -> Callable[[], float]:
        return lambda: float(nvml.query(function, handle))

    candidates: list[tuple[str, Callable[[], float], bool]] = [
        ("energy counter", reader("nvmlDeviceGetTotalEnergyConsumption"), True),
        ("instant power", lambda: float(nvml.field(handle, FI_DEV_POWER_INSTANT)), False),
        ("plain power", reader("nvmlDeviceGetPowerUsage"), False),
    ]
    readable = []
    for candidate in candidates:
        try:
            candidate[1]()
        except NvmlProblem as problem:
            if not problem.unavailable:
                raise
        else:
            readable.append(candidate)
    if not readable:
        raise MeterError(f"{text(nvml.query('nvmlDeviceGetName', handle))} reports no power")
    return readable


def phase_shifted(
    meter: Meter,
    load: Callable[[], object],
    *,
    windows: int = 8,
    period_s: float = 0.1,
    ramp_s: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Phases, list[EnergyReading]]:
    """Meter the shortest window of `load` several times, at different phases of the sensor.

    Args:
        meter: an open meter.
        load: work of a fraction of a second that waits until the device has finished it.
        windows: number of windows; each begins a fraction of `period_s` later than the one before.
        period_s: the longest interval between updates of the sensor.
        ramp_s: seconds for which `load` is repeated before each window, so that the reported power
            has reached its final value.
        sleep: waits for a number of seconds.
        clock: returns seconds; never decreases.

    Returns:
        the statistics, and the reading of each window.
    """
    assert windows > 1
    readings = []
    for window in range(windows):
        sleep(period_s * window / windows)
        start_s = clock()
        while clock() - start_s < ramp_s:
            load()
        readings.append(meter.measure_repeated(load))
    powers = np.array([reading.mean_power_w for reading in readings])
    spread = float(powers.std(ddof=1) / powers.mean())
    differences = [reading.disagreement for reading in readings if reading.disagreement is not None]
    phases = Phases(
        windows=windows,
        power_w=float(powers.mean()),
        relative_std=spread,
        relative_error=spread / windows**0.5,
        disagreement=float(np.mean(differences)) if differences else None,
    )
    return phases, readings
