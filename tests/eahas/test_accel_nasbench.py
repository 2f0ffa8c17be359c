"""Accel-NASBench's own names, as its README uses them."""

from __future__ import annotations

import numpy as np
import pytest

from eahas import api
from eahas.accel_nasbench import ANBEnsemble, EfficientNetSS, supported_metrics, target_of
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
    assert target_of(None, "throughput") == "accuracy"


def test_an_impossible_pair_lists_the_possible_ones() -> None:
    with pytest.raises(
        EahasError, match=r"device a100 has no 'latency'; .*zcu102: throughput, lat"
    ):
        ANBEnsemble(device="a100", metric="latency")
    with pytest.raises(EahasError, match="device 'h100' is unknown"):
        ANBEnsemble(device="h100")
