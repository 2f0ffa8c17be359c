"""Bad inputs by the thousand at every door: an EahasError or a right answer."""

from __future__ import annotations

import copy
import functools
import math
import random
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eahas import api
from eahas.errors import EahasError, shown
from eahas.records.parquet import read_records
from eahas.records.schema import check_rows
from eahas.spec.spec import Spec, spec_from_dict
from surrogates.data.dataset import runs_from_records
from sweeps.specs import load_spec

T = TypeVar("T")
BATCH = 20  # inputs an example: hypothesis draws the seed, `random` makes the inputs


class Text(str):
    """A string, though not exactly a str."""


def inside_itself() -> list[Any]:
    loop: dict[str, Any] = {"type": "choice"}
    loop |= {"REGNET": loop, "opt": loop, "choices": [loop], "a": loop}
    nest: list[Any] = []
    nest.append(nest)
    deep: Any = 1
    for _ in range(5000):
        deep = {"a": deep}
    return [loop, nest, deep]


ODD = [
    *[None, True, False, 0, 1, -1, 6.5, -0.0, 1e-320, 1e308, math.nan, math.inf, -math.inf],
    *[10**400, -(10**400), 10**5000, 2**53, 2**64, Fraction(10**400), Decimal("NaN"), 1 + 2j],
    *["", "8", "sgd", "SGD", "REGNET.W0", "REGNET", "\x00", "é" * 500, Text("sgd"), b"sgd"],
    *[[], [8], (8,), {8}, frozenset(), {}, {"a": 1}, {1: 2}, {None: None}, {"DEPTH": 8}],
    *[np.int64(8), np.uint8(8), np.float32(0.1), np.float64("nan"), np.bool_(1), np.str_("sgd")],
    *[np.array(8), np.array([8.0]), np.array([]), np.array(["a"], dtype=object)],
    *[np.datetime64("NaT"), np.timedelta64(1), object(), object, len, range(3), ...],
    *inside_itself(),
]
ODD_KEYS = ["", "X", "REGNET.W0", "W0", "low", "when", "stride", 0, 1.5, None, True, Text("sgd")]
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
SPECS = [load_spec("regnet-digits"), load_spec("regnet-cifar10"), spec_from_dict(OWN)]


@functools.cache
def sampled(which: int) -> list[dict[str, Any]]:
    return SPECS[which].space.sample(15, seed=1)


def accepted(call: Callable[[], T]) -> T | None:
    """What the call returns, or None where it refuses politely."""
    try:
        return call()
    except EahasError as error:
        assert 10 < len(str(error)) < 2000
        return None


def batches(examples: int) -> Callable[[Callable[[random.Random], None]], Callable[[], None]]:
    """A property of `examples` times BATCH inputs, each made by a `random.Random`."""

    def decorate(test: Callable[[random.Random], None]) -> Callable[[], None]:
        @settings(max_examples=examples, deadline=None)
        @given(st.integers(0, 2**32))
        def batch(seed: int) -> None:
            for k in range(BATCH):
                test(random.Random(f"{seed} {k}"))

        batch.__name__ = test.__name__
        return batch

    return decorate


# Making what is bad


def junk(rng: random.Random, depth: int = 0) -> Any:
    """Something odd, or a list or dictionary of odd things."""
    if depth < 3 and rng.random() < 0.2:
        return [junk(rng, depth + 1) for _ in range(rng.randrange(4))]
    if depth < 3 and rng.random() < 0.2:
        keys = [*ODD_KEYS, "opt", "REGNET", "TRAIN", *SPECS[2].space.names]
        return {rng.choice(keys): junk(rng, depth + 1) for _ in range(rng.randrange(4))}
    if rng.random() < 0.2:
        return rng.choice([rng.uniform(-2, 30), rng.randrange(-2, 30)])
    return rng.choice(ODD)


