"""Runs that train share a device; a run that measures has it exclusively."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from regnet_hpo.device_lock import DeviceLock

SOON_S, LONG_S = 0.2, 20.0


@pytest.fixture
def device(tmp_path: Path) -> DeviceLock:
    return DeviceLock("GPU-1", tmp_path)


class Holder(threading.Thread):
    """Takes the lock, sets `holds`, and keeps it until `release` is called."""

    def __init__(self, device: DeviceLock, exclusive: bool) -> None:
        super().__init__(daemon=True)
        self._lock = device.exclusive if exclusive else device.shared
        self.holds, self._released = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._lock():
            self.holds.set()
            self._released.wait(LONG_S)

    def release(self) -> None:
        self._released.set()
        self.join(LONG_S)


def test_many_hold_the_shared_lock(device: DeviceLock) -> None:
    holders = [Holder(device, exclusive=False) for _ in range(3)]
    assert all(holder.holds.wait(LONG_S) for holder in holders)
    for holder in holders:
        holder.release()


def test_the_exclusive_lock_waits_for_holders_and_stops_newcomers(device: DeviceLock) -> None:
    first = Holder(device, exclusive=False)
    assert first.holds.wait(LONG_S)
    exclusive = Holder(device, exclusive=True)
    assert not exclusive.holds.wait(SOON_S)
    newcomer = Holder(device, exclusive=False)
    assert not newcomer.holds.wait(SOON_S)  # otherwise the exclusive lock might never be taken
    first.release()
    assert exclusive.holds.wait(LONG_S)
    assert not newcomer.holds.is_set()
    exclusive.release()
    assert newcomer.holds.wait(LONG_S)
    newcomer.release()


def test_the_exclusive_lock_has_one_holder(device: DeviceLock) -> None:
    one = Holder(device, exclusive=True)
    assert one.holds.wait(LONG_S)
    other = Holder(device, exclusive=True)
    assert not other.holds.wait(SOON_S)
    one.release()
    assert other.holds.wait(LONG_S)
    other.release()


def test_another_device_has_another_lock(tmp_path: Path) -> None:
    with DeviceLock("GPU-1", tmp_path).exclusive(), DeviceLock("GPU-2", tmp_path).exclusive():
        pass


def test_an_error_releases_the_lock(device: DeviceLock) -> None:
    for lock in (device.shared, device.exclusive):
        with pytest.raises(ZeroDivisionError), lock():
            raise ZeroDivisionError
    with device.exclusive():
        pass
