"""Constraints: one configuration and whole columns, in a spec, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eahas.errors import ConfigError, SpecError
from eahas.space.architectures.regnet import NetworkFacts, RegNetConstraint
from eahas.space.constraints import Forbidden, constraint_from_dict, require
from eahas.space.parameters import Choice, Condition, Numeric, Parameter

FACTS = NetworkFacts(image_size=32, in_channels=3, classes=10, stem_width=16)
PARAMETERS: tuple[Parameter, ...] = (
    Numeric("REGNET.DEPTH", 6, 15, integer=True),
    Numeric("REGNET.W0", 48, 128, integer=True, log=True, quantum=8),
    Numeric("REGNET.WA", 8, 32, log=True, quantum=0.1),
    Numeric("REGNET.WM", 2.5, 3, log=True, quantum=0.001),
    Numeric("REGNET.GROUP_W", 1, 32, integer=True, power_of_two_below=8),
    Choice("OPTIMIZER", ("sgd", "adam")),
    Choice("NESTEROV", (False, True), Condition("OPTIMIZER", ("sgd",))),
)
CIFAR10 = RegNetConstraint(FACTS, (2, 2), (0.12e9, 0.13e9), (0, 2e6), (0, 1e6))


def regnet(depth: int, w0: int, wa: float, wm: float, group_w: int) -> dict[str, Any]:
    return dict(zip([p.name for p in PARAMETERS], (depth, w0, wa, wm, group_w), strict=False))


ONE_STAGE, TWO_STAGES = regnet(6, 128, 8.0, 3.0, 8), regnet(6, 48, 16.0, 2.5, 8)


def draws(n: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [{p.name: p.sample(rng) for p in PARAMETERS[:5]} for _ in range(n)]


@pytest.mark.parametrize(
    "constraint",
    [CIFAR10, RegNetConstraint(FACTS, (2, 3)), RegNetConstraint(FACTS, (1, 9), acts=(2e5, 4e5))],
)
def test_mask_and_violation_agree(constraint: RegNetConstraint) -> None:
    rows = draws(1500, seed=4)
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    allowed = [constraint.violation(row) is None for row in rows]
    assert constraint.mask(columns).tolist() == allowed
    assert 0 < sum(allowed) < len(rows)


@pytest.mark.parametrize(
    ("config", "constraint", "says"),
    [
        (ONE_STAGE, CIFAR10, "has 1 stages; allowed: 2..2"),
        (regnet(15, 48, 32.0, 2.5, 8), CIFAR10, "has 4 stages; allowed: 2..2"),
        (TWO_STAGES, CIFAR10, "flops; allowed: 120,000,000..130,000,000"),
        (TWO_STAGES, RegNetConstraint(FACTS, (2, 2), params=(0, 9)), "params; allowed: 0..9"),
        (TWO_STAGES, RegNetConstraint(FACTS, (2, 2), acts=(0, 9)), "acts; allowed: 0..9"),
        (regnet(2, 8, 200.0, 2.0, 8), CIFAR10, "uses 2 of 6 possible stages; allowed: all of them"),
    ],
)
def test_violation_names_what_was_given_and_what_is_allowed(
    config: dict[str, Any], constraint: RegNetConstraint, says: str
) -> None:
    why = constraint.violation(config)
    assert why is not None
    assert says in why
    assert all(f"{name}={value}" in why for name, value in config.items())
    with pytest.raises(ConfigError, match="this RegNet"):
        require([constraint], config)


def test_limits_include_their_ends() -> None:
    config = TWO_STAGES
    found = RegNetConstraint(FACTS, (1, 9), params=(0, 1)).violation(config)
    assert found is not None
    params = int(found.split("has ")[1].split(" params")[0].replace(",", ""))
    for limits, allowed in (((params, params), True), ((params + 1, params + 1), False)):
        constraint = RegNetConstraint(FACTS, (1, 9), params=limits)
        assert (constraint.violation(config) is None) is allowed
        assert constraint.mask({k: np.array([v]) for k, v in config.items()}).tolist() == [allowed]


def test_forbidden() -> None:
    constraint = Forbidden((("OPTIMIZER", "sgd"), ("NESTEROV", True)))
    rows = [("sgd", True), ("sgd", False), ("adam", None)]
    columns = dict(
        zip(("OPTIMIZER", "NESTEROV"), np.array(rows, dtype=object).transpose(), strict=True)
    )
    assert constraint.mask(columns).tolist() == [False, True, True]
    why = constraint.violation({"OPTIMIZER": "sgd", "NESTEROV": True})
    assert why is not None
    assert "OPTIMIZER='sgd', NESTEROV=True together are forbidden" in why
    assert constraint.violation({"OPTIMIZER": "adam"}) is None


# In a spec


def test_regnet_from_a_spec() -> None:
    given = {"kind": "regnet", "num_stages": [2, 2], "flops": [0.12e9, 0.13e9]}
    given |= {"params": [0, 2e6], "acts": [0, 1e6]}
    assert constraint_from_dict(given, FACTS, PARAMETERS) == CIFAR10


def test_forbidden_from_a_spec_holds_canonical_values() -> None:
    given = {"kind": "forbidden", "values": {"REGNET.DEPTH": 6.0, "OPTIMIZER": "sgd"}}
    made = constraint_from_dict(given, None, PARAMETERS)
    assert made == Forbidden((("REGNET.DEPTH", 6), ("OPTIMIZER", "sgd")))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "each is a mapping with a kind, got None"),
        ([], "each is a mapping"),
        ({}, "kind None is unknown; allowed: regnet, mnasnet, nasbench101, nasbench201, forbidden"),
        ({"kind": ["regnet"]}, "is unknown"),
        ({"kind": "regnett"}, "did you mean 'regnet'?"),
        ({"kind": "regnet"}, "num_stages is a range [low, high], got None"),
        ({"kind": "regnet", "num_stages": 2}, "num_stages is a range"),
        ({"kind": "regnet", "num_stages": [2]}, "num_stages is a range"),
        ({"kind": "regnet", "num_stages": [3, 2]}, "num_stages is a range"),
        ({"kind": "regnet", "num_stages": [True, 2]}, "num_stages is a range"),
        ({"kind": "regnet", "num_stages": ["2", "2"]}, "num_stages is a range"),
        ({"kind": "regnet", "num_stages": [2, 2.5]}, "whole numbers from 1"),
        ({"kind": "regnet", "num_stages": [0, 2]}, "whole numbers from 1"),
        ({"kind": "regnet", "num_stages": [2, 2], "flop": [0, 1]}, "did you mean 'flops'?"),
        ({"kind": "regnet", "num_stages": [2, 2], "flops": {"low": 0}}, "flops is a range"),
        ({"kind": "forbidden"}, "forbidden needs values"),
        ({"kind": "forbidden", "values": []}, "forbidden needs values"),
        ({"kind": "forbidden", "values": {}}, "forbidden needs values"),
        ({"kind": "forbidden", "value": {}}, "did you mean 'values'?"),
        ({"kind": "forbidden", "values": {"OPTIMISER": "sgd"}}, "did you mean 'OPTIMIZER'?"),
        ({"kind": "forbidden", "values": {"OPTIMIZER": "sdg"}}, "did you mean 'sgd'?"),
        ({"kind": "forbidden", "values": {"REGNET.W0": 50}}, "off the grid"),
        ({"kind": "forbidden", "values": {"NESTEROV": 1}}, "is not allowed"),
    ],
)
def test_malformed_constraint(given: Any, says: str) -> None:
    with pytest.raises(SpecError, match=r"^constraints: ") as caught:
        constraint_from_dict(given, FACTS, PARAMETERS)
    assert says in str(caught.value)


def test_regnet_needs_a_network_and_its_parameters() -> None:
    given = {"kind": "regnet", "num_stages": [2, 2]}
    with pytest.raises(SpecError, match="needs the spec's network section"):
        constraint_from_dict(given, None, PARAMETERS)
    with pytest.raises(SpecError, match=r"needs the parameters REGNET\.DEPTH"):
        constraint_from_dict(given, FACTS, PARAMETERS[1:])


@pytest.mark.parametrize(
    "parameter",
    [
        Numeric("REGNET.DEPTH", 0, 15, integer=True),
        Numeric("REGNET.DEPTH", 6, 15),
        Numeric("REGNET.DEPTH", 6, 10**6, integer=True),
        Numeric("REGNET.W0", 48, 128),
        Numeric("REGNET.W0", -8, 128, integer=True, quantum=8),
        Numeric("REGNET.WA", -1, 32),
        Numeric("REGNET.WM", 1, 3),
        Choice("REGNET.WM", (1.5, "2.5")),
        Choice("REGNET.GROUP_W", (8, 16.0)),
        Choice("REGNET.GROUP_W", (False, True)),
        Choice("REGNET.GROUP_W", (8,), Condition("OPTIMIZER", ("sgd",))),
    ],
)
def test_parameters_that_make_no_regnet(parameter: Parameter) -> None:
    others = [p for p in PARAMETERS if p.name != parameter.name]
    given = {"kind": "regnet", "num_stages": [2, 2]}
    with pytest.raises(SpecError, match=rf"^{parameter.name}: "):
        constraint_from_dict(given, FACTS, [*others, parameter])


def test_a_regnet_of_choices() -> None:
    choices = {"DEPTH": (6, 8), "W0": (48,), "WA": (8, 16.5), "WM": (2.5, 3), "GROUP_W": (8,)}
    parameters = [Choice(f"REGNET.{name}", values) for name, values in choices.items()]
    made = constraint_from_dict({"kind": "regnet", "num_stages": [1, 2]}, FACTS, parameters)
    assert made == RegNetConstraint(FACTS, (1, 2))
