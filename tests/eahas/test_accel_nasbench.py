"""Accel-NASBench's own names, as its README uses them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eahas import api
from eahas.accel_nasbench import (
    ANBEnsemble,
    EfficientNetSS,
    device_metrics,
    supported_metrics,
    target_of,
)
from eahas.errors import ConfigError, EahasError

MANUAL = [
    [1, 6, 6, 6, 6, 6, 6],
    [3, 3, 5, 3, 5, 5, 3],
    [1, 2, 2, 3, 3, 4, 1],
    [True, True, True, True, True, True, True],
]


@pytest.fixture(scope="module")
def space() -> EfficientNetSS:
    return EfficientNetSS()


def test_a_manual_sample_is_the_architecture_of_its_rows(space) -> None:
    architecture = space.manual_sample(MANUAL)
    assert architecture["block0_e"] == 1
    assert architecture["block5_l"] == 4
    assert architecture["block6_k"] == 3
    assert architecture["block3_se"] is True
    assert api.load_benchmark("accel-nasbench").space.contains(architecture)
    assert space.manual_sample([*MANUAL[:3], [1] * 7]) == architecture


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (MANUAL[:3], "four lists of seven"),
        ([*MANUAL[:3], [True] * 6], "four lists of seven"),
        ("blocks", "four lists of seven"),
        ([[2] * 7, *MANUAL[1:]], "block0_e=2 is not allowed; allowed: one of 1, 4, 6"),
        ([*MANUAL[:2], [4] * 7, MANUAL[3]], "block0_l=4 is out of range"),
        ([*MANUAL[:3], ["yes"] * 7], "block0_se='yes' is not allowed"),
    ],
)
def test_another_shape_or_value_is_refused(rows, why, space) -> None:
    with pytest.raises(ConfigError, match=why):
        space.manual_sample(rows)


def test_random_samples_differ_and_follow_their_seed(space) -> None:
    samples = space.random_sample(4, seed=1)
    assert len({tuple(s.items()) for s in samples}) == 4
    assert samples == space.random_sample(4, seed=1) != space.random_sample(4, seed=2)
    assert space.random_sample(3) != space.random_sample(3)
    assert space.random_sample() != space.random_sample(1)  # one is an architecture, not a list
    assert len(space) == space.size() == _count(space)


def _count(space) -> int:
    """The choices of each kind of row, to the power of the blocks, from what may be sampled."""
    allowed = [set() for _ in range(28)]
    for sample in space.random_sample(2000, seed=0):
        for values, value in zip(allowed, sample.values(), strict=True):
            values.add(value)
    return math.prod(len(values) for values in allowed)


def test_the_example_of_its_users_runs_with_another_import(space) -> None:
    accuracy = ANBEnsemble("xgb", seed=3).load_ensemble()
    throughput = ANBEnsemble("xgb", device="TPUv2", metric="throughput", seed=3).load_ensemble()
    both = [space.random_sample(1), space.manual_sample(MANUAL)]
    for model in (accuracy, throughput):
        mean, std = model.query(both)
        assert mean.shape == std.shape == (2,) and (std > 0).all()
    assert space.efficientnet_b0() == both[1]


def test_queries_answer_with_mean_and_deviation_of_each(space) -> None:
    samples = [space.manual_sample(MANUAL), *space.random_sample(3)]
    accuracy, spread = ANBEnsemble("xgb").query(samples)
    assert accuracy.shape == spread.shape == (4,)
    assert ((accuracy > 40) & (accuracy < 80)).all()
    images, _ = ANBEnsemble("xgb", device="tpuv2", metric="throughput").query(samples)
    assert (images > 100).all()
    one, _ = ANBEnsemble(device="tpuv2").query(samples[0])
    np.testing.assert_allclose(one, images[0], rtol=1e-6)


def test_the_pairs_of_device_and_metric_are_those_of_its_readme() -> None:
    assert supported_metrics() == {
        "3090": ["throughput"],
        "a100": ["throughput"],
        "tpuv2": ["throughput"],
        "tpuv3": ["throughput"],
        "zcu102": ["throughput", "latency"],
        "vck190": ["throughput", "latency"],
    }


def test_the_devices_come_from_the_names_of_the_targets() -> None:
    spec = api.load_benchmark("accel-nasbench").spec
    assert device_metrics(spec) == supported_metrics()
    assert target_of(spec, "TPUv2", "Throughput") == "throughput_tpuv2"
    with pytest.raises(EahasError, match="regnet-digits has no devices"):
        target_of(api.load_benchmark("regnet-digits").spec, "a100", "latency")


def test_an_impossible_pair_lists_the_possible_ones() -> None:
    with pytest.raises(
        EahasError, match=r"device a100 has no metric 'latency'; .*zcu102: throughput, lat"
    ):
        ANBEnsemble(device="a100", metric="latency")
    with pytest.raises(EahasError, match="device 'h100' is unknown"):
        ANBEnsemble(device="h100")
    with pytest.raises(EahasError, match="device 3090 has no metric None"):
        ANBEnsemble(device="3090", metric=None)
