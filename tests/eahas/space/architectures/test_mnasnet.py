"""MnasNet's blocks: parameters as the published data counts them, features of one or many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eahas.models.features.features import default_features
from eahas.space.architectures import complexity, complexity_columns, mnasnet
from eahas.spec.spec import spec_from_dict

ROWS = ("e", "k", "l", "se")
NO = [0] * 7
# Million parameters of four networks in Accel-NASBench's public data set (Apache-2.0).
PUBLISHED = [
    ([[6, 1, 4, 6, 6, 1, 1], [5, 5, 3, 3, 5, 3, 5], [3, 2, 2, 3, 1, 3, 2], NO], 2.330816),
    ([[1, 1, 6, 4, 1, 4, 6], [5, 5, 3, 3, 3, 5, 3], [3, 2, 3, 2, 3, 2, 1], NO], 2.94264),
    (
        [
            [4, 6, 6, 6, 1, 6, 1],
            [3, 5, 5, 3, 3, 3, 5],
            [3, 2, 2, 2, 3, 3, 1],
            [1, 0, 0, 0, 1, 0, 1],
        ],
        3.152884,
    ),
    (
        [
            [4, 1, 6, 6, 4, 4, 4],
            [3, 5, 5, 5, 5, 5, 3],
            [1, 1, 2, 1, 2, 2, 1],
            [0, 1, 0, 1, 0, 1, 0],
        ],
        2.939218,
    ),
]


@pytest.fixture(scope="module")
def space():
    pytest.importorskip("yaml")
    from sweeps.specs import load_spec

    return load_spec("mnasnet").space


def network(rows):
    return {
        f"block{b}_{what}": bool(row[b]) if what == "se" else row[b]
        for what, row in zip(ROWS, rows, strict=True)
        for b in range(7)
    }


@pytest.mark.parametrize(("rows", "millions"), PUBLISHED)
def test_parameters_are_those_of_the_published_networks(rows, millions) -> None:
    _, parameters, _ = mnasnet.complexity(network(rows))
    assert parameters == pytest.approx(1e6 * millions, abs=0.5)


def test_more_of_anything_costs_more() -> None:
    small = network([[4] * 7, [3] * 7, [1] * 7, NO])
    macs, parameters, acts = mnasnet.complexity(small)
    for what, value in (("e", 6), ("k", 5), ("l", 2), ("se", True)):
        for b in range(7):
            more = mnasnet.complexity({**small, f"block{b}_{what}": value})
            assert more[0] > macs
            assert more[1] > parameters
            assert more[2] >= acts


def test_one_and_many_agree(space) -> None:
    features = default_features(space)
    assert features.families == ("mnasnet",)
    configs = space.sample(50, seed=0)
    many = features.many(space.columns(configs))
    assert many.shape == (50, len(features.names))
    for config, row in zip(configs, many, strict=True):
        np.testing.assert_allclose(features.one(space.check(config)), row, rtol=1e-12)


def test_columns_cost_what_single_networks_cost(space) -> None:
    configs = space.sample(50, seed=1)
    many = complexity_columns(space, space.columns(configs))
    for k, config in enumerate(configs):
        costs = complexity(space, config)
        assert costs == {name: many[name][k] for name in ("flops", "params", "acts")}
        assert tuple(costs.values()) == mnasnet.complexity(space.check(config))


def test_a_space_of_mnasnets_is_known_by_its_parameters(space) -> None:
    def family(changes):
        parameters = {name: {"type": "choice", "choices": [1, 2]} for name in mnasnet.PARAMETERS}
        parameters |= {n: {"type": "boolean"} for n in parameters if n.endswith("se")}
        return spec_from_dict({"name": "s", "parameters": parameters | changes}).space.architecture

    assert space.architecture is mnasnet.MNASNET
    assert replace(space, parameters=space.parameters[1:]).architecture is None
    lr = {"type": "float", "low": 0.1, "high": 1.0}
    assert family({"block3_k": {"type": "choice", "choices": [3]}, "lr": lr}) is mnasnet.MNASNET
    assert family({"block3_l": {"type": "choice", "choices": [1, 9]}}) is None
    assert family({"block3_k": {"type": "float", "low": 1.0, "high": 3.0}}) is None
    assert family({"block3_se": {"type": "choice", "choices": [0, 1]}}) is None
    assert family({"block3_k": {"type": "choice", "choices": [True, False]}}) is None
