"""Small data sets in the layouts of the real ones; the colour of an image is its label."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from regnet_hpo.data import DATA_ENV

CIFAR = {"name": "cifar10", "train": 40, "valid": 20, "test": 20}
TINY = {"name": "tinyimagenet", "train": 400, "valid": 200, "test": 200}


def image_of(label: int, number: int, side: int = 32) -> np.ndarray:
    """RGB pixels: smooth, of one colour per label, and no two the same."""
    pixels = np.full((side, side, 3), label % 200, dtype=np.uint8)
    pixels[..., 1] = 255 - label % 200
    pixels[side // 2 :, :, 2] = number % 256
    return pixels


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=90)
    return buffer.getvalue()


def write_parquet(
    path: Path,
    labels: Sequence[Any],
    *,
    kind: str = "PNG",
    side: int = 32,
    image: str = "img",
    label: str = "label",
    images: Sequence[bytes | None] | None = None,
) -> Path:
    """A file in Hugging Face's layout: a struct with the encoded image, and a label."""
    if images is None:
        images = [encoded(image_of(int(y), k, side), kind) for k, y in enumerate(labels)]
    struct = pa.array(
        [None if p is None else {"bytes": p, "path": f"{k}.png"} for k, p in enumerate(images)],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table({image: struct, label: pa.array(labels, pa.int64())}), path, row_group_size=16
    )
    return path


def classes(count: int, each: int) -> list[int]:
    """So many labels of each class, in turn."""
    return list(range(count)) * each


@pytest.fixture(autouse=True)
def no_data_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_ENV, raising=False)


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """A folder with a small CIFAR-10 as Parquet: 60 and 20 images."""
    write_parquet(tmp_path / "cifar10" / "train.parquet", classes(10, 6))
    write_parquet(tmp_path / "cifar10" / "test.parquet", classes(10, 2))
    return tmp_path


def batch_file(path: Path, labels: Sequence[int], **changed: Any) -> None:
    """A file of the official archive, pickled as its authors did."""
    rows = [image_of(y, k).transpose(2, 0, 1).reshape(-1) for k, y in enumerate(labels)]
    content = {"batch_label": "x", "data": np.array(rows), "labels": list(labels)} | changed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The official archive unpacked, with 12 images per batch and 20 test images."""
    folder = tmp_path / "cifar-10-batches-py"
    for number in range(5):
        labels = [(number * 12 + k) % 10 for k in range(12)]
        batch_file(folder / f"data_batch_{number + 1}", labels)
    batch_file(folder / "test_batch", classes(10, 2))
    return tmp_path


@pytest.fixture
def tiny_folder(tmp_path: Path) -> Path:
    """Tiny ImageNet's folder with three training images per class and one test image."""
    root = tmp_path / "tiny-imagenet-200"
    wnids = [f"n{number:08d}" for number in range(200)]
    (root / "val" / "images").mkdir(parents=True)
    (root / "wnids.txt").write_text("\n".join(reversed(wnids)) + "\n", encoding="utf-8")
    lines = []
    for label, wnid in enumerate(wnids):
        images = root / "train" / wnid / "images"
        images.mkdir(parents=True)
        for number in range(3):
            content = encoded(image_of(label, number, 64), "JPEG")
            (images / f"{wnid}_{number}.JPEG").write_bytes(content)
        (root / "val" / "images" / f"val_{label}.JPEG").write_bytes(
            encoded(image_of(label, 9, 64), "JPEG")
        )
        lines.append(f"val_{label}.JPEG\t{wnid}\t0\t0\t63\t63")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def write() -> Callable[..., Path]:
    return write_parquet
