"""The protocol of energy sources: an energy total that never decreases, and facts about the source.

The energy of a window is the difference of two totals. `meter.py` therefore handles every source in
the same way, from a hardware counter to an estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .reading import ESTIMATED

EDGE_SHARE = 0.05
"""Maximum uncertainty of one edge of a window, as a fraction of the window's duration."""


class Totals(NamedTuple):
    """Running totals of one source, or a difference or sum of such totals.

    Attributes:
        energy_j: joules.
        sampled_j: joules integrated from power samples, in addition to a counter.
        samples: number of reads of power or of a counter.
        wraps: number of wraps of a counter.
        gaps: number of gaps between power samples.
        dram_j: the part of `energy_j` that memory used, if the source measures it.
    """

    energy_j: float
    sampled_j: float = 0.0
    samples: int = 0
    wraps: int = 0
    gaps: int = 0
    dram_j: float = 0.0

    def since(self, earlier: Totals) -> Totals:
        """The difference between these totals and earlier ones."""
        return Totals._make(a - b for a, b in zip(self, earlier, strict=True))

    def plus(self, other: Totals) -> Totals:
        """The sum of the totals of two windows."""
        return Totals._make(a + b for a, b in zip(self, other, strict=True))


@dataclass(frozen=True)
class SourceFacts:
    """Properties that do not change while a source is open.

    Attributes:
        source: one of `SOURCES`.
        formula: how the energy is computed, in one line.
        device: name of the device.
        edge_s: maximum delay in seconds of the reported energy: one tick of a counter, or half of
            an averaging interval.
        has_samples: whether power is sampled in addition to a counter.
        has_dram: whether memory is metered separately from the processor.
        driver: driver version.
        power_limit_w: enforced power limit in watts.
        mig: whether MIG is on.
        systematic: relative half-width of the sensor's own error.
        flags: flags of every reading.
    """

    source: str
    formula: str
    device: str
    edge_s: float
    has_samples: bool = False
    has_dram: bool = False
    driver: str | None = None
    power_limit_w: float | None = None
    mig: bool | None = None
    systematic: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def min_window_s(self) -> float:
        """Duration in seconds of the shortest valid window, in which one edge is 5 % of it."""
        return self.edge_s / EDGE_SHARE

    def statistical(self, duration_s: float, pieces: int) -> float | None:
        """Relative standard error of the energy of `pieces` windows of total length `duration_s`.

        The delay at each end of a window is uniformly distributed between 0 and `edge_s`, with a
        standard deviation of edge_s / sqrt(12); power is taken as constant. None for an estimate,
        which has no delay.
        """
        if self.source == ESTIMATED:
            return None
        return self.edge_s * math.sqrt(2 * pieces / 12) / duration_s


class OtherProcesses(NamedTuple):
    """Other processes on the device: their ids (None if unknown), and flags for the reading."""

    pids: tuple[int, ...] | None = None
    flags: tuple[str, ...] = ()


class Source(Protocol):
    """One device, read in one way. The meter passes in all times; a source has no clock.

    The meter calls `begin` when metering starts or continues after a pause, `poll` every
    `poll_period_s` during metering (from another thread, but never at the same time as another
    call), and `read` at each edge of a window. Each may raise MeterError.
    """

    @property
    def facts(self) -> SourceFacts: ...

    @property
    def poll_period_s(self) -> float | None:
        """Seconds between polls; None if the source is not polled."""

    def begin(self, t_s: float) -> None: ...

    def poll(self, t_s: float) -> None: ...

    def read(self, t_s: float, cpu_time_s: float) -> Totals: ...

    def other_processes(self, since_s: float) -> OtherProcesses: ...
