"""Meters: read the energy of time windows, refuse invalid readings, and flag doubtful ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, final

from eahas.errors import MeterError

from .reading import DISAGREEMENT_LIMIT, ESTIMATED, EnergyReading, combine
from .sampler import ThreadTicker, Ticker, TickerFactory
from .source import OtherProcesses, Source, Totals

IDLE_S = 5.0


class Mark(NamedTuple):
    """An instant: wall-clock time, CPU time, and the running totals of each source."""

    t_s: float
    cpu_time_s: float
    totals: tuple[Totals, ...]


class Span(NamedTuple):
    """Durations and totals between two marks, or the sum of several such spans."""

    duration_s: float
    cpu_time_s: float
    totals: tuple[Totals, ...]

    @classmethod
    def between(cls, first: Mark, last: Mark) -> Span:
        """The span from one mark to a later one."""
        totals = tuple(b.since(a) for a, b in zip(first.totals, last.totals, strict=True))
        return cls(last.t_s - first.t_s, last.cpu_time_s - first.cpu_time_s, totals)

    def plus(self, other: Span) -> Span:
        """The sum of two spans."""
        totals = tuple(a.plus(b) for a, b in zip(self.totals, other.totals, strict=True))
        return Span(self.duration_s + other.duration_s, self.cpu_time_s + other.cpu_time_s, totals)

    @property
    def energy_j(self) -> float:
        """Joules of all devices."""
        return sum(total.energy_j for total in self.totals)


class Window:
    """A time interval over which energy is read; it ends with `stop`."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._open = True
        self._reading: EnergyReading | None = None
        meter.begin()
        try:
            self._first = meter.mark()
        except BaseException:
            meter.end()
            raise

    def stop(self, *, repeats: int = 1) -> EnergyReading:
        """Close the window and return its reading, divided by `repeats` runs of the same work.

        Raises:
            MeterError: the window is shorter than the meter's `min_window_s`, a device read 0 J, a
                device failed, or the sampling thread failed.
        """
        if not self._open:
            raise MeterError("the window is closed already")
        self._open = False
        try:
            last = self._meter.mark()
        finally:
            self._meter.end()
        span = Span.between(self._first, last)
        self._meter.refuse_short(span.duration_s)
        other_processes = self._meter.other_processes(self._first.t_s)
        self._reading = self._meter.describe(span, other_processes, repeats=repeats)
        return self._reading

    @property
    def reading(self) -> EnergyReading:
        """The reading of the closed window.

        Raises:
            MeterError: the window is still open, or its work failed.
        """
        if self._reading is None:
            raise MeterError("the window has no reading: it is still open, or its work failed")
        return self._reading


