"""The allowed ranges of complexity in the constraint of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from eahas.errors import SpecError, shown

Range = tuple[float, float]


def read_range(name: str, given: Any) -> Range:
    """Parse a field `[low, high]` of a constraint; SpecError for anything else."""
    numbers = isinstance(given, (list, tuple)) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in given
    )
    if not numbers or len(given) != 2 or not given[0] <= given[1]:
        raise SpecError(f"constraints: {name} is a range [low, high], got {shown(given)}")
    return float(given[0]), float(given[1])


def read_limits(fields: Mapping[str, Any], quantities: Iterable[str]) -> dict[str, Range]:
    """Parse the ranges of the quantities in some fields; SpecError for a malformed range."""
    given = {name: fields.get(name) for name in quantities}
    return {name: read_range(name, value) for name, value in given.items() if value is not None}


def exceeded(limits: Mapping[str, Range], complexity: Mapping[str, int]) -> str | None:
    """The first quantity outside its closed range, as "has 12 flops; allowed: 0..10", or None."""
    for name, (low, high) in limits.items():
        value = complexity[name]
        if not low <= value <= high:
            return f"has {value:,} {name}; allowed: {low:,.0f}..{high:,.0f}"
    return None


def inside(limits: Mapping[str, Range], complexity: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which rows are in all ranges: bool, shape (n,). `limits` must not be empty."""
    return np.logical_and.reduce(
        [
            (complexity[name] >= low) & (complexity[name] <= high)
            for name, (low, high) in limits.items()
        ]
    )
