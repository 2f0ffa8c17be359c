"""The ids of our own processes: this one, the processes it started, and its launcher's workers.

Workers of one launcher take turns on a device. While one of them meters, the others wait with an
open context, so they do not count as other processes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

LAUNCHER_ENV = "EAHAS_LAUNCHER"
"""Environment variable that gives the workers of a sweep the process id of their launcher."""


class ProcessTree:
    """A container of our own process ids; `in` reads /proc each time, because workers change.

    Args:
        environ: environment variables, for `LAUNCHER_ENV`.
        proc: the procfs folder.
    """

    def __init__(self, environ: Mapping[str, str], proc: Path = Path("/proc")) -> None:
        launcher = environ.get(LAUNCHER_ENV, "")
        self._launcher = int(launcher) if launcher.isdecimal() else None
        self._proc = proc

    def __contains__(self, pid: object) -> bool:
        if self._launcher is not None and self._parent(pid) == self._launcher:
            return True
        ancestor = pid
        while isinstance(ancestor, int) and ancestor > 1:
            if ancestor == os.getpid():
                return True
            ancestor = self._parent(ancestor)
        return False

    def _parent(self, pid: object) -> int | None:
        try:
            stat = (self._proc / str(pid) / "stat").read_text(errors="replace")
        except OSError:  # the process has ended, or its id is from another namespace
            return None
        return int(stat.rpartition(")")[2].split()[1])  # the name before it may contain " " and ")"
