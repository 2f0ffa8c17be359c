"""Schedules: the epochs at which a curve has values.

A curve has one value for each scheduled epoch of a run, in order. Epoch 0 is the state before
training; epoch E is the end of a run of E epochs. By default every epoch from 1 to E is scheduled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from eahas.checks import is_whole
from eahas.errors import SpecError, shown
from eahas.space.fields import known_fields

MAX_EPOCH = 1_000_000_000  # far below the limits of int64 and of exact float64 integers
SHOWN = 6  # number of epochs in a message


@dataclass(frozen=True)
class Schedule:
    """The epochs at which a curve has values.

    Attributes:
        listed: the scheduled epochs, strictly rising, up to the end of a run. If it is empty, the
            schedule is the sequence `start`, `start + every`, ... up to the end of a run.
        every: the step of this sequence.
        start: the first epoch of this sequence.
        last: whether the last epoch of a run is always scheduled.
    """

    listed: tuple[int, ...] = ()
    every: int = 1
    start: int = 1
    last: bool = False

    @property
    def first(self) -> int:
        """The first scheduled epoch of a run that is long enough."""
        return self.listed[0] if self.listed else self.start

    @property
    def is_every_epoch(self) -> bool:
        """Whether every epoch from 1 is scheduled (the default)."""
        return not self.listed and self.every == self.start == 1

    def epochs_of(self, length: int) -> np.ndarray:
        """The scheduled epochs of a run of `length` epochs, (count,) int64, rising, read-only."""
        return _epochs_of(self, int(length))

    def counts(self, lengths: Any) -> Any:
        """The number of scheduled epochs in runs of these lengths, an int or int64 (n,)."""
        return lengths if self.is_every_epoch else self.reached(lengths, lengths)

    def epoch_at(self, position: int, length: int) -> int:
        """The scheduled epoch of a run of `length` epochs at a position from 0 to its count - 1."""
        if self.listed:
            epoch = self.listed[position] if position < len(self.listed) else length
        else:
            epoch = self.start + position * self.every
        return min(epoch, length)

    def reached(self, at: Any, lengths: Any) -> Any:
        """The number of scheduled epochs up to and including epoch `at`, in runs of these lengths.

        `at` and `lengths` are ints or int64 (n,), and `at` is at most the length. If the result is
        k > 0, then value k - 1 of a curve is its last value up to epoch `at`; if it is 0, the curve
        has no value up to `at`.
        """
        if isinstance(at, np.ndarray) or isinstance(lengths, np.ndarray):
            at, lengths = np.asarray(at), np.asarray(lengths)
            return self._regular(at) + (self.last & (at >= lengths) & ~self._is_regular(lengths))
        count = int(self._regular(at))
        ends = self.last and at >= lengths and not self._is_regular(lengths)
        return count + 1 if ends else count

    def _regular(self, at: Any) -> Any:
        """The number of epochs of the list or of the sequence that are at most `at`."""
        if self.listed:
            return np.searchsorted(self.listed, at, side="right")
        return np.maximum((at - self.start) // self.every + 1, 0)

    def _is_regular(self, epoch: Any) -> Any:
        if self.listed:
            return np.isin(epoch, self.listed)
        return (epoch >= self.start) & ((epoch - self.start) % self.every == 0)

    def includes(self, epoch: int, length: int) -> bool:
        """Whether an epoch of a run of `length` epochs is scheduled."""
        return bool(self._is_regular(epoch)) or (self.last and epoch == length)

    def __str__(self) -> str:
        end = " and the last" if self.last else ""
        if self.listed:
            some = ", ".join(map(str, self.listed[:SHOWN]))
            return f"epochs {some}{', ...' if len(self.listed) > SHOWN else ''}{end}"
        step = "epoch" if self.every == 1 else f"{self.every} epochs"
        return f"every {step} from {self.start}{end}"

    def to_json(self) -> Any:
        """The schedule in the form of a spec, which `schedule_from_json` reads."""
        last = {"last": True} if self.last else {}
        if self.listed:
            return {"at": list(self.listed), **last} if last else list(self.listed)
        start = {} if self.start == self.every else {"start": self.start}
        return {"every": self.every, **start, **last}


EVERY_EPOCH = Schedule()


def schedule_from_json(where: str, given: Any) -> Schedule:
    """Read a schedule: a list of epochs, `{at: [...]}`, `{every: k, start: s}`, or None.

    None means every epoch. Both mappings accept `last: true`. The default of `start` is k. Raises
    SpecError for anything else; its message begins with `where`.
    """
    if given is None:
        return EVERY_EPOCH
    if isinstance(given, list):
        return Schedule(listed=_listed(where, given))
    if not isinstance(given, Mapping) or ("at" in given) == ("every" in given):
        raise SpecError(
            f"{where}: a list of epochs, {{at: [...]}} or {{every: k}} is needed, "
            f"got {shown(given)}"
        )
    known_fields(where, given, ("at", "last") if "at" in given else ("every", "start", "last"))
    last = given.get("last", False)
    if not isinstance(last, bool):
        raise SpecError(f"{where}: last is true or false, got {shown(last)}")
    if "at" in given:
        return Schedule(listed=_listed(where, given["at"]), last=last)
    every = _whole(f"{where}: every", given["every"], 1)
    start = _whole(f"{where}: start", given.get("start", every), 0)
    return Schedule(every=every, start=start, last=last)


def _listed(where: str, given: Any) -> tuple[int, ...]:
    if not isinstance(given, list) or not given:
        raise SpecError(f"{where}: a list of one or more epochs, got {shown(given)}")
    listed = tuple(_whole(f"{where}: an epoch", epoch, 0) for epoch in given)
    if any(a >= b for a, b in pairwise(listed)):
        raise SpecError(f"{where}: the epochs of a list must rise, got {shown(given)}")
    return listed


def _whole(what: str, given: Any, low: int) -> int:
    if not is_whole(given) or not low <= given <= MAX_EPOCH:
        raise SpecError(f"{what} is a whole number in {low}..{MAX_EPOCH}, got {shown(given)}")
    return int(given)


@lru_cache(maxsize=256)
def _epochs_of(schedule: Schedule, length: int) -> np.ndarray:
    if schedule.listed:
        epochs = np.array(schedule.listed, dtype=np.int64)
        epochs = epochs[epochs <= length]
    else:
        epochs = np.arange(schedule.start, length + 1, schedule.every, dtype=np.int64)
    if schedule.last and (not len(epochs) or epochs[-1] < length):
        epochs = np.append(epochs, length)
    epochs.flags.writeable = False
    return epochs
