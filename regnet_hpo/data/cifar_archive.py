"""CIFAR-10 as its authors publish it: `cifar-10-python.tar.gz`, packed or unpacked.

Its files are pickles of Python 2. They are read by an unpickler that can make a dictionary of
arrays and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import pickle  # noqa: TID251  the authors' own format, and no class but arrays is let through
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from eahas.errors import DataError
from regnet_hpo.data.images import Facts, Pool, Pools, check_pools

ARCHIVE, FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)


def is_there(folder: Path) -> bool:
    """Whether a folder is the unpacked archive, or holds it, packed or not."""
    return (folder / ARCHIVE).is_file() or _unpacked(folder) is not None


def _unpacked(folder: Path) -> Path | None:
    places = (folder, folder / FOLDER)
    return next((place for place in places if any(place.glob("data_batch_?"))), None)


def read_archive(folder: Path, name: str, facts: Facts, *, sha256: str = SHA256) -> Pools:
    """Both pools. Raises DataError for an archive that is not the official one, or half there."""
    place = _unpacked(folder)
    if place is not None:
        where, files = str(place), _from_folder(place)
    else:
        where, files = str(folder / ARCHIVE), _from_tar(folder / ARCHIVE, sha256)
    train, test = (
        _pool([_batch(files[part], f"{where}: {part}") for part in parts])
        for parts in (TRAIN, TEST)
    )
    return check_pools(Pools(train, test, where, name), name, facts)


def _from_folder(place: Path) -> dict[str, bytes]:
    missing = [part for part in (*TRAIN, *TEST) if not (place / part).is_file()]
    if missing:
        raise DataError(f"{place} is not whole: {', '.join(missing)} missing; unpack it again")
    return {part: (place / part).read_bytes() for part in (*TRAIN, *TEST)}


def _from_tar(path: Path, sha256: str) -> dict[str, bytes]:
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} ({len(content):,} bytes, SHA-256 {found[:12]}...) is not the official archive "
            f"({sha256[:12]}...); it may be half-downloaded: fetch it again"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = {part: tar.extractfile(f"{FOLDER}/{part}") for part in (*TRAIN, *TEST)}
        return {part: file.read() for part, file in members.items() if file is not None}


class _ArraysOnly(pickle.Unpickler):
    """A dictionary with numpy arrays, as Python 2 wrote it; any other class is refused."""

    NUMPYS = ("numpy.core.multiarray", "numpy._core.multiarray")
    ALLOWED = (("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"))

    def find_class(self, module: str, name: str) -> Any:
        if module in self.NUMPYS and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]  # wherever this numpy keeps it
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a data set")
        return super().find_class(module, name)


def _batch(content: bytes, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3), uint8, and labels (n,), int64."""
    try:
        found = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
        rows, labels = np.asarray(found["data"]), np.asarray(found["labels"], dtype=np.int64)
        images = rows.reshape(len(labels), 3, 32, 32)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where} is no batch of CIFAR-10 ({error}); unpack it again") from None
    if images.dtype != np.uint8 or not len(labels):
        raise DataError(f"{where} is no batch of CIFAR-10 ({images.dtype}, {len(labels)} labels)")
    return images.transpose(0, 2, 3, 1), labels


def _pool(batches: list[tuple[np.ndarray, np.ndarray]]) -> Pool:
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return Pool(labels, np.ascontiguousarray(images).__getitem__)
