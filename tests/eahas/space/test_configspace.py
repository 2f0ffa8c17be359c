"""Spaces in the terms of ConfigSpace."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from eahas.errors import MissingExtraError, SpecError
from eahas.space.constraints import Forbidden
from eahas.space.parameters import Choice, Condition, Numeric
from eahas.space.space import Space
from sweeps.specs import load_spec

DIGITS = load_spec("regnet-digits").space
SGD = Condition("opt.kind", ("sgd",))
OWN = Space(
    "own",
    (
        Choice("opt.kind", ("sgd", "adam", "lamb")),
        Numeric("opt.lr", 1e-5, 1.0, log=True),
        Numeric("opt.momentum", 0.0, 0.99, condition=SGD),
        Choice("opt.nesterov", (False, True), SGD),
        Numeric("opt.damping", 0.0, 1.0, condition=Condition("opt.nesterov", (False,))),
        Numeric("steps", 1, 4096, integer=True, log=True),
        Numeric("dropout", 0.0, 0.5, quantum=0.05, condition=Condition("steps", (1, 2, 3))),
        Choice("mixed", (1, "a", 2.5)),
        Choice("rates", (1, 0.5)),
        Choice("only", ("one",)),
    ),
    (
        Forbidden((("opt.kind", "adam"), ("mixed", 1))),
        Forbidden((("mixed", 2.5),)),
        Forbidden((("opt.kind", "sgd"), ("only", "one"))),
    ),
)


@pytest.fixture
def configspace() -> Any:
    return pytest.importorskip("ConfigSpace", reason="needs the extra configspace")


def test_every_draw_of_an_export_belongs_to_the_space(configspace: Any) -> None:
    exported = OWN.to_configspace()
    exported.seed(1)
    drawn = [dict(config) for config in exported.sample_configuration(300)]
    checked = OWN.check_list(drawn)
    assert {config["opt.kind"] for config in checked} == {"adam", "lamb"}
    assert len({config["steps"] for config in checked}) > 50
    assert OWN.columns(drawn)["opt.lr"].shape == (300,)


def test_conditions_are_exported(configspace: Any) -> None:
    space = Space("s", OWN.parameters)
    exported = space.to_configspace()
    exported.seed(2)
    drawn = space.check_list([dict(config) for config in exported.sample_configuration(200)])
    kinds = {(c["opt.kind"], "opt.momentum" in c, "opt.damping" in c) for c in drawn}
    assert kinds == {
        ("sgd", True, True),
        ("sgd", True, False),
        ("adam", False, False),
        ("lamb", False, False),
    }


def test_a_grid_becomes_an_ordinal_of_its_values(configspace: Any) -> None:
    exported = DIGITS.to_configspace()
    assert list(exported) == sorted(DIGITS.names)
    for name in ("REGNET.W0", "REGNET.WA", "REGNET.WM", "REGNET.GROUP_W"):
        assert list(exported[name].sequence) == DIGITS[name].grid()
    depth, rate = exported["REGNET.DEPTH"], exported["OPTIM.BASE_LR"]
    assert (depth.lower, depth.upper, depth.log) == (4, 12, False)
    assert tuple(rate.choices) == DIGITS["OPTIM.BASE_LR"].choices  # type: ignore[union-attr]


def test_the_constraints_that_cannot_be_exported_are_left_to_contains(configspace: Any) -> None:
    exported = DIGITS.to_configspace()
    exported.seed(3)
    kept = [DIGITS.contains(dict(config)) for config in exported.sample_configuration(300)]
    assert 0.1 < sum(kept) / 300 < 0.9
    assert DIGITS.contains(dict(exported.get_default_configuration()))


def test_a_grid_too_large_for_an_ordinal(configspace: Any) -> None:
    space = Space("s", (Numeric("x", 0, 10**6, quantum=0.5),))
    with pytest.raises(SpecError, match="a grid of 2,000,001 values is too large"):
        space.to_configspace()


def test_without_configspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ConfigSpace", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'eahas\[configspace\]'"):
        OWN.to_configspace()
