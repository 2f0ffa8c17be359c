"""An NVML that replays a trace on a clock that only moves when told to. No GPU, no waiting."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

NOT_SUPPORTED = 3
NOT_FOUND = 6
GPU_IS_LOST = 15

COUNTER = "nvmlDeviceGetTotalEnergyConsumption"
POWER = "nvmlDeviceGetPowerUsage"
FIELDS = "nvmlDeviceGetFieldValues"
MIG = "nvmlDeviceGetMigMode"
PROCESSES = "nvmlDeviceGetComputeRunningProcesses"


class VirtualClock:
    """Wall and CPU clock. `sleep` moves time and lets the tickers tick on their way."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.cpu_s = 0.0
        self.busy_cores = 1.0
        self._tickers: list[VirtualTicker] = []

    def __call__(self) -> float:
        return self.now_s

    def cpu(self) -> float:
        return self.cpu_s

    def sleep(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while self._tickers:
            ticker = min(self._tickers, key=lambda t: t.due_s)
            if ticker.due_s > end_s:
                break
            self._move(ticker.due_s)
            ticker.due_s += ticker.period_s
            ticker.callback()
        self._move(end_s)

    def ticker(self, callback: Callable[[], None], period_s: float) -> VirtualTicker:
        return VirtualTicker(self, callback, period_s)

    @property
    def ticking(self) -> int:
        return len(self._tickers)

    def _move(self, t_s: float) -> None:
        self.cpu_s += (t_s - self.now_s) * self.busy_cores
        self.now_s = t_s


class VirtualTicker:
    """What the sampling thread is in tests."""

    def __init__(self, clock: VirtualClock, callback: Callable[[], None], period_s: float) -> None:
        self.clock = clock
        self.callback = callback
        self.period_s = period_s
        self.due_s = 0.0

    def start(self) -> None:
        self.due_s = self.clock.now_s + self.period_s
        self.clock._tickers.append(self)

    def stop(self) -> None:
        self.clock._tickers.remove(self)


class NVMLError(Exception):
    """Like pynvml's: a number that prints as words."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"error number {self.value}"


@dataclass
class FakeGpu:
    """A GPU: what it shows when, and which calls fail from when on.

    `errors` maps a function (or "instant" for the instant power field) to (code, from_s).
    `processes` holds (pid, from_s, to_s).
    """

    rows: list[tuple[float, float, int]]
    name: str = "Fake H100"
    uuid: str = "GPU-aaaaaaaa-0000"
    limit_mw: int = 700_000
    mig: tuple[int, int] = (0, 0)
    errors: dict[str, tuple[int, float]] = field(default_factory=dict)
    processes: list[tuple[int, float, float]] = field(default_factory=list)
    counter: Callable[[int], int] = int

    def row(self, t_s: float) -> tuple[float, float, int]:
        return self.rows[max(bisect_right(self.rows, (t_s + 1e-9, 1e99, 0)) - 1, 0)]

    def fail(self, function: str, code: int = NOT_SUPPORTED, from_s: float = 0.0) -> None:
        self.errors[function] = (code, from_s)


class FakeNvml:
    """Stands for the module pynvml. Handles are the GPUs themselves."""

    NVML_FI_DEV_POWER_INSTANT = 186

    def __init__(
        self,
        clock: VirtualClock,
        gpus: list[FakeGpu],
        *,
        init_error: int | None = None,
        error_class: Callable[[int], Exception] = NVMLError,
    ) -> None:
        self.clock = clock
        self.gpus = gpus
        self.init_error = init_error
        self.NVMLError = error_class
        self.open = 0
        self.slices: dict[str, FakeGpu] = {}

    def nvmlInit(self) -> None:
        if self.init_error is not None:
            raise self.NVMLError(self.init_error)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlSystemGetDriverVersion(self) -> bytes:
        return b"999.1"

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self.gpus[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        if uuid not in self.slices:
            raise self.NVMLError(NOT_FOUND)
        return uuid

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: str) -> FakeGpu:
        return self.slices[handle]

    def nvmlDeviceGetUUID(self, gpu: FakeGpu) -> str:
        return gpu.uuid

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> str:
        self._check(gpu, "nvmlDeviceGetName")
        return gpu.name

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> list[int]:
        self._check(gpu, MIG)
        return list(gpu.mig)

    def nvmlDeviceGetEnforcedPowerLimit(self, gpu: FakeGpu) -> int:
        self._check(gpu, "nvmlDeviceGetEnforcedPowerLimit")
        return gpu.limit_mw

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: FakeGpu) -> int:
        self._check(gpu, COUNTER)
        return gpu.counter(gpu.row(self.clock.now_s)[2])

    def nvmlDeviceGetPowerUsage(self, gpu: FakeGpu) -> int:
        self._check(gpu, POWER)
        return int(1000 * gpu.row(self.clock.now_s)[1])

    def nvmlDeviceGetFieldValues(self, gpu: FakeGpu, ids: list[int]) -> list[SimpleNamespace]:
        self._check(gpu, FIELDS)
        assert ids == [self.NVML_FI_DEV_POWER_INSTANT]
        code = self._code(gpu, "instant")
        shown = 0 if code else int(1000 * gpu.row(self.clock.now_s)[1])
        return [SimpleNamespace(nvmlReturn=code, value=SimpleNamespace(uiVal=shown))]

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> list[SimpleNamespace]:
        self._check(gpu, PROCESSES)
        now = self.clock.now_s
        return [SimpleNamespace(pid=p) for p, from_s, to_s in gpu.processes if from_s <= now < to_s]

    def nvmlDeviceGetGraphicsRunningProcesses(self, gpu: FakeGpu) -> list[SimpleNamespace]:
        raise self.NVMLError(NOT_SUPPORTED)

    def _code(self, gpu: FakeGpu, function: str) -> int:
        code, from_s = gpu.errors.get(function, (0, 0.0))
        return code if self.clock.now_s >= from_s else 0

    def _check(self, gpu: FakeGpu, function: str) -> None:
        if code := self._code(gpu, function):
            raise self.NVMLError(code)
