"""From a dictionary to a spec: every section, every mistake in it, and a user's own space."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from eahas.errors import SpecError
from eahas.space.architectures.regnet import NetworkFacts, RegNetConstraint
from eahas.space.constraints import Forbidden
from eahas.space.parameters import Choice, Condition, Numeric
from eahas.spec.spec import parameter_from_dict, spec_from_dict
from eahas.spec.targets import KNOWN_TARGETS, Target

OWN: dict[str, Any] = {
    "name": "my-space",
    "version": 3,
    "description": "floats, logs, choices, booleans and conditions",
    "parameters": {
        "opt.kind": {"type": "choice", "choices": ["sgd", "adam"]},
        "opt.lr": {"type": "float", "low": 1e-5, "high": 1.0, "log": True},
        "opt.momentum": {"type": "float", "low": 0, "high": 1, "when": {"opt.kind": ["sgd"]}},
        "nesterov": {"type": "boolean", "when": {"opt.kind": ["sgd"]}},
        "units": {"type": "integer", "low": 1, "high": 64, "power_of_two_below": 16},
        "dropout": {"type": "float", "low": 0, "high": 0.5, "quantum": 0.05},
        "epochs": {"type": "choice", "choices": [9, 27, 81]},
    },
    "constraints": [{"kind": "forbidden", "values": {"opt.kind": "adam", "units": 64}}],
    "fidelity": "epochs",
    "targets": {
        "curves": {"loss": {"unit": "nat", "low": 0}, "train": None},
        "scalars": {
            "runtime_s": None,
            "carbon_g": {"unit": "g", "low": 0, "cumulative": True},
            "speedup": {"direction": "maximize"},
        },
    },
    "data": {"name": "mine"},
    "training": {"batch_size": 32},
    "measurement": {"energy": "auto"},
}
NETWORK = {"image_size": 32, "in_channels": 3, "classes": 10, "stem_width": 16}
REGNET: dict[str, Any] = {
    "name": "r",
    "parameters": {
        "REGNET.DEPTH": {"type": "integer", "low": 6, "high": 15},
        "REGNET.W0": {"type": "integer", "low": 48, "high": 128, "log": True, "quantum": 8},
        "REGNET.WA": {"type": "float", "low": 8, "high": 32, "log": True, "quantum": 0.1},
        "REGNET.WM": {"type": "float", "low": 2.5, "high": 3, "log": True, "quantum": 0.001},
        "REGNET.GROUP_W": {"type": "integer", "low": 1, "high": 32, "power_of_two_below": 8},
    },
    "constraints": [{"kind": "regnet", "num_stages": [2, 2]}],
    "network": NETWORK,
}


def with_change(spec: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the spec with one value set; `...` drops it. Steps are divided by slashes."""
    changed = copy.deepcopy(dict(spec))
    *steps, last = path.split("/")
    at: Any = changed
    for step in steps:
        at = at[int(step) if isinstance(at, list) else step]
    if value is ...:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return changed


def test_a_users_own_spec() -> None:
    spec = spec_from_dict(OWN)
    assert (spec.name, spec.version, spec.space.name) == ("my-space", 3, "my-space")
    assert spec.description == OWN["description"]
    when = Condition("opt.kind", ("sgd",))
    assert spec.space.parameters == (
        Choice("opt.kind", ("sgd", "adam")),
        Numeric("opt.lr", 1e-5, 1.0, log=True),
        Numeric("opt.momentum", 0, 1, condition=when),
        Choice("nesterov", (False, True), when),
        Numeric("units", 1, 64, integer=True, power_of_two_below=16),
        Numeric("dropout", 0, 0.5, quantum=0.05),
        Choice("epochs", (9, 27, 81)),
    )
    assert spec.space.constraints == (Forbidden((("opt.kind", "adam"), ("units", 64))),)
    assert spec.space.fidelity == "epochs"
    assert spec.curves == (
        Target("loss", "curve", "nat", "minimize", low=0),
        KNOWN_TARGETS["train"],
    )
    assert spec.scalars == (
        KNOWN_TARGETS["runtime_s"],
        Target("carbon_g", "scalar", "g", "minimize", low=0, cumulative=True),
        Target("speedup", "scalar", "", "maximize"),
    )
    assert spec.targets == spec.curves + spec.scalars
    assert (spec.data, spec.training, spec.measurement) == (
        {"name": "mine"},
        {"batch_size": 32},
        {"energy": "auto"},
    )
    assert spec.network is None


def test_the_source_goes_through_json_and_comes_back() -> None:
    spec = spec_from_dict(OWN)
    assert spec.source == OWN
    assert spec.source is not OWN
    assert spec_from_dict(json.loads(json.dumps(spec.source))) == spec


def test_a_regnet_spec() -> None:
    spec = spec_from_dict(REGNET | {"network": NETWORK | {"se_ratio": 0, "stride": 1}})
    assert spec.network == NetworkFacts(32, 3, 10, 16, se_ratio=0, stride=1)
    assert spec.space.constraints == (RegNetConstraint(spec.network, (2, 2)),)
    assert (spec.version, spec.description, spec.targets, spec.data) == (1, "", (), None)


