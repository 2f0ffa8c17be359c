"""Many may train on a device at once; one may measure alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from regnet_hpo.device_lock import Sharing

SOON_S, LONG_S = 0.2, 20.0


@pytest.fixture
def device(tmp_path: Path) -> Sharing:
    return Sharing("GPU-1", tmp_path)


class Visitor(threading.Thread):
    """Enters, says so, and stays until it is told to leave."""

    def __init__(self, device: Sharing, alone: bool) -> None:
        super().__init__(daemon=True)
        self._way = device.alone if alone else device.together
        self.inside, self._leave = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self._way():
            self.inside.set()
            self._leave.wait(LONG_S)

    def leave(self) -> None:
        self._leave.set()
        self.join(LONG_S)


def test_many_are_together(device: Sharing) -> None:
    visitors = [Visitor(device, alone=False) for _ in range(3)]
    assert all(visitor.inside.wait(LONG_S) for visitor in visitors)
    for visitor in visitors:
        visitor.leave()


def test_alone_waits_for_all_and_keeps_newcomers_out(device: Sharing) -> None:
    first = Visitor(device, alone=False)
    assert first.inside.wait(LONG_S)
    alone = Visitor(device, alone=True)
    assert not alone.inside.wait(SOON_S)
    newcomer = Visitor(device, alone=False)
    assert not newcomer.inside.wait(SOON_S)  # else the one that waits would starve
    first.leave()
    assert alone.inside.wait(LONG_S)
    assert not newcomer.inside.is_set()
    alone.leave()
    assert newcomer.inside.wait(LONG_S)
    newcomer.leave()


def test_two_are_not_alone_at_once(device: Sharing) -> None:
    one = Visitor(device, alone=True)
    assert one.inside.wait(LONG_S)
    other = Visitor(device, alone=True)
    assert not other.inside.wait(SOON_S)
    one.leave()
    assert other.inside.wait(LONG_S)
    other.leave()


def test_another_device_is_another_room(tmp_path: Path) -> None:
    with Sharing("GPU-1", tmp_path).alone(), Sharing("GPU-2", tmp_path).alone():
        pass


def test_a_failure_inside_lets_go(device: Sharing) -> None:
    for way in (device.together, device.alone):
        with pytest.raises(ZeroDivisionError), way():
            raise ZeroDivisionError
    with device.alone():
        pass
