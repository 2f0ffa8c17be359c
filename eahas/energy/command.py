"""Energy of any command: every meter that this machine has, around one child process."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from eahas.errors import MeterError

from .meter import Meter
from .open import AUTO, EVERY_GPU, open_meter
from .reading import EnergyReading

GPU, CPU = "gpu", "cpu"
PATIENCE_S = 10.0  # for a command to end before it is killed


@dataclass(frozen=True)
class CommandEnergy:
    """What a command used, by part of the machine; means over its `repeats`.

    `passed_over` says of each more trusted source why it was not used.
    """

    command: tuple[str, ...]
    exit_code: int
    repeats: int
    readings: Mapping[str, EnergyReading]
    passed_over: Mapping[str, tuple[str, ...]]

    @property
    def energy_j(self) -> float:
        """Joules of all parts."""
        return sum(reading.energy_j for reading in self.readings.values())

    @property
    def duration_s(self) -> float:
        """Wall-clock seconds."""
        return max((reading.duration_s for reading in self.readings.values()), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "command": list(self.command),
            "exit_code": self.exit_code,
            "repeats": self.repeats,
            "energy_j": self.energy_j,
            "duration_s": self.duration_s,
            "readings": {part: reading.to_dict() for part, reading in self.readings.items()},
            "passed_over": {part: list(why) for part, why in self.passed_over.items()},
        }


def open_parts(
    device: str = AUTO, *, estimate_w_per_core: float, **given: Any
) -> tuple[dict[str, Meter], dict[str, tuple[str, ...]]]:
    """A meter for each part of the machine, and why parts or sources were passed over.

    `auto` is every GPU that NVML shows, and the processor; else a device as for `open_meter`, whose
    other arguments may be `given`. CPU time is that of this process and of the children that it has
    waited for. Raises MeterError where a device that was named cannot be metered.
    """
    meters: dict[str, Meter] = {}
    passed_over: dict[str, tuple[str, ...]] = {}
    cpu = given | {"estimate_w_per_core": estimate_w_per_core, "cpu_clock": cpu_time_of_all}
    with ExitStack() as opened:
        if device not in (AUTO, CPU):
            meters[GPU] = opened.enter_context(open_meter(device, **given))
        elif device == AUTO:
            try:
                meters[GPU] = opened.enter_context(open_meter(EVERY_GPU, **given))
            except MeterError as error:
                passed_over[GPU] = (str(error),)
        if device in (AUTO, CPU):
            meters[CPU] = opened.enter_context(open_meter("cpu", **cpu))
        for part, meter in meters.items():
            if meter.why:
                passed_over[part] = meter.why
        opened.pop_all()  # the caller closes them
    return meters, passed_over


def meter_command(
    command: Sequence[str],
    meters: Mapping[str, Meter],
    *,
    repeats: int = 1,
    passed_over: Mapping[str, tuple[str, ...]] | None = None,
) -> CommandEnergy:
    """Run a command to its end, `repeats` times, between two readings of each meter.

    It has our standard streams. A run that fails is the last one. A part whose window is too short
    or whose device failed is passed over.

    Raises MeterError where the command ended well and no part could be metered; OSError where it
    cannot be started.
    """
    assert meters and repeats > 0
    windows = {part: meter.start() for part, meter in meters.items()}
    exit_code, done = 0, 0
    while done < repeats and exit_code == 0:
        exit_code = _run(command)
        done += 1
    readings, refused = {}, dict(passed_over or {})
    for part, window in windows.items():
        try:
            readings[part] = window.stop(repeats=done)
        except MeterError as error:
            refused[part] = (*refused.get(part, ()), str(error))
    if not readings and exit_code == 0:
        raise MeterError("; ".join(f"{part}: {why[-1]}" for part, why in refused.items()))
    return CommandEnergy(tuple(command), exit_code, done, readings, refused)


def _run(command: Sequence[str]) -> int:
    """Run it to its end, which is ours too: no work goes on unmetered.

    It may end in its own way first. Ctrl-C reaches it from the terminal too, so then it is asked to
    end only when it takes long.
    """
    with subprocess.Popen(list(command)) as process:
        try:
            return process.wait()
        except BaseException as error:
            if type(error) is not KeyboardInterrupt or not _ended(process):
                process.terminate()
                if not _ended(process):
                    process.kill()
            raise


def _ended(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def cpu_time_of_all() -> float:
    """CPU seconds of this process and of its children that have ended, to the microsecond."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
