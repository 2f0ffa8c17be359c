"""Read and write folders: a manifest and the files whose checksums it lists.

docs/checkpoint-format.md documents the format. `manifest.json` lists every other file of the folder
with its size and SHA-256, and reading a file that differs is an error. Arrays are safetensors. No
file is unpickled, and loading runs no code from the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eahas.benchmark.storage.manifest import BENCHMARK as BENCHMARK
from eahas.benchmark.storage.manifest import ENSEMBLE as ENSEMBLE
from eahas.benchmark.storage.manifest import FORMAT_VERSION as FORMAT_VERSION
from eahas.benchmark.storage.manifest import MANIFEST as MANIFEST
from eahas.benchmark.storage.manifest import READERS
from eahas.errors import CheckpointError
from eahas.files import write_bytes


def read_file(folder: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    """The bytes of a file; CheckpointError if its size or SHA-256 differs from the manifest."""
    path = folder / name
    listed = manifest["files"].get(name)
    if not isinstance(listed, Mapping):
        raise CheckpointError(f"{folder / MANIFEST} does not list {name}")
    if not os.path.exists(path):
        raise CheckpointError(f"{path} is missing, though the manifest lists it")
    if not os.path.isfile(path):
        raise CheckpointError(f"{path} is not a file")
    try:
        size = path.stat().st_size
        if size != listed.get("bytes"):
            raise _altered(
                path, f"has {size} bytes, the manifest says {listed.get('bytes')}: truncated or "
            )
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != listed.get("sha256"):
        raise _altered(path, "does not have the SHA-256 of the manifest: ")
    return content


def _altered(path: Path, how: str) -> CheckpointError:
    with path.open("rb") as file:
        pickled = _as_pickle(file.read(16))
    return CheckpointError(f"{path} {pickled or how + 'altered'}")


def _as_pickle(start: bytes) -> str:
    """The text for a file that starts like a pickle or like an archive of torch, else "".

    A safetensors file may start with the same two bytes as a pickle, but it continues with JSON.
    """
    pickle = start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if (pickle and start[8:9] != b"{") or start[:4] == b"PK\x03\x04":
        return "is a pickle or an archive of one; it is never loaded"
    return ""


def read_tensors(folder: Path, name: str, manifest: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file, checked as `read_file` does; CheckpointError otherwise."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_file(folder, name, manifest)
    try:
        return load(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        why = _as_pickle(content[:16]) or f"is not safetensors: {error}"
        raise CheckpointError(f"{folder / name} {why}") from None


def tensor_bytes(tensors: Mapping[str, np.ndarray]) -> bytes:
    """The content of a safetensors file with these arrays."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()})


def manifest_bytes(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """A manifest as JSON, with `format_version` and `files` (size and SHA-256 of each) added."""
    listed = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    complete = {**manifest, "format_version": FORMAT_VERSION, "files": listed}
    return (json.dumps(complete, indent=1, allow_nan=False) + "\n").encode()


def with_manifest(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The content of a folder: the files and the manifest that lists them."""
    return {**files, MANIFEST: manifest_bytes(manifest, files)}


def save_folder(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write a folder to a temporary folder and rename it to `folder`, replacing an old checkpoint.

    If an error occurs, the old checkpoint remains. Raises CheckpointError if files would be lost;
    see `replaceable`.
    """
    folder = replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        os.chmod(temporary, 0o755)
        for name, content in with_manifest(manifest, files).items():
            write_bytes(temporary / name, content)
        _move_into_place(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replaceable(folder: str | os.PathLike[str]) -> Path:
    """The path of a folder to which a checkpoint may be written.

    Saving replaces the whole folder. So it must not exist, be empty, or contain only the files of
    an earlier checkpoint. Raises CheckpointError otherwise, and for the working folder.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise CheckpointError(f"{path} is a file; name a folder")
    if path.resolve() == Path.cwd():  # it cannot be replaced while the process runs in it
        raise CheckpointError(f"{path} is the working folder; name another, or a folder in it")
    files = {f.relative_to(path).as_posix() for f in path.rglob("*") if not f.is_dir()}
    unlisted = sorted(files - _listed_files(path / MANIFEST))
    if unlisted:
        raise CheckpointError(
            f"{path} contains {unlisted[0]}, which is not part of a checkpoint and would be lost; "
            "name a new or an empty folder"
        )
    return path


def _listed_files(manifest: Path) -> set[str]:
    """The files that an earlier checkpoint lists; empty if there is no valid manifest."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(content, dict) or content.get("format") not in tuple(READERS):
        return set()
    files = content.get("files")
    return {MANIFEST, *files} if isinstance(files, dict) else {MANIFEST}


def _move_into_place(temporary: Path, folder: Path) -> None:
    """Rename a temporary folder to `folder`, and delete the folder that was there.

    A non-empty folder cannot be replaced in one step, so the old folder is renamed first. It is
    renamed back if the second step fails. If the process ends between the two steps, the old folder
    remains in a folder `.NAME.old.*` in the same parent folder.
    """
    if not folder.exists():
        os.replace(temporary, folder)
        return
    backup = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    old = backup / folder.name
    try:
        os.replace(folder, old)
        try:
            os.replace(temporary, folder)
        except BaseException:
            os.replace(old, folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        if not old.exists():
            backup.rmdir()
