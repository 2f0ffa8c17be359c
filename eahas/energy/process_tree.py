"""Which processes on a device are ours: this one, what it started, and its launcher's workers.

Workers that take turns on a device are no strangers to each other: each meters alone, while the
others wait with an open context.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

LAUNCHER_ENV = "EAHAS_LAUNCHER"
"""Environment variable with the process id of the launcher of a sweep, for its workers."""


class ProcessTree:
    """A container of process ids, asked anew each time: workers come and go."""

    def __init__(self, environ: Mapping[str, str], proc: Path = Path("/proc")) -> None:
        launcher = environ.get(LAUNCHER_ENV, "")
        self._launcher = int(launcher) if launcher.isdecimal() else None
        self._proc = proc

    def __contains__(self, pid: object) -> bool:
        if self._launcher is not None and self._parent_of(pid) == self._launcher:
            return True
        seen = pid
        while isinstance(seen, int) and seen > 1:
            if seen == os.getpid():
                return True
            seen = self._parent_of(seen)
        return False

    def _parent_of(self, pid: object) -> int | None:
        try:
            stat = (self._proc / str(pid) / "stat").read_text(errors="replace")
        except OSError:  # it has ended, or its id is of another namespace
            return None
        return int(stat.rpartition(")")[2].split()[1])  # a command's name may hold anything else
