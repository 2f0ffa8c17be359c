"""The distribution of one curve of a long list, computed in blocks of configurations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from eahas.models.uncertainty.distribution import Distribution
from eahas.models.uncertainty.error_quantiles import ErrorQuantiles
from eahas.spec.targets import Target

Array = np.ndarray
Blocks = Callable[[], Iterator[tuple[Array, Distribution]]]
Part = Callable[[Distribution], tuple[Array, ...]]


class CurveListDistribution(Distribution):
    """A `Distribution` of n curves that stores no arrays.

    Each part has the shape (n, longest), padded with NaN, and is computed again at each use. Only
    the returned arrays and the work arrays of one block are in memory.

    Attributes:
        shape: (n, longest).
        blocks: a function that returns an iterator over all blocks. A block is its rows and the
            distribution of the curves of these rows, which have the same length.
    """

    def __init__(
        self,
        target: Target,
        error_quantiles: ErrorQuantiles,
        shape: tuple[int, int],
        blocks: Blocks,
    ) -> None:
        object.__setattr__(self, "target", target)
        object.__setattr__(self, "error_quantiles", error_quantiles)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "blocks", blocks)

    shape: tuple[int, int]
    blocks: Blocks

    def _gathered(self, part: Part) -> tuple[Array, ...]:
        """The arrays of a part, collected from all blocks."""
        wholes: tuple[Array, ...] = ()
        for rows, distribution in self.blocks():
            arrays = part(distribution)
            wholes = wholes or tuple(np.full(self.shape, np.nan) for _ in arrays)
            for whole, array in zip(wholes, arrays, strict=True):
                whole[rows, : array.shape[1]] = array
        return wholes

    @property
    def location(self) -> Any:
        return self._gathered(lambda d: (d.location,))[0]

    @property
    def epistemic(self) -> Any:
        return self._gathered(lambda d: (d.epistemic,))[0]

    @property
    def aleatoric(self) -> Any:
        return self._gathered(lambda d: (d.aleatoric,))[0]

    @property
    def scale(self) -> Any:
        return self._gathered(lambda d: (d.scale,))[0]

    @property
    def value(self) -> Any:
        return self._gathered(lambda d: (d.value,))[0]

    @property
    def std(self) -> Any:
        return self._gathered(lambda d: (d.std,))[0]

    @property
    def epistemic_std(self) -> Any:
        return self._gathered(lambda d: (d.epistemic_std,))[0]

    @property
    def aleatoric_std(self) -> Any:
        return self._gathered(lambda d: (d.aleatoric_std,))[0]

    def interval(self, level: float) -> tuple[Any, Any]:
        low, high = self._gathered(lambda d: d.interval(level))
        return low, high
