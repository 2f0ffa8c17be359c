"""A hardware counter that may wrap, as an integer that only ever grows."""

from __future__ import annotations

from collections.abc import Sequence

from eahas.errors import MeterError

SLACK_S = 0.2
"""A counter may show in one tick what it gathered since the last: two ticks of the slowest kind."""


class WrappingCounter:
    """Adds up the steps of a counter, and tells a wrap from a reset.

    A counter that went down either wrapped or was reset (driver reloaded, device reset, machine
    slept). It is taken for a wrap only if the energy that the wrap implies is one that the device
    could have used since the last read; every other decrease is an error naming both values, for
    the energy in between is lost.

    Args:
        name: what is counted, for messages.
        unit_j: joules of one count.
        wraps_at: sizes at which the counter may start again at zero, the smallest first.
        max_power_w: more than the device can draw.
    """

    def __init__(
        self, name: str, *, unit_j: float, wraps_at: Sequence[int], max_power_w: float
    ) -> None:
        self._name = name
        self._unit_j = unit_j
        self._wraps_at = tuple(wraps_at)
        self._max_power_w = max_power_w
        self._raw = 0
        self._t_s = 0.0
        self.count = 0
        self.wraps = 0

    @property
    def total_j(self) -> float:
        """Joules counted since the counter was made, rests left out."""
        return self.count * self._unit_j

    def rebase(self, raw: int, t_s: float) -> None:
        """Start again from here after a rest; what was counted meanwhile is not ours."""
        self._raw, self._t_s = raw, t_s

    def advance(self, raw: int, t_s: float) -> float:
        """Take in one reading and return `total_j`.

        Raises:
            MeterError: the counter went down and a wrap cannot explain it, or it was left unread
                for so long that it may have wrapped unseen.
        """
        possible_j = self._max_power_w * (t_s - self._t_s + SLACK_S)
        if possible_j >= self._wraps_at[-1] * self._unit_j:
            raise MeterError(
                f"{self._name} was not read for {t_s - self._t_s:.1f} s and may have wrapped more "
                f"than once: it showed {self._raw} before and {raw} after"
            )
        self.count += raw - self._raw if raw >= self._raw else self._wrapped(raw, possible_j)
        self._raw, self._t_s = raw, t_s
        return self.total_j

    def _wrapped(self, raw: int, possible_j: float) -> int:
        for size in self._wraps_at:
            step = raw + size - self._raw
            if 0 <= step * self._unit_j <= possible_j:
                self.wraps += 1
                return step
        raise MeterError(
            f"{self._name} went down from {self._raw} to {raw}, which no wrap explains "
            f"(at most {possible_j:.6g} J could have been used in between): the driver was "
            f"reloaded or the device reset, and the energy of this window is lost"
        )
