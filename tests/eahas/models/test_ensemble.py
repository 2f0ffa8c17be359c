"""Ensembles: what they predict, and that nothing but a whole and right folder is loaded."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load

from eahas import api
from eahas.benchmark.storage import ensemble_folder as ensembles
from eahas.benchmark.storage.folder import manifest_bytes, tensor_bytes, with_manifest
from eahas.errors import CheckpointError, ConfigError, EahasError
from eahas.models.ensemble import Ensemble
from eahas.models.features.features import default_features
from eahas.models.regressors import MlpEnsemble
from eahas.models.uncertainty.seed_noise import head_seed_noise

BATCH = 20  # damaged folders an example


@pytest.fixture(scope="module")
def spec(own_spec):
    return own_spec()


@pytest.fixture(scope="module")
def curves(spec, handmade) -> Ensemble:
    return handmade(spec, "curves")


@pytest.fixture(scope="module")
def scalars(spec, handmade) -> Ensemble:
    return handmade(spec, "scalars")


@pytest.fixture(scope="module")
def configs(spec) -> list[dict[str, Any]]:
    return spec.space.sample(40, seed=0)


# What a user asks


def test_a_curve_is_one_row_or_rows_padded_with_nan(curves, configs) -> None:
    many = curves.predict(configs)
    assert many.shape == (40, 12)
    for config, row in zip(configs, many, strict=True):
        one = curves.predict(config)
        assert one.shape == (config["epochs"],)
        np.testing.assert_allclose(one, row[: config["epochs"]], rtol=1e-6)
        assert np.isnan(row[config["epochs"] :]).all()


def test_a_scalar_is_a_float_or_a_column(scalars, configs) -> None:
    many = scalars.predict(configs)
    assert many.shape == (40,)
    ones = [scalars.predict(config=config) for config in configs]
    assert {type(one) for one in ones} == {float}
    np.testing.assert_allclose(ones, many, rtol=1e-6)


def test_another_target_can_be_selected(curves, scalars, configs) -> None:
    for model in (curves, scalars):
        found = model.distribution(configs)
        for name in model.index:
            np.testing.assert_array_equal(model.select(name).predict(configs), found[name].value)
    with pytest.raises(EahasError, match=r"costs: target 'runtime' is unknown.*mean 'runtime_s'"):
        scalars.select("runtime")


def test_distributions_come_from_the_members(curves, scalars, configs) -> None:
    for model in (curves, scalars):
        members, found = model.predict_members(configs), model.distribution(configs)
        for target in model.targets:
            seen = members[target.name]
            assert seen.shape[:2] == (3, 40)
            if found[target.name].log:
                seen = np.log(seen)
            if target.name == "score":  # near its bounds, where members are clipped one by one
                continue
            np.testing.assert_allclose(seen.mean(axis=0), found[target.name].location)
            assert (found[target.name].scale >= seen.std(axis=0))[~np.isnan(seen[0])].all()


def test_members_of_one_configuration(curves, scalars, configs) -> None:
    config = configs[0]
    assert curves.predict_members(config)["valid"].shape == (3, config["epochs"])
    assert scalars.predict_members(config)["runtime_s"].shape == (3,)
    many = scalars.predict_members([config])["runtime_s"][:, 0]
    np.testing.assert_allclose(scalars.predict_members(config)["runtime_s"], many, rtol=1e-5)


def test_noise_is_one_plausible_run(curves, scalars, configs) -> None:
    for model in (curves, scalars):
        for asked in (configs, configs[0]):
            one = model.predict(asked, with_noise=True, noise_seed=1)
            np.testing.assert_array_equal(one, model.predict(asked, with_noise=True, noise_seed=1))
            assert np.any(one != model.predict(asked, with_noise=True, noise_seed=2))
            assert np.any(
                model.predict(asked, with_noise=True) != model.predict(asked, with_noise=True)
            )
            assert np.shape(one) == np.shape(model.predict(asked))
    assert isinstance(scalars.predict(configs[0], with_noise=True), float)


def test_the_draws_have_the_deviation_that_is_said(scalars, configs) -> None:
    for name in ("drift", "runtime_s"):
        model = scalars.select(name)
        drawn = [model.predict(configs[0], with_noise=True, noise_seed=k) for k in range(2000)]
        distribution = model.distribution(configs[0])[name]
        linked = np.log(drawn) if distribution.log else drawn
        assert np.mean(linked) == pytest.approx(
            distribution.location, abs=0.1 * distribution.aleatoric
        )
        assert np.std(linked) == pytest.approx(distribution.aleatoric, rel=0.1)


def test_neighbouring_epochs_of_one_run_err_together(curves, configs) -> None:
    """As far as the noise says: wholly, if all of it is what the epochs share."""
    shared = replace(curves, seed_noise=head_seed_noise(2, curves=True)).select("loss")
    distribution = shared.distribution(configs)["loss"]
    runs = shared.predict(configs, with_noise=True, noise_seed=5)
    moved = (runs - distribution.value) / distribution.aleatoric
    for row in moved:
        kept = row[~np.isnan(row)]
        np.testing.assert_allclose(kept, kept[0], atol=1e-6)
    assert len(set(np.round(moved[:, 0], 6))) == len({str(config) for config in configs})


def test_a_run_is_the_same_alone_and_in_a_list(curves, scalars, configs) -> None:
    for model in (curves, scalars):
        for name in model.index:
            many = model.select(name).predict(configs, with_noise=True, noise_seed=3)
            for config, row in zip(configs, many, strict=True):
                one = model.select(name).predict(config, with_noise=True, noise_seed=3)
                np.testing.assert_allclose(one, np.ravel(row)[: np.size(one)], rtol=1e-4)


def test_runs_of_two_configurations_stray_in_their_own_ways(scalars, spec) -> None:
    model = scalars.select("drift")
    first, other = spec.space.sample(2, seed=4)
    strayed = []
    for config in (first, other):
        distribution = model.distribution(config)["drift"]
        runs = [model.predict(config, with_noise=True, noise_seed=k) for k in range(500)]
        strayed.append((np.array(runs) - distribution.value) / distribution.aleatoric)
    assert abs(np.corrcoef(*strayed)[0, 1]) < 0.15


def test_a_drawn_run_stays_within_bounds(curves, scalars, configs) -> None:
    loud = {"loadings": np.ones((4, 1, 1)), "own": np.zeros((4, 1, 4))}
    noise = replace(scalars.seed_noise, network=shouting(scalars.seed_noise.network), **loud)
    model = replace(scalars, seed_noise=noise)
    for seed in range(20):
        score = model.select("score").predict(configs, with_noise=True, noise_seed=seed)
        assert ((score >= 0.0) & (score <= 100.0)).all()
        assert (model.predict(configs, with_noise=True, noise_seed=seed) > 0.0).all()
    valid = replace(
        curves, seed_noise=replace(curves.seed_noise, network=shouting(curves.seed_noise.network))
    )
    run = valid.predict(configs, with_noise=True, noise_seed=0)
    assert np.nanmin(run) == 0.0
    assert np.nanmax(run) == 100.0


def shouting(network: MlpEnsemble) -> MlpEnsemble:
    """Deviations of e^4 and more, whatever the inputs."""
    return MlpEnsemble((0.0 * network.weights[0],), (np.abs(network.biases[0]) + np.float32(4.0),))


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, [1], 2**63, 10**4000])
def test_a_seed_is_a_whole_number(scalars, configs, seed) -> None:
    with pytest.raises(EahasError, match=r"noise_seed=.*whole numbers in 0..*, or None"):
        scalars.predict(configs[0], with_noise=True, noise_seed=seed)


def test_codes_stand_for_configurations(curves, scalars, spec, configs) -> None:
    codes = np.array([spec.space.encode(config) for config in configs])
    near = [spec.space.decode(code) for code in codes]
    for model in (curves, scalars):
        np.testing.assert_array_equal(model.predict(codes, encoded=True), model.predict(near))
        one = model.predict(codes[3].tolist(), encoded=True)
        np.testing.assert_array_equal(one, model.predict(near[3]))


def test_epochs_of(curves, spec, configs) -> None:
    assert curves.epochs_of(configs[0]) == configs[0]["epochs"]
    assert curves.epochs_of(configs).tolist() == [config["epochs"] for config in configs]
    code = spec.space.encode(configs[1])
    assert curves.epochs_of(code, encoded=True) == configs[1]["epochs"]


def test_the_names_of_ea_has_bench_are_accepted(scalars, configs) -> None:
    expected = scalars.predict(configs[0])
    for representation in ("arch_str", "compact", "genotype"):
        for space in ("nbgreen", "nbgreen_c10", "nbtoy", "regnet", "own"):
            assert scalars.predict(configs[0], representation, False, space) == expected
    with pytest.raises(EahasError, match=r"search_space 'nb201' is unknown; allowed: nbgreen"):
        scalars.predict(configs[0], "arch_str", search_space="nb201")
    with pytest.raises(EahasError, match=r"representation 'onehot' is unknown; allowed: arch_str"):
        scalars.predict(configs[0], "onehot")


def test_what_lies_outside_the_space_is_refused(curves, configs) -> None:
    for call in (curves.predict, curves.predict_members, curves.distribution):
        with pytest.raises(
            ConfigError, match=r"units=99 is out of range; allowed: integer in 1..64"
        ):
            call({**configs[0], "units": 99})
        with pytest.raises(ConfigError, match=r"configs\[1\]: units"):
            call([configs[0], {**configs[0], "units": 99}])


# To and from a folder


def same(a: Ensemble, b: Ensemble, configs: Any) -> bool:
    found, other = a.distribution(configs), b.distribution(configs)
    drawn, redrawn = (m.predict(configs, with_noise=True, noise_seed=7) for m in (a, b))
    return (
        found.keys() == other.keys()
        and np.array_equal(drawn, redrawn, equal_nan=True)
        and all(
            np.array_equal(getattr(found[n], part), getattr(other[n], part), equal_nan=True)
            for n in found
            for part in ("value", "std", "epistemic_std", "aleatoric_std")
        )
    )


def test_a_saved_ensemble_comes_back(curves, scalars, configs, tmp_path) -> None:
    for model in (curves, scalars):
        ensembles.save(model, tmp_path / model.name)
        back = ensembles.load(tmp_path / model.name)
        assert same(model, back, configs)
        assert (back.name, back.primary, back.members) == (model.name, model.primary, 3)
        assert back.manifest["family"] == "by hand"
        assert (back.inflation, back.error_quantiles) == (model.inflation, model.error_quantiles)


def test_a_selected_target_is_saved_as_the_primary_one(scalars, tmp_path) -> None:
    ensembles.save(scalars, tmp_path / "a")
    again = ensembles.load(tmp_path / "a").select("score")
    ensembles.save(again, tmp_path / "b")
    assert ensembles.load(tmp_path / "b").primary == "score"
    ensembles.save(ensembles.load(tmp_path / "b"), tmp_path / "c")
    assert (tmp_path / "b" / "manifest.json").read_bytes() == (
        tmp_path / "c" / "manifest.json"
    ).read_bytes()


@pytest.mark.parametrize(
    ("entry", "value", "why"),
    [
        ("primary", "valid_ema", "primary 'valid_ema' is unknown; allowed: valid, loss"),
        ("primary", None, "primary is text"),
        ("members", 4, "members is 4, but the weights have 3"),
        ("calibration", [1.0, 1.0], "calibration.inflation is missing"),
        ("calibration.inflation", [1.0], "calibration.inflation are 2 numbers"),
        ("calibration.inflation", [1.0, -1.0], "calibration.inflation are 2 numbers"),
        ("calibration.levels", [0.5, 0.9], "calibration.levels are 14 numbers"),
        ("calibration.levels", [0.5] * 14, r"calibration.levels are \[0.1, 0.2"),
        ("calibration.reaches", {}, "calibration.reaches.valid is missing"),
        ("calibration.reaches.loss", [1.0] * 13, "reaches.loss are 14 numbers in 0..1e"),
        ("calibration.reaches.loss", [1.0] * 13 + [0.9], "reaches.loss must not decrease"),
        ("head.kind", "trees", "head.kind 'trees' is unknown"),
        ("head.kind", "scalars", "head.targets: scalar 'valid' is unknown"),
        ("head.targets", [], "head.targets is empty"),
        ("head.targets", ["runtime_s"], "head.targets: curve 'runtime_s' is unknown"),
        ("head.targets", ["valid", "valid"], "head.targets is a list of different texts"),
        ("head.targets", ["valid"], "head.low are 1 numbers"),
        ("head.degree", 6, "maps 21 features to 21 outputs; the manifest needs 21 and 24"),
        ("head.degree", 10**9, "head.degree 1000000000 is unknown; allowed: 3, 4, 5, 6"),
        ("head.degree", 5.0, "head.degree is a whole number"),
        ("head.codec", "spline", "head.codec 'spline' is unknown; allowed: bezier"),
        ("head.low", [0.0, 4.0], "head.low < head.high"),
        ("head.high", [100.0, 1e300], "head.high are 2 numbers"),
        ("features.logs", ["units", "opt.kind"], "features: opt.kind is not always a positive"),
        ("features.logs", "units", "features.logs is a list"),
        ("features.crosses", [["units"]], "features.crosses is a list of pairs"),
        ("features.crosses", [[["units"], "opt.kind"]], "features.crosses is a list of pairs"),
        ("features.crosses", [], "maps 21 features to 21 outputs; the manifest needs 15 and 21"),
        ("features.families", ["regnet"], "features: space own has no regnet constraint"),
        ("features.families", ["vgg"], "features: family 'vgg' is unknown; allowed: regnet"),
        ("features.families", True, "features.families is a list of different texts"),
        ("spec.parameters.epochs.choices", [1, 10**9], "curves of 1,000,000,000 epochs; at most"),
        ("spec.parameters.units.high", 0, "spec: units: low < high"),
        ("name", ["x"], "name is text"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(curves, tmp_path, entry, value, why) -> None:
    manifest, files = copy.deepcopy(ensembles.contents(curves))
    at = manifest
    *way, last = entry.split(".")
    for key in way:
        at = at[key]
    assert last in at
    at[last] = value
    write(tmp_path, with_manifest(manifest, files))
    with pytest.raises(CheckpointError, match=why) as caught:
        ensembles.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("family", ["regnet", "mnasnet", None])
def test_a_manifest_with_flags_instead_of_families_is_read(family, handmade, tmp_path) -> None:
    """As those that ship have them, and every folder that was saved before there were families."""
    source = {"regnet": "regnet-digits", "mnasnet": "accel-nasbench", None: "regnet-digits"}
    spec = api.load_benchmark(source[family]).spec
    features = replace(default_features(spec.space), families=(family,) if family else ())
    manifest, files = ensembles.contents(handmade(spec, "scalars", features=features))
    assert manifest["features"].pop("families") == list(features.families)
    manifest["features"] |= {"regnet": family == "regnet", "mnasnet": family == "mnasnet"}
    write(tmp_path, with_manifest(manifest, files))
    assert ensembles.load(tmp_path).features == features


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({}, "features.regnet is missing"),
        ({"regnet": False}, "features.mnasnet is missing"),
        ({"regnet": "no", "mnasnet": False}, "features.regnet is true or false"),
        ({"regnet": True, "mnasnet": False}, "features: space own has no regnet constraint"),
    ],
)
def test_flags_that_do_not_fit_are_refused(curves, tmp_path, flags, why) -> None:
    manifest, files = copy.deepcopy(ensembles.contents(curves))
    del manifest["features"]["families"]
    manifest["features"] |= flags
    write(tmp_path, with_manifest(manifest, files))
    with pytest.raises(CheckpointError, match=why):
        ensembles.load(tmp_path)


def test_weights_that_do_not_fit_are_refused_by_name(curves, tmp_path) -> None:
    manifest, _ = ensembles.contents(curves)
    weights = tensor_bytes({"weight.0": np.zeros((3, 2, 2), np.float32)})
    write(tmp_path, with_manifest(manifest, {ensembles.WEIGHTS: weights}))
    with pytest.raises(CheckpointError, match=r"weights.safetensors: array 'bias.0' is missing"):
        ensembles.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("loadings", lambda a: a[:1], r"has shape .* \(targets = 2, positions = 3, factors in 0"),
        ("loadings", lambda a: a[:, :2], r"has shape .* \(targets = 2, positions = 3, factors in"),
        (
            "loadings",
            lambda a: a[0],
            r"has shape .* \(targets = 2, positions = 3, factors in 0..32",
        ),
        ("loadings", lambda a: a.astype(np.float32), "has type float32; allowed: float64"),
        ("loadings", lambda a: 3.0 * a, "holds .*; allowed: numbers in -1..1"),
        ("loadings", lambda a: np.zeros((2, 3, 99)), r"has shape \(2, 3, 99\); .*factors in 0..32"),
        ("own", lambda a: a[:, :, :1], r"has .* \(targets = 2, positions = 3, targets = 2\)"),
        ("own", lambda a: np.full_like(a, np.nan), "holds nan at index"),
        ("positions", lambda a: a[::-1], "holds 0.4 after 1; allowed: strictly rising from 0 to 1"),
        ("positions", lambda a: a[:1], r"has shape \(1,\); allowed: \(positions from 2\)"),
        (
            "positions",
            lambda a: 0.5 * a,
            "goes from 0 to 0.5; allowed: strictly rising from 0 to 1",
        ),
        ("network.bias.0", lambda a: np.repeat(a, 2, axis=0), r"has shape .* \(members = 1"),
        ("network.weight.0", lambda a: a[:, 1:], r"has shape .* inputs = 10, outputs = 6\)"),
        ("network.weight.0", lambda a: a * np.float32(1e25), "and .* so large that sums overflow"),
        ("more", lambda a: np.zeros(3), "is unknown; allowed: noise.positions"),
    ],
)
def test_noise_that_does_not_fit_is_refused_by_name(curves, tmp_path, name, change, why) -> None:
    manifest, files = ensembles.contents(curves)
    tensors = load(files[ensembles.WEIGHTS])
    tensors[f"noise.{name}"] = change(tensors.get(f"noise.{name}"))
    write(tmp_path, with_manifest(manifest, {ensembles.WEIGHTS: tensor_bytes(tensors)}))
    with pytest.raises(CheckpointError, match=f"weights.safetensors: arrays? 'noise.{name}' {why}"):
        ensembles.load(tmp_path)


def test_a_folder_without_noise_is_refused(curves, tmp_path) -> None:
    manifest, _ = ensembles.contents(curves)
    weights = tensor_bytes(curves.regressor.tensors())
    write(tmp_path, with_manifest(manifest, {ensembles.WEIGHTS: weights}))
    with pytest.raises(CheckpointError, match=r"array 'noise.positions' is missing; needed: noise"):
        ensembles.load(tmp_path)


def test_noise_may_have_no_factors(scalars, configs, tmp_path) -> None:
    own = np.eye(4)[:, None]
    apart = replace(scalars.seed_noise, loadings=np.zeros((4, 1, 0)), own=own)
    ensembles.save(replace(scalars, seed_noise=apart), tmp_path / "a")
    assert same(ensembles.load(tmp_path / "a"), replace(scalars, seed_noise=apart), configs)


# Damage by the thousand: an error of ours, or an answer that is whole

JUNK: list[Any] = [
    *[None, True, False, 0, 1, -1, 3, 6.5, 1e308, -1e308, 1e-320, 2**53, 10**30],
    *["", "valid", "x" * 500, "../x", "..", "\x00", "\ud800", "bezier", "curves", "scalars"],
    *[[], [1], [None], ["valid"], ["valid", "valid"], {}, {"a": 1}, [[]], [{}], [[["a"]]]],
    *[[1e308] * 2, [-1e308, 1e308], [0.0] * 4, [1.0] * 4],
]


def write(folder: Path, files: dict[str, bytes], there: dict[str, bytes] | None = None) -> None:
    """Write the files that differ from what is `there`."""
    there = {} if there is None else there
    for name, content in files.items():
        if there.get(name) != content:
            (folder / name).write_bytes(content)
    there.update(files)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys."""
    inside = list(value) if isinstance(value, dict) else range(len(value))
    for key in inside:
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


