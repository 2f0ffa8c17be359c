"""A mixin that evaluates a single row as a list with one row."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np


class SingleRowMixin(ABC):
    """Implements `one` with `many`.

    Trees and kernel machines use it, because a separate implementation of `one` would not be
    faster.
    """

    @abstractmethod
    def many(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for n rows of features (n, F): shape (M, n, outputs)."""

    def one(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for one row of features (F,): shape (M, outputs)."""
        return self.many(x[None])[:, 0]
