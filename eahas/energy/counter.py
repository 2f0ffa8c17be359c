"""An energy counter of the hardware that may wrap, converted into a count that never decreases."""

from __future__ import annotations

from collections.abc import Sequence

from eahas.errors import MeterError

SLACK_S = 0.2
"""Time added to the interval between two reads: two ticks of the slowest counter (0.1 s each). The
value that a counter shows may be one tick old at the first read and current at the second."""


class WrappingCounter:
    """Adds up the increments of a counter, and distinguishes a wrap from a reset.

    A counter that decreased either wrapped or was reset (the driver was reloaded, the device reset,
    the machine suspended). The decrease is a wrap only if the device could have used the implied
    energy since the last read. Any other decrease is an error, because the energy in between is
    lost; the message contains both values.

    Args:
        name: what is counted, for messages.
        unit_j: joules of one count.
        wraps_at: values at which the counter may start again at zero, in increasing order.
        max_power_w: an upper bound of the power of the device.
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
        """Joules counted since this object was created, without the time before each `rebase`."""
        return self.count * self._unit_j

    def rebase(self, raw: int, t_s: float) -> None:
        """Continue from this value after a pause; the energy used during the pause is not added."""
        self._raw, self._t_s = raw, t_s

    def advance(self, raw: int, t_s: float) -> float:
        """Add one reading and return `total_j`.

        Raises:
            MeterError: the counter decreased and a wrap cannot explain it, or it was not read for
                so long that it may have wrapped more than once.
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
            f"{self._name} decreased from {self._raw} to {raw}, and a wrap does not explain this "
            f"(at most {possible_j:.6g} J could have been used in between): the driver was "
            f"reloaded or the device was reset, and the energy of this window is lost"
        )