def test_what_is_null_is_left_out() -> None:
    empty = dict.fromkeys(("description", "constraints", "fidelity", "targets", "network", "data"))
    empty |= dict.fromkeys(("training", "measurement"))
    spec = spec_from_dict({"name": "n", "parameters": {"a": {"type": "boolean"}}} | empty)
    assert (spec.training, spec.measurement, spec.space.constraints) == ({}, {}, ())


@pytest.mark.parametrize("given", [None, [], "spec", 3, True, {1: 2}, {None: 1}, {}, {"name": "n"}])
def test_what_is_no_spec(given: Any) -> None:
    with pytest.raises(SpecError):
        spec_from_dict(given)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("parameter", {}, "section 'parameter' is unknown; allowed: name, version"),
        ("name", ..., "a spec needs the section name"),
        ("name", "", "name: text, got ''"),
        ("name", 7, "name: text, got 7"),
        ("name", "my space@2", "name: letters, digits"),
        ("version", 0, "version: a whole number from 1, got 0"),
        ("version", 1.0, "version: a whole number from 1"),
        ("version", True, "version: a whole number from 1"),
        ("version", "1", "version: a whole number from 1"),
        ("description", ["text"], "description: text"),
        ("parameters", ..., "a spec needs the section parameters"),
        ("parameters", {}, "at least one is needed"),
        ("parameters", [], "parameters: a mapping, got []"),
        ("parameters/opt.kind", None, "opt.kind: a mapping with a type, got None"),
        ("parameters/opt.kind", ["sgd"], "opt.kind: a mapping with a type"),
        (
            "parameters/opt.kind/type",
            ...,
            "opt.kind: type None is unknown; allowed: integer",
        ),
        ("parameters/opt.kind/type", "choise", "did you mean 'choice'?"),
        ("parameters/opt.kind/type", ["choice"], "opt.kind: type ['choice'] is unknown"),
        ("parameters/opt.kind/choices", "sgd", "opt.kind: choices is a list, got 'sgd'"),
        ("parameters/opt.kind/choices", ..., "opt.kind: choices is a list, got None"),
        ("parameters/opt.kind/choices", [], "opt.kind: choices must be one or more distinct"),
        ("parameters/opt.kind/choices", ["a", ["b"]], "opt.kind: a choice is a string"),
        ("parameters/opt.kind/low", 3, "opt.kind: field 'low' is unknown; allowed: type, when"),
        ("parameters/opt.lr/low", ..., "opt.lr: low is a finite number (whole: at most 2^53), got"),
        ("parameters/opt.lr/hihg", 3, "opt.lr: field 'hihg' is unknown"),
        ("parameters/opt.lr/log", 1, "opt.lr: log is true or false, got 1"),
        ("parameters/opt.lr/power_of_two_below", 8, "field 'power_of_two_below' is unknown"),
        ("parameters/nesterov/choices", [0, 1], "nesterov: field 'choices' is unknown"),
        ("parameters/nesterov/when", "sgd", "nesterov: when is {PARENT: [values]}, got 'sgd'"),
        ("parameters/nesterov/when", {}, "nesterov: when is {PARENT: [values]}"),
        ("parameters/nesterov/when", {"opt.kind": "sgd"}, "needs a list of values of opt.kind"),
        ("parameters/nesterov/when", {"opt.kind": []}, "needs a list of values of opt.kind"),
        ("parameters/nesterov/when", {"opt.kind": ["sdg"]}, "did you mean 'sgd'?"),
        ("parameters/dropout/when", {"units": [3]}, "is never true: units=3 is off the grid"),
        ("parameters/nesterov/when", {"opt": ["sgd"]}, "names 'opt', which is not a parameter"),
        ("parameters/nesterov/when", {"epochs": [9]}, "listed before it"),
        ("parameters/opt", {"type": "boolean"}, "opt is both a parameter and a section"),
        ("parameters/a..b", {"type": "boolean"}, "a name is text, SECTION.NAME if nested"),
        ("constraints", {}, "constraints: a list, got {}"),
        ("constraints/0/kind", "forbiden", "did you mean 'forbidden'?"),
        ("constraints/0/values/units", 65, "constraints: forbidden: units=65 is out of range"),
        ("fidelity", "epoch", "did you mean 'epochs'?"),
        ("fidelity", ["epochs"], "fidelity: text, got ['epochs']"),
        ("fidelity", "opt.momentum", "the epochs cannot have a condition"),
        ("fidelity", "opt.lr", "fidelity opt.lr: epochs are whole numbers from 1, got number in"),
        ("fidelity", "opt.kind", "epochs are whole numbers from 1, got one of 'sgd', 'adam'"),
        ("parameters/epochs/choices", [0, 9], "epochs are whole numbers from 1, got one of 0, 9"),
        ("parameters/epochs/choices", [9.0], "epochs are whole numbers from 1, got one of 9.0"),
        ("fidelity", ..., "curves need a fidelity"),
        ("targets", ["train"], "targets: a mapping with curves and scalars"),
        ("targets/curve", ["train"], "targets: field 'curve' is unknown; allowed: curves, scalars"),
        ("targets/curves", "train", "targets: curves is a list or a mapping, got 'train'"),
        ("targets/curves", ["train", "train"], "targets: a curve occurs twice"),
        ("targets/curves", ["train", "runtime_s"], "targets: curve 'runtime_s' is unknown"),
        ("targets/curves", [["train"]], "targets: a curve: text"),
        (
            "targets/curves/trian",
            None,
            "did you mean 'train'?; define another target as trian: {unit:",
        ),
        ("targets/curves/loss", "nat", "targets: loss is described by a mapping"),
        ("targets/curves/loss/units", "nat", "did you mean 'unit'?"),
        ("targets/curves/loss/optional", True, "targets: loss: field 'optional' is unknown"),
        ("targets/curves/loss/direction", "up", "direction is maximize or minimize, got 'up'"),
        ("targets/curves/loss/low", "0", "targets: loss: low is a number, got '0'"),
        ("targets/curves/loss/high", -1, "targets: loss: low < high is needed, got low=0, high=-1"),
        ("targets/curves/loss/unit", 1, "targets: loss: unit: text, got 1"),
        ("targets/scalars/carbon_g/cumulative", 1, "cumulative is true or false, got 1"),
        ("targets/scalars/train", {"unit": "s"}, "targets: train is also another target"),
        ("targets/scalars/units", {"unit": "s"}, "targets: units is also another target or a par"),
        ("data", "cifar10", "data: a mapping, got 'cifar10'"),
        ("training", [1], "training: a mapping, got [1]"),
        ("measurement", 0, "measurement: a mapping, got 0"),
        ("training/lr", math.nan, "training: lr: allowed are text, finite numbers"),
        ("training/lr", math.inf, "training: lr: allowed are text, finite numbers"),
        ("training/seed", 10**30, "training: seed: allowed are text, finite numbers"),
        ("training/what", object, "training: what: allowed are text"),
        ("training/what", {3: 1}, "training: what: a name is text (quoted in YAML), got 3"),
    ],
)
def test_malformed_spec(path: str, value: Any, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_dict(with_change(OWN, path, value))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("network", "cifar", "network: a mapping, got 'cifar'"),
        ("network", ..., "kind regnet needs the spec's network section"),
        ("network/image_size", ..., "network: image_size missing"),
        ("network/stem_widht", 3, "did you mean 'stem_width'?"),
        ("network/image_size", 32.0, "image_size is a whole number in 1..1000000, got 32.0"),
        ("network/image_size", 0, "network: image_size is a whole number"),
        ("network/classes", "10", "network: classes is a whole number"),
        ("network/stride", True, "network: stride is a whole number"),
        ("network/stride", None, "network: stride is a whole number"),
        ("network/stem", "res_stem", "did you mean 'res_stem_cifar'?"),
        ("network/stem", ["simple_stem_in"], "network: stem ['simple_stem_in'] is unknown"),
        ("network/se_ratio", -0.1, "network: se_ratio is a number in 0..1, got -0.1"),
        ("network/se_ratio", "0.25", "network: se_ratio is a number, got '0.25'"),
        ("network/se_ratio", None, "network: se_ratio is a number in 0..1, got None"),
        ("network/bottleneck_multiplier", 0, "network: bottleneck_multiplier is 1/8, 1/4"),
        ("network/bottleneck_multiplier", 1.5, "network: bottleneck_multiplier is 1/8, 1/4"),
        ("parameters/REGNET.WM/low", 1, "REGNET.WM: kind regnet needs numbers in 1.001..10"),
        ("parameters/REGNET.DEPTH/type", "float", "REGNET.DEPTH: kind regnet needs integers"),
    ],
)
def test_malformed_network(path: str, value: Any, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_dict(with_change(REGNET, path, value))
    assert says in str(caught.value)


def test_a_spec_inside_itself() -> None:
    loop: dict[str, Any] = {}
    loop |= {"a": loop, "b": [loop, loop]}
    with pytest.raises(SpecError, match="at most 20 levels"):
        spec_from_dict(OWN | {"training": loop})
    laughs: Any = "ha"
    for _ in range(9):
        laughs = [laughs] * 9
    with pytest.raises(SpecError, match="100000 values"):
        spec_from_dict(OWN | {"training": {"ha": laughs}})


def test_parameters_alone() -> None:
    given = {"type": "float", "low": 0, "high": 1}
    assert parameter_from_dict("x", given) == Numeric("x", 0, 1)
    with pytest.raises(SpecError, match="x: a mapping with a type"):
        parameter_from_dict("x", None)