def damaged_manifest(rng: random.Random, manifest: Any) -> Any:
    """Up to three entries dropped, moved by a factor, or replaced by anything."""
    manifest = copy.deepcopy(manifest)
    for _ in range(rng.randint(1, 3)):
        at, key = rng.choice(list(places(manifest)))
        number = isinstance(at[key], (int, float)) and not isinstance(at[key], bool)
        if isinstance(at, dict) and rng.random() < 0.1:
            del at[key]
        elif number and rng.random() < 0.8:
            factor = rng.choice([0, -1, 2, 1000, 1e-300, 1e300, 0.999])
            at[key] = rng.choice([at[key] * factor, at[key] + 1, at[key] - 1, 1e30, 10**6])
        else:
            at[key] = copy.deepcopy(rng.choice(JUNK))
    return manifest


def damaged_tensors(rng: random.Random, tensors: Any) -> dict[str, np.ndarray]:
    """One array of another size, kind or shape, missing or too many; or all of them scaled."""
    tensors = dict(tensors)
    about_noise = rng.random() < 0.5
    name = rng.choice([name for name in tensors if name.startswith("noise.") == about_noise])
    array = tensors[name].copy()
    with np.errstate(all="ignore"):
        scaled = array * array.dtype.type(10.0 ** rng.uniform(-30, 36))
    array.flat[rng.randrange(array.size)] = rng.choice([np.nan, np.inf, 3e38, 1e20, 0.0])
    choices: list[dict[str, Any]] = [
        {name: array},
        {name: scaled},
        {name: tensors[name].astype(rng.choice([np.float64, np.float16, np.int32, np.bool_]))},
        {name: rng.choice([array[:0], array[..., :-1], array.reshape(-1), array[None]])},
        {rng.choice(["weight.7", "x", ""]): array},
        {other: values[:1] for other, values in tensors.items()},
        {other: values * np.float32(1e4) for other, values in tensors.items()},
    ]
    if rng.random() < 0.1:
        del tensors[name]
        return tensors
    return tensors | rng.choice(choices)