@final
class Meter:
    """Reads the energy of windows, from one kind of source on one or more devices.

    Windows may overlap. Use a meter as a context manager, or call `close`. `open_meter` creates
    meters.

    Args:
        sources: one source for each device, all of the same kind.
        why: the reasons why more trusted sources were not used.
        clock: returns seconds; never decreases.
        cpu_clock: returns the CPU seconds of this process.
        sleep: waits for a number of seconds (used by `measure_idle`).
        ticker: creates the thread that polls the sources while a window is open.
        sync: called at each edge of a window, to wait for work that the device has queued.
        on_close: called once by `close`.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        why: tuple[str, ...] = (),
        clock: Callable[[], float] = time.perf_counter,
        cpu_clock: Callable[[], float] = time.process_time,
        sleep: Callable[[float], None] = time.sleep,
        ticker: TickerFactory = ThreadTicker,
        sync: Callable[[], None] | None = None,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        assert len({source.facts.source for source in sources}) == 1
        self._sources = tuple(sources)
        self.why = why
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._sleep = sleep
        self._make_ticker = ticker
        self._sync = sync
        self._on_close = on_close
        periods = [s.poll_period_s for s in self._sources if s.poll_period_s is not None]
        self._period_s = min(periods, default=None)
        self._lock = threading.Lock()
        self._users = 0
        self._ticker: Ticker | None = None
        self._failure: Exception | None = None
        self._closed = False
        self._idle_w: tuple[float | None, ...] = (None,) * len(self._sources)
        self._idle_flags: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """Name of the source, one of `SOURCES`."""
        return self._sources[0].facts.source

    @property
    def device(self) -> str:
        """Name of the device; several names are joined by " + "."""
        return " + ".join(source.facts.device for source in self._sources)

    @property
    def formula(self) -> str:
        """How the energy is computed, in one line."""
        return self._sources[0].facts.formula

    @property
    def min_window_s(self) -> float:
        """Duration in seconds of the shortest window that can be read; 0 for an estimate."""
        return max(source.facts.min_window_s for source in self._sources)

    @property
    def idle_power_w(self) -> float | None:
        """Mean power in watts of all devices, as `measure_idle` measured it; None before."""
        known = [watts for watts in self._idle_w if watts is not None]
        return sum(known) if known else None

    def start(self) -> Window:
        """Open a window; `Window.stop` closes it and returns the reading."""
        return Window(self)

    @contextmanager
    def window(self) -> Iterator[Window]:
        """Open a window for a `with` block; its `reading` is available after the block.

        If the block raises, the exception is propagated and there is no reading.

        Raises:
            MeterError: as in `Window.stop`.
        """
        window = self.start()
        try:
            yield window
        except BaseException:
            self.end()
            raise
        window.stop()

    def measure_idle(self, seconds: float | None = None) -> float | None:
        """Measure the mean power in watts while nothing runs; every later reading contains it.

        Call this before the run. A CUDA context that is already open raises the power of the GPU,
        and this power is then part of the idle power. For an estimate, which has no idle power, the
        result is None.

        Args:
            seconds: duration of the measurement; by default 5 s, or `min_window_s` if longer.

        Raises:
            MeterError: `seconds` is below `min_window_s`, or the measurement fails.
        """
        if self.source == ESTIMATED:
            return None
        wait_s = max(IDLE_S, self.min_window_s) if seconds is None else seconds
        self.refuse_short(wait_s)
        with self.window() as window:
            self._sleep(wait_s)
        parts = window.reading.parts or (window.reading,)
        self._idle_w = tuple(part.mean_power_w for part in parts)
        self._idle_flags = ("idle_not_alone",) if window.reading.other_processes else ()
        return self.idle_power_w

    def measure_repeated(
        self, work: Callable[[], object], *, at_least_s: float = 0.0, max_repeats: int = 1_000_000
    ) -> EnergyReading:
        """Repeat `work` until the window is long enough; the reading is the mean of one run.

        Args:
            work: called without arguments; its result is ignored.
            at_least_s: minimum duration of the window, if more than `min_window_s`.
            max_repeats: maximum number of runs.

        Raises:
            MeterError: `max_repeats` runs are too short for the window, or as in `Window.stop`.
        """
        need_s = max(at_least_s, self.min_window_s)
        self.begin()
        try:
            first = self.mark()
            repeats = 0
            while repeats == 0 or self._clock() - first.t_s < need_s:
                if repeats == max_repeats:
                    raise MeterError(
                        f"{repeats} runs took {self._clock() - first.t_s:.6g} s, which does not "
                        f"fill a window of {need_s:.6g} s; give a larger max_repeats"
                    )
                work()
                repeats += 1
            last = self.mark()
        finally:
            self.end()
        return self.describe(
            Span.between(first, last), self.other_processes(first.t_s), repeats=repeats
        )

    def close(self) -> None:
        """Stop sampling and close the library of the device. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._stop_ticker()
        finally:
            if self._on_close is not None:
                self._on_close()

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # The methods below implement windows; `EpochMeter` uses them too.

    def begin(self) -> None:
        """Start metering, unless another window has started it; each call needs one `end`."""
        if self._closed:
            raise MeterError("the meter is closed")
        if self._users == 0:
            self._failure = None
            with self._lock:
                t_s = self._clock()
                for source in self._sources:
                    source.begin(t_s)
            if self._period_s is not None:
                self._ticker = self._make_ticker(self._poll, self._period_s)
                self._ticker.start()
        self._users += 1

    def end(self) -> None:
        """End one `begin`; metering stops with the last one."""
        assert self._users > 0, "end without begin"
        self._users -= 1
        if self._users == 0:
            self._stop_ticker()

    def mark(self) -> Mark:
        """The current time and the totals of each source.

        Raises:
            MeterError: a source failed, now or in the sampling thread since `begin`.
        """
        if self._sync is not None:
            self._sync()
        with self._lock:
            if self._failure is not None:
                raise MeterError(
                    f"sampling failed in the meantime: {self._failure}"
                ) from self._failure
            t_s = self._clock()
            cpu_time_s = self._cpu_clock()
            return Mark(t_s, cpu_time_s, tuple(s.read(t_s, cpu_time_s) for s in self._sources))

    def other_processes(self, since_s: float) -> tuple[OtherProcesses, ...]:
        """Other processes seen on each device since `since_s`."""
        return tuple(source.other_processes(since_s) for source in self._sources)

    def others(self) -> tuple[int, ...]:
        """Ids of other processes that use the devices now; () if unknown."""
        since_s = self._clock()
        self.begin()
        try:
            return tuple(
                sorted({pid for c in self.other_processes(since_s) for pid in c.pids or ()})
            )
        finally:
            self.end()

    def refuse_short(self, duration_s: float) -> None:
        """Raise MeterError for a window that is shorter than `min_window_s`."""
        if duration_s < self.min_window_s:
            raise MeterError(
                f"a window of {duration_s:.6g} s is too short for {self.source} on {self.device}: "
                f"at least {self.min_window_s:.6g} s; lengthen it, or repeat the work "
                f"(Meter.measure_repeated, eahas energy --repeat)"
            )

    def describe(
        self,
        span: Span,
        other_processes: Sequence[OtherProcesses],
        *,
        repeats: int = 1,
        pieces: int = 1,
        flags: tuple[str, ...] = (),
    ) -> EnergyReading:
        """The reading of a span: one for each device, and their sum.

        Args:
            span: durations and totals.
            other_processes: one entry for each device.
            repeats: number of runs of the same work in the span; the reading is the mean.
            pieces: number of separate intervals (epochs) in the span; each has two ends.
            flags: additional flags.

        Raises:
            MeterError: a device read 0 J.
        """
        parts = []
        for source, total, others, idle_w in zip(
            self._sources, span.totals, other_processes, self._idle_w, strict=True
        ):
            facts = source.facts
            part = EnergyReading(
                energy_j=total.energy_j / repeats,
                duration_s=span.duration_s / repeats,
                cpu_time_s=span.cpu_time_s / repeats,
                source=facts.source,
                formula=facts.formula,
                device=facts.device,
                samples=total.samples,
                sampled_j=total.sampled_j / repeats if facts.has_samples else None,
                dram_j=total.dram_j / repeats if facts.has_dram else None,
                driver=facts.driver,
                power_limit_w=facts.power_limit_w,
                idle_power_w=idle_w,
                mig=facts.mig,
                other_processes=others.pids,
                systematic=facts.systematic,
                statistical=facts.statistical(span.duration_s, pieces),
                repeats=repeats,
            )
            all_flags = {*facts.flags, *others.flags, *self._idle_flags, *flags}
            all_flags.update(_window_flags(total, part))
            parts.append(part.with_flags(all_flags))
        return combine(parts)

    def _poll(self) -> None:
        """Poll each source once, from the sampling thread.

        After a failure no source is polled any more; `mark` raises the failure.
        """
        with self._lock:
            if self._failure is not None:
                return
            try:
                t_s = self._clock()
                for source in self._sources:
                    source.poll(t_s)
            except Exception as failure:  # noqa: BLE001  no caller in this thread: `mark` raises it
                self._failure = failure

    def _stop_ticker(self) -> None:
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            ticker.stop()


def _window_flags(total: Totals, reading: EnergyReading) -> Iterator[str]:
    if total.wraps:
        yield "counter_wrapped"
    if total.gaps:
        yield "sampling_gap"
    if reading.repeats > 1:
        yield "repeated"
    if reading.disagreement is not None and abs(reading.disagreement) > DISAGREEMENT_LIMIT:
        yield "disagreement"
