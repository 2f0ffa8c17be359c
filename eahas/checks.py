"""Type checks for given values: numbers of Python and numpy, but not booleans."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_whole(value: Any) -> bool:
    """Whether a value is an integer; booleans and numpy's timedelta64 are not."""
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, np.integer) and not isinstance(value, np.timedelta64)


def is_number(value: Any) -> bool:
    """Whether a value is an integer or a float; NaN and infinities are floats."""
    return is_whole(value) or isinstance(value, (float, np.floating))
