"""Claims on runs: a lock that the operating system drops when its holder dies.

A claim is a lock on `work/<run>/lock`, beside the run's resume file. The lock file also counts
starts: one byte each. A start that ends in any orderly way takes its byte back; a death cannot.
So the bytes found when a claim is taken are the deaths since a worker last got anywhere.
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
    """A held lock on one run.

    Attributes:
        deaths: how often a worker died with this run and had not finished one epoch of it.
        resume_file: where the run's state is kept.
    """

    def __init__(self, folder: Path, lock: BinaryIO) -> None:
        self._folder, self._lock = folder, lock
        self.resume_file = folder / RESUME_FILE
        self.deaths = len(lock.read())
        lock.write(b"x")

    def got_on(self) -> None:
        """Forget earlier deaths: the run is further than it was when they happened."""
        if self.deaths:
            self.deaths = 0
            self._lock.truncate(1)

    def take_back(self) -> None:
        """This start ends in an orderly way."""
        self._lock.truncate(self.deaths)

    def clear(self) -> None:
        """Remove the run's working files; its record stands in done/."""
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def claimed(folder: Path) -> Iterator[RunLock | None]:
    """A claim on the run of a working folder, or None where a living worker holds it.

    A lock file is removed only after the record of its run is in place. So whoever gets a lock must
    look for the record then, and the lock of a file that is already removed does no harm.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = open(folder / "lock", "ab+", buffering=0)  # noqa: SIM115
    except FileNotFoundError:  # its holder finished in between
        yield None
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        lock.seek(0)
        claim = RunLock(folder, lock)
        try:
            yield claim
        except BaseException:
            claim.take_back()
            raise
