"""Many may train on a device at once; one may measure alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from regnet_hpo.device_lock import DeviceLock

SOON_S, LONG_S = 0.2, 20.0


@pytest.fixture
def device(tmp_path: Path) -> DeviceLock:
    return DeviceLock("GPU-1", tmp_path)


class Visitor(threading.Thread):
    """Enters, says so, and stays until it is told to leave."""

    def __init__(self, device: DeviceLock, exclusive: bool) -> None:
        super().__init__(daemon=True)
        self._way = device.exclusive if exclusive else device.shared
        self.inside, self._leave = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._way():
            self.inside.set()
            self._leave.wait(LONG_S)

    def leave(self) -> None:
        self._leave.set()
        self.join(LONG_S)


def test_many_are_together(device: DeviceLock) -> None:
    visitors = [Visitor(device, exclusive=False) for _ in range(3)]
    assert all(visitor.inside.wait(LONG_S) for visitor in visitors)
    for visitor in visitors:
        visitor.leave()


def test_alone_waits_for_all_and_keeps_newcomers_out(device: DeviceLock) -> None:
    first = Visitor(device, exclusive=False)
    assert first.inside.wait(LONG_S)
    exclusive = Visitor(device, exclusive=True)
    assert not exclusive.inside.wait(SOON_S)
    newcomer = Visitor(device, exclusive=False)
    assert not newcomer.inside.wait(SOON_S)  # else the one that waits would starve
    first.leave()
    assert exclusive.inside.wait(LONG_S)
    assert not newcomer.inside.is_set()
    exclusive.leave()
    assert newcomer.inside.wait(LONG_S)
    newcomer.leave()


def test_two_are_not_alone_at_once(device: DeviceLock) -> None:
    one = Visitor(device, exclusive=True)
    assert one.inside.wait(LONG_S)
    other = Visitor(device, exclusive=True)
    assert not other.inside.wait(SOON_S)
    one.leave()
    assert other.inside.wait(LONG_S)
    other.leave()


def test_another_device_is_another_room(tmp_path: Path) -> None:
    with DeviceLock("GPU-1", tmp_path).exclusive(), DeviceLock("GPU-2", tmp_path).exclusive():
        pass


def test_a_failure_inside_lets_go(device: DeviceLock) -> None:
    for way in (device.shared, device.exclusive):
        with pytest.raises(ZeroDivisionError), way():
            raise ZeroDivisionError
    with device.exclusive():
        pass
