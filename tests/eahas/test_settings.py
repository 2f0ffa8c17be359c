"""Settings declare what each field allows, and say so in errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from eahas.errors import FitError, SpecError
from eahas.settings import Settings, choice, flag, number, optional, whole_numbers


@dataclass(frozen=True)
class Inner(Settings):
    section = "outer: inner"
    error = SpecError

    rate: float = number(0.5, 0, 1, open_low=True)


@dataclass(frozen=True)
class Outer(Settings):
    section = "outer"
    error = FitError

    count: int = number(3, 2)
    low: float = number(0.1, 0, 1, open_high=True)
    positive: float = number(1.0, open_low=True)
    sizes: tuple[int, ...] = whole_numbers((8, 8))
    fast: bool = flag(False)
    mode: str = choice("wall", ("wall", "cpu"))
    inner: Inner | None = optional(Inner)  # noqa: RUF009  it returns a field


def test_allowed_values_are_taken_in_the_type_of_the_field() -> None:
    changes = {"count": np.int64(4), "low": 0, "sizes": [4], "inner": {"rate": 1}, "fast": True}
    settings = Outer().changed(changes)
    assert settings == Outer(count=4, low=0.0, sizes=(4,), inner=Inner(1.0), fast=True)
    assert type(settings.count) is int
    assert type(settings.low) is float
    assert settings.changed({"inner": None}).inner is None
    assert Outer().changed({}) == Outer()


def test_a_dictionary_gives_the_same_settings_again() -> None:
    settings = Outer(count=7, inner=Inner(0.25), mode="cpu")
    assert settings.to_dict()["inner"] == {"rate": 0.25}
    assert Outer().changed(settings.to_dict()) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([("count", 3)], "outer: a mapping of names to values, got [('count', 3)]"),
        ({"coutn": 3}, "outer: field 'coutn' is unknown; allowed: count, low, "),
        ({"coutn": 3}, "did you mean 'count'?"),
        ({"count": 1}, "outer: count is a whole number from 2, got 1"),
        ({"count": 2.0}, "outer: count is a whole number from 2, got 2.0"),
        ({"count": True}, "outer: count is a whole number from 2, got True"),
        ({"low": 1.0}, "outer: low is a number from 0 to below 1, got 1.0"),
        ({"low": math.nan}, "outer: low is a number from 0 to below 1, got nan"),
        ({"positive": 0}, "outer: positive is a number above 0, got 0"),
        ({"positive": math.inf}, "outer: positive is a number above 0, got inf"),
        ({"sizes": []}, "outer: sizes is a list of whole numbers from 1, got []"),
        ({"sizes": [8, 0]}, "outer: sizes is a list of whole numbers from 1, got [8, 0]"),
        ({"sizes": 8}, "outer: sizes is a list of whole numbers from 1, got 8"),
        ({"fast": 1}, "outer: fast is true or false, got 1"),
        ({"mode": "gpu"}, "outer: mode 'gpu' is unknown; allowed: wall, cpu"),
        ({"mode": ["wall"]}, "outer: mode ['wall'] is unknown; allowed: wall, cpu"),
    ],
)
def test_other_values_are_refused_by_name(changes: Any, message: str) -> None:
    with pytest.raises(FitError) as raised:
        Outer().changed(changes)
    assert message in str(raised.value)


def test_settings_inside_settings_name_their_own_section() -> None:
    with pytest.raises(SpecError) as raised:
        Outer().changed({"inner": {"rate": 0}})
    assert str(raised.value) == "outer: inner: rate is a number above 0 to 1, got 0"
