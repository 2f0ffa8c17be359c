"""From a spec's data section to the three splits that are trained and judged on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regnet_hpo.data.dataset import DataSet, Split, normalising_table
from regnet_hpo.data.digits import read_digits
from regnet_hpo.data.images import Pool, averaged, check_size
from regnet_hpo.data.locate import read_pools
from regnet_hpo.data.options import Request, check_known, request
from regnet_hpo.data.splits import carve

__all__ = ["check_known", "load_dataset"]


def load_dataset(data: Mapping[str, Any] | None, data_dir: str | Path | None = None) -> DataSet:
    """The data set that a spec's data section asks for.

    `{name: digits, train: 200, valid: 600, test: 600, split_seed: 0}` is scikit-learn's digits,
    split once. `cifar10` and `tinyimagenet` are read from files (see `read_pools` for where); their
    validation split is carved from the training pictures. `image_size` averages the pictures down.
    All splits are stratified by label; the same seed gives the same split.

    Raises DataError for an unknown name, impossible sizes, and files that are not there, damaged or
    another data set; MissingExtraError where a package that reads them is not installed.
    """
    wanted = request(data)
    sizes, seed = (wanted.train, wanted.valid), wanted.split_seed
    if wanted.name == "digits":
        where = source = "digits"
        whole = read_digits()
        parts = carve(whole.labels, (*sizes, wanted.test), seed, where)
        train, valid, test = (_split(whole, part, wanted, where) for part in parts)
    else:
        pools = read_pools(wanted.name, data_dir)
        where, source = pools.where, pools.source
        parts = carve(pools.train.labels, sizes, seed, f"the training side of {where}")
        train, valid = (_split(pools.train, part, wanted, where) for part in parts)
        (part,) = carve(pools.test.labels, (wanted.test,), seed, f"the test side of {where}")
        test = _split(pools.test, part, wanted, where)
    table = normalising_table(train.images)
    return DataSet(wanted.name, train, valid, test, wanted.facts.classes, table, source)


def _split(pool: Pool, part: np.ndarray, wanted: Request, where: str) -> Split:
    images = pool.take(part)
    check_size(images, wanted.name, wanted.facts, where)
    if wanted.image_size:
        images = averaged(images, wanted.image_size, where)
    return Split(images, pool.labels[part])
