"""Benchmarks: queries at any epoch, records, models by name, and what is not loaded."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.storage.folder import manifest_bytes
from eahas.errors import CheckpointError, ConfigError, EahasError, MissingExtraError
from eahas.records.parquet import records_bytes

OWN_SCALARS = {
    "runtime_s": None,
    "test_energy_j": None,
    "score": {"unit": "percent", "direction": "maximize", "low": 0, "high": 100},
    "drift": {"unit": "K", "cumulative": True},
}


@pytest.fixture(scope="module")
def bench(toy):
    return api.load_benchmark(toy)


@pytest.fixture
def folder(toy, tmp_path) -> Path:
    return shutil.copytree(toy, tmp_path / "copy")


# Queries


def test_a_query_is_what_is_reached_and_spent_so_far(bench) -> None:
    for config in bench.space.sample(20, seed=0):
        p, last = bench.predict(config), config["epochs"]
        steps = [bench.query(config, at=epoch) for epoch in range(1, last + 1)]
        for epoch, found in enumerate(steps, 1):
            assert found["epoch"] == epoch
            assert found["valid"] == pytest.approx(p.curves["valid"][epoch - 1])
            assert found["runtime_s"] == pytest.approx(p.runtime_s * epoch / last)
            assert found["test_energy_j"] == pytest.approx(p.test_energy_j)
            assert {type(value) for value in found.values()} == {int, float}
        spent = [found["runtime_s"] for found in steps]
        assert all(a < b for a, b in pairwise(spent))
        assert spent[-1] == p.runtime_s
        assert bench.query(config) == steps[-1]
        assert bench.query(config, at=np.int64(1)) == steps[0]


@pytest.mark.parametrize("at", [0, -1, 13, 1.0, "3", True, [1], float("nan"), 10**400])
def test_an_epoch_outside_the_run_is_refused(bench, at) -> None:
    config = {**bench.space.sample(seed=0), "epochs": 12}
    with pytest.raises(ConfigError, match=r"at=.*: allowed are whole epochs in 1..12"):
        bench.query(config, at=at)


def test_a_query_takes_one_configuration(bench) -> None:
    with pytest.raises(ConfigError, match=r"query takes one configuration, got list"):
        bench.query([bench.space.sample(seed=0)])


# Bad input


def test_bad_configurations_are_refused_with_what_is_wrong(bench) -> None:
    config = bench.space.sample(seed=0)
    missing = {k: v for k, v in config.items() if k != "units"}
    for given, why in (
        (missing, "units is missing"),
        ({**config, "extra": 1}, "'extra' is not a parameter of space own"),
        ({**missing, "unit": 5}, "'unit' is not a parameter .*did you mean 'units'"),
        ({**config, "units": float("nan")}, "units=nan is not finite"),
        ({**config, "epochs": 4}, "epochs=4 is not allowed; allowed: one of 1, 3, 12"),
        (api.load_benchmark("regnet-digits").space.sample(seed=0), "another space"),
        ([], "an empty list"),
        ([config, missing], r"configs\[1\]: units is missing"),
        (None, "got NoneType"),
        ("config", "got str"),
        (np.array([config]), "got ndarray"),
    ):
        with pytest.raises(ConfigError, match=why):
            bench.predict(given)


# Records


def test_records_need_pandas(bench, monkeypatch) -> None:
    for missing in ("pandas", "pyarrow"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(MissingExtraError, match=r"pip install 'eahas\[records\]'"):
                bench.records()


def test_records_that_are_no_parquet_are_refused(bench) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    with pytest.raises(CheckpointError, match=r"records.parquet is not readable as Parquet"):
        bench.records()


def test_records_are_held_against_the_manifest(folder) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    bench = api.load_benchmark(folder)
    (folder / "records.parquet").write_bytes(b"PAR1 other runs")
    with pytest.raises(CheckpointError, match=r"records.parquet does not have the SHA-256"):
        bench.records()
    (folder / "records.parquet").unlink()
    with pytest.raises(CheckpointError, match=r"records.parquet is missing"):
        bench.records()


def test_a_benchmark_finds_its_records_from_anywhere(toy, monkeypatch, tmp_path) -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    monkeypatch.chdir(toy.parent)
    bench = api.load_benchmark(toy.name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"not readable as Parquet"):  # so it was read
        bench.records()


# Models


def test_models_by_the_names_of_their_targets(bench) -> None:
    config = bench.space.sample(seed=0)
    p = bench.predict(config)
    for name in bench.target_names:
        value = p.curves[name] if name in p.curves else getattr(p, name)
        np.testing.assert_array_equal(bench.model(name).predict(config=config), value)
    np.testing.assert_array_equal(
        bench.model("learning_curve").predict(config=config), p.learning_curve
    )
    assert bench.model("costs").primary == "runtime_s"
    with pytest.raises(EahasError, match=r"own@3: model 'runtime' is unknown; allowed: learning"):
        bench.model("runtime")


def test_what_it_says_of_itself(bench, toy) -> None:
    assert (bench.name, bench.id, bench.energy_source) == ("own", "own@3", "estimated")
    assert bench.curve_names == ("valid", "loss")
    assert bench.scalar_names == ("runtime_s", "test_energy_j", "score", "drift")
    assert bench.target_names == bench.curve_names + bench.scalar_names
    assert [t.name for t in bench.targets] == list(bench.target_names)
    assert repr(bench) == f"Benchmark(folder={toy!r})"


def test_models_of_equal_features_share_them(bench, own_spec, handmade, saved, tmp_path) -> None:
    assert bench.models[0].features is bench.models[1].features
    spec = own_spec()
    plain = replace(handmade(spec, "curves").features, logs=(), crosses=())
    models = [handmade(spec, "curves"), handmade(spec, "scalars", features=plain)]
    other = api.load_benchmark(saved(tmp_path / "b", spec, models))
    assert other.models[0].features != other.models[1].features
    configs = spec.space.sample(5, seed=0)
    for asked in (configs, configs[0]):
        p = other.predict(asked)
        np.testing.assert_array_equal(p.curves["valid"], models[0].predict(asked))
        np.testing.assert_array_equal(p.runtime_s, models[1].predict(asked))


# What is not loaded


def resigned(folder: Path, **changes) -> Path:
    """The folder with entries of its manifest changed, and every file vouched for as it is."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry, value in changes.items():
        at = manifest
        *way, last = entry.split("__")
        for key in way:
            at = at[key]
        if value is ...:
            del at[last]
        else:
            at[last] = value
    files = {name: (folder / name).read_bytes() for name in manifest["files"]}
    (folder / "manifest.json").write_bytes(manifest_bytes(manifest, files))
    return folder


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 0}, "manifest.json: version is a whole number from 1, got 0"),
        ({"version": "3"}, "manifest.json: version is a whole number"),
        ({"energy": ...}, "manifest.json: energy.source is missing"),
        ({"energy": ["estimated"]}, "manifest.json: energy.source is missing"),
        ({"energy__source": "guessed"}, "energy.source 'guessed' is unknown; allowed: nvml_"),
        ({"energy__formula": None}, "manifest.json: energy.formula is text"),
        ({"provenance__runs": -1}, "manifest.json: provenance.runs is a whole number from 0"),
        ({"quality": {}}, "manifest.json: quality.held_out.runs is missing"),
        ({"quality__held_out__targets": []}, "quality.held_out.targets is an object"),
        ({"quality__held_out__targets": {"loss": 3}}, "targets.loss has no r2"),
        ({"quality__held_out__targets": {"loss": {"last": {}}}}, "targets.loss has no r2"),
        ({"spec": ...}, "manifest.json: spec is missing"),
        ({"spec__fidelity": "units2"}, "manifest.json: spec: fidelity 'units2' is unknown"),
        ({"models": ...}, "manifest.json: models is missing"),
        ({"models": []}, "manifest.json: models is empty"),
        ({"models": "costs"}, "manifest.json: models is a list of different texts"),
        ({"models": ["../costs"]}, "manifest.json: models are names of folders beside it"),
        ({"models": ["costs", "costs"]}, "manifest.json: models is a list of different texts"),
        ({"models": ["nothing"]}, "does not list nothing/manifest.json"),
        ({"spec__parameters__units__high": 65}, "its space or its targets differ from those"),
        ({"spec__targets__curves": {"loss": {}}}, "its space or its targets differ from those"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder, changes, why) -> None:
    with pytest.raises(CheckpointError, match=why) as caught:
        api.load_benchmark(resigned(folder, **changes))
    assert str(folder) in str(caught.value)


