"""Fronts and the area under them, against what a definition in one line gives."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eahas.errors import EahasError, MissingExtraError
from eahas.pareto import hypervolume, pareto_rows

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30)


def dominated(p: tuple[int, int], points: list[tuple[int, int]]) -> bool:
    return any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)


@given(POINTS)
def test_the_front_is_what_no_other_point_beats(points) -> None:
    rows = pareto_rows(points)
    assert [points[i] for i in rows] == sorted({p for p in points if not dominated(p, points)})


@given(POINTS)
def test_the_area_is_what_counting_cells_gives(points) -> None:
    cells = sum(any(x <= i and y <= j for x, y in points) for i in range(8) for j in range(8))
    assert hypervolume(points, (8, 8)) == cells


def test_what_is_not_known_is_on_no_front() -> None:
    assert pareto_rows([(np.nan, 0.0), (1.0, np.nan), (2.0, 2.0)]).tolist() == [2]
    assert pareto_rows([]).tolist() == []


def test_of_equal_points_the_first_counts() -> None:
    assert pareto_rows([(1.0, 1.0), (1.0, 1.0)]).tolist() == [0]


def test_beyond_the_reference_there_is_no_area() -> None:
    assert hypervolume([(9.0, 0.0), (0.0, 9.0)], (5.0, 5.0)) == 0.0
    assert hypervolume([(1.0, 2.0)], (5.0, 5.0)) == pytest.approx(12.0)


# More objectives


@st.composite
def many_points(draw) -> list[tuple[int, ...]]:
    d = draw(st.integers(1, 5))
    return draw(st.lists(st.tuples(*[st.integers(0, 4)] * d), min_size=1, max_size=30))


@given(many_points())
def test_a_front_in_any_number_of_objectives(points) -> None:
    rows = pareto_rows(points).tolist()
    best = [p for p in points if not any(q != p and all(map(int.__le__, q, p)) for q in points)]
    assert [points[i] for i in rows] == sorted(set(best))
    assert all(points.index(points[i]) == i for i in rows)


@given(many_points())
def test_a_hypervolume_counts_cells_in_any_number_of_objectives(points) -> None:
    pytest.importorskip("moocore")
    d = len(points[0])
    cells = sum(
        any(all(map(int.__le__, p, cell)) for p in points) for cell in product(range(4), repeat=d)
    )
    assert hypervolume(points, (4,) * d) == pytest.approx(cells)


def test_many_objectives_need_moocore(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "moocore", None)
    assert hypervolume([(0.0, 0.0)], (1.0, 1.0)) == 1.0
    with pytest.raises(MissingExtraError, match=r"pip install 'eahas\[moo\]'"):
        hypervolume([(0.0, 0.0, 0.0)], (1.0, 1.0, 1.0))


def test_arrays_of_another_shape_are_refused() -> None:
    with pytest.raises(EahasError, match=r"shape \(n, objectives\)"):
        pareto_rows(3.0)
    with pytest.raises(EahasError, match="3 numbers for 2 objectives"):
        hypervolume([(1.0, 2.0)], (5.0, 5.0, 5.0))
