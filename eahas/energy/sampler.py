"""Power sampling: the trapezoid integral of the samples, and the thread that takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from eahas.errors import MeterError


class PowerIntegral:
    """The running integral of power samples in joules, by the trapezoid rule.

    A sample is also taken at each edge of a window. The difference of two integrals is therefore
    the integral over exactly that window, and no sample has to be stored.

    Args:
        gap_s: two samples further apart than this are counted as a gap.
    """

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._last: tuple[float, float] | None = None
        self.energy_j = 0.0
        self.samples = 0
        self.gaps = 0

    def rest(self) -> None:
        """Discard the last sample, so that the time until the next one is not integrated."""
        self._last = None

    def add(self, t_s: float, power_w: float) -> None:
        """Add one sample of power, taken at `t_s`."""
        if self._last is not None:
            last_t_s, last_power_w = self._last
            self.energy_j += 0.5 * (power_w + last_power_w) * (t_s - last_t_s)
            self.gaps += t_s - last_t_s > self._gap_s
        self._last = (t_s, power_w)
        self.samples += 1


class Ticker(Protocol):
    """Calls a function periodically between `start` and `stop`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


TickerFactory = Callable[[Callable[[], None], float], Ticker]
"""(callback, period_s) -> Ticker. The callback never raises."""


class ThreadTicker:
    """A `Ticker` on a daemon thread."""

    JOIN_S = 30.0

    def __init__(self, callback: Callable[[], None], period_s: float) -> None:
        self._callback = callback
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="energy-sampler", daemon=True)

    def start(self) -> None:
        """Start the thread; the first call is one period from now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait until it has ended.

        Raises:
            MeterError: the thread does not end, because a call of the driver hangs.
        """
        self._stopping.set()
        self._thread.join(self.JOIN_S)
        if self._thread.is_alive():
            raise MeterError(f"the power sampling thread has hung for {self.JOIN_S:.0f} s")

    def _run(self) -> None:
        while not self._stopping.wait(self._period_s):
            self._callback()
