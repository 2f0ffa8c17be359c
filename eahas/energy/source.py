"""What every energy source offers: joules that only ever grow, and the facts beside them.

A source is a running total. A window is the difference of two readings of it, so every source, from
a hardware counter to an estimate, is metered by the same few lines in `meter.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .reading import ESTIMATED

EDGE_SHARE = 0.05
"""The largest share of a window that the uncertainty of one edge may be."""


class Totals(NamedTuple):
    """Running totals of one source; differences and sums of them are totals again.

    `dram_j` is the share of `energy_j` that went into memory, where a source knows it.
    """

    energy_j: float
    sampled_j: float = 0.0
    samples: int = 0
    wraps: int = 0
    gaps: int = 0
    dram_j: float = 0.0

    def since(self, earlier: Totals) -> Totals:
        """What was added after `earlier`."""
        return Totals._make(a - b for a, b in zip(self, earlier, strict=True))

    def plus(self, other: Totals) -> Totals:
        """The totals of two stretches taken together."""
        return Totals._make(a + b for a, b in zip(self, other, strict=True))


@dataclass(frozen=True)
class SourceFacts:
    """What does not change while a source is open.

    `edge_s` is how far in time the energy shown at an instant may lag behind it: a tick of a
    counter, half of an averaging interval. `compares` says that power is sampled beside a counter,
    `tells_dram` that memory is metered apart from the processor.
    """

    source: str
    formula: str
    device: str
    edge_s: float
    compares: bool = False
    tells_dram: bool = False
    driver: str | None = None
    power_limit_w: float | None = None
    mig: bool | None = None
    systematic: float | None = None
    flags: tuple[str, ...] = ()

    @property
    def min_window_s(self) -> float:
        """The shortest honest window: the one where an edge is no more than 5 % of it."""
        return self.edge_s / EDGE_SHARE

    def statistical(self, duration_s: float, pieces: int) -> float | None:
        """Relative standard error of `pieces` windows that last so long together.

        Each of their ends lags by anything from nothing to `edge_s`, evenly: a standard deviation
        of edge_s / sqrt(12), at the mean power. None for an estimate, which has no edges.
        """
        if self.source == ESTIMATED:
            return None
        return self.edge_s * math.sqrt(2 * pieces / 12) / duration_s


class OtherProcesses(NamedTuple):
    """Who else was on the device: process ids (None if nobody can say) and the flags for that."""

    pids: tuple[int, ...] | None = None
    flags: tuple[str, ...] = ()


class Source(Protocol):
    """One device read one way. Times come from the meter's clocks, so a source has none.

    The meter calls `begin` when metering starts after a rest, `poll` every `poll_period_s` while it
    lasts (from another thread, but never at the same time as another call), and `read` at each edge
    of a window. Each may raise MeterError.
    """

    @property
    def facts(self) -> SourceFacts: ...

    @property
    def poll_period_s(self) -> float | None:
        """Seconds between polls; None where the source needs none."""

    def begin(self, t_s: float) -> None: ...

    def poll(self, t_s: float) -> None: ...

    def read(self, t_s: float, cpu_time_s: float) -> Totals: ...

    def other_processes(self, since_s: float) -> OtherProcesses: ...
