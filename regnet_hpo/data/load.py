"""From a spec's data section to the training, validation and test split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regnet_hpo.data.dataset import DataSet, Split, normalising_table
from regnet_hpo.data.digits import read_digits
from regnet_hpo.data.images import ImagePool, check_size, downsample
from regnet_hpo.data.locate import read_pools
from regnet_hpo.data.options import DataOptions, check_known, data_options
from regnet_hpo.data.splits import stratified_splits

__all__ = ["check_known", "load_dataset"]


def load_dataset(data: Mapping[str, Any] | None, data_dir: str | Path | None = None) -> DataSet:
    """Load the data set that a spec's data section describes.

    `{name: digits, train: 200, valid: 600, test: 600, split_seed: 0}` is a split of the digits of
    scikit-learn. `cifar10` and `tinyimagenet` are read from files (`read_pools` says from where);
    their validation split is taken from the training images. `image_size` downsamples the images.
    All splits are stratified by label; the same seed gives the same splits.

    Raises DataError for an unknown name, impossible sizes, and files that are missing, damaged or
    another data set; MissingExtraError if a package that reads them is not installed.
    """
    options = data_options(data)
    sizes, seed = (options.train, options.valid), options.split_seed
    if options.name == "digits":
        where = source = "digits"
        pool = read_digits()
        splits = stratified_splits(pool.labels, (*sizes, options.test), seed, where)
        train, valid, test = (_split(pool, positions, options, where) for positions in splits)
    else:
        pools = read_pools(options.name, data_dir)
        where, source = pools.where, pools.source
        of_train = f"the training side of {where}"
        splits = stratified_splits(pools.train.labels, sizes, seed, of_train)
        train, valid = (_split(pools.train, positions, options, where) for positions in splits)
        of_test = f"the test side of {where}"
        (positions,) = stratified_splits(pools.test.labels, (options.test,), seed, of_test)
        test = _split(pools.test, positions, options, where)
    table = normalising_table(train.images)
    return DataSet(options.name, train, valid, test, options.facts.classes, table, source)


def _split(pool: ImagePool, positions: np.ndarray, options: DataOptions, where: str) -> Split:
    images = pool.take(positions)
    check_size(images, options.name, options.facts, where)
    if options.image_size:
        images = downsample(images, options.image_size, where)
    return Split(images, pool.labels[positions])
