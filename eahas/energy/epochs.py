"""Energy of each epoch of a training, with what lies between the epochs left out.

An epoch may be shorter than an honest window. Then several epochs are read as one group and the
group's joules are shared out by duration. How long must a group be? The difference of a counter
over one epoch is off by the ticks at its two ends. Where the phases of the ticks are independent
from epoch to epoch, their spread adds up over n epochs as sqrt(n), not n, and a group of n epochs
is as honest as one shortest window when it lasts sqrt(n) times as long. Their mean adds up as n:
the counter shows at the start of an epoch what was drawn before it, half a tick on average, so a
device that rests between epochs is read too low. Every reading made this way is flagged
"apportioned".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from eahas.errors import MeterError

from .meter import Mark, Meter, Span
from .reading import EnergyReading
from .source import OtherProcesses, Totals

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class EpochEnergies:
    """Energies of E epochs.

    Attributes:
        energy_j: joules of each epoch, (E,), all positive.
        duration_s: wall-clock seconds of each epoch, (E,).
        cpu_time_s: CPU seconds of this process in each epoch, (E,).
        groups: number of epochs in each group that was read as one; all 1 if nothing was shared.
        reading: the whole training as one reading, with every flag.
    """

    energy_j: Array
    duration_s: Array
    cpu_time_s: Array
    groups: tuple[int, ...]
    reading: EnergyReading

    @property
    def total_j(self) -> float:
        """Joules of all epochs."""
        return self.reading.energy_j

    @property
    def apportioned(self) -> bool:
        """Whether any epoch's energy was shared out of a group's."""
        return max(self.groups) > 1

    @property
    def cumulative_j(self) -> Array:
        """Joules up to the end of each epoch, (E,), increasing."""
        cumulative: Array = np.cumsum(self.energy_j)
        return cumulative

    def to_dict(self) -> dict[str, Any]:
        """A dictionary of plain JSON values."""
        return {
            "energy_j": self.energy_j.tolist(),
            "duration_s": self.duration_s.tolist(),
            "cpu_time_s": self.cpu_time_s.tolist(),
            "groups": list(self.groups),
            "apportioned": self.apportioned,
            "total_j": self.total_j,
            "reading": self.reading.to_dict(),
        }


def apportion(total_j: float, weights_s: npt.ArrayLike) -> Array:
    """Share joules out in proportion to durations.

    Args:
        total_j: joules of the group.
        weights_s: durations of its epochs, (n,), not negative, not all 0.

    Returns:
        joules of each epoch, (n,), summing to `total_j`.

    Raises:
        MeterError: the durations cannot be weights.
    """
    weights = np.asarray(weights_s, dtype=np.float64)
    if weights.ndim != 1 or not np.all(np.isfinite(weights) & (weights >= 0)) or not weights.sum():
        raise MeterError(f"weights_s must be durations, not all 0: {weights_s!r}")
    shares: Array = total_j * (weights / weights.sum())
    return shares


def honest_groups(duration_s: Sequence[float], min_window_s: float) -> tuple[int, ...]:
    """Sizes of the smallest runs of epochs that can each be read honestly, in order.

    A run of n epochs needs `min_window_s * sqrt(n)` seconds (see the head of this module). What is
    left over at the end joins the run before it.

    Raises:
        MeterError: all epochs together are still too short.
    """

    def honest(seconds: float, epochs: int) -> bool:
        return seconds >= min_window_s * math.sqrt(epochs)

    done: list[tuple[float, int]] = []
    seconds, epochs = 0.0, 0
    for duration in duration_s:
        seconds, epochs = seconds + duration, epochs + 1
        if honest(seconds, epochs):
            done.append((seconds, epochs))
            seconds, epochs = 0.0, 0
    while epochs and not honest(seconds, epochs):
        if not done:
            raise MeterError(
                f"{epochs} epochs of {seconds:.6g} s in all are too short to be metered: that many "
                f"need {min_window_s * math.sqrt(epochs):.6g} s together"
            )
        before_s, before = done.pop()
        seconds, epochs = seconds + before_s, epochs + before
    if epochs:
        done.append((seconds, epochs))
    return tuple(n for _, n in done)


class EpochMeter:
    """Meters epochs and leaves out what lies between `pause` and the next `start`.

    Two of them may share a meter, one for training and one for evaluation.

    Args:
        meter: an open meter; the caller closes it.
    """

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._begun = False
        self._since_s = math.inf
        self._first: Mark | None = None
        self._energy_j: list[float] = []
        self._duration_s: list[float] = []
        self._cpu_time_s: list[float] = []
        self._sum: Span | None = None
        self._earlier_company: tuple[OtherProcesses, ...] | None = None

    def __len__(self) -> int:
        """Epochs metered so far."""
        return len(self._energy_j)

    def start(self) -> None:
        """Begin an epoch. Raises MeterError if the device fails or an epoch is already open."""
        if self._first is not None:
            raise MeterError("an epoch is already open: call pause() before start()")
        if not self._begun:
            self._meter.begin()
            self._begun = True
            self._first = self._meter.mark()
            self._since_s = min(self._since_s, self._first.t_s)
        else:
            self._first = self._meter.mark()

    def pause(self) -> None:
        """End the epoch. Raises MeterError if the device or sampling failed, or none is open."""
        if self._first is None:
            raise MeterError("no epoch is open: call start() before pause()")
        first, self._first = self._first, None
        span = Span.between(first, self._meter.mark())
        self._energy_j.append(span.energy_j)
        self._duration_s.append(span.duration_s)
        self._cpu_time_s.append(span.cpu_time_s)
        self._sum = span if self._sum is None else self._sum.plus(span)

    def drop(self) -> None:
        """Forget the open epoch, if there is one: it did not come to its end."""
        self._first = None

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """`start` and `pause` around a block; an epoch that raises is dropped."""
        self.start()
        try:
            yield
        except BaseException:
            self.drop()
            raise
        self.pause()

    def finish(self) -> EpochEnergies:
        """Stop metering and give the energy of each epoch.

        Raises:
            MeterError: an epoch is open, there is none at all, together they are too short to be
                metered, or a group of them read 0 J.
        """
        if self._first is not None:
            raise MeterError("an epoch is open: call pause() or drop() before finish()")
        if self._begun:
            self._begun = False
            self._meter.end()
        if self._sum is None:
            raise MeterError("no epoch was metered")
        groups = honest_groups(self._duration_s, self._meter.min_window_s)
        energy_j = np.concatenate([self._share(part) for part in _slices(groups)])
        flags = [] if max(groups) == 1 else ["apportioned"]
        if self._earlier_company is not None:
            flags.append("resumed")
        return EpochEnergies(
            energy_j=energy_j,
            duration_s=np.array(self._duration_s),
            cpu_time_s=np.array(self._cpu_time_s),
            groups=groups,
            reading=self._meter.describe(
                self._sum, self._company(), pieces=len(self), flags=tuple(flags)
            ),
        )

    def state_dict(self) -> dict[str, Any]:
        """The epochs ended so far, as plain JSON values."""
        return {
            "source": self._meter.source,
            "device": self._meter.device,
            "formula": self._meter.formula,
            "energy_j": list(self._energy_j),
            "duration_s": list(self._duration_s),
            "cpu_time_s": list(self._cpu_time_s),
            "totals": [] if self._sum is None else [list(total) for total in self._sum.totals],
            "company": [
                {"pids": None if c.pids is None else list(c.pids), "flags": list(c.flags)}
                for c in self._company()
            ],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the epochs of an earlier process.

        Raises:
            MeterError: this meter already has epochs, or it reads another source or device: joules
                that were had in different ways make no sum.
        """
        if self._energy_j or self._begun:
            raise MeterError("load_state_dict() must come before the first epoch")
        for field in ("source", "device", "formula"):
            now = getattr(self._meter, field)
            if state[field] != now:
                raise MeterError(
                    f"{field}: the epochs so far were metered with {state[field]!r}, and this "
                    f"meter has {now!r}; their joules cannot be added"
                )
        self._energy_j = [float(value) for value in state["energy_j"]]
        self._duration_s = [float(value) for value in state["duration_s"]]
        self._cpu_time_s = [float(value) for value in state["cpu_time_s"]]
        if not self._energy_j:
            return
        totals = tuple(Totals(*values) for values in state["totals"])
        self._sum = Span(sum(self._duration_s), sum(self._cpu_time_s), totals)
        self._earlier_company = tuple(
            OtherProcesses(None if c["pids"] is None else tuple(c["pids"]), tuple(c["flags"]))
            for c in state["company"]
        )

    def _company(self) -> tuple[OtherProcesses, ...]:
        """Who was there, in this process and in earlier ones."""
        now = self._meter.other_processes(self._since_s)
        if self._earlier_company is None:
            return now
        return tuple(_both(a, b) for a, b in zip(self._earlier_company, now, strict=True))

    def _share(self, part: slice) -> Array:
        group_j = sum(self._energy_j[part])
        if not group_j > 0:
            raise MeterError(
                f"energy_j: {self._meter.source} read {group_j:.6g} J on {self._meter.device} over "
                f"epochs {part.start + 1} to {part.stop}, and every window must use more than 0 J"
            )
        return apportion(group_j, self._duration_s[part])


def _slices(groups: Sequence[int]) -> Iterator[slice]:
    start = 0
    for size in groups:
        yield slice(start, start + size)
        start += size


def _both(a: OtherProcesses, b: OtherProcesses) -> OtherProcesses:
    flags = tuple(sorted({*a.flags, *b.flags}))
    if a.pids is None or b.pids is None:
        return OtherProcesses(None, flags)
    return OtherProcesses(tuple(sorted({*a.pids, *b.pids})), flags)
