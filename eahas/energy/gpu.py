"""One GPU as an energy source: NVML's energy counter, or the integral of sampled NVML power."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from eahas.errors import MeterError

from .counter import WrappingCounter
from .nvml import INVALID_ARGUMENT, NO_PERMISSION, Nvml, NvmlProblem, text
from .reading import NVML_COUNTER
from .sampler import PowerIntegral
from .source import OtherProcesses, SourceFacts, Totals

FI_DEV_POWER_INSTANT = 186
"""NVML_FI_DEV_POWER_INSTANT, for bindings that do not define this field yet."""

TICK_S = 0.1
"""Longest interval seen between updates of the counter and of instant power (20 to 100 ms)."""

AVERAGE_EDGE_S = 0.5
"""nvmlDeviceGetPowerUsage may be a 1 s average (Ampere and later), which lags by half a second."""

SYSTEMATIC = 0.05
"""Relative half-width of the sensor's own error. NVIDIA's API reference states +/- 5 % of the
current power for the GPU generations for which it states anything."""

SLOW_POLL_S = 1.0
"""Interval at which the counter and the list of processes are read inside a window."""

GAP_S = 1.0
"""Power samples further apart than this are a gap."""

WRAPS_MJ = (2**32, 2**64)
"""The counter has 64 bits; if a driver keeps only 32 of them, it wraps every 4.3 MJ."""

UNKNOWN_LIMIT_W = 1000.0


class GpuSource:
    """One GPU, read by its counter and by power samples, or by power samples alone.

    Args:
        nvml: the library.
        handle: NVML's handle of the GPU.
        source: "nvml_counter" or "nvml_sampled".
        allow_mig: whether a GPU in MIG mode is metered as a whole, with a flag, instead of refused.
        sample_period_s: seconds between power samples.
        own_pids: ids of our own processes.

    Raises:
        MeterError: the device cannot be metered in this way; the message contains the reason.
    """

    def __init__(
        self,
        nvml: Nvml,
        handle: Any,
        *,
        source: str,
        allow_mig: bool,
        sample_period_s: float,
        own_pids: Container[int],
    ) -> None:
        self._nvml = nvml
        self._handle = handle
        self.poll_period_s: float | None = sample_period_s
        name = text(nvml.query("nvmlDeviceGetName", handle))
        mig, mig_flags = _mig_state(nvml, handle, name, allow_mig)
        limit_mw = nvml.query_if_available("nvmlDeviceGetEnforcedPowerLimit", handle)
        limit_w = None if limit_mw is None else limit_mw / 1000
        has_counter = source == NVML_COUNTER
        self._power_w, averaged = _power_reader(nvml, handle, needed=not has_counter)
        self._integral = PowerIntegral(max(GAP_S, 5 * sample_period_s))
        self._counter = _open_counter(nvml, handle, name, limit_w) if has_counter else None
        self._watch = ProcessWatch(nvml, handle, own_pids)
        self._slow_due_s = 0.0
        flags = list(mig_flags)
        if averaged:
            flags.append("power_may_be_averaged")
        if self._power_w is None:
            flags.append("no_power_samples")
        driver = nvml.query_if_available("nvmlSystemGetDriverVersion")
        self.facts = SourceFacts(
            source=source,
            formula=(
                "difference of nvmlDeviceGetTotalEnergyConsumption"
                if has_counter
                else f"trapezoid rule over {'averaged' if averaged else 'instant'} NVML power, "
                f"a sample every {sample_period_s!r} s"
            ),
            device=name,
            edge_s=AVERAGE_EDGE_S if averaged and not has_counter else TICK_S,
            has_samples=has_counter and self._power_w is not None,
            driver=None if driver is None else text(driver),
            power_limit_w=limit_w,
            mig=mig,
            systematic=SYSTEMATIC,
            flags=tuple(flags),
        )

    def begin(self, t_s: float) -> None:
        """Start after a pause; the energy used during the pause is not counted."""
        self._integral.rest()
        if self._counter is not None:
            self._counter.rebase(self._raw_mj(), t_s)
        self._watch.update(t_s)
        self._slow_due_s = t_s + SLOW_POLL_S
        self._sample(t_s)

    def poll(self, t_s: float) -> None:
        """Take a power sample; once a second also read the counter and the list of processes."""
        self._sample(t_s)
        if t_s >= self._slow_due_s:
            self._slow_due_s = t_s + SLOW_POLL_S
            self._watch.update(t_s)
            if self._counter is not None:
                self._counter.advance(self._raw_mj(), t_s)

    def read(self, t_s: float, cpu_time_s: float) -> Totals:
        """Joules since the source was opened, without pauses."""
        self._sample(t_s)
        integral = self._integral
        if self._counter is None:
            return Totals(integral.energy_j, samples=integral.samples, gaps=integral.gaps)
        return Totals(
            energy_j=self._counter.advance(self._raw_mj(), t_s),
            sampled_j=integral.energy_j,
            samples=integral.samples,
            wraps=self._counter.wraps,
            gaps=integral.gaps,
        )

    def other_processes(self, since_s: float) -> OtherProcesses:
        """Other processes seen on the GPU since `since_s`."""
        return self._watch.other_processes(since_s)

    def _raw_mj(self) -> int:
        return int(self._nvml.query("nvmlDeviceGetTotalEnergyConsumption", self._handle))

    def _sample(self, t_s: float) -> None:
        if self._power_w is not None:
            self._integral.add(t_s, self._power_w())


class ProcessWatch:
    """Ids of the processes that use a GPU; read once a second."""

    LISTS = ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses")

    def __init__(self, nvml: Nvml, handle: Any, own_pids: Container[int]) -> None:
        self._nvml = nvml
        self._handle = handle
        self._own_pids = own_pids
        self._last_seen_s: dict[int, float] = {}
        self._own_seen = False
        self._known = True

    def update(self, t_s: float) -> None:
        """Record the processes that use the GPU now."""
        for function in self.LISTS:
            try:
                processes = self._nvml.query(function, self._handle)
            except NvmlProblem:  # any code: the energy does not depend on the list
                self._known = self._known and function != self.LISTS[0]
                continue
            for process in processes:
                if process.pid in self._own_pids:
                    self._own_seen = True
                else:
                    self._last_seen_s[process.pid] = t_s

    def other_processes(self, since_s: float) -> OtherProcesses:
        """Other processes seen at or after `since_s`.

        They are unknown if NVML does not list compute processes. The list of graphics processes is
        optional.
        """
        if not self._known:
            return OtherProcesses(None, ("processes_unknown",))
        others = tuple(sorted(pid for pid, t_s in self._last_seen_s.items() if t_s >= since_s))
        if not others:
            return OtherProcesses(())
        flags = ("other_processes",) if self._own_seen else ("other_processes", "own_pid_not_seen")
        return OtherProcesses(others, flags)


def _mig_state(
    nvml: Nvml, handle: Any, name: str, allow_mig: bool
) -> tuple[bool | None, tuple[str, ...]]:
    try:
        current, _pending = nvml.query("nvmlDeviceGetMigMode", handle)
    except NvmlProblem as problem:
        if not problem.unavailable:
            raise
        return (None, ("mig_unknown",)) if problem.code == NO_PERMISSION else (False, ())
    if not current:
        return False, ()
    if not allow_mig:
        raise MeterError(
            f"{name} is in MIG mode: its counter and its power cover every instance of the GPU, "
            f"not only ours; allow_mig (in a spec's measurement section: allow_mig: true) meters "
            f"the whole GPU and flags the reading"
        )
    return True, ("mig_shared",)


def _power_reader(
    nvml: Nvml, handle: Any, *, needed: bool
) -> tuple[Callable[[], float] | None, bool]:
    """Function that returns watts (None if the GPU reports no power), and whether it may average.

    An average covers the last second. Raises NvmlProblem if `needed` and the GPU reports no power.
    """
    field = getattr(nvml.binding, "NVML_FI_DEV_POWER_INSTANT", FI_DEV_POWER_INSTANT)
    try:
        # A running GPU always draws power, so 0 mW means that the driver does not fill the field.
        if nvml.field(handle, field) > 0:
            return lambda: nvml.field(handle, field) / 1000, False
    except NvmlProblem as problem:
        if not problem.unavailable and problem.code != INVALID_ARGUMENT:
            raise
    try:
        nvml.query("nvmlDeviceGetPowerUsage", handle)
    except NvmlProblem as problem:
        if needed or not problem.unavailable:
            raise
        return None, False
    return lambda: float(nvml.query("nvmlDeviceGetPowerUsage", handle)) / 1000, True


def _open_counter(nvml: Nvml, handle: Any, name: str, limit_w: float | None) -> WrappingCounter:
    if nvml.query("nvmlDeviceGetTotalEnergyConsumption", handle) == 0:
        raise MeterError(f"the energy counter of {name} reads 0 mJ since the driver was loaded")
    return WrappingCounter(
        f"the energy counter of {name} (millijoules)",
        unit_j=1e-3,
        wraps_at=WRAPS_MJ,
        # Peaks above an enforced limit are short, and twice the limit is never reached.
        max_power_w=2 * (UNKNOWN_LIMIT_W if limit_w is None else limit_w),
    )
