"""The digits: split once, stratified, normalised by the training images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eahas.errors import DataError
from regnet_hpo.data import DataSet, load_dataset

SIZES = {"name": "digits", "train": 200, "valid": 600, "test": 600}


def images_of(data: DataSet) -> np.ndarray:
    """All images as rows of bytes, in the order train, valid, test."""
    return np.concatenate(
        [s.images.reshape(len(s), -1) for s in (data.train, data.valid, data.test)]
    )


def test_sizes_shapes_and_types() -> None:
    data = load_dataset(SIZES)
    assert [len(s) for s in (data.train, data.valid, data.test)] == [200, 600, 600]
    assert data.train.images.shape == (200, 8, 8, 1)
    assert data.train.images.dtype == np.uint8
    assert data.train.labels.dtype == np.int64
    assert data.source == "digits"


def test_the_splits_share_no_image() -> None:
    """All 1,797 images over the three splits: the same set, wherever they are cut."""
    sizes = ({"train": 200, "valid": 600, "test": 997}, {"train": 1000, "valid": 400, "test": 397})
    one, other = (images_of(load_dataset(SIZES | s)) for s in sizes)
    assert len(one) == len(other) == 1797
    assert len(np.unique(one, axis=0)) == len(np.unique(other, axis=0)) == 1797


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_every_split_is_stratified(split: str) -> None:
    labels = getattr(load_dataset(SIZES), split).labels
    share = np.bincount(labels, minlength=10) / len(labels)
    assert abs(share - 0.1).max() < 0.01


def test_the_training_images_alone_set_the_normalisation() -> None:
    data = load_dataset(SIZES)
    train = data.table[0][data.train.images]
    assert abs(train.mean()) < 1e-5
    assert abs(train.std() - 1) < 1e-5


def test_the_split_seed_decides() -> None:
    same, again, other = (load_dataset(SIZES | {"split_seed": s}) for s in (0, 0, 1))
    np.testing.assert_array_equal(same.test.images, again.test.images)
    assert not np.array_equal(same.test.labels, other.test.labels)
    np.testing.assert_array_equal(load_dataset(SIZES).valid.labels, same.valid.labels)
    assert same.fingerprint == again.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "a mapping with a name"),
        ({"train": 10}, "a mapping with a name"),
        ({"name": "digit"}, "did you mean 'digits'"),
        (SIZES | {"trian": 3}, "did you mean 'train'"),
        ({"name": "digits", "train": 10, "valid": 10}, "test is a whole number from 10, got None"),
        (SIZES | {"train": 9}, "train is a whole number from 10, got 9"),
        (SIZES | {"train": "200"}, "train is a whole number from 10, got '200'"),
        (SIZES | {"train": 600}, "600 + 600 + 600 images are requested; digits has 1,797"),
        (SIZES | {"train": 590}, "The 7 unused images are fewer than its 10 classes"),
        (SIZES | {"split_seed": -1}, "split_seed is a whole number in 0..2^32-1, got -1"),
        (SIZES | {"split_seed": None}, "split_seed is a whole number in 0..2^32-1, got None"),
        (SIZES | {"image_size": -4}, "image_size is a whole number of pixels, got -4"),
        (SIZES | {"image_size": 3}, "image_size is 3, and the images in digits are 8x8"),
    ],
)
def test_what_cannot_be_loaded_is_refused(data: Any, message: str) -> None:
    with pytest.raises(DataError) as raised:
        load_dataset(data)
    assert message in str(raised.value)
