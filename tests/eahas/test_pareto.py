"""Fronts and the area under them, against what a definition in one line gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
