"""Bad inputs by the thousand at every door of a space: an EahasError or a right answer."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eahas.errors import EahasError
from eahas.spec import Spec, spec_from_dict
from sweeps.specs import load_spec

T = TypeVar("T")


class Text(str):
    """A string, though not exactly a str."""


def _inside_itself() -> list[Any]:
    loop: dict[str, Any] = {"type": "choice"}
    loop |= {"REGNET": loop, "opt": loop, "choices": [loop], "a": loop}
    nest: list[Any] = []
    nest.append(nest)
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    return [loop, nest, deep]


LOOP, NEST, DEEP = _inside_itself()
ODD = [
    *[None, True, False, 0, 1, -1, 6.5, -0.0, 1e-320, 1e308, math.nan, math.inf, -math.inf],
    *[10**400, -(10**400), 10**5000, 2**53, 2**64, Fraction(10**400), Decimal("NaN"), 1 + 2j],
    *["", "8", "sgd", "SGD", "REGNET.W0", "REGNET", "\x00", "é" * 500, Text("sgd"), b"sgd"],
    *[[], [8], (8,), {8}, frozenset(), {}, {"a": 1}, {1: 2}, {None: None}, {"DEPTH": 8}],
    *[np.int64(8), np.uint8(8), np.float32(0.1), np.float64("nan"), np.bool_(1), np.str_("sgd")],
    *[np.array(8), np.array([8.0]), np.array([]), np.array(["a"], dtype=object)],
    *[np.datetime64("NaT"), np.timedelta64(1), object(), object, len, range(3), ...],
    *[LOOP, NEST, DEEP],
]
SPECS = [load_spec(f"regnet-{name}") for name in ("digits", "cifar10")]
OWN = {
    "name": "own",
    "version": 2,
    "parameters": {
        "opt.kind": {"type": "choice", "choices": ["sgd", "adam"]},
        "opt.lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
        "opt.momentum": {"type": "float", "low": 0, "high": 1, "when": {"opt.kind": ["sgd"]}},
        "nesterov": {"type": "boolean", "when": {"opt.kind": ["sgd"]}},
        "units": {"type": "integer", "low": 1, "high": 64, "power_of_two_below": 16},
        "epochs": {"type": "integer", "low": 1, "high": 27},
    },
    "constraints": [{"kind": "forbidden", "values": {"opt.kind": "adam", "units": 64}}],
    "fidelity": "epochs",
    "targets": {
        "curves": {"loss": {"unit": "nat", "direction": "minimize", "low": 0}},
        "scalars": {"runtime_s": None, "carbon_g": {"unit": "g", "cumulative": True}},
    },
}
SPECS.append(spec_from_dict(OWN))

odd = st.integers(0, len(ODD) - 1).map(lambda k: ODD[k])  # sampled_from would print them all
odd_keys = st.sampled_from(["", "X", "REGNET.W0", "W0", 0, 1.5, None, True, ("a",), Text("sgd")])
names = st.sampled_from([*SPECS[0].space.names, *SPECS[2].space.names, "REGNET", "opt", "OPTIM"])
junk = st.recursive(
    odd | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(names | odd_keys, inside, max_size=3)
    ),
    max_leaves=5,
)


def many(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=quiet)


def accepted(call: Callable[[], T]) -> T | None:
    """What the call returns, or None where it refuses politely."""
    try:
        return call()
    except EahasError as error:
        assert 10 < len(str(error)) < 2000
        return None


@functools.cache
def valid(spec: int) -> list[dict[str, Any]]:
    return SPECS[spec].space.sample(15, seed=1)


def check_everywhere(spec: Spec, config: Any) -> None:
    """One configuration at every door, alone and in a list; they agree on whether it belongs."""
    space = spec.space
    flat = accepted(lambda: space.check(config))
    columns = accepted(lambda: space.columns([config]))
    code = accepted(lambda: space.encode(config))
    assert space.contains(config) is (flat is not None)
    assert (columns is None) is (code is None) is (flat is None)
    if flat is not None and columns is not None:
        assert space.check(space.nest(flat)) == flat
        assert {name: column[0] for name, column in columns.items() if name in flat} == flat
        assert list(flat) == [name for name in space.names if name in flat]
    else:
        accepted(lambda: space.neighbours(config))
        accepted(lambda: space.mutate(config, seed=0))


@many(1500)
@given(st.sampled_from(SPECS), junk)
def test_junk_as_a_configuration(spec: Spec, config: Any) -> None:
    check_everywhere(spec, config)


@st.composite
def damaged_configs(draw: st.DrawFn) -> tuple[Spec, Any]:
    """A valid configuration, nested or flat, with up to three entries changed or dropped."""
    which = draw(st.integers(0, len(SPECS) - 1))
    space = SPECS[which].space
    config = copy.deepcopy(draw(st.sampled_from(valid(which))))
    if draw(st.booleans()):
        config = space.check(config)
    for _ in range(draw(st.integers(0, 3))):
        at = config
        key = draw(st.sampled_from([*config, *space.names]) | odd_keys)
        if isinstance(at.get(key), dict) and at[key] and draw(st.booleans()):
            at = at[key]
            key = draw(st.sampled_from(list(at)) | odd_keys)
        if draw(st.booleans()) and key in at:
            value = at.pop(key)
            if draw(st.booleans()):
                at[str(key)[:-1] if draw(st.booleans()) else Text(key)] = value
        else:
            at[key] = draw(odd | junk)
    return SPECS[which], config


damaged_lists = st.lists(damaged_configs().map(lambda case: case[1]), max_size=4)


@many(4000)
@given(damaged_configs())
def test_damaged_configurations(case: tuple[Spec, Any]) -> None:
    check_everywhere(*case)


@many(700)
@given(st.sampled_from(SPECS), junk | damaged_lists)
def test_junk_as_a_list(spec: Spec, configs: Any) -> None:
    columns = accepted(lambda: spec.space.columns(configs))
    checked = accepted(lambda: spec.space.check_list(configs))
    assert (columns is None) is (checked is None)
    if columns is not None and checked is not None:
        codes = spec.space.encode_columns(columns)
        assert codes.tolist() == [spec.space.encode(flat).tolist() for flat in checked]


@many(1500)
@given(
    st.sampled_from(SPECS),
    junk | st.lists(st.floats(-1, 2) | odd | st.just(1), min_size=9, max_size=28),
    st.booleans(),
)
def test_junk_as_a_code(spec: Spec, code: Any, long_enough: bool) -> None:
    if isinstance(code, list) and code and long_enough:
        width = spec.space.encoding_width
        code = (code * width)[:width]
    config = accepted(lambda: spec.space.decode(code))
    if config is not None:
        flat = spec.space.check(config)
        assert spec.space.decode(spec.space.encode(flat)) == spec.space.nest(
            {name: pytest.approx(v) if isinstance(v, float) else v for name, v in flat.items()}
        )


@many(500)
@given(st.sampled_from(SPECS), junk, junk)
def test_junk_as_a_number_or_a_seed(spec: Spec, n: Any, seed: Any) -> None:
    small = not isinstance(n, (int, np.integer)) or n < 50
    accepted(lambda: spec.space.sample(n if small else 3, seed=seed))
    accepted(lambda: spec.space.mutate(valid(0)[0], seed=seed))
    accepted(lambda: spec.space[n])


@many(700)
@given(junk | st.dictionaries(st.sampled_from([*OWN, "network", "data"]), junk))
def test_junk_as_a_spec(given: Any) -> None:
    accepted(lambda: spec_from_dict(given))


@st.composite
def damaged_specs(draw: st.DrawFn) -> Any:
    """A spec with one to three of its values changed, dropped or added, at any depth."""
    spec = copy.deepcopy(dict(draw(st.sampled_from(SPECS)).source))
    for _ in range(draw(st.integers(1, 3))):
        at: Any = spec
        while True:
            keys = list(at) if isinstance(at, dict) else list(range(len(at)))
            key = draw(st.sampled_from(keys)) if keys else None
            inner = at[key] if keys else None
            if not isinstance(inner, (dict, list)) or not inner or draw(st.integers(0, 3)) == 0:
                break
            at = inner
        change = draw(st.sampled_from(["set", "set", "set", "drop", "add"]))
        if change == "set" and keys:
            at[key] = draw(odd | junk)
        elif change == "drop" and keys:
            del at[key]
        elif isinstance(at, dict):
            at[draw(st.sampled_from(["low", "when", "stride", "X"]) | odd_keys)] = draw(odd | junk)
        else:
            at.append(draw(odd | junk))
    return spec


@many(2000)
@given(damaged_specs())
def test_damaged_specs(given: Any) -> None:
    spec = accepted(lambda: spec_from_dict(given))
    if spec is not None:
        assert spec_from_dict(spec.source) == spec
        config = accepted(lambda: spec.space.draw(np.random.default_rng(0)))
        if config is not None:
            assert spec.space.check(config) == config
