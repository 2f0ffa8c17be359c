"""Features: one configuration and a column of them are seen alike."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eahas import api
from eahas.errors import ConfigError, SpecError
from eahas.models.features.features import Features, default_features
from eahas.models.regressors.mlp import MAX_FEATURE
from eahas.spec.spec import Spec, spec_from_dict

NETWORK = {"image_size": 32, "in_channels": 3, "classes": 10, "stem_width": 16}
WIDE = {
    "name": "wide",
    "parameters": {
        "REGNET.DEPTH": {"type": "integer", "low": 1, "high": 40},
        "REGNET.W0": {"type": "integer", "low": 8, "high": 1000},
        "REGNET.WA": {"type": "float", "low": 0, "high": 300.5},
        "REGNET.WM": {"type": "float", "low": 1.1, "high": 4},
        "REGNET.GROUP_W": {"type": "integer", "low": 1, "high": 600},
        "lr": {"type": "choice", "choices": [1, 0.1, 1e-300]},
        "optimizer": {"type": "choice", "choices": ["sgd", "adam"]},
        "odd": {"type": "choice", "choices": [True, "two", 3]},
    },
    "constraints": [{"kind": "regnet", "num_stages": [1, 6]}],
    "network": {**NETWORK, "bottleneck_multiplier": 4},
}


@cache
def spec(which: str) -> Spec:
    return spec_from_dict(WIDE) if which == "wide" else api.load_benchmark("regnet-digits").spec


@given(st.sampled_from(["wide", "regnet-digits"]), st.integers(0, 10**6))
def test_one_and_many_agree_on_regnets(which: str, seed: int) -> None:
    space = spec(which).space
    features = default_features(space)
    flats = [space.check(config) for config in space.sample(4, seed=seed, distinct=False)]
    many = features.many(space.columns(flats))
    assert many.shape == (4, len(features.names))
    assert np.abs(many).max() < MAX_FEATURE
    for flat, row in zip(flats, many, strict=True):
        one = features.one(flat)
        assert one.dtype == np.float64
        np.testing.assert_allclose(one, row, rtol=1e-12, atol=1e-12)


@given(st.integers(0, 10**6))
def test_one_and_many_agree_on_a_users_own_space(own_spec, seed: int) -> None:
    space = own_spec().space
    features = default_features(space)
    flats = [space.check(config) for config in space.sample(6, seed=seed, distinct=False)]
    many = features.many(space.columns(flats))
    np.testing.assert_allclose([features.one(flat) for flat in flats], many, rtol=1e-12)


def test_the_extremes_of_a_space_stay_finite_in_single_precision() -> None:
    space = spec_from_dict(
        {
            "name": "extreme",
            "parameters": {
                "tiny": {"type": "float", "low": 5e-324, "high": 1e308, "log": True},
                "wide": {"type": "float", "low": -8e307, "high": 8e307},
                "word": {"type": "choice", "choices": ["a", "b"]},
            },
        }
    ).space
    features = Features(space, ("tiny",), (("tiny", "word"),))
    ends = [
        {"tiny": tiny, "wide": wide, "word": "b"}
        for tiny in (5e-324, 1e308)
        for wide in (-8e307, 0.0, 8e307)
    ]
    many = features.many(space.columns(ends))
    assert np.isfinite(many.astype(np.float32)).all()
    assert np.abs(many).max() < MAX_FEATURE
    np.testing.assert_allclose([features.one(space.check(end)) for end in ends], many)


def test_the_defaults_are_what_the_space_offers(own_spec) -> None:
    found = default_features(own_spec().space)
    assert found.logs == ("decay", "epochs", "opt.lr")
    assert found.crosses == tuple((number, "opt.kind") for number in found.logs)
    assert found.families == ()
    wide = default_features(spec("wide").space)
    assert wide.families == ("regnet",)
    assert wide.logs == ("lr",)
    assert wide.crosses == (("lr", "optimizer"),)
    assert wide.names[-4:-2] == ("width 6 is a multiple of 32", "log10 flops")


def test_what_kernels_are_written_for_matters_to_costs_alone() -> None:
    found = default_features(spec("regnet-digits").space)
    marked = [name for name, costs in zip(found.names, found.of_costs, strict=True) if costs]
    assert len(marked) == 2 * 7
    assert all(" is " in name for name in marked)
    flat = spec("regnet-digits").space.check(spec("regnet-digits").space.sample(seed=0))
    seen = dict(zip(found.names, found.one(flat).tolist(), strict=True))
    for stage in (1, 2):
        width, group = (
            round(2 ** seen[f"log2 {what} {stage}"]) for what in ("width", "group width")
        )
        for wide in (1, 2, 4, 8, 16):
            assert seen[f"group width {stage} is {wide}"] == (group == wide)
        for multiple in (16, 32):
            assert seen[f"width {stage} is a multiple of {multiple}"] == (width % multiple == 0)


def test_a_space_without_regnets_has_nothing_of_the_kind(own_spec) -> None:
    assert not default_features(own_spec().space).of_costs.any()


def test_names_say_what_each_number_is(own_spec) -> None:
    space = own_spec().space
    found = default_features(space)
    flat = space.check(
        {
            "opt": {"kind": "adam", "lr": 0.01},
            "units": 3,
            "decay": 1e-4,
            "early": True,
            "epochs": 12,
        }
    )
    named = dict(zip(found.names, found.one(flat), strict=True))
    assert named["log10 opt.lr"] == pytest.approx(-2.0)
    assert named["log10 decay where opt.kind=adam"] == pytest.approx(-4.0)
    assert named["log10 decay where opt.kind=sgd"] == 0.0
    assert named["log10 epochs"] == pytest.approx(math.log10(12))
    assert named["opt.kind=adam"] == named["early=True"] == 1.0


@pytest.mark.parametrize(
    ("logs", "crosses", "families", "why"),
    [
        (("unit",), (), (), "unknown.*did you mean 'units'"),
        (("opt.kind",), (), (), "opt.kind is not always a positive number"),
        (("opt.momentum",), (), (), "opt.momentum is not always a positive number"),
        (("early",), (), (), "early is not always a positive number"),
        ((), (("opt.kind", "decay"),), (), "opt.kind is not always a positive"),
        ((), (("decay", "units"),), (), "units is not an unconditional choice"),
        ((), (("decay", "nothing"),), (), "unknown"),
        ((), (), ("regnet",), "no regnet constraint"),
        ((), (), ("mnasnet",), "space own does not have the parameters of MnasNets"),
        ((), (), ("nasbench101",), "space own has no nasbench101 constraint"),
        ((), (), ("nasbench201",), "space own does not have the edges of NAS-Bench-201"),
        ((), (), ("regnets",), "family 'regnets' is unknown.*did you mean 'regnet'"),
    ],
)
def test_what_a_space_cannot_give_is_refused(own_spec, logs, crosses, families, why) -> None:
    with pytest.raises((SpecError, ConfigError), match=why):
        Features(own_spec().space, logs, crosses, families)


def test_an_absurd_number_of_stages_is_refused() -> None:
    source = {**WIDE, "constraints": [{"kind": "regnet", "num_stages": [1, 1e15]}]}
    with pytest.raises(SpecError, match=r"1000000000000000 stages; allowed: 1000"):
        default_features(spec_from_dict(source).space)
