"""CIFAR-10 as its authors publish it: `cifar-10-python.tar.gz`, packed or unpacked.

Its files are pickles of Python 2. They are read by an unpickler that can create only dictionaries
of arrays.
"""

from __future__ import annotations

import hashlib
import io
import pickle  # noqa: TID251  the published format; the unpickler refuses all classes but arrays
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

from eahas.errors import DataError
from regnet_hpo.data.images import DataSetFacts, ImagePool, ImagePools, check_pools

ARCHIVE, FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)


def exists_in(folder: Path) -> bool:
    """Whether a folder is the unpacked archive, or contains it, packed or unpacked."""
    return (folder / ARCHIVE).is_file() or _unpacked(folder) is not None


def _unpacked(folder: Path) -> Path | None:
    candidates = (folder, folder / FOLDER)
    return next((path for path in candidates if any(path.glob("data_batch_?"))), None)


def read_archive(
    folder: Path, name: str, facts: DataSetFacts, *, sha256: str = SHA256
) -> ImagePools:
    """Both pools. Raises DataError if the archive is not the official one or is incomplete."""
    unpacked = _unpacked(folder)
    if unpacked is not None:
        where, files = str(unpacked), _from_folder(unpacked)
    else:
        where, files = str(folder / ARCHIVE), _from_tar(folder / ARCHIVE, sha256)
    train, test = (
        _pool([_batch(files[file], f"{where}: {file}") for file in names])
        for names in (TRAIN, TEST)
    )
    return check_pools(ImagePools(train, test, where, name), name, facts)


def _from_folder(folder: Path) -> dict[str, bytes]:
    missing = [name for name in (*TRAIN, *TEST) if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder} is incomplete: {', '.join(missing)} missing; unpack it again")
    return {name: (folder / name).read_bytes() for name in (*TRAIN, *TEST)}


def _from_tar(path: Path, sha256: str) -> dict[str, bytes]:
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DataError(
            f"{path} ({len(content):,} bytes, SHA-256 {digest[:12]}...) is not the official "
            f"archive ({sha256[:12]}...); the download may be incomplete: download it again"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        members = {name: tar.extractfile(f"{FOLDER}/{name}") for name in (*TRAIN, *TEST)}
        return {name: file.read() for name, file in members.items() if file is not None}


class _ArraysOnly(pickle.Unpickler):
    """Loads dictionaries of numpy arrays that Python 2 pickled, and refuses any other class."""

    NUMPY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
    ALLOWED = (("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"))

    def find_class(self, module: str, name: str) -> Any:
        if module in self.NUMPY_MODULES and name == "_reconstruct":
            return np.zeros(0).__reduce__()[0]  # its module differs between versions of numpy
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a data set")
        return super().find_class(module, name)


def _batch(content: bytes, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3), uint8, and labels (n,), int64."""
    try:
        batch = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
        rows, labels = np.asarray(batch["data"]), np.asarray(batch["labels"], dtype=np.int64)
        images = rows.reshape(len(labels), 3, 32, 32)
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError) as error:
        raise DataError(f"{where} is not a batch of CIFAR-10 ({error}); unpack it again") from None
    if images.dtype != np.uint8 or not len(labels):
        raise DataError(
            f"{where} is not a batch of CIFAR-10 ({images.dtype}, {len(labels)} labels)"
        )
    return images.transpose(0, 2, 3, 1), labels


def _pool(batches: list[tuple[np.ndarray, np.ndarray]]) -> ImagePool:
    images, labels = (np.concatenate(arrays) for arrays in zip(*batches, strict=True))
    return ImagePool(labels, np.ascontiguousarray(images).__getitem__)