def damaged_config(rng: random.Random, which: int) -> Any:
    """A valid configuration, nested or flat, with up to three entries changed, moved or dropped."""
    space = SPECS[which].space
    config = copy.deepcopy(rng.choice(sampled(which)))
    if rng.random() < 0.5:
        config = space.check(config)
    inner = [at for at in config.values() if isinstance(at, dict)]
    for _ in range(rng.randrange(4)):
        at = rng.choice([config, *inner])
        key = rng.choice([*at, *at, *at, *space.names, *ODD_KEYS])
        value = at.pop(key, 1)
        action = rng.random()
        if action < 0.6:
            at[key] = junk(rng)
        elif action < 0.8:
            at[str(key)[:-1]] = value
        elif action < 0.9:
            at[Text(key)] = value
    return config


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside dictionaries and lists."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = [(*path, key) for key, _ in inside]
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in inside:
        if isinstance(inner, (dict, list)):
            found += paths(inner, (*path, key))
    return found


def damaged_spec(rng: random.Random) -> Any:
    """A spec with one to three of its values changed, dropped or added, at any depth."""
    source = SPECS[rng.randrange(3)].source
    spec = copy.deepcopy(dict(source))
    for path in rng.sample(paths(source), rng.randrange(1, 4)):
        try:
            at = functools.reduce(lambda inner, key: inner[key], path[:-1], spec)
            if rng.random() < 0.7:
                at[path[-1]] = junk(rng)
            elif rng.random() < 0.5:
                del at[path[-1]]
            else:
                at[rng.choice(ODD_KEYS)] = junk(rng)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took this place away
    return spec


# What must hold


def check_at_every_door(spec: Spec, config: Any) -> None:
    """One configuration, alone and in a list: every door says the same."""
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


@batches(100)
def test_junk_as_a_configuration(rng: random.Random) -> None:
    check_at_every_door(rng.choice(SPECS), junk(rng))


@batches(150)
def test_damaged_configurations(rng: random.Random) -> None:
    which = rng.randrange(3)
    check_at_every_door(SPECS[which], damaged_config(rng, which))


@batches(40)
def test_lists_of_damaged_configurations(rng: random.Random) -> None:
    which = rng.randrange(3)
    space = SPECS[which].space
    configs = rng.choice([junk(rng), [damaged_config(rng, which) for _ in range(rng.randrange(4))]])
    columns = accepted(lambda: space.columns(configs))
    checked = accepted(lambda: space.check_list(configs))
    assert (columns is None) is (checked is None)
    if columns is not None and checked is not None:
        codes = space.encode_columns(columns)
        assert codes.tolist() == [space.encode(flat).tolist() for flat in checked]


@batches(100)
def test_junk_as_a_code(rng: random.Random) -> None:
    space = rng.choice(SPECS).space
    code = junk(rng)
    if rng.random() < 0.7:
        code = [rng.uniform(-0.5, 1.5) for _ in range(space.encoding_width)]
        for _ in range(rng.randrange(3)):
            code[rng.randrange(len(code))] = junk(rng)
    config = accepted(lambda: space.decode(code))
    if config is not None:
        flat = space.check(config)
        again = space.check(space.decode(space.encode(flat)))
        assert again == {n: pytest.approx(v) if n == "opt.lr" else v for n, v in flat.items()}


@batches(40)
def test_junk_as_a_number_or_a_seed(rng: random.Random) -> None:
    space = rng.choice(SPECS).space
    n, seed = junk(rng), junk(rng)
    if not isinstance(n, int) or n < 50:
        accepted(lambda: space.sample(n, seed=seed))
    accepted(lambda: SPECS[0].space.mutate(sampled(0)[0], seed=seed))
    accepted(lambda: SPECS[0].space.mutate(n, seed=0))
    accepted(lambda: SPECS[0].space.neighbours(n))
    accepted(lambda: space[n])


@batches(40)
def test_junk_as_a_spec(rng: random.Random) -> None:
    given = (
        {key: junk(rng) for key in OWN if rng.random() < 0.5} if rng.random() < 0.7 else junk(rng)
    )
    accepted(lambda: spec_from_dict(given))


