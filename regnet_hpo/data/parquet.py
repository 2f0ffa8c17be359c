"""Pictures in Parquet, as Hugging Face lays them out: a struct with `bytes`, and a label."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eahas.errors import DataError, MissingExtraError
from regnet_hpo.data.encoded import Encoded
from regnet_hpo.data.images import Facts, Pool, Pools, check_labels, check_pools

IMAGES, LABELS = ("img", "image"), ("label", "fine_label")
FOLDERS = (".", "data", "plain_text")  # where Hugging Face's repositories keep the files
TEST = ("test", "valid", "validation", "val")  # the first that is there: not all are labelled


def parquet_files(folder: Path, side: str) -> list[Path]:
    """The shards of a split in a folder, in order: `train.parquet`, `train-00000-of-00002.parquet`.

    Raises DataError where a shard is missing.
    """
    for place in FOLDERS:
        files = sorted((folder / place).glob(f"{side}*.parquet"))
        files = [path for path in files if re.fullmatch(rf"{side}(-.*)?", path.stem)]
        if files:
            shards = re.search(r"-of-(\d+)", files[0].stem)
            if shards is not None and int(shards[1]) != len(files):
                advice = "remove" if len(files) > int(shards[1]) else "fetch"
                raise DataError(
                    f"{files[0].parent} holds {len(files)} shards of {side} and there are "
                    f"{int(shards[1])}; {advice} the others"
                )
            return files
    return []


def is_there(folder: Path) -> bool:
    """Whether a folder holds training pictures in this layout."""
    return bool(parquet_files(folder, "train"))


def read_parquet(folder: Path, name: str, facts: Facts) -> Pools:
    """Both pools. Raises DataError for files that are damaged, half there or another data set."""
    train, first = _read(parquet_files(folder, "train"), name, facts)
    test_files = next((found for side in TEST if (found := parquet_files(folder, side))), [])
    if not test_files:
        raise DataError(
            f"{folder} has training pictures but none to test on; a file test*.parquet is missing"
        )
    test, _ = _read(test_files, name, facts)
    pools = check_pools(Pools(train, test, str(folder), name), name, facts)
    return replace(pools, source=_source(name, facts, *first.first()))


def _source(name: str, facts: Facts, side: int, kind: str) -> str:
    """The name, and how the pictures differ from the official ones."""
    official = side == facts.sides[0] and (kind == "PNG" or facts.lossy)
    size = "" if side == facts.sides[0] else str(side)
    return name if official else f"{name}{size}-{kind.lower()}"


def _read(files: Sequence[Path], name: str, facts: Facts) -> tuple[Pool, Encoded]:
    """The pool in these files, and its pictures as they lie there."""
    content: list[bytes] = []
    labels: list[np.ndarray] = []
    names: list[str] = []
    for path in files:
        pictures, given = _columns(path)
        check_labels(given, name, facts, str(path))
        content += pictures
        labels.append(given)
        names += [f"{path.name}, row {row}" for row in range(len(given))]
    encoded = Encoded(content.__getitem__, names.__getitem__, str(files[0].parent))
    return Pool(np.concatenate(labels), encoded.take), encoded


def _columns(path: Path) -> tuple[list[bytes], np.ndarray]:
    """The encoded pictures and the labels of a file."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("reading Parquet", "pyarrow", "train") from None

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(
            f"{path} is no whole Parquet file ({_line(error)}); fetch it again"
        ) from None
    with file:
        image, label = (_column(path, file.schema_arrow, among) for among in (IMAGES, LABELS))
        content: list[bytes] = []
        labels: list[int] = []
        for group in range(file.num_row_groups):
            try:
                table = file.read_row_group(group, columns=[image, label])
                pictures = table.column(image).to_pylist()
                given = table.column(label).to_pylist()
            except (OSError, pa.ArrowException) as error:
                raise DataError(
                    f"{path}: row group {group} of {file.num_row_groups} is damaged "
                    f"({_line(error)}); fetch the file again"
                ) from None
            for picture, value in zip(pictures, given, strict=True):
                if picture is None or picture["bytes"] is None or value is None:
                    missing = "label" if value is None else "picture"
                    raise DataError(
                        f"{path}: row {len(labels)} has no {missing}; fetch the file again"
                    )
                content.append(picture["bytes"])
                labels.append(value)
    return content, np.array(labels, dtype=np.int64)


def _column(path: Path, schema: Any, among: Sequence[str]) -> str:
    """The first of these columns that a file has, of the type that it must have."""
    import pyarrow as pa

    for name in among:
        position = schema.get_field_index(name)
        if position < 0:
            continue
        kind = schema.field(position).type
        if among is LABELS and pa.types.is_integer(kind):
            return name
        if among is IMAGES and pa.types.is_struct(kind) and _holds_bytes(kind):
            return name
    wanted = "whole numbers" if among is LABELS else "a struct with bytes"
    raise DataError(
        f"{path} has no column {' or '.join(among)} of {wanted}; "
        f"its columns are {', '.join(f'{f.name} ({f.type})' for f in schema)}"
    )


def _holds_bytes(struct: Any) -> bool:
    import pyarrow as pa

    at = struct.get_field_index("bytes")
    return at >= 0 and (
        pa.types.is_binary(struct.field(at).type) or pa.types.is_large_binary(struct.field(at).type)
    )


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
