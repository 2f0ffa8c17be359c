"""Lets the tests of this folder import the fakes beside them, and makes the usual ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from eahas.energy import Meter, open_meter

sys.path.insert(0, str(Path(__file__).parent))

from fake_nvml import FakeGpu, FakeNvml, VirtualClock
from traces import FOLDER, read_trace

OUR_PID = 100


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def gpu() -> FakeGpu:
    """A GPU that replays the trace with 100 ms ticks, and our process on it."""
    return FakeGpu(read_trace(FOLDER / "slow.csv"), processes=[(OUR_PID, 0.0, 1e9)])


@pytest.fixture
def nvml(clock: VirtualClock, gpu: FakeGpu) -> FakeNvml:
    return FakeNvml(clock, [gpu])


@pytest.fixture
def open_on(clock: VirtualClock) -> Callable[..., Meter]:
    """`open_meter` on the virtual clock."""
    return partial(
        open_meter,
        clock=clock,
        cpu_clock=clock.cpu,
        sleep=clock.sleep,
        ticker=clock.ticker,
        environ={"CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        own_pids={OUR_PID},
    )
