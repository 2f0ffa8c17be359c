"""Write files atomically: after a crash, a file has either its old or its new content."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_bytes(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a temporary file, fsync it, and rename it to `path`. Missing folders are created.

    With `durable=False` there is no fsync: the content survives a crash of the process, but it may
    be lost in a crash of the machine. Raises IsADirectoryError if `path` is a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def write_json(path: Path, content: Any, *, indent: int | None = None) -> None:
    """Write a value as JSON with `write_bytes`; ValueError for NaN and infinities."""
    text = json.dumps(content, indent=indent, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def _sync_folder(folder: Path) -> None:
    """Fsync a folder on POSIX systems, so that a rename in it survives a crash of the machine."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
