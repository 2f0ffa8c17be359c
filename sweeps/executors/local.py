"""A worker: a process of its own that makes runs, and the launcher's hold on it.

It is a fresh interpreter that imports this module and nothing of the launching script, so a sweep
can be launched from anywhere: a script without a main guard, a notebook, a test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eahas.energy.process_tree import LAUNCHER_ENV
from sweeps.run_loop import RunLimits, make_runs, require_different_failures

ENTRY = "from sweeps.executors.local import main; main()"
EXIT_CANNOT_WRITE = 74  # EX_IOERR
EXIT_AGAIN = 75  # EX_TEMPFAIL: nothing is wrong, start another in its place
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Slot:
    """Where a worker works: a device, and the cores it is pinned to (none: not pinned)."""

    device: str
    cores: tuple[int, ...] = ()


class Worker:
    """The launcher's hold on a worker."""

    def __init__(self, folder: Path, seat: Slot, terms: RunLimits) -> None:
        self.seat, self.last_words = seat, ""
        order = {
            "folder": str(folder.resolve()),
            "device": seat.device,
            "cores": seat.cores,
            "terms": asdict(terms),
            "launcher": os.getpid(),
        }
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, json.dumps(order)],
            env={**os.environ, "PYTHONPATH": path, LAUNCHER_ENV: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches the launcher alone, which stops its workers
        )

    def exit_code(self) -> int | None:
        """None while it works; negative for the signal that killed it."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to end; `join` waits for that."""
        self._process.terminate()

    def join(self) -> None:
        """Wait for its end; then `last_words` is what it said was wrong."""
        try:
            said, _ = self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:  # it hangs in a driver
            self._process.kill()
            said, _ = self._process.communicate()
        self.last_words = said.decode(errors="replace")


def main() -> None:
    """What runs in the worker's process, on the order in its first argument."""
    order = json.loads(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_AGAIN))
    voice = os.dup(1)
    os.dup2(2, 1)  # what a library prints is not our last word
    try:
        _work(**order)
    except Exception as error:  # noqa: BLE001  said to the launcher, which raises it
        if not isinstance(error, (OSError, ValueError)):
            traceback.print_exc()
        os.write(voice, str(error or type(error).__name__).encode())
        sys.exit(EXIT_CANNOT_WRITE if isinstance(error, OSError) else 1)


def _work(folder: str, device: str, cores: list[int], terms: dict[str, Any], launcher: int) -> None:
    def require_launcher() -> None:
        """A launcher that was killed cannot stop its workers: they go when they notice."""
        if os.getppid() != launcher:
            sys.exit(EXIT_AGAIN)

    if cores:
        os.sched_setaffinity(0, cores)
    require_launcher()
    for record in make_runs(Path(folder), device, RunLimits(**terms), on_epoch=require_launcher):
        require_launcher()
        if record["status"] == "failed" and device != "cpu":
            require_different_failures(Path(folder))
            sys.exit(EXIT_AGAIN)  # an error of a GPU may stay with the process
