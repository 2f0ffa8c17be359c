"""Images and labels of a data section, split into train, valid and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.checks import is_whole
from eahas.errors import DataError, MissingExtraError, shown, unknown


@dataclass(frozen=True)
class Split:
    """Images (n, channels, height, width), float32, normalised; labels (n,), int64."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class DataSet:
    name: str
    train: Split
    valid: Split
    test: Split


def load_dataset(data: Mapping[str, Any] | None) -> DataSet:
    """The data set that a spec's data section names.

    `{name: digits, train: 200, valid: 600, test: 600, split_seed: 0}` is scikit-learn's digits,
    split once, stratified by label. Raises DataError for an unknown name or impossible sizes.
    """
    check_known(data)
    assert data is not None
    return _digits(**_checked({key: value for key, value in data.items() if key != "name"}))


def check_known(data: Mapping[str, Any] | None) -> None:
    """Raise DataError unless a data section names a data set that can be loaded."""
    if not isinstance(data, Mapping) or "name" not in data:
        raise DataError(f"data: a mapping with a name, got {shown(data)}")
    name = data["name"]
    if name in ("cifar10", "tinyimagenet"):
        raise DataError(
            f"data: the {name} loader does not exist yet; its spec stands ready for sampling "
            "configurations, encoding, complexity and fits. Trainable now: digits"
        )
    if name != "digits":
        raise DataError("data: " + unknown("data set", name, ("digits",)))


def _checked(fields: dict[str, Any]) -> dict[str, int]:
    wanted = ("train", "valid", "test", "split_seed")
    for key in fields:
        if key not in wanted:
            raise DataError("data: " + unknown("field", key, wanted))
    for key in wanted[:3]:
        value = fields.get(key)
        if value is None or not is_whole(value) or value < 10:
            raise DataError(f"data: {key} is a whole number from 10, got {shown(value)}")
    seed = fields.get("split_seed", 0)
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise DataError(f"data: split_seed is a whole number in 0..2^32-1, got {shown(seed)}")
    return {"split_seed": 0, **fields}


def _digits(train: int, valid: int, test: int, split_seed: int) -> DataSet:
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise MissingExtraError("the data set digits", "scikit-learn", "train") from None

    images, labels = load_digits(return_X_y=True)
    if train + valid + test > len(labels):
        raise DataError(
            f"data: train + valid + test = {train + valid + test}; digits has {len(labels)} images"
        )
    try:
        kept, _ = _stratified(train_test_split, labels, train + valid + test, split_seed)
        fit, rest = _stratified(train_test_split, labels, train, split_seed, kept)
        check, final = _stratified(train_test_split, labels, valid, split_seed, rest)
    except ValueError as error:  # a rest too small to hold every label
        raise DataError(
            f"data: digits cannot be split into {train}, {valid} and {test}, stratified: {error}"
        ) from None
    mean, std = images[fit].mean(), images[fit].std()
    pixels = ((images - mean) / std).astype(np.float32).reshape(-1, 1, 8, 8)
    target = labels.astype(np.int64)
    return DataSet("digits", *(Split(pixels[i], target[i]) for i in (fit, check, final)))


def _stratified(
    split: Any, labels: np.ndarray, size: int, seed: int, among: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Sorted positions of a stratified part of `size`, and of the rest."""
    positions = np.arange(len(labels)) if among is None else among
    if size == len(positions):
        return positions, positions[:0]
    part, rest = split(positions, train_size=size, random_state=seed, stratify=labels[positions])
    return np.sort(part), np.sort(rest)
