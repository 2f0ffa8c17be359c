"""What a meter hands back: joules, and everything needed to judge them."""

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
"""Names of the sources, the most trusted first."""

DISAGREEMENT_LIMIT = 0.10
"""Counter and samples further apart than this are flagged: each may be 5 % off at the edges."""

FLAGS: Mapping[str, str] = {
    "apportioned": "some epochs are shorter than an honest window; their group's energy was shared "
    "out by duration",
    "counter_wrapped": "the energy counter wrapped inside the window and was unwrapped",
    "disagreement": "counter and samples differ by more than 10 %",
    "dram_not_metered": "the machine shows no DRAM domain; the reading is the CPU package alone",
    "gpu_not_metered": "work on a GPU was asked for, but this source sees the CPU alone",
    "idle_not_alone": "another process was on the device while idle power was measured",
    "machine_wide": "the counter covers every process of the machine",
    "mig_shared": "MIG is on: the counter covers every instance of the GPU",
    "mig_unknown": "the driver does not say whether MIG is on",
    "no_power_samples": "the device reports no power, so the counter could not be compared",
    "other_processes": "another process used the device during the window",
    "own_pid_not_seen": "none of the processes on the device bears our id (a container shows the "
    "host's ids), so one of `other_processes` may be ourselves",
    "power_may_be_averaged": "power samples may be averages over the last second",
    "processes_unknown": "the driver does not say which processes use the device",
    "repeated": "the work was done several times; the numbers are means",
    "resumed": "the epochs were metered by more than one process",
    "sampling_gap": "power samples were more than a second apart somewhere in the window",
}
"""Every flag that a reading can bear, and what it means."""


@dataclasses.dataclass(frozen=True)
class EnergyReading:
    """The energy of one window on one device, or (with `parts`) summed over several.

    Attributes:
        energy_j: joules; always positive.
        duration_s: wall-clock seconds of the window.
        cpu_time_s: CPU seconds of this process in the window, all threads, children not counted.
        source: one of `SOURCES`.
        formula: how `energy_j` was computed, in one line.
        device: name of the device; names joined by " + " for several.
        samples: how often power (NVML) or a counter (RAPL) was read in the window.
        sampled_j: joules integrated from power samples beside a counter; None where nothing was.
        driver: driver version, where there is one.
        power_limit_w: enforced power limit, where the device tells it.
        idle_power_w: mean power before the run, None if it was not measured.
        mig: whether MIG is on; None where unknown or meaningless.
        other_processes: ids of other processes seen on the device; None where unknown.
        dram_j: what of `energy_j` went into memory; None where that is not metered apart.
        systematic: relative half-width of the sensor's own error, which no repetition averages out;
            None where nobody states one.
        statistical: relative standard error of what the ends of the window cut off: each is off by
            up to a tick of the sensor. None for an estimate. Repeated runs differ by more.
        repeats: how many runs of the work the numbers are means of.
        flags: names from `FLAGS`, sorted.
        parts: one reading a device where there are several, else empty.

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
            beside = "" if self.sampled_j is None else f"; power samples say {self.sampled_j:.6g} J"
            raise MeterError(
                f"energy_j: {self.source} read {self.energy_j:.6g} J on {self.device} in "
                f"{self.duration_s:.6g} s, and every window must use more than 0 J{beside}"
            )

    @property
    def mean_power_w(self) -> float:
        """Mean power over the window, in watts."""
        return self.energy_j / self.duration_s

    @property
    def disagreement(self) -> float | None:
        """(sampled_j - energy_j) / energy_j; None where nothing was sampled beside a counter."""
        return None if self.sampled_j is None else (self.sampled_j - self.energy_j) / self.energy_j

    def with_flags(self, flags: Iterable[str]) -> EnergyReading:
        """The same reading bearing these flags too."""
        return dataclasses.replace(self, flags=tuple(sorted({*self.flags, *flags})))

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of plain JSON values, `disagreement` and `mean_power_w` included."""
        plain: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            plain[field.name] = list(value) if isinstance(value, tuple) else value
        plain["disagreement"] = self.disagreement
        plain["mean_power_w"] = self.mean_power_w
        plain["parts"] = [part.to_dict() for part in self.parts]
        return plain


def combine(parts: Sequence[EnergyReading]) -> EnergyReading:
    """One reading for a window on several devices: joules and watts add up, time does not.

    `parts` come from one meter, so they share source, formula, duration and CPU time. What one part
    does not know (a power limit, say) the sum does not know either.
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
        systematic=_largest(part.systematic for part in parts),
        statistical=_independent(parts),
        flags=tuple(sorted({flag for part in parts for flag in part.flags})),
        parts=tuple(parts),
    )


def _total(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(v for v in known if v is not None)


def _largest(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else max(v for v in known if v is not None)


def _independent(parts: Sequence[EnergyReading]) -> float | None:
    """The standard error of a sum of readings whose errors know nothing of each other."""
    errors_j = [None if p.statistical is None else p.statistical * p.energy_j for p in parts]
    total_j = sum(part.energy_j for part in parts)
    return None if None in errors_j else math.hypot(*(e for e in errors_j if e)) / total_j


def _any(values: Iterable[bool | None]) -> bool | None:
    known = list(values)
    return None if None in known else any(known)


def _union(values: Iterable[tuple[int, ...] | None]) -> tuple[int, ...] | None:
    known = list(values)
    if None in known:
        return None
    return tuple(sorted({pid for pids in known if pids is not None for pid in pids}))
