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

from eahas.errors import CheckpointError
from eahas.files import write_bytes

MANIFEST = "manifest.json"
FORMAT_VERSION = 1
PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".model")


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """The manifest of a folder. Raises CheckpointError saying what is wrong with which file."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is not a folder")
    if not path.is_file():
        pickles = sorted(f.name for f in folder.rglob("*") if f.suffix in PICKLE_SUFFIXES)
        found = f"; it holds {pickles[0]}, and pickles are never loaded" if pickles else ""
        raise CheckpointError(f"{folder} is no eahas checkpoint: {MANIFEST} is missing{found}")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise CheckpointError(f"{path} is no manifest of eahas: files is missing")
    if manifest.get("format") != kind:
        raise CheckpointError(
            f"{path} describes {manifest.get('format')!r}, wanted {kind!r}"
            + (" (a benchmark: load_benchmark)" if manifest.get("format") == BENCHMARK else "")
        )
    if manifest.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format_version {manifest.get('format_version')!r}; this eahas reads "
            f"{FORMAT_VERSION}"
        )
    return manifest


BENCHMARK = "eahas-benchmark"
ENSEMBLE = "eahas-ensemble"


def read_file(folder: Path, name: str, manifest: Mapping[str, Any]) -> bytes:
    """A file's bytes, after its size and SHA-256 were held against the manifest."""
    path = folder / name
    vouched = manifest["files"].get(name)
    if not isinstance(vouched, Mapping):
        raise CheckpointError(f"{folder / MANIFEST} does not vouch for {name}")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing, though the manifest names it") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None
    if content[:2] in PICKLE_STARTS or content[:4] in PICKLE_STARTS:
        raise CheckpointError(f"{path} is a pickle or an archive of one; it is refused unread")
    if len(content) != vouched.get("bytes"):
        raise CheckpointError(
            f"{path} has {len(content)} bytes, the manifest says {vouched.get('bytes')}: "
            "truncated or altered"
        )
    if hashlib.sha256(content).hexdigest() != vouched.get("sha256"):
        raise CheckpointError(f"{path} does not have the SHA-256 of the manifest: altered")
    return content


def read_tensors(folder: Path, name: str, manifest: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The arrays of a vouched safetensors file."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    content = read_file(folder, name, manifest)
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder / name} is not safetensors: {error}") from None


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
    """Write a whole folder aside and move it into place; an old one there is replaced."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        os.chmod(aside, 0o755)
        for name, content in with_manifest(manifest, files).items():
            write_bytes(aside / name, content)
        _move_into_place(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _move_into_place(aside: Path, folder: Path) -> None:
    """A non-empty folder cannot be replaced in one step: the old one steps aside first."""
    if not folder.exists():
        os.replace(aside, folder)
        return
    old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    os.replace(folder, old / "folder")
    try:
        os.replace(aside, folder)
    except BaseException:
        os.replace(old / "folder", folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