def test_a_model_that_was_altered_with_its_own_manifest_is_noticed(folder) -> None:
    """The calibration stands in the model's manifest: the benchmark's vouches for that one too."""
    inner = folder / "costs" / "manifest.json"
    manifest = json.loads(inner.read_text())
    manifest["calibration"]["inflation"][0] *= 9
    inner.write_text(json.dumps(manifest, indent=1) + "\n")
    with pytest.raises(CheckpointError, match=r"costs/manifest.json (has|does not have)"):
        api.load_benchmark(folder)
    api.load_benchmark(resigned(folder))


@pytest.mark.parametrize("name", ["costs/manifest.json", "costs/weights.safetensors"])
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "truncated or altered"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"!"), "SHA-256.*altered"),
        (lambda path: path.write_bytes(b"\x80\x04K\x01."), "is a pickle"),
    ],
)
def test_a_damaged_file_is_refused_by_name(folder, name, change, why) -> None:
    change(folder / name)
    with pytest.raises(CheckpointError, match=why) as caught:
        api.load_benchmark(folder)
    assert str(folder / name) in str(caught.value)


def test_a_target_has_one_model(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec()
    models = [handmade(spec, "scalars"), replace(handmade(spec, "scalars"), name="more")]
    with pytest.raises(CheckpointError, match=r"models: costs and more both predict runtime_s"):
        api.load_benchmark(saved(tmp_path / "b", spec, models))


def test_scalars_may_have_a_model_each(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec()
    names = [target.name for target in spec.scalars]
    models = [
        replace(handmade(own_spec(targets={"scalars": {n: OWN_SCALARS[n]}}), "scalars"), name=n)
        for n in names
    ]
    bench = api.load_benchmark(saved(tmp_path / "b", spec, models))
    assert bench.scalar_names == tuple(names)
    config = spec.space.sample(seed=0)
    for model, name in zip(models, names, strict=True):
        assert getattr(bench.predict(config), name) == pytest.approx(model.predict(config=config))
        assert api.load_ensemble(tmp_path / "b" / name).primary == name


def test_several_benchmarks_may_share_a_space(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec()
    folder = saved(tmp_path / "b", spec, [handmade(spec, "scalars")], name="own-table")
    bench = api.load_benchmark(folder)
    assert (bench.name, bench.id, bench.space.name) == ("own-table", "own-table@3", "own")
    with pytest.raises(CheckpointError, match=r"name consists of letters, digits"):
        api.load_benchmark(resigned(folder, name="../own"))


def test_a_model_for_some_of_the_targets_will_do(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec()
    part = own_spec(targets={"scalars": ["runtime_s"]})
    bench = api.load_benchmark(saved(tmp_path / "b", spec, [handmade(part, "scalars")]))
    config = spec.space.sample(seed=0)
    assert bench.target_names == ("runtime_s",)
    assert set(bench.query(config)) == {"epoch", "runtime_s"}
    assert set(bench.predict(config).to_dict()["targets"]) == {"runtime_s"}


def test_mixed_choices_are_values_again_in_the_frame(own_spec, handmade, saved, tmp_path) -> None:
    pytest.importorskip("pandas")
    spec = own_spec(
        parameters={"a": {"type": "choice", "choices": [1, "one", 0.5]}},
        constraints=None,
        fidelity=None,
        targets={"scalars": ["runtime_s"]},
    )
    rows = [
        {
            "run_id": str(k),
            "config_id": str(k),
            "space": spec.name,
            "space_version": spec.version,
            "seed": 0,
            "status": "ok",
            "epochs": 1,
            "a": choice,
            "runtime_s": 1.0,
        }
        for k, choice in enumerate([1, "one", 0.5])
    ]
    model, records = handmade(spec, "scalars"), records_bytes(rows, spec)
    frame = api.load_benchmark(saved(tmp_path / "b", spec, [model], records=records)).records()
    assert frame["a"].tolist() == [1, "one", 0.5]


def test_a_trajectory_is_query_at_every_epoch(toy) -> None:
    bench = api.load_benchmark(toy)
    config = bench.space.sample(seed=4)
    for seed in (None, 3):
        steps = bench.trajectory(config, noise_seed=seed)
        assert steps["epoch"].tolist() == list(range(1, bench.predict(config).epochs + 1))
        for e in steps["epoch"].astype(int).tolist():
            at = bench.query(config, at=e, noise_seed=seed)
            for name, values in steps.items():
                assert values[e - 1] == pytest.approx(at[name], rel=1e-12)


def test_a_trajectory_of_a_list_is_padded(toy) -> None:
    bench = api.load_benchmark(toy)
    configs = bench.space.sample(20, seed=4)
    steps = bench.trajectory(configs)
    cumulative = {t.name for t in bench.scalars if t.cumulative}
    assert steps.keys() == {"epoch", *bench.curve_names, *cumulative}
    assert cumulative
    longest = len(steps["epoch"])
    for k, config in enumerate(configs):
        one = bench.trajectory(config)
        epochs = len(one["epoch"])
        for name in one.keys() - {"epoch"}:
            assert steps[name].shape == (len(configs), longest)
            np.testing.assert_allclose(steps[name][k, :epochs], one[name], rtol=1e-4, atol=1e-6)
            assert np.isnan(steps[name][k, epochs:]).all()
    for name in cumulative:
        last = steps[name][np.arange(len(configs)), bench.predict(configs).epochs - 1]
        np.testing.assert_allclose(last, bench.predict(configs)[name])
