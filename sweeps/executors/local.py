"""The local executor: worker processes on this machine, each of which trains runs.

A worker is a fresh interpreter that imports this module and nothing from the launching script. A
sweep can therefore be launched from anywhere: a script without a main guard, a notebook, a test.
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
EXIT_RESTART = 75  # EX_TEMPFAIL: no error, start another worker in its place
JOIN_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Slot:
    """The device of a worker, and the cores to which it is pinned (empty: not pinned)."""

    device: str
    cores: tuple[int, ...] = ()


class Worker:
    """A worker process, as its launcher sees it.

    Attributes:
        slot: the device and the cores of the worker.
        error_text: the error message of the worker, after `join`; empty if it had none.
    """

    def __init__(self, folder: Path, slot: Slot, limits: RunLimits) -> None:
        self.slot, self.error_text = slot, ""
        arguments = {
            "folder": str(folder.resolve()),
            "device": slot.device,
            "cores": slot.cores,
            "limits": asdict(limits),
            "launcher": os.getpid(),
        }
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, json.dumps(arguments)],
            env={**os.environ, "PYTHONPATH": path, LAUNCHER_ENV: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C reaches only the launcher, which stops its workers
        )

    def exit_code(self) -> int | None:
        """The exit code; None while the process runs, negative for the signal that killed it."""
        return self._process.poll()

    def stop(self) -> None:
        """Send the signal to terminate; `join` waits for the end."""
        self._process.terminate()

    def join(self) -> None:
        """Wait for the end of the process, then set `error_text`."""
        try:
            output, _ = self._process.communicate(timeout=JOIN_TIMEOUT_S)
        except subprocess.TimeoutExpired:  # the process hangs in a driver
            self._process.kill()
            output, _ = self._process.communicate()
        self.error_text = output.decode(errors="replace")


def main() -> None:
    """The entry point of a worker process. Its first argument is a JSON object for `_work`."""
    arguments = json.loads(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_RESTART))
    error_pipe = os.dup(1)
    os.dup2(2, 1)  # the output of libraries must not be mixed with the error text
    try:
        _work(**arguments)
    except Exception as error:  # noqa: BLE001  sent to the launcher, which raises it
        if not isinstance(error, (OSError, ValueError)):
            traceback.print_exc()
        os.write(error_pipe, str(error or type(error).__name__).encode())
        sys.exit(EXIT_CANNOT_WRITE if isinstance(error, OSError) else 1)


def _work(
    folder: str, device: str, cores: list[int], limits: dict[str, Any], launcher: int
) -> None:
    def require_launcher() -> None:
        """End this worker if its launcher was killed, because nobody else will stop it."""
        if os.getppid() != launcher:
            sys.exit(EXIT_RESTART)

    if cores:
        os.sched_setaffinity(0, cores)
    require_launcher()
    for record in make_runs(Path(folder), device, RunLimits(**limits), on_epoch=require_launcher):
        require_launcher()
        if record["status"] == "failed" and device != "cpu":
            require_different_failures(Path(folder))
            sys.exit(EXIT_RESTART)  # an error of the GPU may persist in this process
