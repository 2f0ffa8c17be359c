"""Every architecture family through the one interface: spec, space, complexity, graph, hash."""

from __future__ import annotations

import pickle
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from eahas.errors import ConfigError, SpecError
from eahas.models.features.features import default_features
from eahas.space.architectures import (
    FAMILIES,
    architecture_hash,
    complexity,
    complexity_columns,
    graph_form,
)
from eahas.space.architectures.cells import nasbench101, nasbench201
from eahas.space.architectures.mnasnet import PARAMETERS as MNASNET_PARAMETERS
from eahas.space.sampling import sample_columns
from eahas.space.space import Space
from eahas.spec.spec import spec_from_dict

LR = {"lr": {"type": "float", "low": 1e-3, "high": 1.0, "log": True}}
NASBENCH201: dict[str, Any] = {
    "name": "nb201",
    "parameters": {
        name: {"type": "choice", "choices": list(nasbench201.OPERATIONS)}
        for name in nasbench201.PARAMETERS
    }
    | LR,
}
NASBENCH101: dict[str, Any] = {
    "name": "nb101",
    "parameters": {
        name: {"type": "choice", "choices": list(nasbench101.OPERATIONS)}
        for name in nasbench101.OP_PARAMETERS
    }
    | {name: {"type": "boolean"} for name in nasbench101.EDGE_PARAMETERS}
    | LR,
    "constraints": [{"kind": "nasbench101"}],
}
REGNET: dict[str, Any] = {
    "name": "regnets",
    "parameters": {
        "REGNET.DEPTH": {"type": "integer", "low": 6, "high": 15},
        "REGNET.W0": {"type": "integer", "low": 48, "high": 128, "log": True, "quantum": 8},
        "REGNET.WA": {"type": "float", "low": 8, "high": 32, "log": True, "quantum": 0.1},
        "REGNET.WM": {"type": "float", "low": 1.5, "high": 3, "log": True, "quantum": 0.001},
        "REGNET.GROUP_W": {"type": "integer", "low": 1, "high": 32, "power_of_two_below": 8},
    }
    | LR,
    "constraints": [{"kind": "regnet", "num_stages": [1, 3]}],
    "network": {"image_size": 32, "in_channels": 3, "classes": 10, "stem_width": 16},
}
MNASNET: dict[str, Any] = {
    "name": "mnasnets",
    "parameters": {
        name: {"type": "boolean"} if name.endswith("se") else {"type": "choice", "choices": [1, 3]}
        for name in MNASNET_PARAMETERS
    }
    | LR,
}
SPECS = {
    "regnet": REGNET,
    "mnasnet": MNASNET,
    "nasbench101": NASBENCH101,
    "nasbench201": NASBENCH201,
}


@cache
def space_of(family: str) -> Space:
    return spec_from_dict(SPECS[family]).space


def test_there_is_a_space_of_every_family() -> None:
    assert list(FAMILIES) == list(SPECS)


@pytest.mark.parametrize("name", SPECS)
def test_a_space_has_its_family(name: str) -> None:
    space = space_of(name)
    family = space.architecture
    assert family is not None
    assert family.name == name
    assert space.names == (*family.parameters, "lr")
    features = default_features(space)
    assert features.families == (name,)
    assert features.logs == ("lr",)  # nothing of the architecture's own
    assert features.crosses == ()


@pytest.mark.parametrize("name", SPECS)
def test_one_and_many_agree(name: str) -> None:
    space = space_of(name)
    configs = space.sample(40, seed=3)
    columns = space.columns(configs)
    costs = complexity_columns(space, columns)
    features = default_features(space)
    many = features.many(columns)
    assert many.shape == (40, len(features.names)) == (40, len(features.of_costs))
    for k, config in enumerate(configs):
        one = complexity(space, config)
        assert one == {quantity: costs[quantity][k] for quantity in space.architecture.quantities}
        assert all(type(cost) is int and cost > 0 for cost in one.values())
        np.testing.assert_allclose(features.one(space.check(config)), many[k], rtol=1e-12)


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_graphs_of_one_and_many_agree(name: str) -> None:
    space = space_of(name)
    form = graph_form(space)
    configs = space.sample(30, seed=4)
    adjacency, labels = form.many(space.columns(configs))
    assert adjacency.shape == (30, form.vertices, form.vertices)
    assert labels.shape == (30, form.vertices, len(form.labels))
    for k, config in enumerate(configs):
        for one, many in zip(form.one(space.check(config)), (adjacency[k], labels[k]), strict=True):
            np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("name", SPECS)
