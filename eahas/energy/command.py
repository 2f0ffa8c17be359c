"""The energy of any command: a child process, metered by every meter that the machine has."""

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
KILL_AFTER_S = 10.0  # time that a command has to end before it is killed


@dataclass(frozen=True)
class CommandEnergy:
    """Energy and time of a command, for each part of the machine; means over its `repeats`.

    Attributes:
        command: the program and its arguments.
        exit_code: exit code of the last run.
        repeats: number of runs.
        readings: one reading for each part ("gpu", "cpu") that was metered.
        passed_over: for each part, the reasons why a more trusted source was not used.
    """

    command: tuple[str, ...]
    exit_code: int
    repeats: int
    readings: Mapping[str, EnergyReading]
    passed_over: Mapping[str, tuple[str, ...]]

    @property
    def energy_j(self) -> float:
        """Sum of the energies of all parts, in joules."""
        return sum(reading.energy_j for reading in self.readings.values())

    @property
    def duration_s(self) -> float:
        """Wall-clock duration in seconds."""
        return max((reading.duration_s for reading in self.readings.values()), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """The fields and the two sums as plain JSON values."""
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
    """Open one meter for each part of the machine.

    Args:
        device: "auto" for the CPU and every GPU that NVML lists, or a device as in `open_meter`.
        estimate_w_per_core: power of one busy core in watts, for the estimate.
        given: other arguments of `open_meter`.

    Returns:
        the meters by part ("gpu", "cpu"), and by part the reasons why sources were not used. The
        CPU time is that of this process and of the child processes that it has waited for.

    Raises:
        MeterError: a device that was requested by name cannot be metered.
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
    """Run a command `repeats` times and measure its energy with every meter.

    The command inherits the standard streams of this process. If a run fails, no further run is
    started. If a window is too short or a device fails, that part has no reading, and the reason is
    added to `passed_over`.

    Raises:
        MeterError: the command succeeded and no part could be metered.
        OSError: the command cannot be started.
    """
    assert meters and repeats > 0
    windows = {part: meter.start() for part, meter in meters.items()}
    exit_code, runs = 0, 0
    while runs < repeats and exit_code == 0:
        exit_code = _run(command)
        runs += 1
    readings, reasons = {}, dict(passed_over or {})
    for part, window in windows.items():
        try:
            readings[part] = window.stop(repeats=runs)
        except MeterError as error:
            reasons[part] = (*reasons.get(part, ()), str(error))
    if not readings and exit_code == 0:
        raise MeterError("; ".join(f"{part}: {why[-1]}" for part, why in reasons.items()))
    return CommandEnergy(tuple(command), exit_code, runs, readings, reasons)


def _run(command: Sequence[str]) -> int:
    """Run the command and return its exit code.

    If this process is interrupted, the command is ended too, so that it does not continue without
    being metered. The terminal sends Ctrl-C to the command as well, so after KeyboardInterrupt the
    command has `KILL_AFTER_S` to end by itself before it is terminated.
    """
    with subprocess.Popen(list(command)) as process:
        try:
            return process.wait()
        except BaseException as error:
            if type(error) is not KeyboardInterrupt or not _ends_in_time(process):
                process.terminate()
                if not _ends_in_time(process):
                    process.kill()
            raise


def _ends_in_time(process: subprocess.Popen[bytes]) -> bool:
    try:
        process.wait(KILL_AFTER_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def cpu_time_of_all() -> float:
    """CPU seconds of this process and of its children that have ended; microsecond resolution."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
