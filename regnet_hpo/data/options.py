"""The data section of a spec: the data set, the size of each split, and the size of the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from eahas.checks import is_whole
from eahas.errors import DataError, shown, unknown
from regnet_hpo.data.images import DataSetFacts

MIN_IMAGES = 10  # per split

SETS: Mapping[str, DataSetFacts] = {
    "digits": DataSetFacts(10, (8,), lossy=False),
    "cifar10": DataSetFacts(10, (32,), lossy=False),
    "tinyimagenet": DataSetFacts(200, (64, 32), lossy=True),
}


@dataclass(frozen=True)
class DataOptions:
    """A data set and the number of images per split; `image_size` 0 keeps the size in the files."""

    name: str
    train: int
    valid: int
    test: int
    split_seed: int = 0
    image_size: int = 0

    @property
    def facts(self) -> DataSetFacts:
        """The known facts about the data set."""
        return SETS[self.name]


def data_options(data: Mapping[str, Any] | None) -> DataOptions:
    """The checked data section `{name, train, valid, test, split_seed, image_size}` of a spec.

    Raises DataError for an unknown data set or field, and for a number that is not allowed.
    """
    check_known(data)
    assert data is not None
    known = [field.name for field in fields(DataOptions)]
    for key in data:
        if key not in known:
            raise DataError("data: " + unknown("field", key, known))
    for key in ("train", "valid", "test"):
        value = data.get(key)
        if value is None or not is_whole(value) or value < MIN_IMAGES:
            raise DataError(f"data: {key} is a whole number from {MIN_IMAGES}, got {shown(value)}")
    seed, side = data.get("split_seed", 0), data.get("image_size", 0)
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise DataError(f"data: split_seed is a whole number in 0..2^32-1, got {shown(seed)}")
    if not is_whole(side) or side < 0:
        raise DataError(f"data: image_size is a whole number of pixels, got {shown(side)}")
    return DataOptions(**data)


def check_known(data: Mapping[str, Any] | None) -> None:
    """Raise DataError unless a data section names a known data set."""
    if not isinstance(data, Mapping) or "name" not in data:
        raise DataError(f"data: a mapping with a name, got {shown(data)}")
    if data["name"] not in SETS:
        raise DataError("data: " + unknown("data set", data["name"], tuple(SETS)))
