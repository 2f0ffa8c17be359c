"""Progress of a long job on stderr: a bar on a terminal, or else a line every few seconds."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

QUIET_S = 2.0  # a job that takes less time shows nothing
EVERY_S = 15.0  # time between two lines if no bar can be drawn


class Bars:
    """Progress bars; call with the name of a step, its number of finished units, and their total.

    Each step has its own bar, and only one is shown at a time. tqdm draws it if it is installed. As
    a context manager, it closes the last bar at its end.
    """

    def __init__(self) -> None:
        self._what: str | None = None
        self._bar: Any = None

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self.close()
            self._what, self._bar = what, _new_bar(what, total)
        self._bar.show(done)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._what = self._bar = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _new_bar(what: str, total: int) -> _Lines | _Tqdm:
    if sys.stderr.isatty():
        try:
            from tqdm import tqdm
        except ImportError:
            pass
        else:
            bar = tqdm(total=total, desc=what, delay=QUIET_S, file=sys.stderr, leave=False)
            return _Tqdm(bar)
    return _Lines(what, total)


class _Tqdm:
    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def show(self, done: int) -> None:
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    """Lines such as `fit curves: 1200 of 3000`, first after two seconds, then every fifteen."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._next = time.monotonic() + QUIET_S

    def show(self, done: int) -> None:
        if time.monotonic() >= self._next:
            print(f"{self._what}: {done} of {self._total}", file=sys.stderr, flush=True)
            self._next = time.monotonic() + EVERY_S

    def close(self) -> None:
        pass
