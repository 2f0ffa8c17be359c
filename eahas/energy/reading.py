"""The reading of a meter: an energy, and the data needed to judge its reliability."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eahas.errors import MeterError

NVML_COUNTER = "nvml_counter"
NVML_SAMPLED = "nvml_sampled"
RAPL = "rapl"
ESTIMATED = "estimated"

SOURCES = (NVML_COUNTER, NVML_SAMPLED, RAPL, ESTIMATED)
"""Names of the sources, in decreasing order of trust."""

DISAGREEMENT_LIMIT = 0.10
"""Relative difference of counter and samples above which a reading is flagged. Each of the two may
be 5 % off at the edges of a window."""

FLAGS: Mapping[str, str] = {
    "apportioned": "some epochs are shorter than the shortest window; the energy of each group of "
    "epochs was divided by duration",
    "counter_wrapped": "the energy counter wrapped during the window; the reading is corrected",
    "disagreement": "counter and samples differ by more than 10 %",
    "dram_not_metered": "the machine has no DRAM domain; the reading covers the CPU package only",
    "gpu_not_metered": "the device is a GPU, but this source covers the CPU only",
    "idle_not_alone": "another process used the device while idle power was measured",
    "machine_wide": "the counter covers every process of the machine",
    "mig_shared": "MIG is on: the counter covers every instance of the GPU",
    "mig_unknown": "the driver does not report whether MIG is on",
    "no_power_samples": "the device reports no power, so the counter was not compared with samples",
    "other_processes": "another process used the device during the window",
    "own_pid_not_seen": "our own process id is not among the processes on the device (in a "
    "container NVML lists the host's ids), so one of `other_processes` may be this process",
    "power_may_be_averaged": "power samples may be averages over the last second",
    "processes_unknown": "the driver does not report which processes use the device",
    "repeated": "the work was done several times; the values are means",
    "resumed": "the epochs were metered by more than one process",
    "sampling_gap": "two power samples in the window were more than a second apart",
}
"""Each flag that a reading can have, and its meaning."""


@dataclasses.dataclass(frozen=True)
class EnergyReading:
    """The energy of one window on one device, or (with `parts`) the sum over several devices.

    Attributes:
        energy_j: joules; always positive.
        duration_s: wall-clock seconds of the window.
        cpu_time_s: CPU seconds of all threads of this process in the window, without child
            processes.
        source: one of `SOURCES`.
        formula: how `energy_j` was computed, in one line.
        device: name of the device; several names are joined by " + ".
        samples: how often power (NVML) or a counter (RAPL) was read in the window.
        sampled_j: joules integrated from power samples, if power was sampled in addition to a
            counter; otherwise None.
        driver: driver version, if there is a driver.
        power_limit_w: enforced power limit, if the device reports it.
        idle_power_w: mean power before the run; None if it was not measured.
        mig: whether MIG is on; None if unknown, or if the device is not a GPU.
        other_processes: ids of other processes seen on the device; None if unknown.
        dram_j: the part of `energy_j` that memory used; None if memory is not metered separately.
        systematic: relative half-width of the sensor's own error, which repetition does not average
            out; None if no source states one.
        statistical: relative standard error due to the two ends of the window, each of which is off
            by up to one tick of the sensor. None for an estimate. Repeated runs differ by more.
        repeats: how many runs of the work the values are means of.
        flags: names from `FLAGS`, sorted.
        parts: one reading for each device if there are several; otherwise empty.

    Raises:
        MeterError: `energy_j` is not a positive finite number.
    """

    energy_j: float
    duration_s: float
    cpu_time_s: float
    source: str
    formula: str
    device: str
    samples: int = 0
    sampled_j: float | None = None
    dram_j: float | None = None
    driver: str | None = None
    power_limit_w: float | None = None
    idle_power_w: float | None = None
    mig: bool | None = None
    other_processes: tuple[int, ...] | None = None
    systematic: float | None = None
    statistical: float | None = None
    repeats: int = 1
    flags: tuple[str, ...] = ()
    parts: tuple[EnergyReading, ...] = ()

    def __post_init__(self) -> None:
        assert self.source in SOURCES, self.source
        assert set(self.flags) <= set(FLAGS), self.flags
        if not (math.isfinite(self.energy_j) and self.energy_j > 0):
            sampled = "" if self.sampled_j is None else f"; power samples: {self.sampled_j:.6g} J"
            raise MeterError(
                f"energy_j: {self.source} read {self.energy_j:.6g} J on {self.device} in "
                f"{self.duration_s:.6g} s, and every window must use more than 0 J{sampled}"
            )

    @property
    def mean_power_w(self) -> float:
        """Mean power over the window, in watts."""
        return self.energy_j / self.duration_s

    @property
    def disagreement(self) -> float | None:
        """(sampled_j - energy_j) / energy_j; None if `sampled_j` is None."""
        return None if self.sampled_j is None else (self.sampled_j - self.energy_j) / self.energy_j

    def with_flags(self, flags: Iterable[str]) -> EnergyReading:
        """A copy of this reading with additional flags."""
        return dataclasses.replace(self, flags=tuple(sorted({*self.flags, *flags})))

    def to_dict(self) -> dict[str, Any]:
        """The fields, `disagreement` and `mean_power_w` as plain JSON values."""
        plain: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            plain[field.name] = list(value) if isinstance(value, tuple) else value
        plain["disagreement"] = self.disagreement
        plain["mean_power_w"] = self.mean_power_w
        plain["parts"] = [part.to_dict() for part in self.parts]
        return plain


def combine(parts: Sequence[EnergyReading]) -> EnergyReading:
    """One reading for a window on several devices; energy and power are summed, time is not.

    `parts` are readings of one meter, so they have the same source, formula, duration and CPU time.
    A value that is None in one part (a power limit, say) is None in the sum.
    """
    assert parts, "a meter has at least one device"
    first = parts[0]
    if len(parts) == 1:
        return first
    drivers = sorted({part.driver for part in parts if part.driver is not None})
    return dataclasses.replace(
        first,
        energy_j=sum(part.energy_j for part in parts),
        device=" + ".join(part.device for part in parts),
        samples=sum(part.samples for part in parts),
        sampled_j=_total(part.sampled_j for part in parts),
        dram_j=_total(part.dram_j for part in parts),
        driver=" + ".join(drivers) or None,
        power_limit_w=_total(part.power_limit_w for part in parts),
        idle_power_w=_total(part.idle_power_w for part in parts),
        mig=_any(part.mig for part in parts),
        other_processes=_union(part.other_processes for part in parts),
        systematic=_max(part.systematic for part in parts),
        statistical=_combined_standard_error(parts),
        flags=tuple(sorted({flag for part in parts for flag in part.flags})),
        parts=tuple(parts),
    )


def _total(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    return None if None in listed else sum(v for v in listed if v is not None)


def _max(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    return None if None in listed else max(v for v in listed if v is not None)


def _combined_standard_error(parts: Sequence[EnergyReading]) -> float | None:
    """Relative standard error of the sum of readings with independent errors."""
    errors_j = [None if p.statistical is None else p.statistical * p.energy_j for p in parts]
    total_j = sum(part.energy_j for part in parts)
    return None if None in errors_j else math.hypot(*(e for e in errors_j if e)) / total_j


def _any(values: Iterable[bool | None]) -> bool | None:
    listed = list(values)
    return None if None in listed else any(listed)


def _union(values: Iterable[tuple[int, ...] | None]) -> tuple[int, ...] | None:
    listed = list(values)
    if None in listed:
        return None
    return tuple(sorted({pid for pids in listed if pids is not None for pid in pids}))