@batches(100)
def test_damaged_specs(rng: random.Random) -> None:
    given = damaged_spec(rng)
    spec = accepted(lambda: spec_from_dict(given))
    if spec is not None:
        assert spec_from_dict(spec.source) == spec
        if not spec.space.constraints or spec.name == "own":
            config = accepted(lambda: spec.space.sample(seed=0))
            assert spec.space.contains(config)


# The doors of a benchmark


@functools.cache
def shipped() -> api.Benchmark:
    return api.load_benchmark("regnet-digits")


@batches(40)
def test_junk_as_a_question(rng: random.Random) -> None:
    config = junk(rng) if rng.random() < 0.3 else damaged_config(rng, 0)
    given = rng.choice([config, [config], [*sampled(0)[:2], config]])
    prediction = accepted(lambda: shipped().predict(given))
    flat = accepted(lambda: shipped().space.check(config))
    assert (prediction is None) is (flat is None) or isinstance(config, (list, tuple))
    if prediction is not None:
        assert np.isfinite(prediction.runtime_s).all()
        assert np.nanmax(prediction.learning_curve) <= 100.0


@batches(40)
def test_junk_beside_a_question(rng: random.Random) -> None:
    bench, config, odd = shipped(), sampled(0)[rng.randrange(15)], junk(rng)
    found = accepted(lambda: bench.query(config, at=odd))
    assert found is None or 1 <= found["epoch"] <= config["OPTIM"]["MAX_EPOCH"]
    accepted(lambda: bench.predict(config).interval(odd))
    accepted(lambda: bench.predict(config).to_dict(odd))
    for name in ("learning_curve", "runtime_s"):
        model = bench.model(name)
        accepted(lambda m=model: m.predict(config, odd))
        accepted(lambda m=model: m.predict(config, search_space=odd))
        accepted(lambda m=model: m.predict(config, with_noise=True, noise_seed=odd))
        accepted(lambda m=model: m.select(odd))


@batches(40)
def test_junk_as_a_code_to_predict(rng: random.Random) -> None:
    model = shipped().model("runtime_s")
    code = rng.choice([junk(rng), [junk(rng) for _ in range(model.space.encoding_width)]])
    value = accepted(lambda: model.predict(code, encoded=True))
    assert value is None or np.isfinite(value).all()


@pytest.mark.filterwarnings("ignore::eahas.api.EstimatedEnergyWarning")
@batches(20)
def test_junk_as_a_name(rng: random.Random) -> None:
    odd = shown(junk(rng))
    name = rng.choice([junk(rng), f"regnet-digits/{odd}", f"regnet-digits@{odd}", f"./{odd}"])
    for door in (api.load_benchmark, api.load_ensemble, api.get_ea_has_bench_api):
        accepted(lambda d=door: d(name))


# The doors of records


@functools.cache
def some_rows() -> list[dict[str, Any]]:
    records = read_records(shipped().folder / "records.parquet", shipped().spec)
    return records.where(lambda row: row["OPTIM.MAX_EPOCH"] == 10)[:15].to_list()


@batches(60)
def test_damaged_records(rng: random.Random) -> None:
    rows = copy.deepcopy(some_rows())
    for _ in range(rng.randrange(4)):
        row = rng.choice(rows)
        row[rng.choice([*row, *row, *ODD_KEYS])] = junk(rng)
    checked = accepted(lambda: check_rows(rows, shipped().spec))
    if checked is not None:
        assert check_rows(checked.to_list(), shipped().spec) == checked
        runs_from_records(checked, shipped().spec)


def test_damaged_files_of_records(tmp_path) -> None:
    whole = (shipped().folder / "records.parquet").read_bytes()
    path, rng = tmp_path / "records.parquet", random.Random(0)
    for _ in range(100):
        content = bytearray(whole[: rng.choice([len(whole), rng.randrange(len(whole))])])
        for _ in range(rng.randrange(1, 50)):
            if content:
                content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        accepted(lambda: read_records(path, shipped().spec))