def damaged_bytes(rng: random.Random, content: bytes) -> bytes:
    """Some bytes changed, mostly where the header is; or the end missing, or too much of it."""
    kind = rng.random()
    if kind < 0.2:
        return content[: rng.randrange(len(content))]
    if kind < 0.3:
        return content + rng.randbytes(rng.randint(1, 9))
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(rng.choice([8, 300, len(content)]))] = rng.randrange(256)
    return bytes(changed)


def answers_wholly(model: Ensemble, seed: int) -> None:
    """Every number that it gives is finite and inside the bounds; no warning is raised."""
    configs = model.space.sample(3, seed=seed, distinct=False)
    for asked in (configs, configs[0]):
        members = model.predict_members(asked)
        for name, found in model.distribution(asked).items():
            past = np.isnan(found.value)
            target = found.target
            drawn = model.select(name).predict(asked, with_noise=True, noise_seed=seed)
            for value in (found.value, drawn, *found.interval(0.999)):
                assert np.isfinite(np.asarray(value)[~past]).all()
                assert target.low is None or (np.asarray(value)[~past] >= target.low).all()
                assert target.high is None or (np.asarray(value)[~past] <= target.high).all()
            for std in (found.std, found.epistemic_std, found.aleatoric_std):
                assert np.isfinite(np.asarray(std)[~past]).all()
            assert np.isfinite(members[name][..., ~past]).all()
    assert np.isfinite(model.predict(configs[0])).all()


