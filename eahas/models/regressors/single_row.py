"""The evaluation of a single row, derived from that of many rows."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class SingleRowMixin(ABC):
    """Defines `one` by `many`.

    For regressors that a separate implementation for a single row would not make faster, such as
    trees and kernel machines.
    """

    @abstractmethod
    def many(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for n rows of features (n, F): shape (M, n, outputs)."""

    def one(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for one row of features (F,): shape (M, outputs)."""
        return self.many(x[None])[:, 0]
