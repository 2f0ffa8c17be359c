"""The energy of each epoch of a training; the time between two epochs is not counted.

An epoch may be shorter than the shortest window that a source can read (`min_window_s`). Then
several epochs are read as one group, and the energy of the group is divided among its epochs in
proportion to their durations. Each end of an epoch may be off by one tick of the counter. If ticks
and epochs are independent, the standard deviation of the summed errors of n epochs grows as
sqrt(n), so a group of n epochs must last sqrt(n) times the shortest window to have the same
relative error. The mean of these errors grows as n: at the start of an epoch the counter does not
yet include the last energy used before the epoch, half a tick on average, and this energy is
counted in the epoch instead. If the device is idle between epochs, the energy is therefore too low.
Every reading of groups has the flag "apportioned".
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
    """The energies of E epochs.

    Attributes:
        energy_j: energy of each epoch in joules, (E,), all positive.
        duration_s: wall-clock duration of each epoch in seconds, (E,).
        cpu_time_s: CPU seconds of this process in each epoch, (E,).
        groups: number of epochs in each group; all 1 if each epoch was read on its own.
        reading: one reading of the whole training, with all flags.
    """

    energy_j: Array
    duration_s: Array
    cpu_time_s: Array
    groups: tuple[int, ...]
    reading: EnergyReading

    @property
    def total_j(self) -> float:
        """Energy of all epochs in joules."""
        return self.reading.energy_j

    @property
    def apportioned(self) -> bool:
        """Whether the energy of any group was divided among several epochs."""
        return max(self.groups) > 1

    @property
    def cumulative_j(self) -> Array:
        """Energy in joules up to the end of each epoch, (E,), increasing."""
        cumulative: Array = np.cumsum(self.energy_j)
        return cumulative

    def to_dict(self) -> dict[str, Any]:
        """The fields and `total_j` as plain JSON values."""
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
    """Divide the energy of a group among its epochs, in proportion to their durations.

    Args:
        total_j: energy of the group in joules.
        weights_s: durations of its epochs in seconds, (n,), not negative, not all 0.

    Returns:
        energy of each epoch in joules, (n,); the sum is `total_j`.

    Raises:
        MeterError: a duration is negative or not finite, or all are 0.
    """
    weights = np.asarray(weights_s, dtype=np.float64)
    if weights.ndim != 1 or not np.all(np.isfinite(weights) & (weights >= 0)) or not weights.sum():
        raise MeterError(f"weights_s must be durations, not all 0: {weights_s!r}")
    shares: Array = total_j * (weights / weights.sum())
    return shares


def honest_groups(duration_s: Sequence[float], min_window_s: float) -> tuple[int, ...]:
    """Sizes of the smallest groups of consecutive epochs that are long enough to be read.

    A group of n epochs must last `min_window_s * sqrt(n)` seconds (the module's docstring explains
    why). Epochs that remain at the end are added to the last group.

    Raises:
        MeterError: all epochs together are too short.
    """

    def long_enough(seconds: float, epochs: int) -> bool:
        return seconds >= min_window_s * math.sqrt(epochs)

    groups: list[tuple[float, int]] = []  # seconds and number of epochs
    seconds, epochs = 0.0, 0
    for duration in duration_s:
        seconds, epochs = seconds + duration, epochs + 1
        if long_enough(seconds, epochs):
            groups.append((seconds, epochs))
            seconds, epochs = 0.0, 0
    while epochs and not long_enough(seconds, epochs):
        if not groups:
            raise MeterError(
                f"{epochs} epochs of {seconds:.6g} s in all are too short to be metered: that many "
                f"need {min_window_s * math.sqrt(epochs):.6g} s together"
            )
        previous_s, previous = groups.pop()
        seconds, epochs = seconds + previous_s, epochs + previous
    if epochs:
        groups.append((seconds, epochs))
    return tuple(size for _, size in groups)


class EpochMeter:
    """Measures the energy of epochs; the time between `pause` and the next `start` is not counted.

    Two epoch meters may use the same meter, for example one for training and one for evaluation.

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
        self._earlier_other_processes: tuple[OtherProcesses, ...] | None = None

    def __len__(self) -> int:
        """Number of epochs metered so far."""
        return len(self._energy_j)

    def start(self) -> None:
        """Begin an epoch.

        Raises:
            MeterError: the device fails, or an epoch is already open.
        """
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
        """End the epoch.

        Raises:
            MeterError: the device or the sampling thread failed, or no epoch is open.
        """
        if self._first is None:
            raise MeterError("no epoch is open: call start() before pause()")
        first, self._first = self._first, None
        span = Span.between(first, self._meter.mark())
        self._energy_j.append(span.energy_j)
        self._duration_s.append(span.duration_s)
        self._cpu_time_s.append(span.cpu_time_s)
        self._sum = span if self._sum is None else self._sum.plus(span)

    def drop(self) -> None:
        """Discard the open epoch, if there is one, because it did not finish."""
        self._first = None

    @contextmanager
    def epoch(self) -> Iterator[None]:
        """Meter a `with` block as one epoch; discard the epoch if the block raises."""
        self.start()
        try:
            yield
        except BaseException:
            self.drop()
            raise
        self.pause()

    def finish(self) -> EpochEnergies:
        """Stop metering and return the energy of each epoch.

        Raises:
            MeterError: an epoch is open, no epoch was metered, the epochs are too short even as one
                group, or a group has 0 J.
        """
        if self._first is not None:
            raise MeterError("an epoch is open: call pause() or drop() before finish()")
        if self._begun:
            self._begun = False
            self._meter.end()
        if self._sum is None:
            raise MeterError("no epoch was metered")
        groups = honest_groups(self._duration_s, self._meter.min_window_s)
        energy_j = np.concatenate([self._epoch_energies(group) for group in _slices(groups)])
        flags = [] if max(groups) == 1 else ["apportioned"]
        if self._earlier_other_processes is not None:
            flags.append("resumed")
        return EpochEnergies(
            energy_j=energy_j,
            duration_s=np.array(self._duration_s),
            cpu_time_s=np.array(self._cpu_time_s),
            groups=groups,
            reading=self._meter.describe(
                self._sum, self._other_processes(), pieces=len(self), flags=tuple(flags)
            ),
        )

    def state_dict(self) -> dict[str, Any]:
        """The state after the epochs that have ended so far, as plain JSON values."""
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
                for c in self._other_processes()
            ],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after the epochs that an earlier process metered.

        Raises:
            MeterError: this meter already has epochs, or it reads another source or device; the sum
                of energies from different sources has no meaning.
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
        self._earlier_other_processes = tuple(
            OtherProcesses(None if c["pids"] is None else tuple(c["pids"]), tuple(c["flags"]))
            for c in state["company"]
        )

    def _other_processes(self) -> tuple[OtherProcesses, ...]:
        """Other processes seen on each device, also while earlier processes ran this training."""
        now = self._meter.other_processes(self._since_s)
        if self._earlier_other_processes is None:
            return now
        return tuple(_union(a, b) for a, b in zip(self._earlier_other_processes, now, strict=True))

    def _epoch_energies(self, group: slice) -> Array:
        group_j = sum(self._energy_j[group])
        if not group_j > 0:
            raise MeterError(
                f"energy_j: {self._meter.source} read {group_j:.6g} J on {self._meter.device} over "
                f"epochs {group.start + 1} to {group.stop}, and every window must use more than 0 J"
            )
        return apportion(group_j, self._duration_s[group])


def _slices(groups: Sequence[int]) -> Iterator[slice]:
    start = 0
    for size in groups:
        yield slice(start, start + size)
        start += size


def _union(a: OtherProcesses, b: OtherProcesses) -> OtherProcesses:
    flags = tuple(sorted({*a.flags, *b.flags}))
    if a.pids is None or b.pids is None:
        return OtherProcesses(None, flags)
    return OtherProcesses(tuple(sorted({*a.pids, *b.pids})), flags)
