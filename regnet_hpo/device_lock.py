"""One device among several runs: many may train on it at once, and one may measure alone.

A measurement of a window of a run says what the run costs only if nothing else is on the device.
The processes agree by locks on two files, which the system drops when a process dies.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class DeviceLock:
    """The device called `name` on this machine; processes of one user share it.

    Whoever wants to be alone first shuts the door, so that no newcomer keeps it waiting, and then
    waits until those inside have left.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        place = Path(tempfile.gettempdir()) if folder is None else folder
        stem = f"eahas-{os.getuid()}-{re.sub(r'[^A-Za-z0-9]+', '-', name)}"
        self._door, self._room = place / f"{stem}.door", place / f"{stem}.room"

    @contextmanager
    def shared(self) -> Iterator[None]:
        """With others who are together too."""
        with _held(self._door, fcntl.LOCK_EX):
            inside = _held(self._room, fcntl.LOCK_SH)
            inside.__enter__()
        try:
            yield
        finally:
            inside.__exit__(None, None, None)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """With nobody else."""
        with _held(self._door, fcntl.LOCK_EX), _held(self._room, fcntl.LOCK_EX):
            yield


@contextmanager
def _held(path: Path, kind: int) -> Iterator[None]:
    with open(path, "ab") as file:
        fcntl.flock(file, kind)
        yield
