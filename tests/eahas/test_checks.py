from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from eahas.checks import is_number, is_whole


@pytest.mark.parametrize("value", [0, -1, 10**400, np.int64(3), np.uint8(3)])
def test_whole_numbers(value) -> None:
    assert is_whole(value)
    assert is_number(value)


@pytest.mark.parametrize("value", [0.5, 2.0, float("nan"), float("inf"), np.float32(1)])
def test_numbers_that_are_not_whole(value) -> None:
    assert is_number(value)
    assert not is_whole(value)


@pytest.mark.parametrize(
    "value",
    [True, np.bool_(1), "1", None, np.timedelta64(1), Decimal(1), 1j, np.array(1), np.array([1.0])],
)
def test_what_is_no_number(value) -> None:
    assert not is_number(value)
    assert not is_whole(value)
