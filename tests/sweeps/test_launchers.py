"""Launchers killed, and two at once: nothing is lost, nothing is made twice.

The workers are watched (see conftest): they note each saved epoch and each record, so a test can
wait for a moment instead of guessing when it comes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweeps.launch import launch
from sweeps.plan import WORK

pytestmark = pytest.mark.integration

ROOT = str(Path(__file__).parents[2])
LAUNCHER = """
import sys
from sweeps.executors import local as worker
from sweeps.launch import launch
worker.ENTRY = sys.argv[2]
print(launch(sys.argv[1], workers=1))
"""


def launcher(folder: Path, entry: str) -> subprocess.Popen[str]:
    """A launcher in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, folder, entry],
        env={**os.environ, "PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for(happened: Callable[[], Any]) -> Any:
    for _ in range(6000):
        found = happened()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen within two minutes")


def test_the_workers_of_a_killed_launcher_go_and_a_launch_continues(
    folder: Path,
    watch: Any,
    all_steps: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch.hold()
    with launcher(folder, watch.entry) as process:
        orphan, _, _ = wait_for(watch.lines)[0]
        process.send_signal(signal.SIGKILL)
    watch.release()
    wait_for(lambda: not watch.is_alive(orphan))
    assert len(watch.lines()) == 1  # it went at the end of its epoch
    assert [lock.read_text() for lock in (folder / WORK).glob("*/lock")] == [""]
    watch.here(monkeypatch)
    assert launch(folder, workers=0) == 4
    assert watch.seen() == all_steps


def test_two_launchers_share_a_sweep(
    folder: Path, watch: Any, all_steps: list[tuple[str, str]]
) -> None:
    watch.hold()
    with launcher(folder, watch.entry) as one, launcher(folder, watch.entry) as other:
        wait_for(lambda: len({pid for pid, _, _ in watch.lines()}) == 2)
        watch.release()
        said = [process.communicate()[0].strip() for process in (one, other)]
    assert "4" in said  # the last to end saw them all
    assert watch.seen() == all_steps
