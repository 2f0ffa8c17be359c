"""Energy estimated from CPU time and a power that the user states; it is not a measurement."""

from __future__ import annotations

import math

from eahas.errors import MeterError

from .cpu import cpu_name
from .reading import ESTIMATED
from .source import OtherProcesses, SourceFacts, Totals


class EstimateSource:
    """CPU seconds of this process times the power of one busy core.

    The CPU time covers all threads of this process, but no child processes. A reading costs one
    multiplication, so even the epochs of a very small training can be metered one by one.

    Args:
        w_per_core: power of one busy core in watts, stated by the user.
        device: name of the device; by default the model name of the CPU.
        flags: flags of every reading.

    Raises:
        MeterError: `w_per_core` is missing or is not a positive number.
    """

    poll_period_s = None

    def __init__(
        self, w_per_core: float | None, *, device: str | None = None, flags: tuple[str, ...] = ()
    ) -> None:
        if w_per_core is None:
            raise MeterError("estimate_w_per_core was not given (watts per busy core, above 0)")
        if not (math.isfinite(w_per_core) and w_per_core > 0):
            raise MeterError(
                f"estimate_w_per_core must be a positive number of watts, not {w_per_core!r}"
            )
        self._w_per_core = float(w_per_core)
        self.facts = SourceFacts(
            source=ESTIMATED,
            formula=f"cpu_time_s x {self._w_per_core!r} W per busy core",
            device=cpu_name() if device is None else device,
            edge_s=0.0,
            flags=flags,
        )

    def begin(self, t_s: float) -> None:
        """Do nothing: an estimate needs no start."""

    def poll(self, t_s: float) -> None:
        """Do nothing: an estimate is not polled."""

    def read(self, t_s: float, cpu_time_s: float) -> Totals:
        """Joules since the start of the process."""
        return Totals(cpu_time_s * self._w_per_core)

    def other_processes(self, since_s: float) -> OtherProcesses:
        """Unknown: CPU time excludes other processes, so they are not looked for."""
        return OtherProcesses()
