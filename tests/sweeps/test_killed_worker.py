"""Real workers, killed at the worst moment: nothing is lost, nothing is made twice.

The workers are watched (see conftest): they note each saved epoch and each record, so a test can
wait for a moment instead of guessing when it comes.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sweeps import launch as module
from sweeps.executors import local as worker
from sweeps.launch import launch
from sweeps.plan import WORK

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_S", 0.05)


def test_a_killed_worker_is_replaced_and_its_run_continued(
    folder: Path,
    watch: Any,
    all_steps: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "ENTRY", watch.entry)
    watch.hold()
    killed: list[int] = []

    def kill_once(*_: int) -> None:
        if watch.lines() and not killed:
            killed.append(watch.lines()[0][0])
            os.kill(killed[0], signal.SIGKILL)
            watch.release()

    assert launch(folder, workers=1, progress=kill_once) == 4
    assert watch.seen() == all_steps
    assert len({pid for pid, _, _ in watch.lines()}) == 2


def test_an_interrupted_launch_stops_its_workers_and_is_continued(
    folder: Path,
    watch: Any,
    all_steps: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "ENTRY", watch.entry)
    watch.hold()

    def interrupt(*_: int) -> None:
        if watch.lines():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch(folder, workers=1, progress=interrupt)
    assert not watch.is_alive(watch.lines()[0][0])
    assert [lock.read_text() for lock in (folder / WORK).glob("*/lock")] == [""]
    watch.release()
    watch.here(monkeypatch)
    assert launch(folder, workers=0) == 4
    assert watch.seen() == all_steps
