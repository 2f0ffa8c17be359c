"""Images in Parquet files in the layout of Hugging Face: a struct with `bytes`, and a label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eahas.errors import DataError, MissingExtraError
from regnet_hpo.data.encoded import EncodedImages
from regnet_hpo.data.images import (
    DataSetFacts,
    ImagePool,
    ImagePools,
    check_labels,
    check_pools,
)

IMAGES, LABELS = ("img", "image"), ("label", "fine_label")
FOLDERS = (".", "data", "plain_text")  # folders of the files in repositories on Hugging Face
TEST = ("test", "valid", "validation", "val")  # the first that exists: not all are labelled


def parquet_files(folder: Path, side: str) -> list[Path]:
    """The files of a split in order: `train.parquet` or `train-00000-of-00002.parquet`, ...

    Raises DataError if a shard is missing.
    """
    for name in FOLDERS:
        files = sorted((folder / name).glob(f"{side}*.parquet"))
        files = [path for path in files if re.fullmatch(rf"{side}(-.*)?", path.stem)]
        if files:
            shards = re.search(r"-of-(\d+)", files[0].stem)
            if shards is not None and int(shards[1]) != len(files):
                advice = "remove" if len(files) > int(shards[1]) else "download"
                raise DataError(
                    f"{files[0].parent} contains {len(files)} shards of {side} instead of "
                    f"{int(shards[1])}; {advice} the others"
                )
            return files
    return []


def exists_in(folder: Path) -> bool:
    """Whether a folder contains training images in this layout."""
    return bool(parquet_files(folder, "train"))


def read_parquet(folder: Path, name: str, facts: DataSetFacts) -> ImagePools:
    """Both pools. Raises DataError for files that are damaged, incomplete or another data set."""
    train, encoded = _read(parquet_files(folder, "train"), name, facts)
    test_files = next((files for side in TEST if (files := parquet_files(folder, side))), [])
    if not test_files:
        raise DataError(
            f"{folder} has training images but no test images; a file test*.parquet is missing"
        )
    test, _ = _read(test_files, name, facts)
    pools = check_pools(ImagePools(train, test, str(folder), name), name, facts)
    return replace(pools, source=_source(name, facts, *encoded.first()))


def _source(name: str, facts: DataSetFacts, side: int, image_format: str) -> str:
    """The name, and how the images differ from the official ones."""
    official = side == facts.sides[0] and (image_format == "PNG" or facts.lossy)
    size = "" if side == facts.sides[0] else str(side)
    return name if official else f"{name}{size}-{image_format.lower()}"


def _read(files: Sequence[Path], name: str, facts: DataSetFacts) -> tuple[ImagePool, EncodedImages]:
    """The pool in these files, and its encoded images."""
    content: list[bytes] = []
    labels: list[np.ndarray] = []
    names: list[str] = []
    for path in files:
        images, labels_of_file = _columns(path)
        check_labels(labels_of_file, name, facts, str(path))
        content += images
        labels.append(labels_of_file)
        names += [f"{path.name}, row {row}" for row in range(len(labels_of_file))]
    encoded = EncodedImages(content.__getitem__, names.__getitem__, str(files[0].parent))
    return ImagePool(np.concatenate(labels), encoded.take), encoded


def _columns(path: Path) -> tuple[list[bytes], np.ndarray]:
    """The encoded images and the labels of a file."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("reading Parquet", "pyarrow", "train") from None

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path} is not a complete Parquet file ({_line(error)}); download it again"
        ) from None
    with file:
        image, label = (_column(path, file.schema_arrow, names) for names in (IMAGES, LABELS))
        content: list[bytes] = []
        labels: list[int] = []
        for group in range(file.num_row_groups):
            try:
                table = file.read_row_group(group, columns=[image, label])
                images_of_group = table.column(image).to_pylist()
                labels_of_group = table.column(label).to_pylist()
            except (OSError, pa.ArrowException) as error:
                raise DataError(
                    f"{path}: row group {group} of {file.num_row_groups} is damaged "
                    f"({_line(error)}); download the file again"
                ) from None
            for encoded, value in zip(images_of_group, labels_of_group, strict=True):
                if encoded is None or encoded["bytes"] is None or value is None:
                    missing = "label" if value is None else "image"
                    raise DataError(
                        f"{path}: row {len(labels)} has no {missing}; download the file again"
                    )
                content.append(encoded["bytes"])
                labels.append(value)
    return content, np.array(labels, dtype=np.int64)


def _column(path: Path, schema: Any, names: Sequence[str]) -> str:
    """The first of these columns that a file has with the right type."""
    import pyarrow as pa

    for name in names:
        position = schema.get_field_index(name)
        if position < 0:
            continue
        kind = schema.field(position).type
        if names is LABELS and pa.types.is_integer(kind):
            return name
        if names is IMAGES and pa.types.is_struct(kind) and _has_bytes(kind):
            return name
    expected = "whole numbers" if names is LABELS else "a struct with bytes"
    raise DataError(
        f"{path} has no column {' or '.join(names)} of {expected}; "
        f"its columns are {', '.join(f'{f.name} ({f.type})' for f in schema)}"
    )


def _has_bytes(struct: Any) -> bool:
    import pyarrow as pa

    index = struct.get_field_index("bytes")
    if index < 0:
        return False
    kind = struct.field(index).type
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
