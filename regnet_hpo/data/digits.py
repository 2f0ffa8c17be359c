"""The digits of scikit-learn: 1,797 images of 8x8 pixels with 17 grey levels."""

from __future__ import annotations

import numpy as np

from eahas.errors import MissingExtraError
from regnet_hpo.data.images import ImagePool


def read_digits() -> ImagePool:
    """All images; the data set has no official split."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise MissingExtraError("the data set digits", "scikit-learn", "train") from None

    images, labels = load_digits(return_X_y=True)
    pixels = images.astype(np.uint8).reshape(-1, 8, 8, 1)
    return ImagePool(labels.astype(np.int64), pixels.__getitem__)
