"""Every configuration of a small space, listed."""

from __future__ import annotations

from itertools import product

import pytest

from eahas.errors import SpecError
from eahas.space.parameters import Choice, Condition, Numeric
from eahas.space.space import Space


def test_all_combinations_are_listed_in_order() -> None:
    space = Space("s", (Choice("a", ("x", "y")), Numeric("b.c", 1, 3, integer=True)))
    found = [(p["a"], p["b"]["c"]) for p in space.points()]
    assert found == list(product("xy", (1, 2, 3)))


def test_what_a_condition_leaves_out_is_listed_once() -> None:
    hanging = Numeric("b", 1, 3, integer=True, condition=Condition("a", ("x",)))
    points = Space("s", (Choice("a", ("x", "y")), hanging)).points()
    assert points == [{"a": "x", "b": 1}, {"a": "x", "b": 2}, {"a": "x", "b": 3}, {"a": "y"}]


def test_what_constraints_exclude_is_not_listed() -> None:
    pytest.importorskip("yaml")
    from sweeps.specs import load_spec

    space = load_spec("regnet-digits-table").space
    points = space.points()
    assert len(points) == 960 < space.cardinality()
    assert all(space.contains(point) for point in points)
    digits = load_spec("regnet-digits").space
    assert all(digits.contains(point) for point in points)


def test_what_cannot_be_listed_is_refused() -> None:
    with pytest.raises(SpecError, match="at most 1,000,000 can be listed"):
        Space("s", (Numeric("a", 0.0, 1.0),)).points()
    with pytest.raises(SpecError, match="at most 1,000,000 can be listed"):
        Space("s", (Numeric("a", 1, 2_000_000, integer=True),)).points()
