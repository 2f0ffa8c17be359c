"""A spec's data section, checked: which set, how many images of each kind, and their size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from eahas.checks import is_whole
from eahas.errors import DataError, shown, unknown
from regnet_hpo.data.images import Facts

MIN_IMAGES = 10  # images of a split

SETS: Mapping[str, Facts] = {
    "digits": Facts(10, (8,), lossy=False),
    "cifar10": Facts(10, (32,), lossy=False),
    "tinyimagenet": Facts(200, (64, 32), lossy=True),
}


@dataclass(frozen=True)
class Request:
    """So many images of a data set for each split; `image_size` 0 keeps the size of the files."""

    name: str
    train: int
    valid: int
    test: int
    split_seed: int = 0
    image_size: int = 0

    @property
    def facts(self) -> Facts:
        """What the name promises."""
        return SETS[self.name]


def request(data: Mapping[str, Any] | None) -> Request:
    """The data section `{name, train, valid, test, split_seed, image_size}` of a spec.

    Raises DataError naming an unknown data set or field, or a number that is not allowed.
    """
    check_known(data)
    assert data is not None
    known = [field.name for field in fields(Request)]
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
    return Request(**data)


def check_known(data: Mapping[str, Any] | None) -> None:
    """Raise DataError unless a data section names a data set that can be loaded."""
    if not isinstance(data, Mapping) or "name" not in data:
        raise DataError(f"data: a mapping with a name, got {shown(data)}")
    if data["name"] not in SETS:
        raise DataError("data: " + unknown("data set", data["name"], tuple(SETS)))
