"""Folders on disk: a manifest and the files it vouches for. The format: docs/checkpoint-format.md.

A folder is read by its `manifest.json` alone. Each other file is named there with its size and
SHA-256 and refused if it differs. Arrays are safetensors; nothing is ever unpickled, and loading
runs no code from the folder.
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
    """A file's bytes, after its size and SHA-256 were held against the manifest."""
    path = folder / name
    vouched = manifest["files"].get(name)
    if not isinstance(vouched, Mapping):
        raise CheckpointError(f"{folder / MANIFEST} does not vouch for {name}")
    if not os.path.exists(path):
        raise CheckpointError(f"{path} is missing, though the manifest names it")
    if not os.path.isfile(path):
        raise CheckpointError(f"{path} is not a file")
    try:
        size = path.stat().st_size
        if size != vouched.get("bytes"):
            raise _altered(
                path, f"has {size} bytes, the manifest says {vouched.get('bytes')}: truncated or "
            )
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    if hashlib.sha256(content).hexdigest() != vouched.get("sha256"):
        raise _altered(path, "does not have the SHA-256 of the manifest: ")
    return content


def _altered(path: Path, how: str) -> CheckpointError:
    with path.open("rb") as file:
        pickled = _as_pickle(file.read(16))
    return CheckpointError(f"{path} {pickled or how + 'altered'}")


def _as_pickle(start: bytes) -> str:
    """What to say of a file that starts as a pickle or as torch's archive of one, else nothing.

    A safetensors file may start with the same two bytes, but then comes JSON.
    """
    pickle = start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if (pickle and start[8:9] != b"{") or start[:4] == b"PK\x03\x04":
        return "is a pickle or an archive of one; it is never loaded"
    return ""


def read_tensors(folder: Path, name: str, manifest: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a vouched safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_file(folder, name, manifest)
    try:
        return load(content)
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        why = _as_pickle(content[:16]) or f"is not safetensors: {error}"
        raise CheckpointError(f"{folder / name} {why}") from None


def tensor_bytes(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Arrays as the content of a safetensors file."""
    from safetensors.numpy import save

    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()})


def manifest_bytes(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """A manifest with `format_version` and `files` (size and SHA-256 of each) added, as JSON."""
    vouched = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    whole = {**manifest, "format_version": FORMAT_VERSION, "files": vouched}
    return (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode()


def with_manifest(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, bytes]:
    """A whole folder's content: the files and the manifest that vouches for them."""
    return {**files, MANIFEST: manifest_bytes(manifest, files)}


def save_folder(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write a whole folder aside and move it into place; an old checkpoint there is replaced.

    Whatever fails on the way, the old one stays. Raises CheckpointError where something would be
    lost; see `replaceable`.
    """
    folder = replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        os.chmod(aside, 0o755)
        for name, content in with_manifest(manifest, files).items():
            write_bytes(aside / name, content)
        _move_into_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def replaceable(folder: str | os.PathLike[str]) -> Path:
    """The folder, if a checkpoint may be written there.

    Saving replaces a folder as a whole. So it must be new, empty, or hold an earlier checkpoint and
    nothing beside it; CheckpointError otherwise.
    """
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise CheckpointError(f"{path} is a file; name a folder")
    if path.resolve() == Path.cwd():  # which would be moved away under our feet
        raise CheckpointError(f"{path} is the working folder; name another, or a folder in it")
    found = {f.relative_to(path).as_posix() for f in path.rglob("*") if not f.is_dir()}
    strangers = sorted(found - _vouched(path / MANIFEST))
    if strangers:
        raise CheckpointError(
            f"{path} holds {strangers[0]}, which is no part of a checkpoint and would be lost; "
            "name a new or an empty folder"
        )
    return path


def _vouched(manifest: Path) -> set[str]:
    """The files of an earlier checkpoint; none where there is no such thing."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(content, dict) or content.get("format") not in tuple(READERS):
        return set()
    files = content.get("files")
    return {MANIFEST, *files} if isinstance(files, dict) else {MANIFEST}


def _move_into_place(aside: Path, folder: Path) -> None:
    """A non-empty folder cannot be replaced in one step: the old one steps aside first.

    It comes back if the new one cannot take its place; should the process die between the two
    steps, it is left beside, in a folder named `.NAME.old.*`.
    """
    if not folder.exists():
        os.replace(aside, folder)
        return
    shelter = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    old = shelter / folder.name
    try:
        os.replace(folder, old)
        try:
            os.replace(aside, folder)
        except BaseException:
            os.replace(old, folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        if not old.exists():
            shelter.rmdir()
