"""scikit-learn's digits: 1,797 pictures of 8x8 with 17 grey levels, installed with it."""

from __future__ import annotations

import numpy as np

from eahas.errors import MissingExtraError
from regnet_hpo.data.images import Pool


def read_digits() -> Pool:
    """All of them: there is no split of their own."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtraError("the data set digits", "scikit-learn", "train") from None

    images, labels = load_digits(return_X_y=True)
    pixels = images.astype(np.uint8).reshape(-1, 8, 8, 1)
    return Pool(labels.astype(np.int64), pixels.__getitem__)
