"""Choose an energy source: try the sources in order, and record why a source cannot be used."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from eahas.errors import MeterError, unknown

from .estimate import EstimateSource
from .gpu import GpuSource
from .gpus import CudaUuid, pick_gpus, torch_uuid
from .meter import Meter
from .nvml import Nvml
from .process_tree import ProcessTree
from .rapl import POWERCAP, RaplSource
from .reading import ESTIMATED, NVML_COUNTER, NVML_SAMPLED, RAPL, SOURCES
from .sampler import ThreadTicker, TickerFactory
from .source import Source

AUTO = "auto"
EVERY_GPU = "gpus"

Opened = tuple[list[Source], "Callable[[], None] | None"]


def open_meter(
    device: str | Sequence[str] = "cpu",
    *,
    source: str = AUTO,
    estimate_w_per_core: float | None = None,
    allow_mig: bool = False,
    sample_period_s: float = 0.1,
    nvml: Any = None,
    root: Path = POWERCAP,
    environ: Mapping[str, str] | None = None,
    own_pids: Container[int] | None = None,
    cuda_uuid: CudaUuid = torch_uuid,
    sync: Callable[[], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
    sleep: Callable[[float], None] = time.sleep,
    ticker: TickerFactory = ThreadTicker,
) -> Meter:
    """Open a meter on the most trusted energy source that the device has.

    The sources of a CPU are RAPL, then the estimate. Those of a GPU are NVML's energy counter, then
    its sampled power. RAPL and the estimate do not cover the GPU, so for a GPU they are used only
    if `source` names them; the reading then has the flag "gpu_not_metered". `Meter.why` contains
    the reason why each earlier source was not used.

    Args:
        device: "cpu", "cuda", "cuda:1", or several GPUs as a list; "cuda" is the current device and
            "gpus" means every GPU that NVML lists.
        source: "auto", or one of `SOURCES`.
        estimate_w_per_core: power of one busy core in watts, for the estimate; stated by the user.
        allow_mig: whether a GPU in MIG mode is metered as a whole, with a flag, instead of refused.
        sample_period_s: seconds between power samples.
        nvml: a module to use in place of pynvml.
        root: the powercap folder.
        environ: environment variables; by default those of the process.
        own_pids: process ids that are not "other processes"; by default this process, the processes
            that it started, and the other workers of its launcher.
        cuda_uuid: gets the UUID of a device from CUDA; by default through torch if it is loaded.
        sync: waits for queued work at the edges of windows; by default torch's, for GPUs.
        clock: returns seconds; never decreases.
        cpu_clock: returns the CPU seconds of this process.
        sleep: waits for a number of seconds.
        ticker: creates the sampling thread.

    Raises:
        MeterError: the device or source is unknown, or no source is available; the message contains
            the reason for each source.
    """
    if source not in (AUTO, *SOURCES):
        raise MeterError(unknown("energy source", source, (AUTO, *SOURCES)))
    if not sample_period_s > 0:
        raise MeterError(f"sample_period_s must be above 0, not {sample_period_s!r}")
    names = [device] if isinstance(device, str) else [str(name) for name in device]
    ordinals = _ordinals(names)
    on_gpu = ordinals is not None
    cpu_flags = ("gpu_not_metered",) if on_gpu else ()

    def gpus(kind: str) -> Opened:
        if ordinals is None:
            raise MeterError("NVML meters GPUs, and the device is the CPU")
        return _open_gpus(
            kind,
            ordinals,
            nvml=nvml,
            environ=os.environ if environ is None else environ,
            cuda_uuid=cuda_uuid,
            allow_mig=allow_mig,
            sample_period_s=sample_period_s,
            own_pids=ProcessTree(os.environ) if own_pids is None else own_pids,
        )

    openers: dict[str, Callable[[], Opened]] = {
        NVML_COUNTER: partial(gpus, NVML_COUNTER),
        NVML_SAMPLED: partial(gpus, NVML_SAMPLED),
        RAPL: lambda: ([RaplSource(root, flags=cpu_flags)], None),
        ESTIMATED: lambda: ([EstimateSource(estimate_w_per_core, flags=cpu_flags)], None),
    }
    if source != AUTO:
        tries: tuple[str, ...] = (source,)
    else:
        tries = (NVML_COUNTER, NVML_SAMPLED) if on_gpu else (RAPL, ESTIMATED)

    why: dict[str, list[str]] = {}  # by reason, the sources that cannot be used
    for name in tries:
        try:
            sources, on_close = openers[name]()
        except MeterError as error:
            why.setdefault(str(error), []).append(name)
            continue
        return Meter(
            sources,
            why=tuple(_reasons(why)),
            clock=clock,
            cpu_clock=cpu_clock,
            sleep=sleep,
            ticker=ticker,
            sync=partial(_torch_sync, ordinals) if ordinals is not None and sync is None else sync,
            on_close=on_close,
        )
    hint = "; look at nvidia-smi" if on_gpu else ""
    raise MeterError(f"no energy source for {', '.join(names)}: {'; '.join(_reasons(why))}{hint}")


def _reasons(why: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{' and '.join(names)}: {reason}" for reason, names in why.items()]


def _open_gpus(
    kind: str,
    ordinals: Sequence[int | None],
    *,
    nvml: Any,
    environ: Mapping[str, str],
    cuda_uuid: CudaUuid,
    allow_mig: bool,
    sample_period_s: float,
    own_pids: Container[int],
) -> Opened:
    library = Nvml(nvml)
    try:
        resolved = [_current_ordinal() if ordinal is None else ordinal for ordinal in ordinals]
        sources: list[Source] = [
            GpuSource(
                library,
                handle,
                source=kind,
                allow_mig=allow_mig,
                sample_period_s=sample_period_s,
                own_pids=own_pids,
            )
            for handle in pick_gpus(library, resolved, environ, cuda_uuid)
        ]
    except BaseException:
        library.close()
        raise
    return sources, library.close


def _ordinals(names: Sequence[str]) -> list[int | None] | None:
    """CUDA ordinals of the devices; None in the list means the current device.

    The result is [] for every GPU, and None for the CPU.
    """
    if list(names) == ["cpu"]:
        return None
    if list(names) == [EVERY_GPU]:
        return []
    ordinals: list[int | None] = []
    for name in names:
        kind, _, number = name.partition(":")
        if kind != "cuda" or not (number.isdecimal() or name == "cuda"):
            raise MeterError(
                f"device must be 'cpu', 'gpus', 'cuda' or 'cuda:N' (one or more), not {name!r}"
            )
        ordinals.append(int(number) if number else None)
    if not ordinals:
        raise MeterError("device must name at least one device")
    return ordinals


def _current_ordinal() -> int:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.current_device())
    return 0


def _torch_sync(ordinals: Sequence[int | None]) -> None:
    """Wait for the work that torch has queued on the GPUs; does nothing without torch."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        for ordinal in ordinals or range(torch.cuda.device_count()):
            torch.cuda.synchronize(ordinal)
