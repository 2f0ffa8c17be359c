"""Specs of arrays: what they let in, what they refuse, and in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from eahas.arrays import FINITE, FROM_0_TO_1, ArraySpec, Bounds, Dim, check_arrays, check_contents
from eahas.errors import CheckpointError

INF, NAN = np.inf, np.nan


def spec(*shape: Any, name: str = "a", dtype: str = "float64", **rest: Any) -> ArraySpec:
    return ArraySpec(name, dtype, shape, "for a test", **rest)


def test_dimensions_are_bound_across_arrays() -> None:
    specs = [spec("rows", "columns"), spec("columns", 2, name="b"), spec(Dim("k", 0), name="c")]
    arrays = {"a": np.zeros((3, 4)), "b": np.zeros((4, 2)), "c": np.zeros(0)}
    assert check_arrays(arrays, specs) == {"rows": 3, "columns": 4, "k": 0}
    assert check_arrays(arrays, specs, {"rows": 3, "more": 7})["more"] == 7


def test_the_sizes_that_are_given_do_not_change() -> None:
    known = {"rows": 2}
    assert check_arrays({"a": np.zeros((2, 5))}, [spec("rows", "columns")], known)["columns"] == 5
    assert known == {"rows": 2}


def test_one_number_may_be_the_size_of_a_dimension() -> None:
    index = spec("n", name="index", dtype="int32", bounds=Bounds(0, below="rows * 2"))
    count = spec(1, name="count", dtype="int32", bounds=Bounds(1), binds="rows")
    arrays = {"index": np.array([0, 5], np.int32), "count": np.array([3], np.int32)}
    assert check_arrays(arrays, [index, count], {"2": 2})["rows"] == 3
    arrays["index"][0] = 6
    with pytest.raises(CheckpointError, match=r"'index' holds 6 at index \[0\]; .* 0..rows \* 2"):
        check_arrays(arrays, [index, count], {"2": 2})


@pytest.mark.parametrize(
    ("shape", "given", "allowed"),
    [
        (("n", 2), (3, 3), r"\(n from 1, 2\)"),
        (("n",), (0,), r"\(n from 1\)"),
        (("n",), (3, 1), r"\(n from 1\)"),
        (("n",), (), r"\(n from 1\)"),
        ((), (1,), r"\(\)"),
        (("n", "n"), (2, 3), r"\(n from 1, n from 1\)"),
        (("known",), (3,), r"\(known = 2\)"),
        ((Dim("k", 2),), (1,), r"\(k from 2\)"),
        ((Dim("k", 0, 4),), (5,), r"\(k in 0..4\)"),
    ],
)
def test_another_shape_is_refused(shape, given, allowed) -> None:
    with pytest.raises(CheckpointError, match=rf"^array 'p.a' has shape .*; allowed: {allowed}$"):
        check_arrays({"a": np.zeros(given)}, [spec(*shape)], {"known": 2}, prefix="p.")


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool", ">f8"])
def test_another_type_is_refused(dtype) -> None:
    with pytest.raises(CheckpointError, match=r"'a' has type .*; allowed: float64 or uint8"):
        check_arrays({"a": np.zeros(2, dtype)}, [spec("n", dtype="float64 or uint8")])


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
def test_a_type_may_have_an_alternative(dtype) -> None:
    check_arrays({"a": np.zeros(2, dtype)}, [spec("n", dtype="float64 or uint8")])


def test_missing_and_unknown_arrays_are_refused() -> None:
    specs = [spec("n"), spec("n", name="weight")]
    with pytest.raises(CheckpointError, match=r"^array 'p.weight' is missing; needed: p.a, p.wei"):
        check_arrays({"a": np.zeros(1)}, specs, prefix="p.")
    arrays = {"a": np.zeros(1), "weight": np.zeros(1), "wieght": np.zeros(1)}
    with pytest.raises(CheckpointError, match=r"'wieght' is unknown; .* did you mean 'weight'\?"):
        check_arrays(arrays, specs)
    check_contents(arrays, specs)  # whose names have been checked elsewhere


UNIT = Bounds(0, 1, slack=1e-6)
LIMITS = [  # bounds, their words, numbers that are allowed, numbers that are not
    (None, "", [NAN, INF, -1e308], []),
    (FINITE, "finite numbers", [-1e308, 1e308], [NAN, INF, -INF]),
    (Bounds(nan=True), "finite numbers, or NaN", [NAN, 1e308], [INF, -INF]),
    (Bounds(finite=False), "numbers, also infinite", [INF, -INF], [NAN]),
    (Bounds(0), "numbers from 0", [0.0, 1e308], [NAN, INF, -5e-324]),
    (Bounds(0, above_low=True), "numbers above 0", [5e-324, 1e308], [NAN, INF, 0.0, -1.0]),
    (Bounds(high=2), "numbers up to 2", [2.0, -1e308], [NAN, -INF, 2.1]),
    (UNIT, "numbers in 0..1", [0.0, 1.0, 1.0000009, -9e-7], [NAN, 1.00001, -1e-5]),
    (Bounds(0, 1, nan=True), "numbers in 0..1, or NaN", [0.0, NAN, 1.0], [1.1, -0.1, INF]),
    (Bounds(1, 1), "the number 1", [1.0], [NAN, 0.0, 3.0]),
    (Bounds(0, finite=False), "numbers, also infinite, from 0", [0.0, INF], [-INF, NAN]),
]


@pytest.mark.parametrize(("bounds", "words", "inside", "outside"), LIMITS)
def test_numbers_out_of_bounds_are_refused_with_their_place(bounds, words, inside, outside) -> None:
    known = spec("n", "m", bounds=bounds)
    assert known.values == words
    for value in inside:
        check_arrays({"a": np.full((2, 3), value)}, [known])
    for value in outside:
        array = np.full((2, 3), 1.0)
        array[1, 2] = value
        with pytest.raises(
            CheckpointError, match=r"'a' holds .* at index \[1, 2\]; allowed: "
        ) as e:
            check_arrays({"a": array}, [known])
        assert str(e.value).endswith(words)


def test_bounds_hold_in_single_precision() -> None:
    known = spec("n", dtype="float32", bounds=Bounds(0, above_low=True))
    least, largest = np.float32(1e-45), np.finfo(np.float32).max
    check_arrays({"a": np.array([least, largest])}, [known])
    for value in (0.0, np.inf, -least):
        with pytest.raises(CheckpointError, match="numbers above 0"):
            check_arrays({"a": np.array([value], np.float32)}, [known])


@pytest.mark.parametrize(
    ("order", "rows", "why"),
    [
        ("rising", [[1, 1, 2], [0, 5, 5]], None),
        ("rising", [[1, 2, 3], [3, 2, 3]], "holds 2 after 3; allowed: rising"),
        ("strictly rising", [[1, 2], [5, 9]], None),
        ("strictly rising", [[1, 2], [5, 5]], "holds 5 after 5; allowed: strictly rising"),
        ("rising", [[], []], None),
        ("rising", [[2], [1]], None),
    ],
)
def test_numbers_out_of_order_are_refused(order, rows, why) -> None:
    known = spec("n", Dim("m", 0), order=order, bounds=FINITE)
    arrays = {"a": np.array(rows, float)}
    if why is None:
        check_arrays(arrays, [known])
        return
    with pytest.raises(CheckpointError, match=f"array 'a' {why}"):
        check_arrays(arrays, [known])


@pytest.mark.parametrize("given", [[0.1, 1.0], [0.0, 0.9], [0.0, 0.5, 0.5, 1.0], [1.0, 0.0]])
def test_positions_go_from_0_to_1(given) -> None:
    known = spec(Dim("n", 2), bounds=Bounds(0, 1), order=FROM_0_TO_1)
    check_arrays({"a": np.array([0.0, 0.3, 1.0])}, [known])
    with pytest.raises(CheckpointError, match=r"allowed: strictly rising from 0 to 1"):
        check_arrays({"a": np.array(given)}, [known])


@given(
    arrays_of.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 4))),
    st.floats(-10, 0, width=32),
    st.floats(0, 10, width=32),
    st.booleans(),
)
def test_bounds_are_what_they_say(array, low, high, nan) -> None:
    """Held against the definition, number by number."""
    known = spec("n", "m", dtype="float32", bounds=Bounds(low, high, nan=nan))
    inside = all(low <= v <= high or (nan and v != v) for v in array.ravel().tolist())
    try:
        check_arrays({"a": array}, [known])
        assert inside
    except CheckpointError:
        assert not inside
