"""One parameter at a time: what it allows, how it is drawn, how it is coded."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eahas.errors import ConfigError, EahasError, SpecError
from eahas.space.parameters import Choice, Numeric, Parameter

DEPTH = Numeric("DEPTH", 6, 15, integer=True)
W0 = Numeric("W0", 48, 128, integer=True, log=True, quantum=8)
WA = Numeric("WA", 8, 32, log=True, quantum=0.1)
WM = Numeric("WM", 2.5, 3, log=True, quantum=0.001)
GROUP_W = Numeric("GROUP_W", 1, 32, integer=True, power_of_two_below=8)
RATE = Numeric("RATE", 1e-5, 0.1, log=True)
SHARE = Numeric("SHARE", -1.0, 1.0)
SEED = Numeric("SEED", 0, 10**9, integer=True)
NUMERIC = [DEPTH, W0, WA, WM, GROUP_W, RATE, SHARE, SEED]
LR = Choice("LR", (0.001, 0.01, 1.0))
OPTIMIZER = Choice("OPTIMIZER", ("sgd", "adam", "adamw"))
NESTEROV = Choice("NESTEROV", (False, True))
MIXED = Choice("MIXED", (1, "1", 0.5, False))
WRONG_TYPES = [None, b"8", [8], (8,), {8}, {"a": 8}, 8 + 0j, object(), Decimal(8), np.array(8)]
WRONG_NUMBERS = [math.nan, math.inf, -math.inf, 10**400, -(10**400), 1e300, np.float32("nan")]
CHOICES = [LR, OPTIMIZER, NESTEROV, MIXED]


def named(parameter: Parameter) -> str:
    return parameter.name


# Malformed parameters


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"low": "1", "high": 2}, "low is a finite number"),
        ({"low": 1, "high": None}, "high is a finite number"),
        ({"low": 1, "high": True}, "high is a finite number"),
        ({"low": math.nan, "high": 2}, "low is a finite number"),
        ({"low": 1, "high": math.inf}, "high is a finite number"),
        ({"low": 1, "high": 10**400}, "high is a finite number"),
        ({"low": 2, "high": 1}, "low < high"),
        ({"low": 1, "high": 1}, "low < high"),
        ({"low": -1e308, "high": 1e308}, "low < high"),
        ({"low": 0, "high": 1, "log": True}, "log scale needs low > 0"),
        ({"low": 0, "high": 1, "log": "yes"}, "log is true or false"),
        ({"low": 0, "high": 1, "quantum": 0}, "quantum is positive"),
        ({"low": 0, "high": 1, "quantum": -0.1}, "quantum is positive"),
        ({"low": 0, "high": 1, "quantum": [1]}, "quantum is a finite number"),
        ({"low": 0, "high": 1, "quantum": 0.3}, "high=1 is not a multiple"),
        ({"low": 0.05, "high": 1, "quantum": 0.1}, "low=0.05 is not a multiple"),
        ({"low": 0, "high": 1e300, "quantum": 1e-300}, "more than 2^53 steps"),
        ({"low": 0.5, "high": 3, "integer": True}, "low of an integer"),
        ({"low": 1, "high": 3, "integer": True, "quantum": 0.5}, "quantum of an integer"),
        ({"low": 1, "high": 8, "power_of_two_below": 8}, "type integer"),
        ({"low": 1, "high": 8, "integer": True, "power_of_two_below": 1}, "whole number from 2"),
        ({"low": 1, "high": 8, "integer": True, "power_of_two_below": True}, "whole number from 2"),
        ({"low": 0, "high": 8, "integer": True, "power_of_two_below": 8}, "low is a power of two"),
        ({"low": 3, "high": 8, "integer": True, "power_of_two_below": 8}, "low is a power of two"),
        ({"low": 1, "high": 30, "integer": True, "power_of_two_below": 8}, "high is a power"),
        ({"low": 1, "high": 2**40, "integer": True, "power_of_two_below": 8}, "high is at most"),
    ],
)
def test_malformed_numeric(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=r"^X: ") as caught:
        Numeric("X", **fields)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "choices",
    [(), (1, 1), (1, 1.0), (True, 1), (0, False), ("a", "a"), (None,), ([1],), ({},), (math.nan,)],
)
def test_malformed_choice(choices: tuple[Any, ...]) -> None:
    with pytest.raises(SpecError, match=r"^X: "):
        Choice("X", choices)


# Validation


@pytest.mark.parametrize("given", [8, 8.0, np.int64(8), np.uint8(8), np.float32(8), np.float64(8)])
def test_canonical_integer(given: Any) -> None:
    assert (DEPTH.check(given), type(DEPTH.check(given))) == (8, int)


@pytest.mark.parametrize("given", [8.7, 87 * 0.1, np.float64(8.7), np.float32(8.7), 8.7 + 1e-12])
def test_canonical_float_on_its_grid(given: Any) -> None:
    assert (WA.check(given), type(WA.check(given))) == (8.7, float)


def test_whole_numbers_are_floats_where_the_parameter_is() -> None:
    assert (WA.check(8), type(WA.check(8))) == (8.0, float)
    assert type(SHARE.check(1)) is float


def test_negative_zero_is_zero() -> None:
    parameter = Numeric("X", -1, 1, quantum=0.5)
    assert math.copysign(1, parameter.check(-0.0)) == 1.0
    assert type(Choice("X", (0, 16)).check(-0.0)) is int


@pytest.mark.parametrize("parameter", NUMERIC, ids=named)
@pytest.mark.parametrize(
    "junk",
    [*WRONG_TYPES, True, False, np.bool_(True), "8", Fraction(8), *WRONG_NUMBERS],
    ids=lambda junk: f"{type(junk).__name__} {str(junk)[:9]}",
)
def test_numeric_refuses_junk(parameter: Numeric, junk: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^{parameter.name}=.*allowed: {parameter.allowed()}$"):
        parameter.check(junk)


@pytest.mark.parametrize(
    ("parameter", "value", "why"),
    [
        (DEPTH, 5, "out of range"),
        (DEPTH, 16, "out of range"),
        (DEPTH, 6.5, "not whole"),
        (W0, 50, "off the grid"),
        (W0, 40, "out of range"),
        (WA, 8.75, "off the grid"),
        (WA, 8.7001, "off the grid"),
        (WM, 2.50005, "off the grid"),
        (GROUP_W, 3, "off the grid"),
        (GROUP_W, 12, "off the grid"),
        (GROUP_W, 0, "out of range"),
        (GROUP_W, 33, "out of range"),
        (RATE, 0, "out of range"),
        (RATE, 0.1001, "out of range"),
        (SHARE, "0.5", "of type str"),
    ],
)
def test_numeric_says_why(parameter: Numeric, value: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{parameter.name}={value!r} is {why}; allowed: "):
        parameter.check(value)


def test_allowed_in_words() -> None:
    assert WA.allowed() == "number in 8..32, a multiple of 0.1"
    assert RATE.allowed() == "number in 1e-05..0.1"
    assert GROUP_W.allowed() == "integer in 1..32, a power of two below 8 or a multiple of it"
    assert SEED.allowed() == "integer in 0..1000000000"


def test_choice_keeps_booleans_numbers_and_text_apart() -> None:
    assert [type(MIXED.check(v)) for v in (1, 1.0, "1", False)] == [int, int, str, bool]
    assert MIXED.index(False) == 3
    for value in (True, 0, "0.5", "False"):
        with pytest.raises(ConfigError):
            MIXED.check(value)


@pytest.mark.parametrize(
    ("parameter", "given", "canonical"),
    [
        (LR, np.float32(0.001), 0.001),
        (LR, 1, 1.0),
        (LR, np.int8(1), 1.0),
        (OPTIMIZER, np.str_("sgd"), "sgd"),
        (NESTEROV, np.bool_(True), True),
    ],
)
def test_choice_canonical(parameter: Choice, given: Any, canonical: Any) -> None:
    assert parameter.check(given) == canonical
    assert type(parameter.check(given)) is type(canonical)


@pytest.mark.parametrize("parameter", CHOICES, ids=named)
@pytest.mark.parametrize(
    "junk",
    [*WRONG_TYPES, 2.5, "SGD", Fraction(10**400), *WRONG_NUMBERS],
    ids=lambda junk: f"{type(junk).__name__} {str(junk)[:9]}",
)
def test_choice_refuses_junk(parameter: Choice, junk: Any) -> None:
    with pytest.raises(ConfigError, match="is not allowed; allowed: one of"):
        parameter.check(junk)


def test_choice_suggests_the_near_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'adamw'"):
        OPTIMIZER.check("adamww")


# The grid


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (DEPTH, list(range(6, 16))),
        (W0, list(range(48, 129, 8))),
        (WA, [k / 10 for k in range(80, 321)]),
        (WM, [k / 1000 for k in range(2500, 3001)]),
        (GROUP_W, [1, 2, 4, 8, 16, 24, 32]),
        (Numeric("X", 2, 64, integer=True, power_of_two_below=128), [2, 4, 8, 16, 32, 64]),
        (Numeric("X", 24, 40, integer=True, power_of_two_below=8), [24, 32, 40]),
        (Numeric("X", 4, 12, integer=True, power_of_two_below=6), [4, 6, 12]),
        (Numeric("X", -1, 1, quantum=0.5), [-1.0, -0.5, 0.0, 0.5, 1.0]),
        (NESTEROV, [False, True]),
    ],
)
def test_grid(parameter: Parameter, values: list[Any]) -> None:
    assert parameter.grid() == values
    assert parameter.cardinality() == len(values)
    assert [type(parameter.check(v)) for v in values] == [type(v) for v in values]
    assert parameter.middle() == values[len(values) // 2]


def test_a_continuous_parameter_has_no_grid() -> None:
    assert RATE.cardinality() == math.inf
    assert RATE.middle() == pytest.approx(0.050005)
    with pytest.raises(SpecError, match="continuous"):
        RATE.grid()


def test_a_huge_grid_is_computed_and_not_listed() -> None:
    huge = Numeric("X", 0, 2**53, integer=True)
    assert huge.cardinality() == 2**53 + 1
    assert huge.check(12345678901.0) == 12345678901
    assert huge.neighbours(2**53) == [2**53 - 1]
    assert huge.neighbours(7) == [6, 8]
    assert huge.middle() == 2**52
    with pytest.raises(ConfigError, match="out of range"):
        huge.check(2**53 + 10)


# Drawing: the law restated, draws against it


def log_uniform_upward(low: float, high: float, quantum: float) -> dict[float, float]:
    """P(v) of a log-uniform number from (low - min(q, low/2), high] rounded up to a multiple."""
    start = low - min(quantum, low / 2)
    grid = [k * quantum for k in range(round(low / quantum), round(high / quantum) + 1)]
    ends = [start, *grid]
    return {
        round(v, 9): (math.log(v) - math.log(before)) / (math.log(high) - math.log(start))
        for before, v in zip(ends[:-1], grid, strict=True)
    }


def two_branches() -> dict[float, float]:
    """GROUP_W: an exponent uniform on [0, 6) rounded down; from 8 on, log-uniform multiples."""
    law = {1: 1 / 6, 2: 1 / 6, 4: 1 / 6}
    return law | {v: p / 2 for v, p in log_uniform_upward(8, 32, 8).items()}


@pytest.mark.parametrize(
    ("parameter", "law"),
    [
        (DEPTH, dict.fromkeys(range(6, 16), 0.1)),
        (W0, log_uniform_upward(48, 128, 8)),
        (Numeric("X", 8, 32, integer=True, log=True, quantum=8), log_uniform_upward(8, 32, 8)),
        (Numeric("X", 1, 9, integer=True, log=True), log_uniform_upward(1, 9, 1)),
        (WA, log_uniform_upward(8, 32, 0.1)),
        (WM, log_uniform_upward(2.5, 3, 0.001)),
        (GROUP_W, two_branches()),
        (Numeric("X", -1, 1, quantum=0.5), {k / 2: 0.2 for k in range(-2, 3)}),
        (OPTIMIZER, dict.fromkeys(("sgd", "adam", "adamw"), 1 / 3)),
    ],
)
def test_draws_follow_the_documented_law(parameter: Parameter, law: dict[Any, float]) -> None:
    n, rng = 10_000, np.random.default_rng(11)
    drawn = [parameter.sample(rng) for _ in range(n)]
    assert sum(law.values()) == pytest.approx(1)
    assert set(drawn) <= set(law)
    counts = np.array([drawn.count(v) for v in law])
    shares = np.array(list(law.values()))
    assert np.abs(np.cumsum(counts / n) - np.cumsum(shares)).max() < 1.95 / math.sqrt(n)
    chi_squared = float(((counts - n * shares) ** 2 / (n * shares)).sum())
    freedom = len(law) - 1
    assert chi_squared < freedom + 4 * math.sqrt(2 * freedom)


@pytest.mark.parametrize(
    ("parameter", "transform"), [(RATE, math.log), (SHARE, float)], ids=["log", "uniform"]
)
def test_continuous_draws_are_uniform_on_their_scale(parameter: Numeric, transform: Any) -> None:
    n, rng = 4_000, np.random.default_rng(12)
    low, high = transform(parameter.low), transform(parameter.high)
    share = np.sort([(transform(parameter.sample(rng)) - low) / (high - low) for _ in range(n)])
    assert np.abs(share - np.arange(n) / n).max() < 1.95 / math.sqrt(n)


@pytest.mark.parametrize("parameter", NUMERIC + CHOICES, ids=named)
def test_the_same_seed_draws_the_same(parameter: Parameter) -> None:
    one, other = (np.random.default_rng(3) for _ in range(2))
    assert [parameter.sample(one) for _ in range(20)] == [
        parameter.sample(other) for _ in range(20)
    ]


# Any parameter


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    """Well-formed parameters of every kind."""
    kind = draw(st.sampled_from(["float", "integer", "grid", "power", "choice"]))
    log = draw(st.booleans())
    if kind == "choice":
        scalar = st.text(max_size=3) | st.integers(-9, 9) | st.floats(-9, 9) | st.booleans()
        return Choice("X", tuple(draw(st.lists(scalar, min_size=1, max_size=5, unique=True))))
    if kind == "power":
        base = draw(st.sampled_from([2, 6, 8, 64]))
        return Numeric("X", 1, base * draw(st.integers(1, 9)), True, power_of_two_below=base)
    if kind == "float":
        low = draw(st.floats(1e-9, 1e3) if log else st.floats(-1e3, 1e3))
        return Numeric("X", low, low + draw(st.floats(1e-3, 1e6)), log=log)
    first = draw(st.integers(1, 50) if log else st.integers(-50, 50))
    last = first + draw(st.integers(1, 200) | st.just(20_000))
    if kind == "integer":
        step = draw(st.integers(1, 16))
        return Numeric(
            "X", first * step, last * step, True, log, draw(st.sampled_from([None, step]))
        )
    digits = draw(st.integers(0, 4))
    return Numeric("X", first / 10**digits, last / 10**digits, False, log, 10.0**-digits)


@settings(max_examples=300)
@given(parameters(), st.integers(0, 2**32 - 1))
def test_a_draw_is_canonical_and_survives_its_code(parameter: Parameter, seed: int) -> None:
    value = parameter.sample(np.random.default_rng(seed))
    assert parameter.check(value) == value
    assert type(parameter.check(value)) is type(value)
    code = parameter.encode(value)
    assert len(code) == parameter.width
    assert all(0 <= number <= 1 for number in code)
    assert parameter.codes[value] == code
    column = np.array([value], dtype=parameter.dtype)
    assert parameter.encode_column(column).tolist() == [code]
    if parameter.cardinality() < math.inf:
        assert parameter.decode(code) == value
    else:
        assert parameter.decode(code) == pytest.approx(value, rel=1e-6, abs=1e-9)
    for near in [*parameter.neighbours(value), parameter.middle()]:
        assert parameter.check(near) == near
    assert value not in parameter.neighbours(value)


@settings(max_examples=500)
@given(parameters(), st.integers() | st.floats() | st.text(max_size=4) | st.booleans())
def test_a_value_is_allowed_or_refused_and_nothing_else(parameter: Parameter, value: Any) -> None:
    try:
        canonical = parameter.check(value)
    except EahasError as error:
        assert str(error).startswith("X=")
    else:
        same = canonical == value
        assert same or abs(canonical - value) <= 1e-6 * max(1, abs(value))
        assert parameter.check(canonical) == canonical
