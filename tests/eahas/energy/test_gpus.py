"""Which GPU a CUDA ordinal is."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from fake_nvml import FakeGpu, FakeNvml
from traces import FOLDER, read_trace

from eahas.energy.gpus import pick_gpus, torch_uuid
from eahas.energy.nvml import Nvml
from eahas.errors import MeterError

UUIDS = ("GPU-aa1", "GPU-ab2", "GPU-cc3")


@pytest.fixture
def library(clock) -> Nvml:
    return Nvml(FakeNvml(clock, [FakeGpu([], uuid=uuid) for uuid in UUIDS]))


def uuids(library, ordinals, environ, cuda_uuid=lambda ordinal: None):
    return [gpu.uuid for gpu in pick_gpus(library, ordinals, environ, cuda_uuid)]


@pytest.mark.parametrize(
    ("visible", "ordinals", "expected"),
    [
        (None, [2, 0], ["GPU-cc3", "GPU-aa1"]),
        ("2,1", [0, 1], ["GPU-cc3", "GPU-ab2"]),
        ("2,-1,1", [0], ["GPU-cc3"]),
        (" GPU-cc , GPU-aa1", [0, 1], ["GPU-cc3", "GPU-aa1"]),
        ("1", [0, 0], ["GPU-ab2"]),
    ],
)
def test_bus_order_and_visible_devices(library, visible, ordinals, expected):
    environ = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if visible is not None:
        environ["CUDA_VISIBLE_DEVICES"] = visible
    assert uuids(library, ordinals, environ) == expected


def test_cuda_itself_is_asked_where_its_order_is_unknown(library):
    assert uuids(library, [0], {}, lambda ordinal: "cc3") == ["GPU-cc3"]


def test_an_order_that_nobody_knows_is_an_error(library):
    with pytest.raises(MeterError, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        uuids(library, [0], {})
    with pytest.raises(MeterError, match="CUDA_DEVICE_ORDER=PCI_BUS_ID"):
        uuids(library, [0], {"CUDA_VISIBLE_DEVICES": "2"})


def test_the_only_gpu_needs_no_order(clock):
    alone = Nvml(FakeNvml(clock, [FakeGpu([], uuid="GPU-x")]))
    assert uuids(alone, [0], {"CUDA_VISIBLE_DEVICES": "5"}) == ["GPU-x"]


@pytest.mark.parametrize(
    ("visible", "ordinal", "message"),
    [
        ("", 0, r"0 GPUs visible"),
        ("-1", 0, r"0 GPUs visible"),
        ("0,1", 2, r"cuda:2: 2 GPUs visible, counted from 0 \(CUDA_VISIBLE_DEVICES is '0,1'\)"),
        (None, 3, r"3 GPUs visible, counted from 0 \(CUDA_VISIBLE_DEVICES is not set\)"),
        ("7", 0, "names GPU 7 of 3"),
        ("first", 0, "'first' is neither an index nor a UUID"),
        ("GPU-a", 0, "2 GPUs have a UUID that starts with GPU-a"),
    ],
)
def test_what_cannot_be_matched(library, visible, ordinal, message):
    environ = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if visible is not None:
        environ["CUDA_VISIBLE_DEVICES"] = visible
    with pytest.raises(MeterError, match=message):
        uuids(library, [ordinal], environ)


def test_two_slices_of_one_gpu_are_one_gpu(library):
    fake = library.binding
    fake.slices = {"MIG-1": fake.gpus[1], "MIG-2": fake.gpus[1]}
    assert uuids(library, [0, 1], {"CUDA_VISIBLE_DEVICES": "MIG-1,MIG-2"}) == ["GPU-ab2"]


class Torch:
    """As much of torch as the meter asks, with two CUDA devices."""

    def __init__(self) -> None:
        self.waited: list[int | None] = []
        self.cuda = SimpleNamespace(
            is_available=lambda: True,
            is_initialized=lambda: True,
            device_count=lambda: 2,
            current_device=lambda: 1,
            get_device_properties=lambda ordinal: SimpleNamespace(uuid=("ab2", "cc3")[ordinal]),
            synchronize=self.waited.append,
        )


def test_torch_says_which_gpu_it_is_where_it_stands_and_waits(open_on, library, monkeypatch, clock):
    torch = Torch()
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert (torch_uuid(0), torch_uuid(1), torch_uuid(2)) == ("ab2", "cc3", None)
    trace = read_trace(FOLDER / "slow.csv")
    for number, gpu in enumerate(library.binding.gpus):
        gpu.rows, gpu.name = trace, f"GPU {number}"
    meter = open_on("cuda", nvml=library.binding, environ={})
    assert meter.device == "GPU 2"
    with meter.window():
        clock.sleep(2.0)
    assert torch.waited == [None, None]


def test_without_torch_nothing_is_asked(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert torch_uuid(0) is None