@pytest.fixture(scope="module")
def intact(curves, scalars, handmade) -> Callable[[], list[Ensemble]]:
    """Called, because hypothesis would write down the ensembles themselves."""
    regnet = api.load_benchmark("regnet-digits").spec
    models = [curves, scalars, handmade(regnet, "curves"), handmade(regnet, "scalars")]
    return lambda: models


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_a_damaged_folder_is_refused_or_whole(intact, tmp_path_factory, seed: int) -> None:
    """The SHA-256 in these manifests are right: what is refused, is refused for what it says."""
    folder, there = tmp_path_factory.mktemp("damaged"), {}
    for k in range(BATCH):
        rng = random.Random(f"{seed} {k}")
        model = intact()[seed % 4]
        manifest, files = ensembles.contents(model)
        weights = files[ensembles.WEIGHTS]
        kind = rng.random()
        if kind < 0.5:
            manifest = damaged_manifest(rng, manifest)
        elif kind < 0.8:
            weights = tensor_bytes(damaged_tensors(rng, load(weights)))
        else:
            weights = damaged_bytes(rng, weights)
        try:
            whole = manifest_bytes(manifest, {ensembles.WEIGHTS: weights})
        except ValueError:  # a number that JSON cannot hold
            continue
        write(folder, {"manifest.json": whole, ensembles.WEIGHTS: weights}, there)
        try:
            answers_wholly(api.load_ensemble(folder), k)
        except EahasError as error:
            assert 10 < len(str(error)) < 2000


@settings(max_examples=40)
@given(st.integers(0, 2**32))
def test_an_altered_folder_is_refused_or_the_same(intact, tmp_path_factory, seed: int) -> None:
    """Nobody signed these: either a check notices, or what the manifest itself says is whole."""
    folder, there = tmp_path_factory.mktemp("altered"), {}
    model = intact()[seed % 4]
    configs, files = model.space.sample(3, seed=0), with_manifest(*ensembles.contents(model))
    for k in range(BATCH):
        rng = random.Random(f"{seed} {k}")
        name = rng.choice([ensembles.WEIGHTS, "manifest.json"])
        changed = damaged_bytes(rng, files[name])
        write(folder, {**files, name: changed}, there)
        try:
            back = api.load_ensemble(folder)
        except EahasError as error:
            assert str(folder) in str(error)
            continue
        if name == ensembles.WEIGHTS:
            assert changed == files[name]
            assert same(model, back, configs)
        else:
            answers_wholly(back, k)
