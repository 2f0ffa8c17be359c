"""A lock on a device: shared by runs that train, exclusive for a run that measures.

The measurement of a window is that of one run only if no other run uses the device. The lock
consists of two locked files, which the operating system releases when a process dies.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


class DeviceLock:
    """The lock of the device called `name` on this machine, for the processes of one user.

    A process that wants the lock exclusively first takes the entry file, so that no further process
    can enter, and then waits until all holders of the shared lock have left.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        folder = Path(tempfile.gettempdir()) if folder is None else folder
        stem = f"eahas-{os.getuid()}-{re.sub(r'[^A-Za-z0-9]+', '-', name)}"
        # The suffixes stay: processes of older versions take the same locks.
        self._entry, self._use = folder / f"{stem}.door", folder / f"{stem}.room"

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lock together with other holders of the shared lock."""
        with ExitStack() as held:
            with _locked(self._entry, fcntl.LOCK_EX):
                held.enter_context(_locked(self._use, fcntl.LOCK_SH))
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lock alone."""
        with _locked(self._entry, fcntl.LOCK_EX), _locked(self._use, fcntl.LOCK_EX):
            yield


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    with open(path, "ab") as file:
        fcntl.flock(file, kind)
        yield
