"""Curves with schedules, cumulative curves and several fidelities: fit, save, load, predict."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.benchmark import Benchmark
from eahas.errors import CheckpointError, ConfigError, FitError
from eahas.models.cumulative import Cumulative
from eahas.models.curves.monotone import MonotoneCodec
from eahas.models.heads import CurveHead
from eahas.records.parquet import as_stored
from eahas.spec.spec import Spec, spec_from_dict
from surrogates import benchmark
from surrogates.data.dataset import runs_from_records
from surrogates.data.shares import ends, shares
from surrogates.families import CURVES, SCALARS, configured, family
from surrogates.fitting import Component, fit_components, split_components
from surrogates.tuning.study import score

SOURCE: dict[str, Any] = {
    "name": "scheduled",
    "parameters": {
        "a": {"type": "float", "low": 0.0, "high": 1.0},
        "share": {"type": "choice", "choices": [0.5, 1.0]},
        "max_epoch": {"type": "choice", "choices": [5, 12]},
    },
    "fidelities": {
        "epochs": "max_epoch",
        "watched": {"every": 1, "start": 2},
        "data_share": "share",
    },
    "targets": {
        "curves": {
            "valid": {"epochs": [0, 2, 4, 8]},
            "loss": {"unit": "nats", "epochs": {"every": 5}},
            "elapsed_s": {"unit": "s", "cumulative": True, "total": "runtime_s"},
            "joules": {
                "unit": "J",
                "cumulative": True,
                "epochs": {"every": 4, "start": 0, "last": True},
            },
        },
        "scalars": ["runtime_s"],
    },
}
QUICK = {"members": 2, "steps": 60}
CONFIG = {"a": 0.4, "share": 1.0, "max_epoch": 12}
SHORT = {"a": 0.7, "share": 0.5, "max_epoch": 5}


def make_rows(spec: Spec, count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng, rows = np.random.default_rng(seed), []
    for i, config in enumerate(spec.space.sample(count, seed=seed)):
        length = config["max_epoch"]
        at = {curve.name: curve.schedule.epochs_of(length) for curve in spec.curves}
        for s in range(2):
            top = 40 + 40 * config["a"] + rng.normal()
            per_epoch = config["share"] * (1 + config["a"]) * rng.lognormal(0, 0.1, length)
            per_epoch[0] *= 1.5  # the first epoch warms up
            spent = np.append(0.0, np.cumsum(per_epoch))
            rows.append(
                {
                    "run_id": f"{i}-{s}",
                    "config_id": f"c{i}",
                    "space": spec.name,
                    "space_version": spec.version,
                    "seed": s,
                    "status": "ok",
                    "split": ("train", "train", "valid", "test")[i % 4],
                    "epochs": length,
                    "energy_source": "estimated",
                    "energy_formula": "made up",
                    "valid": (10 + (top - 10) * (1 - np.exp(-at["valid"] / 3))).tolist(),
                    "loss": (2 - top / 60 * (1 - np.exp(-at["loss"] / 3))).tolist(),
                    "elapsed_s": spent[at["elapsed_s"]].tolist(),
                    "joules": (90.0 * spent[at["joules"]]).tolist(),
                    "runtime_s": float(spent[-1]),
                    **config,
                }
            )
    return as_stored(rows, spec)


@pytest.fixture(scope="module")
def spec() -> Spec:
    return spec_from_dict(SOURCE)


@pytest.fixture(scope="module")
def rows(spec: Spec) -> list[dict[str, Any]]:
    return make_rows(spec, 40)


@pytest.fixture(scope="module")
def folder(spec: Spec, rows: list[dict[str, Any]], tmp_path_factory: Any) -> Path:
    settings = {"curves": configured(CURVES, QUICK), "scalars": configured(SCALARS, QUICK)}
    components = benchmark.default_components(spec, settings)
    fitted = benchmark.fit(spec, rows, components=components, folds=2, resamples=3)
    found: Path = tmp_path_factory.mktemp("scheduled") / "bench"
    benchmark.save(fitted, rows, found)
    return found


@pytest.fixture(scope="module")
def bench(folder: Path) -> Benchmark:
    return api.load_benchmark(folder)


def test_each_group_of_curves_has_a_model(bench: Benchmark) -> None:
    assert [model.name for model in bench.models] == [
        "learning_curve",
        "loss",
        "elapsed_s",
        "joules",
        "costs",
    ]
    assert bench.main_curve == "valid"
    assert all(bench.manifest["quality"]["held_out"]["targets"][t.name] for t in bench.targets)


def test_a_curve_has_a_value_for_each_scheduled_epoch(bench: Benchmark) -> None:
    prediction = bench.predict(CONFIG)
    expected = {
        "valid": [0, 2, 4, 8],
        "loss": [5, 10],
        "elapsed_s": list(range(1, 13)),
        "joules": [0, 4, 8, 12],
    }
    for name, epochs in expected.items():
        assert prediction.epochs_of(name).tolist() == epochs
        assert prediction[name].shape == prediction.std[name].shape == (len(epochs),)
    assert np.array_equal(prediction.learning_curve, prediction["valid"])
    assert prediction["valid"][0] == pytest.approx(10.0, abs=3.0)  # the value before training
    assert abs(prediction["valid"][-1] - 52.0) < 10.0
    with pytest.raises(KeyError, match="there are valid, loss, elapsed_s, joules"):
        prediction.epochs_of("runtime_s")


def test_a_list_is_padded_past_the_last_scheduled_epoch_of_each_run(bench: Benchmark) -> None:
    prediction = bench.predict([CONFIG, SHORT])
    for name in bench.curve_names:
        value, epochs = prediction[name], prediction.epochs_of(name)
        assert value.shape == epochs.shape
        assert np.array_equal(np.isnan(value), np.isnan(epochs))
        for i, config in enumerate((CONFIG, SHORT)):
            one = bench.predict(config)
            known = np.isfinite(epochs[i])
            assert epochs[i, known].tolist() == one.epochs_of(name).tolist()
            assert value[i, known] == pytest.approx(one[name], rel=1e-6)


def test_query_takes_the_last_scheduled_epoch(bench: Benchmark) -> None:
    prediction = bench.predict(CONFIG)
    asked = bench.query(CONFIG, at=7)
    assert asked["valid"] == prediction["valid"][2]  # of epoch 4
    assert asked["loss"] == prediction["loss"][0]  # of epoch 5
    assert asked["elapsed_s"] == asked["runtime_s"] == prediction["elapsed_s"][6]
    assert asked["joules"] == prediction["joules"][1]
    with pytest.raises(ConfigError, match="at=4: loss has values at every 5 epochs from 5"):
        bench.query(CONFIG, at=4)
    assert bench.query(CONFIG)["valid"] == prediction["valid"][-1]


def test_only_the_epochs_watched_are_queried(bench: Benchmark) -> None:
    with pytest.raises(
        ConfigError, match="at=1: a run of 12 epochs is watched at every epoch from 2"
    ):
        bench.query(CONFIG, at=1)
    assert bench.fidelities == (
        {"role": "epochs", "name": "max_epoch", "choices": [5, 12]},
        {"role": "watched", "name": "at", "epochs": {"every": 1, "start": 2}},
        {"role": "data_share", "name": "share", "choices": [0.5, 1.0]},
    )
    whole, half = (bench.predict({**CONFIG, "share": share}) for share in (1.0, 0.5))
    assert half.runtime_s < whole.runtime_s  # a share of the data is component of a configuration


def test_a_trajectory_returns_what_query_returns(bench: Benchmark) -> None:
    path = bench.trajectory([CONFIG, SHORT])
    for i, config in enumerate((CONFIG, SHORT)):
        for at in range(5, config["max_epoch"] + 1):
            asked = bench.query(config, at=at)
            for name in (*bench.curve_names, "runtime_s"):
                assert path[name][i, at - 1] == pytest.approx(asked[name], rel=1e-6)
    assert np.isnan(path["loss"][0, :4]).all()  # before its first value
    assert np.isnan(path["valid"][1, 5:]).all()
    one = bench.trajectory(CONFIG)
    assert one["valid"].shape == one["runtime_s"].shape == (12,)


@pytest.mark.parametrize("configs", [CONFIG, [CONFIG, SHORT]])
@pytest.mark.parametrize("noise_seed", [None, 0, 7])
def test_cumulative_curves_rise_to_their_total(
    bench: Benchmark, configs: Any, noise_seed: int | None
) -> None:
    prediction = bench.predict(configs, noise_seed=noise_seed)
    last = np.asarray(prediction.epochs) - 1
    elapsed = np.atleast_2d(prediction["elapsed_s"])
    rows = np.arange(len(elapsed))
    assert (elapsed[rows, last] == prediction.runtime_s).all()
    for name in ("elapsed_s", "joules"):
        curve = np.atleast_2d(prediction[name])
        low, high = (np.atleast_2d(end) for end in prediction.interval(0.8)[name])
        for values in (curve, low, high):
            steps = np.diff(values, axis=1)
            assert (steps[np.isfinite(steps)] >= 0.0).all()
        assert (low[np.isfinite(low)] <= high[np.isfinite(high)]).all()
        assert np.isfinite(prediction.std[name][np.isfinite(prediction[name])]).all()
    low, high = (np.atleast_2d(end)[rows, last] for end in prediction.interval(0.8)["elapsed_s"])
    of_total = prediction.interval(0.8)["runtime_s"]
    assert np.array_equal(low, np.atleast_1d(of_total[0]))
    assert np.array_equal(high, np.atleast_1d(of_total[1]))
    assert (np.atleast_2d(prediction["joules"])[:, 0] == 0.0).all()  # before training


def test_sampled_runs_differ_in_their_shares_too(bench: Benchmark) -> None:
    runs = [bench.predict(CONFIG, noise_seed=seed)["elapsed_s"] for seed in range(4)]
    halves = [run[5] / run[-1] for run in runs]
    assert len(set(halves)) == 4


def test_each_member_rises_to_its_total(bench: Benchmark) -> None:
    of_curve = bench.model("elapsed_s").predict_members([CONFIG, SHORT])["elapsed_s"]
    of_total = bench.model("runtime_s").predict_members([CONFIG, SHORT])["runtime_s"]
    assert of_curve.shape == (2, 2, 12)
    assert (np.diff(of_curve[:, 0]) >= 0).all()
    assert np.array_equal(of_curve[:, 0, 11], of_total[:, 0])
    assert np.array_equal(of_curve[:, 1, 4], of_total[:, 1])


def test_cumulative_curves_are_learned(bench: Benchmark) -> None:
    prediction = bench.predict(CONFIG)
    real = 1.4 * np.arange(1, 13) + 0.7
    assert prediction["elapsed_s"] == pytest.approx(real, rel=0.3)
    assert prediction["joules"] == pytest.approx([0.0, *(90 * real[[3, 7, 11]])], rel=0.3)


def test_a_dictionary_holds_the_epochs_of_each_curve(bench: Benchmark) -> None:
    described = bench.predict([CONFIG, SHORT]).to_dict()["targets"]
    assert described["valid"]["epochs"] == [[0, 2, 4, 8], [0, 2, 4, None]]
    assert described["elapsed_s"]["epochs"][1] == [1, 2, 3, 4, 5, *[None] * 7]
    assert "epochs" not in described["runtime_s"]


def test_a_plot_has_the_epochs_on_its_axis(bench: Benchmark) -> None:
    pytest.importorskip("matplotlib")
    axes = bench.predict(CONFIG).plot().axes[0]
    lines = [line.get_xdata() for line in axes.lines if line.get_label() == "validation accuracy"]
    assert [list(x) for x in lines] == [[0, 2, 4, 8]]
    assert axes.get_xlim() == (0, 12)
    many = bench.predict([CONFIG, SHORT]).plot().axes[0]
    assert [list(line.get_xdata()) for line in many.lines if len(line.get_xdata()) > 1] == [
        [0, 2, 4, 8],
        [0, 2, 4],
    ]


def test_a_model_is_loaded_alone(bench: Benchmark, folder: Path) -> None:
    for name in ("valid", "loss", "elapsed_s", "joules"):
        model = api.load_ensemble(folder / bench.model(name).name)
        assert np.array_equal(model.predict(CONFIG), bench.predict(CONFIG)[name])
        assert np.array_equal(
            model.predict(CONFIG, noise_seed=3), bench.predict(CONFIG, noise_seed=3)[name]
        )
    with pytest.raises(CheckpointError, match="is a model: it contains no x"):
        api.load_ensemble(folder / "joules" / "x")


def test_a_share_that_was_altered_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = copy / "elapsed_s" / "shares" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(CheckpointError, match="weights"):
        api.load_benchmark(copy)
    shutil.rmtree(copy / "elapsed_s" / "shares")
    with pytest.raises(CheckpointError, match="is missing"):
        api.load_benchmark(copy)


def test_a_model_of_a_total_of_another_folder_needs_its_benchmark(
    folder: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(folder / "elapsed_s", tmp_path / "elapsed_s")
    with pytest.raises(CheckpointError, match="runtime_s is a total, which another model"):
        api.load_ensemble(tmp_path / "elapsed_s")
    shutil.copytree(folder / "joules", tmp_path / "joules")
    assert api.load_ensemble(tmp_path / "joules").predict(CONFIG).shape == (4,)


def test_shares_and_ends_of_runs(spec: Spec, rows: list[dict[str, Any]]) -> None:
    broken = rows[0] | {"status": "diverged", "reason": "x", "epochs": 3}
    broken |= {"valid": [1.0, 2.0], "loss": [], "elapsed_s": [1.0, 2.0, 3.0], "joules": [0.0]}
    del broken["runtime_s"]
    network = {"image_size": 8, "in_channels": 1, "classes": 10, "stem_width": 8}
    guessing = spec_from_dict(SOURCE | {"network": network})
    runs = runs_from_records([broken, *rows[1:]], guessing)
    of = shares(runs, [guessing.curves[2]])
    assert [target.name for target in of.spec.targets] == ["elapsed_s"]
    assert np.isnan(of.curves[0]).all()
    assert of.curves[1, 0, of.lengths[1] - 1] == 1.0
    assert runs.curves[1, 2, runs.epochs[1] - 1] == rows[1]["runtime_s"]  # in double precision
    last = ends(runs, [guessing.curves[3]])
    assert np.isnan(last.scalars[0, 0])
    assert last.scalars[1, 0] == rows[1]["joules"][-1]


@pytest.mark.parametrize("name", ["svd_nn", "lgb", "sklearn_forest"])
def test_other_families_predict_shares_through_the_same_codec(
    spec: Spec, rows: list[dict[str, Any]], name: str
) -> None:
    runs = runs_from_records(rows, spec)
    chosen = family(name)
    few = {"members": 2}
    few |= {k: 5 for k in ("steps", "rounds", "trees") if hasattr(chosen.settings, k)}
    component = Component(chosen, configured(chosen.settings, few), ("elapsed_s",))
    model = component.fit(runs)
    assert isinstance(model.head, CurveHead)
    assert isinstance(model.head.codec, MonotoneCodec)
    members = model.predict_members([CONFIG, SHORT])["elapsed_s"]
    assert (np.diff(members[:, 0]) >= 0).all()
    assert (members[:, 0, 11] == 1.0).all()
    assert np.isfinite(score(model, component.view(runs)))


def test_parts_are_split_into_groups(spec: Spec, rows: list[dict[str, Any]]) -> None:
    component = Component(family("bezier_nn_STAR"))
    groups = [split.targets for split in split_components([component], spec)]
    assert groups == [("valid",), ("loss",), ("elapsed_s",), ("joules",)]
    runs = runs_from_records(rows, spec)
    with pytest.raises(FitError, match="elapsed_s ends at runtime_s, which no model predicts"):
        fit_components([component], runs)
    with pytest.raises(FitError, match="fits all curves of one schedule together"):
        fit_components([replace(component, targets=("valid", "loss"))], runs)


def test_the_ends_are_fitted_by_the_part_of_the_scalars(bench: Benchmark) -> None:
    model = bench.model("joules")
    assert isinstance(model, Cumulative)
    assert model.ends is not None
    assert model.ends.name == "joules-ends"
    assert model.ends.manifest["family"] == "nn_E"
    assert model.ends.manifest["settings"]["members"] == 2
    assert model.select("joules") is not model
