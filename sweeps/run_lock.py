"""Run locks: a lock file per run, which the operating system releases when its holder dies.

The lock is held on `work/<run>/lock`, next to the resume file of the run. The lock file also counts
the starts of the run, one byte per start. A start that ends in an orderly way removes its byte; a
process that dies cannot. The bytes in the file at the time of locking are therefore the deaths
since the run last made progress.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

RESUME_FILE = "resume.pt"


class RunLock:
    """The lock of one run, held by this process.

    Attributes:
        deaths: how many workers died with this run since it last finished an epoch.
        resume_file: the file with the saved state of the run.
    """

    def __init__(self, folder: Path, lock: BinaryIO) -> None:
        self._folder, self._lock = folder, lock
        self.resume_file = folder / RESUME_FILE
        self.deaths = len(lock.read())
        lock.write(b"x")

    def reset_deaths(self) -> None:
        """Forget earlier deaths, because the run has made progress."""
        if self.deaths:
            self.deaths = 0
            self._lock.truncate(1)

    def end_start(self) -> None:
        """Remove the byte of this start, which ends in an orderly way."""
        self._lock.truncate(self.deaths)

    def clear(self) -> None:
        """Remove the working files of the run. Its record must be in done/ already."""
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def lock_run(folder: Path) -> Iterator[RunLock | None]:
    """The lock of the run with this working folder; None if another process holds it.

    The lock file is removed only after the record of the run is in place. A process that gets the
    lock must therefore look for the record. The lock of a removed file does no harm.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = open(folder / "lock", "ab+", buffering=0)  # noqa: SIM115
    except FileNotFoundError:  # the holder finished and removed the folder in between
        yield None
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        lock.seek(0)
        run_lock = RunLock(folder, lock)
        try:
            yield run_lock
        except BaseException:
            run_lock.end_start()
            raise
