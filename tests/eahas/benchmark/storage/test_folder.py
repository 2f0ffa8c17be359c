"""Folders on disk: nothing altered is read, nothing is unpickled, saving never loses the old."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas.benchmark.storage.folder import (
    MANIFEST,
    read_file,
    read_tensors,
    replaceable,
    save_folder,
    tensor_bytes,
)
from eahas.errors import CheckpointError

ARRAYS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(0, np.float32)}


class Trap:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.path, "unpickled")


def vouched(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def named(folder: Path, name: str = "x.safetensors") -> dict[str, Any]:
    """The manifest that vouches for a file as it is now."""
    return {"files": {name: vouched((folder / name).read_bytes())}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "saved"
    save_folder(path, {"format": "eahas-ensemble"}, {"x.safetensors": tensor_bytes(ARRAYS)})
    return path


@pytest.fixture
def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / MANIFEST).read_text())


# Reading


def test_a_saved_folder_is_its_manifest_and_its_files(folder: Path, manifest: Any) -> None:
    assert sorted(p.name for p in folder.iterdir()) == [MANIFEST, "x.safetensors"]
    assert manifest["format_version"] == 1
    back = read_tensors(folder, "x.safetensors", manifest)
    assert back.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(back[name], array)
    assert [p.name for p in folder.parent.iterdir()] == ["saved"]


def test_one_altered_byte_is_refused(folder: Path, manifest: Any) -> None:
    content = bytearray((folder / "x.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "x.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x.safetensors does not have the SHA-256"):
        read_tensors(folder, "x.safetensors", manifest)


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"\x00", lambda c: b""])
def test_another_size_is_refused(folder: Path, manifest: Any, change: Any) -> None:
    (folder / "x.safetensors").write_bytes(change((folder / "x.safetensors").read_bytes()))
    with pytest.raises(CheckpointError, match=r"x.safetensors has \d+ bytes, .* truncated or alt"):
        read_tensors(folder, "x.safetensors", manifest)


def test_a_missing_file_is_refused(folder: Path, manifest: Any) -> None:
    (folder / "x.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"x.safetensors is missing"):
        read_file(folder, "x.safetensors", manifest)
    (folder / "x.safetensors").mkdir()
    with pytest.raises(CheckpointError, match=r"x.safetensors is not a file"):
        read_file(folder, "x.safetensors", manifest)


@pytest.mark.parametrize("entry", [None, 5, "abc", []])
def test_a_file_that_is_not_vouched_for_is_refused(folder: Path, entry: Any) -> None:
    for files in ({}, {"x.safetensors": entry}):
        with pytest.raises(CheckpointError, match=r"manifest.json does not list x.safet"):
            read_file(folder, "x.safetensors", {"files": files})


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("signed", [True, False])
def test_a_pickle_is_refused_and_never_run(
    folder: Path, manifest: Any, protocol: int, signed: bool
) -> None:
    trap = folder.parent / "trap"
    (folder / "x.safetensors").write_bytes(pickle.dumps(Trap(trap), protocol=protocol))
    with pytest.raises(CheckpointError, match=r"x.safetensors is a pickle.*never loaded"):
        read_tensors(folder, "x.safetensors", named(folder) if signed else manifest)
    assert not trap.exists()


def test_an_archive_of_torch_is_refused(folder: Path) -> None:
    (folder / "x.safetensors").write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(CheckpointError, match=r"is a pickle or an archive of one"):
        read_tensors(folder, "x.safetensors", named(folder))


@pytest.mark.parametrize("header", [640, 896, 1152, 1408])
def test_weights_that_begin_as_a_pickle_does_are_read(folder: Path, header: int) -> None:
    """The first bytes of safetensors are the length of a header, which may be 0x0280."""
    inside = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(header)
    content = header.to_bytes(8, "little") + inside + np.float32(2.5).tobytes()
    assert content[:1] == b"\x80"
    (folder / "x.safetensors").write_bytes(content)
    assert read_tensors(folder, "x.safetensors", named(folder))["a"] == 2.5
    assert read_file(folder, "x.safetensors", named(folder)) == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(8),
        b"\xff" * 100,
        b"not safetensors at all",
        (2**40).to_bytes(8, "little") + b"{}",
        (61).to_bytes(8, "little")
        + b'{"a":{"dtype":"XYZ","shape":[1],"data_offsets":[0,4]}}'.ljust(61)
        + bytes(4),
        (61).to_bytes(8, "little")
        + b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'.ljust(61)
        + bytes(4),
        (70).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}'[:70],
    ],
)
def test_what_is_no_safetensors_is_refused(folder: Path, content: bytes) -> None:
    (folder / "x.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x.safetensors is not safetensors"):
        read_tensors(folder, "x.safetensors", named(folder))


# Saving


def contents_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def failing_at(monkeypatch: pytest.MonkeyPatch, *calls: int, error: type = OSError) -> None:
    """Have `os.replace` fail on these calls, counted from 1."""
    replace, count = os.replace, iter(range(1, 100))

    def replaced(source: Any, target: Any) -> None:
        if next(count) in calls:
            raise error("the disk is full")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replaced)


def test_an_old_checkpoint_is_replaced_as_a_whole(folder: Path) -> None:
    save_folder(folder, {"format": "eahas-ensemble"}, {"deep/y.txt": b"new"})
    assert set(contents_of(folder)) == {MANIFEST, "deep/y.txt"}
    assert [p.name for p in folder.parent.iterdir()] == ["saved"]


@pytest.mark.parametrize("call", [1, 2, 3, 4])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_crash_in_the_middle_leaves_the_old_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: type
) -> None:
    """Two files are moved into place, then the old folder aside, then the new one in its place."""
    before = contents_of(folder)
    failing_at(monkeypatch, call, error=error)
    with pytest.raises(error):
        save_folder(folder, {"format": "eahas-ensemble"}, {"x.safetensors": b"new"})
    assert contents_of(folder) == before
    assert [p.name for p in folder.parent.iterdir()] == ["saved"]


def test_even_if_it_cannot_come_back_the_old_folder_is_not_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents_of(folder)
    failing_at(monkeypatch, 4, 5)
    with pytest.raises(OSError, match=r"disk is full"):
        save_folder(folder, {"format": "eahas-ensemble"}, {"x.safetensors": b"new"})
    (shelter,) = folder.parent.iterdir()
    assert shelter.name.startswith(".saved.old.")
    assert contents_of(shelter / "saved") == before


def test_a_first_save_that_crashes_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(monkeypatch, 3)
    with pytest.raises(OSError, match=r"disk is full"):
        save_folder(tmp_path / "new", {"format": "eahas-ensemble"}, {"x": b""})
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_ones_own_in_a_checkpoint_is_not_lost(folder: Path) -> None:
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(CheckpointError, match=r"contains notes/mine.txt, which is not part"):
        save_folder(folder, {"format": "eahas-ensemble"}, {})
    assert (folder / "notes" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("files", ["null", "[]", '"x"', '{"a.txt": {}}'])
def test_a_manifest_vouches_only_for_what_it_names(tmp_path: Path, files: str) -> None:
    (tmp_path / "manifest.json").write_text(f'{{"format": "eahas-ensemble", "files": {files}}}')
    assert replaceable(tmp_path) == tmp_path
    (tmp_path / "b.txt").write_text("")
    with pytest.raises(CheckpointError, match=r"contains b.txt"):
        replaceable(tmp_path)


def test_what_is_no_checkpoint_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"thesis contains chapter.tex, which is not part"):
        save_folder(tmp_path / "thesis", {}, {})
    with pytest.raises(CheckpointError, match=r"chapter.tex is a file"):
        save_folder(tmp_path / "thesis" / "chapter.tex", {}, {})
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    save_folder(tmp_path / "empty", {}, {"x": b"1"})
    assert (tmp_path / "empty" / "x").read_bytes() == b"1"


def test_a_manifest_with_nan_is_not_written(folder: Path) -> None:
    before = contents_of(folder)
    with pytest.raises(ValueError, match=r"JSON"):
        save_folder(folder, {"quality": float("nan")}, {})
    assert contents_of(folder) == before