def test_a_constraint_of_the_family_limits_the_complexity(name: str) -> None:
    space = space_of(name)
    median = float(np.median(complexity_columns(space, sample_columns(space, 200))["params"]))
    constraint = {"kind": name, "params": [0, median]}
    if name == "regnet":
        constraint["num_stages"] = [1, 3]
    small = spec_from_dict(SPECS[name] | {"constraints": [constraint]}).space
    configs = space.sample(60, seed=5)
    allowed = [complexity(space, config)["params"] <= median for config in configs]
    assert 0 < sum(allowed) < 60
    assert [small.contains(config) for config in configs] == allowed
    (limit,) = small.constraints
    assert limit.mask(space.columns(configs)).tolist() == allowed
    assert all(complexity(space, c)["params"] <= median for c in small.sample(20, seed=6))
    with pytest.raises(ConfigError, match=rf"has [\d,]+ params; allowed: 0\.\.{median:,.0f}"):
        small.check(configs[allowed.index(False)])


@pytest.mark.parametrize("name", SPECS)
def test_a_space_is_pickled_with_what_it_derived(name: str) -> None:
    space = space_of(name)
    config = space.sample(seed=7)
    costs = complexity(space, config)
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    assert again.architecture == space.architecture
    assert complexity(again, config) == costs
    features = pickle.loads(pickle.dumps(default_features(again)))
    expected = default_features(space).one(space.check(config))
    np.testing.assert_array_equal(features.one(space.check(config)), expected)


@pytest.mark.parametrize(
    ("name", "network", "says"),
    [
        ("nasbench201", {"classes": 0}, "network: classes is a whole number from 1, got 0"),
        ("nasbench201", {"image_size": 30}, "network: image_size is a multiple of 4, got 30"),
        ("nasbench201", {"stem_width": 16}, "network: field 'stem_width' is unknown"),
        ("nasbench101", {"stem_channel": 16}, "did you mean 'stem_channels'?"),
        ("nasbench101", [], "network: a mapping, got []"),
    ],
)
def test_each_family_reads_its_own_network_section(name, network, says) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_dict(SPECS[name] | {"network": network})
    assert says in str(caught.value)


def test_the_network_section_decides_the_complexity() -> None:
    config = space_of("nasbench201").sample(seed=0)
    spec = spec_from_dict(NASBENCH201 | {"network": {"classes": 100, "cells_per_stage": 1}})
    assert spec.network == nasbench201.Network(classes=100, cells_per_stage=1)
    cell = nasbench201.from_config(spec.space.check(config))
    assert complexity(spec.space, config) == nasbench201.complexity(cell, spec.network)._asdict()
    features = default_features(spec.space)
    last = features.one(spec.space.check(config))[-1]
    assert last == np.log10(complexity(spec.space, config)["params"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"CELL.OP_1": None}, "kind nasbench101 needs the parameters CELL.OP_1"),
        (
            {"CELL.OP_1": {"type": "choice", "choices": ["conv5x5"]}},
            "CELL.OP_1: kind nasbench101 needs choices among 'conv3x3-bn-relu', 'conv1x1-bn-relu'",
        ),
        (
            {"CELL.EDGE_0_1": {"type": "choice", "choices": [0, 1]}},
            "CELL.EDGE_0_1: kind nasbench101 needs choices among False, True, got one of 0, 1",
        ),
        (
            {"CELL.EDGE_0_1": {"type": "integer", "low": 0, "high": 1}},
            "CELL.EDGE_0_1: kind nasbench101 needs choices among False, True, got integer in 0..1",
        ),
    ],
)
def test_a_constraint_needs_its_parameters(change, says) -> None:
    parameters = {n: p for n, p in (NASBENCH101["parameters"] | change).items() if p is not None}
    with pytest.raises(SpecError) as caught:
        spec_from_dict(NASBENCH101 | {"parameters": parameters})
    assert says in str(caught.value)


