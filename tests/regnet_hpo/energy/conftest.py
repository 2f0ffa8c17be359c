"""Lets the tests of this folder import the fakes beside them, and makes the usual ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


sys.path.insert(0, str(Path(__file__).parent))

from fake_nvml import FakeGpu, FakeNvml, VirtualClock  # noqa: E402
from traces import FOLDER, read_trace  # noqa: E402


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def gpu() -> FakeGpu:
    """A GPU that replays the trace with 100 ms ticks."""
    return FakeGpu(read_trace(FOLDER / "slow.csv"))


@pytest.fixture
def nvml(clock: VirtualClock, gpu: FakeGpu) -> FakeNvml:
    return FakeNvml(clock, [gpu])
