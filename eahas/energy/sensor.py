"""What a GPU's energy sensor can see: how often it looks, and how late it tells.

On some GPUs the power that is told is an average over a second, or of a quarter of each tenth of a
second ("Part-time Power Measurements", arXiv 2312.02741). Measure the sensor before you trust it:
the interval between its updates bounds the shortest honest window, its rise the ramp that has to be
dropped, and windows that begin at different phases of it show a statistical error that one window
hides. An error of the sensor itself shows in none of these.
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

RISEN = 0.9  # of the way from idle to load
Change = tuple[float, float]  # when a value was first seen, and the value


@dataclasses.dataclass(frozen=True)
class Updates:
    """Seconds between changes of a value that was read as fast as possible.

    `rise_s` is how long after the start of a load the value has risen by 90 %; None where it is a
    counter, or did not rise.
    """

    what: str
    reads: int
    changes: int
    median_s: float
    longest_s: float
    rise_s: float | None


@dataclasses.dataclass(frozen=True)
class Phases:
    """The same work metered in windows that begin at different phases of the sensor.

    `power_w` is the mean over the windows; `relative_std` their spread, `relative_error` that of
    the mean. `disagreement` is the mean of counter against samples, where there are both.
    """

    windows: int
    power_w: float
    relative_std: float
    relative_error: float
    disagreement: float | None


def observe(
    read: Callable[[], float], until: Callable[[], bool], clock: Callable[[], float]
) -> tuple[list[Change], int]:
    """Every change of a value until told to stop, and how often it was read."""
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
    """What the changes of a value tell; the load began at `loaded_s`.

    Raises MeterError where the value hardly ever changed.
    """
    times = np.array([t_s for t_s, _ in changes])
    if len(times) < 4:
        raise MeterError(f"{what} changed {len(times)} times in {reads} reads: it is stuck")
    gaps = np.diff(times)[1:]  # the first value was there before we looked
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
    enough = idle + RISEN * (plateau - idle)
    return next((t_s - loaded_s for t_s, value in after if value >= enough > idle), None)


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
    """The energy counter, the instant and the plain power of a GPU, as far as it tells them.

    Each is read as fast as possible while the device rests, then while `load` (a fraction of a
    second of work that waits for the device) is repeated.
    """
    found = []
    for what, read, counts in _readable(nvml, handle):
        stop = threading.Event()
        seen: list[tuple[list[Change], int]] = []

        def watch(read: Callable[[], float] = read, stop: threading.Event = stop) -> None:
            seen.append(observe(read, stop.is_set, clock))  # noqa: B023  joined in this turn

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
        if not seen:
            raise MeterError(f"{what} could not be read while the device worked")
        found.append(updates(what, *seen[0], loaded_s, counts=counts))
    return found


def _readable(nvml: Nvml, handle: Any) -> list[tuple[str, Callable[[], float], bool]]:
    """What this GPU tells: name, function, and whether it counts."""
    from .gpu import FI_DEV_POWER_INSTANT

    def asked(function: str) -> Callable[[], float]:
        return lambda: float(nvml.ask(function, handle))

    tried: list[tuple[str, Callable[[], float], bool]] = [
        ("energy counter", asked("nvmlDeviceGetTotalEnergyConsumption"), True),
        ("instant power", lambda: float(nvml.field(handle, FI_DEV_POWER_INSTANT)), False),
        ("plain power", asked("nvmlDeviceGetPowerUsage"), False),
    ]
    told = []
    for entry in tried:
        try:
            entry[1]()
        except NvmlProblem as problem:
            if not problem.unknowable:
                raise
        else:
            told.append(entry)
    if not told:
        raise MeterError(f"{text(nvml.ask('nvmlDeviceGetName', handle))} tells no power")
    return told


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
    """The shortest honest window of `load`, again and again, each a part of a period later.

    `period_s` is the sensor's: its longest interval between updates. `load` is repeated for
    `ramp_s` before each window, so that the rise of power and of what is told of it is over.
    """
    assert windows > 1
    readings = []
    for window in range(windows):
        sleep(period_s * window / windows)
        began_s = clock()
        while clock() - began_s < ramp_s:
            load()
        readings.append(meter.measure_repeated(load))
    powers = np.array([reading.mean_power_w for reading in readings])
    spread = float(powers.std(ddof=1) / powers.mean())
    known = [reading.disagreement for reading in readings if reading.disagreement is not None]
    phases = Phases(
        windows=windows,
        power_w=float(powers.mean()),
        relative_std=spread,
        relative_error=spread / windows**0.5,
        disagreement=float(np.mean(known)) if known else None,
    )
    return phases, readings