def test_a_field_of_a_constraint_may_be_unknown() -> None:
    constraint = {"kind": "nasbench201", "acts": [0, 1]}
    with pytest.raises(SpecError, match="constraints: nasbench201: field 'acts' is unknown; allow"):
        spec_from_dict(NASBENCH201 | {"constraints": [constraint]})


def test_a_space_without_a_family(own_spec) -> None:
    space = own_spec().space
    assert space.architecture is None
    config = space.sample(seed=0)
    for function in (complexity, architecture_hash):
        with pytest.raises(SpecError, match="space own has no architecture family; allowed: regn"):
            function(space, config)
    with pytest.raises(SpecError, match="regnet have no graph form"):
        graph_form(space_of("regnet"))
    with pytest.raises(SpecError, match="no two configurations of mnasnet are isomorphic"):
        architecture_hash(space_of("mnasnet"), space_of("mnasnet").sample(seed=0))


def test_cells_without_their_constraint_are_no_family() -> None:
    """Not every configuration of such a space is a cell."""
    parameters = NASBENCH101["parameters"]
    assert spec_from_dict({"name": "s", "parameters": parameters}).space.architecture is None


# Isomorphic configurations


def twins() -> tuple[dict[str, Any], dict[str, Any]]:
    """Two configurations of one NAS-Bench-101 cell: other vertices, and an operation left over."""
    flat = dict.fromkeys(nasbench101.EDGE_PARAMETERS, False)
    flat |= dict.fromkeys(nasbench101.OP_PARAMETERS, "maxpool3x3")
    flat |= {"lr": 0.1}
    one = flat | {"CELL.OP_1": "conv3x3-bn-relu"}
    one |= {"CELL.EDGE_0_1": True, "CELL.EDGE_1_6": True, "CELL.EDGE_0_3": True}
    one |= {"CELL.EDGE_3_6": True}
    two = flat | {"CELL.OP_5": "conv3x3-bn-relu", "CELL.OP_1": "conv1x1-bn-relu"}
    two |= {"CELL.EDGE_0_5": True, "CELL.EDGE_5_6": True, "CELL.EDGE_0_2": True}
    two |= {"CELL.EDGE_2_6": True, "CELL.EDGE_1_2": True}
    return one, two


def test_isomorphic_cells_are_one_network() -> None:
    space, (one, two) = space_of("nasbench101"), twins()
    assert space.check(one) != space.check(two)
    assert space.canonical_hash(one) == space.canonical_hash(two)
    assert len(space.canonical_hash(one)) == 32
    assert architecture_hash(space, one) == architecture_hash(space, two)
    assert architecture_hash(space, one) == nasbench101.canonical_hash(
        nasbench101.from_config(space.check(one))
    )
    assert complexity(space, one) == complexity(space, two)
    features = default_features(space)
    assert not any(name.startswith("CELL.") for name in features.names)
    np.testing.assert_array_equal(features.one(space.check(one)), features.one(space.check(two)))
    many = features.many(space.columns([one, two]))
    np.testing.assert_array_equal(many[0], many[1])


def test_all_other_parameters_count() -> None:
    space, (one, two) = space_of("nasbench101"), twins()
    assert space.canonical_hash(one) != space.canonical_hash(two | {"lr": 0.2})
    space, config = space_of("nasbench201"), space_of("nasbench201").sample(seed=0)
    assert space.canonical_hash(config) == space.canonical_hash(space.check(config))
    assert space.canonical_hash(config) != space.canonical_hash(config | {"lr": 0.2})


def test_the_hash_of_a_space_without_isomorphisms_tells_configurations_apart(own_spec) -> None:
    space = own_spec().space
    configs = space.sample(50, seed=0)
    assert len({space.canonical_hash(config) for config in configs}) == 50
    assert space.canonical_hash(configs[0]) == space.canonical_hash(space.check(configs[0]))


