"""Energy estimated from CPU time and a stated power: no measurement, and never called one."""

from __future__ import annotations

import math

from eahas.errors import MeterError

from .cpu import cpu_name
from .reading import ESTIMATED
from .source import OtherProcesses, SourceFacts, Totals


class EstimateSource:
    """CPU seconds of this process times the watts that one busy core is said to draw.

    CPU time is that of this process with all its threads; child processes are not in it. Reading
    costs one multiplication, so it may wrap every epoch of a very small training.

    Args:
        w_per_core: watts per busy core, stated by the user.

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
        """Nothing to start."""

    def poll(self, t_s: float) -> None:
        """Nothing to poll."""

    def read(self, t_s: float, cpu_time_s: float) -> Totals:
        """Joules since the process started."""
        return Totals(cpu_time_s * self._w_per_core)

    def other_processes(self, since_s: float) -> OtherProcesses:
        """CPU time is our own alone, so company does not matter and is not looked for."""
        return OtherProcesses()
