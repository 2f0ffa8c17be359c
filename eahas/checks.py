"""What counts as a number where a caller may give anything: Python's and numpy's, but no truth."""

from __future__ import annotations

from typing import Any

import numpy as np


def is_whole(value: Any) -> bool:
    """An integer. numpy counts a time span among its integers; it is none here."""
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, np.integer) and not isinstance(value, np.timedelta64)


def is_number(value: Any) -> bool:
    """An integer or a float, NaN and infinities among them."""
    return is_whole(value) or isinstance(value, (float, np.floating))