def test_a_sample_can_be_of_distinct_networks() -> None:
    source = NASBENCH101["parameters"] | {"lr": {"type": "choice", "choices": [0.1]}}
    space = spec_from_dict(NASBENCH101 | {"parameters": source}).space
    configs = space.sample(200, seed=0)
    hashes = [space.canonical_hash(config) for config in configs]
    assert len(set(hashes)) < 200  # different configurations, some of them of one cell
    distinct = space.sample(200, seed=0, distinct="canonical")
    assert len({space.canonical_hash(config) for config in distinct}) == 200
    first = [configs[hashes.index(name)] for name in dict.fromkeys(hashes)]
    assert distinct[: len(first)] == first  # those that are left, in the order of the sample
    with pytest.raises(ConfigError, match="distinct='graph': allowed are True, False, 'canonical'"):
        space.sample(2, distinct="graph")


# Moves


def test_neighbours_of_a_nasbench101_cell_are_other_cells() -> None:
    space = space_of("nasbench101")
    for config in space.sample(5, seed=8):
        near = space.neighbours(config)
        hashes = [space.canonical_hash(c) for c in near]
        assert len({*hashes, space.canonical_hash(config)}) == len(near) + 1
        cells = nasbench101.neighbours(nasbench101.from_config(space.check(config)))
        assert len(near) == len(cells) + 2  # and the learning rate, up and down
        assert all(space.contains(c) for c in near)
        assert {c["lr"] for c in near[: len(cells)]} == {config["lr"]}


def test_a_space_of_fewer_operations_keeps_to_them() -> None:
    parameters = dict(NASBENCH101["parameters"])
    for name in nasbench101.OP_PARAMETERS:
        parameters[name] = {"type": "choice", "choices": ["conv3x3-bn-relu", "maxpool3x3"]}
    space = spec_from_dict(NASBENCH101 | {"parameters": parameters}).space
    config = space.sample(seed=1)
    near = space.neighbours(config)
    assert near
    assert all(space.contains(other) for other in near)
    assert space.contains(space.mutate(config, seed=0))


def test_mutation_of_a_cell_leads_to_another_one_and_back_to_more_vertices() -> None:
    parameters = {n: p for n, p in NASBENCH101["parameters"].items() if n != "lr"}
    space = spec_from_dict(NASBENCH101 | {"parameters": parameters}).space
    walk = [nasbench101.to_config(nasbench101.Cell([[0, 1], [0, 0]], ["input", "output"]))]
    for seed in range(60):
        walk.append(space.check(space.mutate(walk[-1], seed=seed)))
    hashes = [space.canonical_hash(config) for config in walk]
    assert all(a != b for a, b in pairwise(hashes))
    assert max(len(nasbench101.from_config(config).ops) for config in walk) >= 6
    assert space.mutate(walk[-1], seed=3) == space.mutate(walk[-1], seed=3)


def test_neighbours_of_a_nasbench201_cell_change_one_edge() -> None:
    space = space_of("nasbench201")
    config = space.sample(seed=9)
    cells = nasbench201.neighbours(nasbench201.from_config(space.check(config)))
    near = [nasbench201.from_config(space.check(c)) for c in space.neighbours(config)]
    assert [cell for cell in near if cell in cells] == sorted(cells, key=near.index)
    assert len(near) == len(cells) + 2
    assert space.contains(space.mutate(config, seed=0))


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_cells_are_encoded_and_decoded(name: str) -> None:
    space = space_of(name)
    for config in space.sample(5, seed=10):
        again = space.decode(space.encode(config))
        assert again["CELL"] == config["CELL"]
        assert again["lr"] == pytest.approx(config["lr"])


def test_a_configuration_that_is_no_cell_is_refused() -> None:
    space = space_of("nasbench101")
    flat = space.check(space.sample(seed=0))
    with pytest.raises(ConfigError, match="no path from vertex 0 to 6; allowed: one or more"):
        space.check(flat | dict.fromkeys(nasbench101.EDGE_PARAMETERS, False))
    with pytest.raises(ConfigError, match="21 edges are on a path from vertex 0 to 6; allowed: 1"):
        space.check(flat | dict.fromkeys(nasbench101.EDGE_PARAMETERS, True))
    columns = sample_columns(space, 500, seed=1)
    rows = zip(*columns.values(), strict=True)
    assert all(space.contains(dict(zip(columns, row, strict=True))) for row in rows)
