"""Specifications of the arrays in a file: type, shape, allowed values and meaning.

A reader declares its arrays as `ArraySpec`s, and `check_arrays` checks the arrays of a file. The
tables of docs/checkpoint-format.md contain the same specifications; a test compares them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

import numpy as np

from eahas.errors import CheckpointError, shown, unknown

Array = np.ndarray
Order = Literal["rising", "strictly rising", "strictly rising from 0 to 1"]
FROM_0_TO_1: Order = "strictly rising from 0 to 1"


@dataclass(frozen=True)
class Dim:
    """A named dimension: its size is the same in all arrays of a file, and in `low`..`high`."""

    name: str
    low: int = 1
    high: int | None = None

    def allows(self, size: int) -> bool:
        return size >= self.low and (self.high is None or size <= self.high)

    @property
    def limits(self) -> str:
        """The sizes in words: ` from 2`, ` in 0..32`."""
        return f" from {self.low}" if self.high is None else f" in {self.low}..{self.high}"


@dataclass(frozen=True)
class Bounds:
    """The numbers that an array may contain.

    Attributes:
        low, high: the smallest and the largest number; with `above_low`, `low` is not allowed.
        below: a product of dimensions, for example `members * outputs`; if given, every number is
            an index below this product.
        finite: whether only finite numbers are allowed.
        nan: whether NaN is allowed, for unknown numbers.
        slack: the tolerance for rounding at both ends.
    """

    low: float = -math.inf
    high: float = math.inf
    above_low: bool = False
    below: str = ""
    finite: bool = True
    nan: bool = False
    slack: float = 0.0

    def ends(self, dtype: np.dtype[Any], sizes: Mapping[str, int]) -> tuple[float, float]:
        """The smallest and the largest allowed number of an array of this type."""
        low, high = self.low - self.slack, self.high + self.slack
        if self.below:
            high = math.prod(sizes[name] for name in self.below.split(" * ")) - 1
        if self.above_low:
            low = float(np.nextafter(dtype.type(low), dtype.type(math.inf)))
        if self.finite and dtype.kind == "f":
            largest = float(np.finfo(dtype).max)
            low, high = max(low, -largest), min(high, largest)
        return low, high

    def __str__(self) -> str:
        kind = "numbers, also infinite," if not self.finite else "numbers"
        low = f"above {self.low:g}" if self.above_low else f"from {self.low:g}"
        if self.below:
            text = f"{kind} in {self.low:g}..{self.below} - 1"
        elif math.isinf(self.low) and math.isinf(self.high):
            text = "finite numbers" if self.finite else "numbers, also infinite"
        elif self.low == self.high:
            text = f"the number {self.low:g}"
        elif math.isinf(self.high):
            text = f"{kind} {low}"
        elif math.isinf(self.low):
            text = f"{kind} up to {self.high:g}"
        else:
            text = f"{kind} in {self.low:g}..{self.high:g}"
        return f"{text}, or NaN" if self.nan else text


FINITE = Bounds()


@dataclass(frozen=True)
class ArraySpec:
    """One array of a file.

    Attributes:
        name: the name of the array in the file, without the prefix that a group of arrays shares.
        dtype: the numpy type; alternatives are joined by "or": `uint8 or uint16`.
        shape: sizes, or dimensions by name; a string is a `Dim` of at least 1.
        description: the meaning of the array, for the documentation.
        bounds: the allowed numbers; None if every value of the type is allowed.
        order: the order of the numbers along the last axis; None if any order is allowed.
        binds: the dimension whose size is the only number in this array; usually None.
    """

    name: str
    dtype: str
    shape: tuple[int | str | Dim, ...]
    description: str
    bounds: Bounds | None = None
    order: Order | None = None
    binds: str | None = None

    @property
    def dims(self) -> tuple[int | Dim, ...]:
        return tuple(Dim(size) if isinstance(size, str) else size for size in self.shape)

    @property
    def values(self) -> str:
        """The allowed values in words; empty if every value of the type is allowed."""
        return ", ".join(str(part) for part in (self.bounds, self.order) if part is not None)

    def check_layout(self, array: Array, sizes: dict[str, int], prefix: str = "") -> None:
        """Raise CheckpointError for a wrong type or shape; add new dimensions to `sizes`."""
        if str(array.dtype) not in self.dtype.split(" or "):
            self._refuse(prefix, f"has type {array.dtype}", self.dtype)
        known = dict(sizes)
        fits = array.ndim == len(self.shape)
        for dim, size in zip(self.dims, array.shape, strict=False):
            if isinstance(dim, int):
                fits &= size == dim
            else:
                fits &= dim.allows(size) and size == known.setdefault(dim.name, size)
        if not fits:
            self._refuse(prefix, f"has shape {array.shape}", self._shape_in_words(sizes))
        sizes.update(known)

    def check_values(
        self, array: Array, sizes: Mapping[str, int] | None = None, prefix: str = ""
    ) -> None:
        """Raise CheckpointError for numbers out of bounds or in a wrong order."""
        if not array.size:
            return
        if self.bounds is not None:
            low, high = self.bounds.ends(array.dtype, sizes or {})
            smallest, largest = _extremes(array, self.bounds)
            if not (low <= smallest and largest <= high):  # also if they are NaN
                self._check_each(array, low, high, prefix)
        if self.order is not None:
            self._check_order(array, prefix)

    def _check_each(self, array: Array, low: float, high: float, prefix: str) -> None:
        assert self.bounds is not None
        inside = (array >= low) & (array <= high)
        if self.bounds.nan:
            inside |= np.isnan(array)
        if not inside.all():
            index = tuple(np.argwhere(~inside)[0].tolist())
            allowed = f"{self.bounds} = {high:g}" if self.bounds.below else str(self.bounds)
            self._refuse(prefix, f"holds {array[index]:g} at index {list(index)}", allowed)

    def _check_order(self, array: Array, prefix: str) -> None:
        before, after = array[..., :-1], array[..., 1:]
        wrong = after < before if self.order == "rising" else after <= before
        if wrong.any():
            index = tuple(np.argwhere(wrong)[0].tolist())
            self._refuse(prefix, f"holds {after[index]:g} after {before[index]:g}", f"{self.order}")
        if self.order == FROM_0_TO_1 and (array[0], array[-1]) != (0.0, 1.0):
            self._refuse(prefix, f"goes from {array[0]:g} to {array[-1]:g}", FROM_0_TO_1)

    def _shape_in_words(self, sizes: Mapping[str, int]) -> str:
        def words(dim: int | Dim) -> str:
            if isinstance(dim, int):
                return str(dim)
            size = sizes.get(dim.name)
            return dim.name + (dim.limits if size is None else f" = {size}")

        return f"({', '.join(map(words, self.dims))})"

    def _refuse(self, prefix: str, what: str, allowed: str) -> NoReturn:
        raise CheckpointError(f"array {shown(prefix + self.name)} {what}; allowed: {allowed}")


def check_arrays(
    arrays: Mapping[str, Array],
    specs: Sequence[ArraySpec],
    dims: Mapping[str, int] | None = None,
    prefix: str = "",
) -> dict[str, int]:
    """Check the arrays of a file, or of a part of it, with their specs.

    `dims` are the sizes of dimensions that are already known. `prefix` is the prefix of all names
    in the file. Returns the size of every dimension. Raises CheckpointError for an array that is
    missing or unknown, for a wrong type or shape, and for values out of bounds or in a wrong order.
    """
    check_names(arrays, specs, prefix)
    return check_contents(arrays, specs, dims, prefix)


def check_names(arrays: Mapping[str, Array], specs: Sequence[ArraySpec], prefix: str = "") -> None:
    """Raise CheckpointError unless there is exactly one array for each spec."""
    names = [spec.name for spec in specs]
    for name in names:
        if name not in arrays:
            wanted = ", ".join(prefix + name for name in names)
            raise CheckpointError(f"array {shown(prefix + name)} is missing; needed: {wanted}")
    for name in arrays:
        if name not in names:
            raise CheckpointError(unknown("array", prefix + name, [prefix + n for n in names]))


def check_contents(
    arrays: Mapping[str, Array],
    specs: Sequence[ArraySpec],
    dims: Mapping[str, int] | None = None,
    prefix: str = "",
) -> dict[str, int]:
    """`check_arrays` for some of the arrays of a file, whose names are already checked."""
    sizes = dict(dims or {})
    for spec in specs:
        spec.check_layout(arrays[spec.name], sizes, prefix)
    for spec in sorted(specs, key=lambda spec: spec.binds is None):
        spec.check_values(arrays[spec.name], sizes, prefix)
        if spec.binds is not None:
            sizes[spec.binds] = int(arrays[spec.name][0])
    return sizes


def _extremes(array: Array, bounds: Bounds) -> tuple[Any, Any]:
    """The smallest and the largest number; NaN if the array has NaN and `bounds` forbid it."""
    if bounds.nan:
        return np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
    return array.min(), array.max()
