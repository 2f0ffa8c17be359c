"""A whole space: forms, validation, draws, moves and codes."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import eahas.space.space
from eahas.errors import ConfigError, SpecError
from eahas.space.constraints import Forbidden
from eahas.space.parameters import Choice, Condition, Numeric, Parameter
from eahas.space.space import Space
from sweeps.specs import load_spec

CIFAR10, DIGITS, TINY = (
    load_spec(f"regnet-{name}").space for name in ("cifar10", "digits", "tinyimagenet")
)
SGD = Condition("opt.kind", ("sgd",))
OWN = Space(
    "own",
    (
        Choice("opt.kind", ("sgd", "adam")),
        Numeric("opt.lr", 1e-4, 1.0, log=True),
        Numeric("opt.sgd.momentum", 0, 0.75, quantum=0.25, condition=SGD),
        Choice("opt.sgd.nesterov", (False, True), SGD),
        Numeric("damping", 1, 3, True, condition=Condition("opt.sgd.nesterov", (False,))),
        Numeric("layers", 1, 4, integer=True),
        Choice("epochs", (3, 7, 30)),
        Choice("mixed", (1, "1", 0.5)),
    ),
    (Forbidden((("opt.kind", "adam"), ("layers", 4))),),
    "epochs",
)
ALL = [CIFAR10, DIGITS, TINY, OWN]
EXAMPLE = {
    "REGNET": {"DEPTH": 9, "W0": 24, "WA": 7.0, "WM": 2.374, "GROUP_W": 2},
    "OPTIM": {"BASE_LR": 0.01, "OPTIMIZER": "sgd", "LR_POLICY": "lin", "MAX_EPOCH": 25},
    "TRAIN": {"CUTOUT_LENGTH": 0},
}
FLAT = DIGITS.check(EXAMPLE)


def changed(**values: Any) -> dict[str, Any]:
    """EXAMPLE, flat, with some values changed; `...` drops one."""
    given = FLAT | {name.replace("__", "."): value for name, value in values.items()}
    return {name: value for name, value in given.items() if value is not ...}


ONE_STAGE = changed(REGNET__DEPTH=4, REGNET__W0=32, REGNET__WA=4.0)


@functools.cache
def sampled(space: Space) -> list[dict[str, Any]]:
    return space.sample(40, seed=6)


# What makes a space


@pytest.mark.parametrize(
    ("parameters", "fidelity", "says"),
    [
        ((), None, "at least one is needed"),
        ((Choice("a", (1,)), Choice("a", (2,))), None, "a occurs twice"),
        ((Choice("", (1,)),), None, "a name is text"),
        ((Choice("a..b", (1,)),), None, "a name is text"),
        ((Choice("a.", (1,)),), None, "a name is text"),
        ((Choice("a.b", (1,)), Choice("a", (1,))), None, "both a parameter and a section"),
        ((Choice("a", (1,), Condition("b", (1,))), Choice("b", (1,))), None, "listed before it"),
        ((Choice("a", (1,)), Choice("b", (1,), Condition("a", (2,)))), None, "is never true"),
        ((Choice("a", (1,)), Choice("b", (1,), Condition("a", (True,)))), None, "is never true"),
        ((Choice("a", (1,)),), "epochs", "fidelity 'epochs' is unknown"),
        (
            (Choice("a", (1, 2)), Choice("n", (5,), Condition("a", (1,)))),
            "n",
            "cannot have a condition",
        ),
    ],
)
def test_malformed_space(
    parameters: tuple[Parameter, ...], fidelity: str | None, says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        Space("s", parameters, (), fidelity)


def test_the_values_of_a_condition_become_canonical() -> None:
    parent = Numeric("a", 0, 1, quantum=0.1)
    space = Space("s", (parent, Choice("b", (1,), Condition("a", (3 * 0.1,)))))
    assert space["b"].condition == Condition("a", (0.3,))
    assert space.check({"a": 0.3, "b": 1}) == {"a": 0.3, "b": 1}


def test_an_unknown_parameter_of_a_space() -> None:
    assert DIGITS["REGNET.W0"].name == "REGNET.W0"
    for name in ("REGNET.W1", 3, ["REGNET.W0"]):
        with pytest.raises(ConfigError, match="is unknown"):
            DIGITS[name]  # type: ignore[index]


@pytest.mark.parametrize("space", ALL, ids=lambda s: s.name)
def test_a_used_space_can_be_copied(space: Space) -> None:
    config = space.sample(seed=2)
    code = space.encode(config)
    twin = copy.deepcopy(space)
    assert twin == space
    assert twin.encode(config).tolist() == code.tolist()


# Forms


def test_nested_flat_and_mixed_forms_are_one_configuration() -> None:
    mixed: dict[str, Any] = dict(FLAT)
    mixed["TRAIN"] = {"CUTOUT_LENGTH": mixed.pop("TRAIN.CUTOUT_LENGTH")}
    forms = [EXAMPLE, FLAT, mixed, OrderedDict(EXAMPLE), dict(reversed(FLAT.items()))]
    for form in forms:
        assert DIGITS.check(form) == FLAT
        assert list(DIGITS.check(form)) == list(DIGITS.names)
        assert DIGITS.nest(DIGITS.flatten(form)) == EXAMPLE


def test_a_deeper_nesting() -> None:
    config = {
        "opt": {"kind": "sgd", "lr": 0.1, "sgd": {"momentum": 0.5, "nesterov": True}},
        "layers": 2,
        "epochs": 7,
        "mixed": "1",
    }
    flat = OWN.check(config)
    assert flat["opt.sgd.momentum"] == 0.5
    assert OWN.nest(flat) == config
    half_flat = config | {"opt": {"kind": "sgd", "lr": 0.1}, "opt.sgd": config["opt"]["sgd"]}  # type: ignore[index]
    assert OWN.check(half_flat) == flat


def test_flatten_leaves_values_alone() -> None:
    assert DIGITS.flatten({"REGNET": {"DEPTH": "?"}, "FOO": 1}) == {"REGNET.DEPTH": "?", "FOO": 1}


# Validation: every message names the field, what was given and what is allowed


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, "a configuration is a mapping with REGNET.DEPTH"),
        ([], "got list"),
        ("REGNET", "got str"),
        ({}, "REGNET.DEPTH is missing in a configuration of space regnet-digits; allowed: integer"),
        (changed(REGNET__W0=...), "REGNET.W0 is missing"),
        ({**EXAMPLE, "TRAIN": {}}, "TRAIN.CUTOUT_LENGTH is missing"),
        (
            {**EXAMPLE, "TRAIN": 4},
            "TRAIN is a section of space regnet-digits and must be a map",
        ),
        (changed(SEED=1), "'SEED' is not a parameter of space regnet-digits; allowed: REGNET"),
        (changed(REGNET__DEPHT=9), "'REGNET.DEPHT' is not a parameter"),
        (changed(REGNET__DEPTH=..., REGNET__DEPHT=9), "did you mean 'REGNET.DEPTH'?"),
        ({**EXAMPLE, "OPTIMS": {"BASE_LR": 1}}, "did you mean 'OPTIM.BASE_LR'?"),
        ({**EXAMPLE, "REGNET.W0": 24}, "REGNET.W0 is given twice, nested and flat"),
        (changed(REGNET__DEPTH={"a": 1}), "REGNET.DEPTH={'a': 1} is of type dict"),
        ({**EXAMPLE, 7: 1}, "the name of a parameter is a string, got 7"),
        ({**EXAMPLE, "TRAIN": {None: 1}}, "is a string, got None in TRAIN"),
        ({("REGNET",): 1}, "is a string, got ('REGNET',)"),
        (changed(REGNET__DEPTH="9"), "REGNET.DEPTH='9' is of type str; allowed: integer in 4..12"),
        (changed(REGNET__DEPTH=True), "REGNET.DEPTH=True is of type bool"),
        (changed(REGNET__DEPTH=math.nan), "REGNET.DEPTH=nan is not finite"),
        (changed(REGNET__WA=math.inf), "REGNET.WA=inf is not finite"),
        (changed(REGNET__DEPTH=13), "REGNET.DEPTH=13 is out of range; allowed: integer in 4..12"),
        (changed(REGNET__W0=25), "REGNET.W0=25 is off the grid; allowed: integer in 8..32, a mult"),
        (changed(OPTIM__OPTIMIZER="adamm"), "one of 'sgd', 'adam', 'adamw'; did you mean 'adam'?"),
        (changed(OPTIM__BASE_LR=0.02), "OPTIM.BASE_LR=0.02 is not allowed; allowed: one of 0.001"),
        (ONE_STAGE, "REGNET.GROUP_W=2: this RegNet has 1 stages; allowed: 2..2"),
        (changed(REGNET__DEPTH=10**5000), "REGNET.DEPTH=a int that cannot be shown is out of ran"),
        (changed(OPTIM__OPTIMIZER="x" * 10**6), "xxx... is not allowed"),
    ],
)
def test_a_refused_configuration(config: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DIGITS.check(config)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not DIGITS.contains(config)


def test_a_configuration_of_another_space() -> None:
    with pytest.raises(ConfigError, match=r"2 of the 10 values .* configuration of another space"):
        DIGITS.check(CIFAR10.sample(seed=0))
    with pytest.raises(ConfigError, match=r"no parameter of space regnet-digits .* another space"):
        DIGITS.check(OWN.sample(seed=0))


def test_a_dictionary_inside_itself() -> None:
    loop: dict[str, Any] = {}
    loop["REGNET"] = loop["opt"] = loop
    for space in ALL:
        with pytest.raises(ConfigError):
            space.check(loop)
    looped = {**EXAMPLE, "REGNET": {**EXAMPLE["REGNET"], "DEPTH": loop}}
    with pytest.raises(ConfigError, match=r"REGNET\.DEPTH"):
        DIGITS.check(looped)


def test_conditions() -> None:
    adam = {"opt.kind": "adam", "opt.lr": 0.1, "layers": 1, "epochs": 3, "mixed": 1}
    sgd = adam | {"opt.kind": "sgd", "opt.sgd.momentum": 0.5, "opt.sgd.nesterov": True}
    assert OWN.check(adam) == adam
    assert OWN.check(sgd) == sgd
    with pytest.raises(ConfigError, match=r"damping=1 is given, but .* opt.sgd.nesterov is one of"):
        OWN.check(sgd | {"damping": 1})
    with pytest.raises(ConfigError, match=r"opt\.sgd\.momentum=0\.5 is given, but it exists only"):
        OWN.check(adam | {"opt.sgd.momentum": 0.5})
    with pytest.raises(ConfigError, match="damping is missing"):
        OWN.check(sgd | {"opt.sgd.nesterov": False})
    with pytest.raises(ConfigError, match=r"^opt\.kind='sdg' is not .* mean 'sgd'\?$"):
        OWN.check(sgd | {"opt.kind": "sdg"})
    with pytest.raises(ConfigError, match="together are forbidden"):
        OWN.check(adam | {"layers": 4})


def test_numpy_values_become_plain() -> None:
    given = {k: np.array([v])[0] for k, v in FLAT.items()}
    assert DIGITS.check(given) == FLAT
    assert [type(v) for v in DIGITS.check(given).values()] == [type(v) for v in FLAT.values()]


# Lists and columns


@pytest.mark.parametrize(
    ("configs", "says"),
    [
        ([], "an empty list of configurations; give at least one"),
        (EXAMPLE, "a list of configurations is needed, got dict"),
        ("abc", "a list of configurations is needed, got str"),
        (None, "a list of configurations is needed, got NoneType"),
        (7, "a list of configurations is needed, got int; put a single"),
        ([EXAMPLE, 7], "configs[1]: a configuration is a mapping"),
        ([EXAMPLE] * 7 + [changed(REGNET__W0=25)], "configs[7]: REGNET.W0=25 is off the grid"),
        ([FLAT] * 3 + [changed(REGNET__W0=True)], "configs[3]: REGNET.W0=True is of type bool"),
        ([FLAT, ONE_STAGE], "configs[1]: REGNET.DEPTH=4, REGNET.W0=32"),
        ([FLAT, changed(SEED=1)], "configs[1]: 'SEED' is not a parameter"),
        ([FLAT, changed(OPTIM__OPTIMIZER=["sgd"])], "configs[1]: OPTIM.OPTIMIZER=['sgd'] is not"),
    ],
)
def test_a_refused_list(configs: Any, says: str) -> None:
    for read in (DIGITS.check_list, DIGITS.columns):
        with pytest.raises(ConfigError) as caught:
            read(configs)
        assert str(caught.value).startswith(says)


@pytest.mark.parametrize("space", ALL, ids=lambda s: s.name)
@pytest.mark.parametrize("form", ["nested", "flat", "both", "generator", "numpy"])
def test_columns_are_the_checked_list(space: Space, form: str) -> None:
    nested = sampled(space)
    flat = space.check_list(nested)
    given: Any = {
        "nested": nested,
        "flat": tuple(flat),
        "both": [a if k % 2 else b for k, (a, b) in enumerate(zip(nested, flat, strict=True))],
        "generator": (config for config in nested),
        "numpy": [{k: np.array([v])[0] for k, v in config.items()} for config in flat],
    }[form]
    columns = space.columns(given)
    assert list(columns) == list(space.names)
    for name, column in columns.items():
        expected = [config.get(name) for config in flat]
        assert column.tolist() == expected
        assert [type(v) for v in column.tolist()] == [type(v) for v in expected]


def test_the_types_of_columns() -> None:
    kinds = {name: column.dtype.kind for name, column in DIGITS.columns([EXAMPLE]).items()}
    assert "".join(kinds.values()) == "iiffifOOii"
    assert {n: c.dtype.kind for n, c in OWN.columns(OWN.sample(2)).items()} == {
        "opt.kind": "O",
        "opt.lr": "f",
        "opt.sgd.momentum": "O",
        "opt.sgd.nesterov": "O",
        "damping": "O",
        "layers": "i",
        "epochs": "i",
        "mixed": "O",
    }


# Drawing


@pytest.mark.parametrize(
    ("space", "seed", "values"),
    [
        (DIGITS, 0, [9, 24, 7.0, 2.374, 2, 0.01, "sgd", "lin", 0, 25]),
        (DIGITS, 1, [8, 32, 5.6, 2.066, 2, 0.03, "adam", "lin", 0, 25]),
        (CIFAR10, 0, [12, 96, 9.6, 2.856, 16, 0.005, "adamw", "exp", 16, 200]),
        (CIFAR10, 1, [9, 112, 18.7, 2.82, 16, 0.1, "sgd", "lin", 16, 50]),
        (TINY, 0, [12, 96, 30.3, 2.966, 8, 0.05, "adam", "lin", 16, 100]),
        (TINY, 1, [11, 128, 11.2, 2.066, 2, 0.03, "adam", "lin", 0, 50]),
    ],
)
def test_draws_stay_what_they_were(space: Space, seed: int, values: list[Any]) -> None:
    assert list(space.check(space.sample(seed=seed)).values()) == values


@pytest.mark.parametrize("space", ALL, ids=lambda s: s.name)
def test_samples(space: Space) -> None:
    drawn = space.sample(30, seed=3)
    assert drawn == space.sample(30, seed=3)
    assert drawn != space.sample(30, seed=4)
    assert drawn[0] == space.sample(seed=3)
    flat = space.check_list(drawn)
    assert len({tuple(config.items()) for config in flat}) == 30
    assert [space.nest(config) for config in flat] == drawn


def test_the_constraints_keep_every_draw_they_allow_with_the_same_weight() -> None:
    """Rejection as a whole: the kept share of each optimiser stays a third."""
    drawn = DIGITS.check_list(DIGITS.sample(900, seed=8))
    counts = [sum(c["OPTIM.OPTIMIZER"] == name for c in drawn) for name in ("sgd", "adam", "adamw")]
    assert all(abs(count - 300) < 3 * math.sqrt(200) for count in counts)
    assert 0.1 < DIGITS.acceptance(draws=500, seed=1) < 0.9


def test_repeats_are_drawn_where_they_are_wanted() -> None:
    tiny = Space("s", (Choice("a", (1, 2)), Choice("b", ("x", "y"))))
    assert len(tiny.sample(50, seed=0, distinct=False)) == 50
    assert len(tiny.sample(4, seed=0)) == 4
    with pytest.raises(SpecError, match="fewer than n=5 different configurations"):
        tiny.sample(5, seed=0)


@pytest.mark.parametrize("n", [0, -1, 1.5, "3", True, [3], math.nan])
def test_a_number_of_draws_is_a_whole_number(n: Any) -> None:
    with pytest.raises(ConfigError, match=r"^n=.*whole numbers from 1"):
        DIGITS.sample(n, seed=0)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", None, True, [0], np.float64(3)])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    for call in (DIGITS.sample, DIGITS.acceptance, lambda seed: DIGITS.mutate(EXAMPLE, seed=seed)):
        with pytest.raises(ConfigError, match=r"^seed=.*whole numbers from 0"):
            call(seed=seed)


def test_a_space_without_configurations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eahas.space.space, "MAX_REJECTIONS", 50)
    only = Choice("a", (1,))
    empty = Space("s", (only,), (Forbidden((("a", 1),)),))
    with pytest.raises(SpecError, match="50 samples in a row violated its constraints"):
        empty.sample(seed=0)
    with pytest.raises(SpecError, match="no single change"):
        Space("s", (only,)).mutate({"a": 1}, seed=0)


# Moving


def differences(space: Space, a: Any, b: Any) -> list[str]:
    a, b = space.check(a), space.check(b)
    return [name for name in space.names if a.get(name) != b.get(name)]


def test_neighbours_of_digits() -> None:
    near = DIGITS.neighbours(EXAMPLE)
    assert all(len(differences(DIGITS, EXAMPLE, config)) == 1 for config in near)
    expected = 0
    for parameter in DIGITS.parameters:
        for value in parameter.neighbours(FLAT[parameter.name]):
            expected += DIGITS.contains(FLAT | {parameter.name: value})
    assert len(near) == expected > 15


def test_neighbours_switch_conditional_parameters() -> None:
    adam = {"opt.kind": "adam", "opt.lr": 1e-4, "layers": 3, "epochs": 3, "mixed": 1}
    near = [OWN.check(config) for config in OWN.neighbours(adam)]
    switched = next(config for config in near if config["opt.kind"] == "sgd")
    assert switched == adam | {
        "opt.kind": "sgd",
        "opt.sgd.momentum": 0.5,
        "opt.sgd.nesterov": True,
    }
    assert [c["layers"] for c in near if c["layers"] != 3] == [2]  # 4 is forbidden with adam
    assert [c["opt.lr"] for c in near if c["opt.lr"] != 1e-4] == [pytest.approx(1e-4 * 10**0.2)]
    back = [OWN.check(config)["opt.kind"] for config in OWN.neighbours(switched)]
    assert "adam" in back


@pytest.mark.parametrize("space", ALL, ids=lambda s: s.name)
def test_mutation_changes_one_parameter(space: Space) -> None:
    config = space.sample(seed=5)
    moved = [space.mutate(config, seed=seed) for seed in range(25)]
    assert moved == [space.mutate(config, seed=seed) for seed in range(25)]
    assert len({str(m) for m in moved}) > 10
    for mutant in moved:
        different = differences(space, config, mutant)
        chosen = [n for n in different if space[n].condition is None]
        assert len(different) == 1 or len(chosen) <= 1


def test_cardinality() -> None:
    assert DIGITS.cardinality() == 9 * 4 * 121 * 1501 * 5 * 10 * 3 * 3 * 2 * 5
    assert OWN.cardinality() == math.inf


def test_cardinality_counts_conditional_parameters_where_they_exist() -> None:
    space = Space(
        "s",
        (
            Choice("a", ("x", "y", "z")),
            Numeric("b", 1, 4, integer=True, condition=Condition("a", ("x", "y"))),
            Choice("c", (False, True), Condition("a", ("x",))),
            Choice("d", (1, 2, 3), Condition("b", (2, 3))),
            Choice("e", (1, 2)),
        ),
    )
    grids = [[None, *p.grid()] if p.condition else p.grid() for p in space.parameters]
    every = (
        {n: v for n, v in zip(space.names, values, strict=True) if v is not None}
        for values in itertools.product(*grids)
    )
    assert space.cardinality() == sum(map(space.contains, every))
    assert len(space.sample(int(space.cardinality()), seed=0)) == space.cardinality()


def test_the_cardinality_of_very_many_parameters() -> None:
    large = tuple(Numeric(f"p{k}", 0, 2**53, integer=True) for k in range(40))
    assert Space("s", large).cardinality() == math.inf
    assert Space("s", (*large, Numeric("x", 0, 1))).cardinality() == math.inf


# Codes


def test_the_26_numbers_of_the_cifar10_space() -> None:
    config = {
        "REGNET.DEPTH": 12,
        "REGNET.W0": 96,
        "REGNET.WA": 9.6,
        "REGNET.WM": 2.856,
        "REGNET.GROUP_W": 16,
        "OPTIM.BASE_LR": 0.005,
        "OPTIM.OPTIMIZER": "adamw",
        "OPTIM.LR_POLICY": "exp",
        "TRAIN.CUTOUT_LENGTH": 16,
        "OPTIM.MAX_EPOCH": 200,
    }
    architecture = [6 / 9, 48 / 80, (9.6 - 8) / 24, (2.856 - 2.5) / 0.5, 15 / 31]
    learning_rate, optimizer, policy = [0, 0, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1], [0, 1, 0]
    cutout_length, max_epoch = [0, 1], [0, 0, 1]
    expected = [*architecture, *learning_rate, *optimizer, *policy, *cutout_length, *max_epoch]
    assert CIFAR10.encoding_width == 26
    assert CIFAR10.encode(config).tolist() == pytest.approx(expected)
    assert CIFAR10.encode(config).dtype == np.float64
    assert CIFAR10.encoding_names[:6] == (*CIFAR10.names[:5], "OPTIM.BASE_LR=0.001")
    assert CIFAR10.encoding_names[15:18] == tuple(
        f"OPTIM.OPTIMIZER={name}" for name in ("sgd", "adam", "adamw")
    )
    assert CIFAR10.encoding_names[-1] == "OPTIM.MAX_EPOCH=200"


@pytest.mark.parametrize("space", ALL, ids=lambda s: s.name)
def test_codes_of_columns_and_of_one_are_the_same(space: Space) -> None:
    configs = sampled(space)
    codes = space.encode_columns(space.columns(configs))
    assert codes.shape == (40, space.encoding_width)
    assert codes.tolist() == [space.encode(config).tolist() for config in configs]
    assert (codes >= 0).all()
    assert (codes <= 1).all()
    for config, code in zip(configs, codes, strict=True):
        decoded, given = space.check(space.decode(code)), space.check(config)
        assert list(decoded) == list(given)
        for name, value in given.items():
            assert decoded[name] == (pytest.approx(value) if name == "opt.lr" else value)


def test_inactive_parameters_are_zeros_in_a_code() -> None:
    adam = {"opt.kind": "adam", "opt.lr": 1.0, "layers": 1, "epochs": 3, "mixed": "1"}
    code = dict(zip(OWN.encoding_names, OWN.encode(adam), strict=True))
    assert code == {
        "opt.kind=sgd": 0,
        "opt.kind=adam": 1,
        "opt.lr": 1,
        "opt.sgd.momentum": 0,
        "opt.sgd.nesterov=False": 0,
        "opt.sgd.nesterov=True": 0,
        "damping": 0,
        "layers": 0,
        "epochs=3": 1,
        "epochs=7": 0,
        "epochs=30": 0,
        "mixed=1": 1,
        "mixed=0.5": 0,
    }


def test_decoding_takes_the_nearest_value() -> None:
    code = DIGITS.encode(EXAMPLE)
    code[:5] += [0.03, -0.1, 0.003, 0.0002, 0.01]
    code[5:] = code[5:] * 0.3 + 0.1
    assert DIGITS.decode(code) == EXAMPLE
    assert DIGITS.decode(code.tolist()) == DIGITS.decode(tuple(code)) == EXAMPLE


@pytest.mark.parametrize(
    "code",
    [
        *[None, 1.0, "code", [], {"a": 1}, [0.0] * 27, [[0.0] * 28], [[0.0], [0.0, 1.0]]],
        *[[junk] * 28 for junk in ("0", None, math.nan, math.inf, 1j, 10**400)],
    ],
    ids=lambda code: str(code)[:12],
)
def test_what_is_no_code(code: Any) -> None:
    assert DIGITS.encoding_width == 28
    with pytest.raises(ConfigError, match="a code"):
        DIGITS.decode(code)


def test_a_code_that_the_constraints_exclude() -> None:
    code = DIGITS.encode(EXAMPLE)
    code[:3] = [0.0, 1.0, 0.0]
    with pytest.raises(ConfigError, match="this RegNet has"):
        DIGITS.decode(code)
