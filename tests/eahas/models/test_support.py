"""Support: about uniform where training runs were, low elsewhere, and never a reason to fail."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage.folder import manifest_bytes, tensor_bytes
from eahas.errors import CheckpointError
from eahas.models.query import make_query
from eahas.models.support import (
    NEIGHBOURS,
    Support,
    distance_codes,
    support_from_tensors,
    support_of,
)
from eahas.space.space import Space
from eahas.spec.spec import spec_from_dict

MIXED = {
    "name": "mixed",
    "parameters": {
        "a": {"type": "float", "low": 0.0, "high": 1.0},
        "b": {"type": "float", "low": 1e-4, "high": 1.0, "log": True},
        "units": {"type": "integer", "low": 1, "high": 64},
        "kind": {"type": "choice", "choices": ["sgd", "adam", "lion"]},
        "momentum": {"type": "float", "low": 0.0, "high": 1.0, "when": {"kind": ["sgd"]}},
        "early": {"type": "boolean"},
    },
    "targets": {"scalars": ["runtime_s"]},
}


@pytest.fixture(scope="module")
def space() -> Space:
    return spec_from_dict(MIXED).space


def supported(space: Space, configs: list[dict[str, object]]) -> Support:
    return support_of(space, np.stack([space.encode(config) for config in configs]))


@pytest.fixture(scope="module")
def support(space) -> Support:
    """Of 400 configurations in one half of the space."""
    configs = [c for c in space.sample(900, seed=0) if c["a"] < 0.5]
    return supported(space, configs[:400])


def half(space: Space, count: int, seed: int) -> list[dict[str, object]]:
    """Configurations of the half where the training ones are."""
    return [c for c in space.sample(10 + 3 * count, seed=seed) if c["a"] < 0.5][:count]


def test_scores_of_configurations_like_the_training_ones_are_about_uniform(space, support) -> None:
    scores = np.sort(support.score(make_query(space, half(space, 1000, seed=1))))
    np.testing.assert_allclose(scores, (np.arange(1000) + 0.5) / 1000, atol=0.08)
    assert (scores < 0.05).mean() == pytest.approx(0.05, abs=0.025)


def test_the_score_falls_with_the_distance(space, support) -> None:
    usual = half(space, 1, seed=2)[0] | {"units": 30, "b": 0.01}
    scores = [
        support.score(make_query(space, {**usual, "a": a})) for a in (0.25, 0.5, 0.6, 0.8, 1.0)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.1
    assert scores[-1] < 0.05


def test_a_corner_where_no_run_was_has_next_to_none(space) -> None:
    near = [c for c in half(space, 900, seed=8) if c["units"] < 32 and c["kind"] != "lion"]
    found = supported(space, near)
    corner = {"a": 1.0, "b": 1.0, "units": 64, "kind": "lion", "early": True}
    assert found.score(make_query(space, corner)) == pytest.approx(1 / (len(near) + 1))
    assert np.median(found.score(make_query(space, near))) > 0.3


def test_one_and_many_agree(space, support) -> None:
    configs = space.sample(50, seed=3)
    many = support.score(make_query(space, configs))
    ones = [support.score(make_query(space, config)) for config in configs]
    assert {type(one) for one in ones} == {float}
    np.testing.assert_array_equal(many, ones)
    assert ((many > 0) & (many <= 1)).all()


def test_two_choices_are_as_far_apart_as_two_truths_or_two_ends(space) -> None:
    config = {"a": 0.0, "b": 0.01, "units": 9, "kind": "adam", "early": False}
    here, *others = (
        distance_codes(space, space.encode({**config, **change})[None])
        for change in ({}, {"kind": "lion"}, {"early": True}, {"a": 1.0})
    )
    assert [float(np.abs(other - here).sum()) for other in others] == [1.0, 1.0, 1.0]


def test_a_number_that_is_drawn_on_a_log_scale_lies_on_it(space) -> None:
    config = {"a": 0.0, "b": 1e-4, "units": 9, "kind": "adam", "early": False}
    tenths = [
        distance_codes(space, space.encode({**config, "b": b})[None])
        for b in (1e-4, 1e-3, 1e-2, 0.1, 1.0)
    ]
    steps = [float(np.abs(b - a).sum()) for a, b in itertools.pairwise(tenths)]
    np.testing.assert_allclose(steps, 0.25, rtol=1e-5)


def test_an_end_of_a_log_scale_where_no_run_was_has_no_support(space) -> None:
    near = [c for c in space.sample(900, seed=1) if c["b"] > 0.01]
    found = supported(space, near)
    low = [{**c, "b": 1e-4} for c in near[:50]]
    assert np.median(found.score(make_query(space, low))) < 0.1
    assert found.least == 1 / (len(near) + 1)


def test_the_score_counts_who_is_as_far_from_the_nearest_others(space) -> None:
    configs = half(space, 40, seed=4)
    found = supported(space, configs)
    codes = distance_codes(space, np.stack([space.encode(c) for c in configs])).astype(float)
    apart = np.abs(codes[:, None] - codes).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.sort(np.sort(apart, axis=1)[:, :NEIGHBOURS].mean(axis=1))
    np.testing.assert_allclose(found.distances, nearest, rtol=1e-5)
    asked = space.sample(30, seed=9)
    others = distance_codes(space, np.stack([space.encode(c) for c in asked])).astype(float)
    far = np.sort(np.abs(others[:, None] - codes).sum(axis=2), axis=1)[:, :NEIGHBOURS].mean(axis=1)
    expected = (1 + (nearest >= far[:, None]).sum(axis=1)) / 41
    np.testing.assert_allclose(found.score(make_query(space, asked)), expected)


def test_many_configurations_are_compared_in_blocks(space, support, monkeypatch) -> None:
    configs = space.sample(30, seed=5)
    whole = support.score(make_query(space, configs))
    monkeypatch.setattr("eahas.models.neighbours.BLOCK_SIZE", 1)
    monkeypatch.setattr("eahas.models.neighbours.MIN_ROWS", 1)
    np.testing.assert_array_equal(support.score(make_query(space, configs)), whole)
    few = supported(space, configs)
    monkeypatch.undo()
    np.testing.assert_array_equal(supported(space, configs).distances, few.distances)


@pytest.mark.parametrize("count", [1, 2, NEIGHBOURS, NEIGHBOURS + 1])
def test_a_few_training_configurations_are_enough_for_an_answer(space, count) -> None:
    configs = half(space, count, seed=6)
    found = supported(space, configs)
    assert support_from_tensors(space, found.tensors()).distances.shape == (count,)
    far = {"a": 1.0, "b": 1.0, "units": 64, "kind": "lion", "early": True}
    scores = found.score(make_query(space, [*configs, far]))
    assert (scores[:-1] >= scores[-1]).all()
    assert 1 / (count + 1) <= scores[-1] < scores.max() <= 1.0


def test_repeats_of_a_configuration_count_once(space) -> None:
    configs = half(space, 30, seed=7)
    once, thrice = supported(space, configs), supported(space, 3 * configs)
    np.testing.assert_array_equal(once.codes, thrice.codes)
    np.testing.assert_array_equal(once.distances, thrice.distances)
    alone = supported(space, 50 * configs[:1])
    assert alone.score(make_query(space, configs[0])) == 1.0


# In a benchmark


@pytest.fixture
def folder(own_spec, handmade, saved, tmp_path) -> Path:
    spec = own_spec()
    return saved(tmp_path / "b", spec, [handmade(spec, "curves"), handmade(spec, "scalars")])


def test_a_prediction_has_its_support(folder) -> None:
    bench = api.load_benchmark(folder)
    configs = bench.space.sample(20, seed=0)
    many = bench.predict(configs).support
    assert many.shape == (20,)
    for config, score in zip(configs, many, strict=True):
        p = bench.predict(config)
        assert isinstance(p.support, float)
        assert p.support == p.to_dict()["support"] == score
        assert bench.predict(config, noise_seed=1).support == score


def resigned(folder: Path, content: bytes) -> None:
    (folder / "support.safetensors").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {name: (folder / name).read_bytes() for name in manifest["files"]}
    (folder / "manifest.json").write_bytes(manifest_bytes(manifest, files))


def damaged(name: str, change) -> object:
    return lambda tensors: tensors | {name: change(tensors[name])}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: {"codes": t["codes"]}, "'distances' is missing; needed: codes, distances"),
        (lambda t: t | {"more": t["codes"]}, "'more' is unknown; allowed: codes, distances"),
        (damaged("codes", lambda a: a[:, 1:]), r"'codes' has .*, codes = \d+\)"),
        (damaged("codes", lambda a: a[:-1]), r"'distances' has .*\(configurations = "),
        (damaged("codes", lambda a: a.astype(np.float64)), "'codes' has type float64"),
        (damaged("codes", lambda a: a[..., None]), "'codes' has shape"),
        (damaged("codes", lambda a: a[0, 0]), "'codes' has shape"),
        (damaged("codes", lambda a: np.full_like(a, np.nan)), "'codes' holds nan .* in 0..1"),
        (damaged("codes", lambda a: 1e30 * a), "'codes' holds .* in 0..1"),
        (damaged("codes", lambda a: a - 1.0), "'codes' holds -.* in 0..1"),
        (damaged("distances", lambda a: a[::-1]), "'distances' holds .* after .*; allowed: rising"),
        (damaged("distances", lambda a: a[:, None]), "'distances' has shape"),
        (damaged("distances", lambda a: a.astype(np.float64)), "'distances' has type float64"),
        (damaged("distances", lambda a: a - 100.0), "'distances' holds -.* from 0"),
        (damaged("distances", lambda a: a[0]), "'distances' has shape"),
        (lambda t: {n: a[:0] for n, a in t.items()}, r"'codes' has .*\(configurations from 1"),
        (lambda t: {n: np.full_like(a[:1], np.nan) for n, a in t.items()}, "'codes' holds nan"),
    ],
)
def test_a_support_that_does_not_fit_is_refused_by_name(folder, change, why) -> None:
    tensors = change(api.load_benchmark(folder).support.tensors())
    resigned(folder, tensor_bytes({name: np.array(a) for name, a in tensors.items()}))
    bench = api.load_benchmark(folder)
    with pytest.raises(CheckpointError, match=rf"support\.safetensors: array {why}"):
        _ = bench.predict(bench.space.sample(seed=0)).support


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "truncated or altered"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"), "SHA-256.*altered"),
    ],
)
def test_a_damaged_file_is_refused_when_the_support_is_asked_for(folder, change, why) -> None:
    change(folder / "support.safetensors")
    bench = api.load_benchmark(folder)
    config = bench.space.sample(seed=0)
    assert bench.predict(config).runtime_s > 0
    with pytest.raises(CheckpointError, match=why) as caught:
        bench.predict(config).to_dict()
    assert str(folder / "support.safetensors") in str(caught.value)


def test_what_is_no_safetensors_is_refused(folder) -> None:
    resigned(folder, b"no arrays at all")
    with pytest.raises(CheckpointError, match=r"support\.safetensors is not safetensors"):
        _ = api.load_benchmark(folder).support
    assert ensembles.load(folder / "costs").members == 3
