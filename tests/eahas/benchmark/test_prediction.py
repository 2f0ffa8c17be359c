"""Predictions: their shapes, their attributes, their mappings, and what they are as JSON."""

from __future__ import annotations

import copy
import json
import pickle
import sys

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.loading import _verified
from eahas.benchmark.prediction import Prediction
from eahas.errors import CheckpointError, EahasError, MissingExtraError, SpecError
from eahas.spec.targets import RESERVED


@pytest.fixture(scope="module")
def bench(toy):
    return api.load_benchmark(toy)


@pytest.fixture(scope="module")
def configs(bench):
    return bench.space.sample(25, seed=0)


@pytest.fixture(scope="module")
def many(bench, configs) -> Prediction:
    return bench.predict(configs)


def test_one_configuration(bench, configs) -> None:
    config = configs[0]
    p = bench.predict(config)
    assert p.single
    assert p.configs == [config]
    assert p.epochs == config["epochs"]
    assert isinstance(p.runtime_s, float)
    assert p.learning_curve.shape == (config["epochs"],)
    np.testing.assert_array_equal(p.learning_curve, p.curves["valid"])
    assert set(p.curves) == {"valid", "loss"}
    assert isinstance(p.std["drift"], float)
    low, high = p.interval(0.9)["runtime_s"]
    assert isinstance(low, float)
    assert low < p.runtime_s < high
    assert p.std["valid"].shape == p.interval()["valid"][1].shape == (config["epochs"],)


def test_a_list_has_one_more_axis_in_front(many, configs) -> None:
    assert not many.single
    assert many.configs == configs
    assert many.epochs.tolist() == [config["epochs"] for config in configs]
    assert many.runtime_s.shape == many.std["score"].shape == (25,)
    assert many.learning_curve.shape == many.std["loss"].shape == (25, 12)
    past = np.arange(12) >= many.epochs[:, None]
    for value in (many.learning_curve, many.std["loss"], *many.interval(0.5)["valid"]):
        np.testing.assert_array_equal(np.isnan(value), past)


def test_a_list_says_what_each_of_its_configurations_does(bench, many, configs) -> None:
    interval = many.interval(0.8)
    for k, config in enumerate(configs):
        p = bench.predict(config)
        for name in bench.target_names:
            for one, row in (
                (p.std[name], many.std[name][k]),
                *zip(p.interval(0.8)[name], [end[k] for end in interval[name]], strict=True),
            ):
                np.testing.assert_allclose(np.ravel(row)[: np.size(one)], one, rtol=1e-4)
        for name, curve in p.curves.items():
            np.testing.assert_allclose(many.curves[name][k, : p.epochs], curve, rtol=1e-6)
        for name in bench.scalar_names:
            assert getattr(p, name) == pytest.approx(getattr(many, name)[k], rel=1e-6, abs=1e-6)


def test_a_list_of_one_is_a_list(bench, configs) -> None:
    p = bench.predict(configs[:1])
    assert not p.single
    assert p.runtime_s.shape == (1,)
    assert p.learning_curve.shape == (1, configs[0]["epochs"])
    assert len(p.to_dict()["config"]) == 1


def test_nothing_is_computed_before_it_is_used(bench, configs) -> None:
    p = bench.predict(configs[0])
    assert p._posteriors == {}
    assert p.runtime_s > 0
    (posterior,) = p._posteriors.values()
    assert not {"epistemic", "aleatoric"} & vars(posterior.summary).keys()
    assert posterior._samples == {}


def test_what_is_done_to_an_answer_does_not_reach_the_next(bench, configs) -> None:
    for asked in (configs[0], configs):
        p = bench.predict(asked)
        for read in (
            lambda p=p: p.learning_curve,
            lambda p=p: p.curves["loss"],
            lambda p=p: p.interval(0.9)["loss"][0],
            lambda p=p: p.std["loss"],
            lambda p=p: np.atleast_1d(p.std["drift"]),
            lambda p=p: np.atleast_1d(p.drift),
        ):
            before = read().copy()
            read()[...] = -7.0
            np.testing.assert_array_equal(read(), before)


def test_unknown_names_are_refused(many) -> None:
    for mapping in (many.curves, many.std, many.interval()):
        with pytest.raises(KeyError, match=r"'runtime'; there are .*valid"):
            mapping["runtime"]
        assert mapping.get("runtime") is None
    assert "runtime_s" not in many.curves
    with pytest.raises(AttributeError, match=r"no attribute 'runtime'"):
        _ = many.runtime
    with pytest.raises(AttributeError):
        _ = many.valid
    with pytest.raises(EahasError, match=r"level=2"):
        many.interval(2)
    with pytest.raises(EahasError, match=r"level=0"):
        many.to_dict(0)


def test_scalars_are_found_by_tab() -> None:
    bench = api.load_benchmark("regnet-digits")
    p = bench.predict(bench.space.sample(seed=0))
    assert {"runtime_s", "train_energy_j", "test_energy_j", "curves"} <= set(dir(p))


@pytest.mark.parametrize("single", [True, False])
def test_as_json_every_target_has_its_unit(bench, configs, single) -> None:
    p = bench.predict(configs[0] if single else configs)
    found = p.to_dict(0.8)
    back = json.loads(json.dumps(found, allow_nan=False))
    assert back == found
    assert (back["benchmark"], back["level"]) == ("own@3", 0.8)
    assert back["config"] == (configs[0] if single else configs)
    assert list(back["targets"]) == [t.name for t in bench.spec.targets]
    runtime, energy, curve = (back["targets"][n] for n in ("runtime_s", "test_energy_j", "valid"))
    assert (runtime["unit"], energy["unit"], curve["unit"]) == ("s", "J", "percent")
    assert energy["source"] == "estimated"
    assert "source" not in runtime
    np.testing.assert_allclose(runtime["value"], p.runtime_s)
    np.testing.assert_allclose(runtime["std"], p.std["runtime_s"])
    np.testing.assert_allclose([runtime["low"], runtime["high"]], p.interval(0.8)["runtime_s"])
    if single:
        assert len(curve["value"]) == back["epochs"] == configs[0]["epochs"]
    else:
        assert [row.count(None) for row in curve["value"]] == (12 - p.epochs).tolist()


def test_numbers_of_numpy_in_a_configuration_are_no_obstacle(bench, configs) -> None:
    config = {**configs[0], "units": np.int64(5), "early": np.bool_(False)}
    assert json.loads(json.dumps(bench.predict(config).to_dict()))["config"]["units"] == 5
    assert json.loads(json.dumps(bench.predict([config]).to_dict()))["config"][0]["units"] == 5


def test_a_prediction_can_be_sent_elsewhere(bench, configs) -> None:
    for asked in (configs[0], configs):
        p = bench.predict(asked)
        for touched in (False, True):
            if touched:
                _ = p.std["valid"], p.std["runtime_s"]
            for there in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
                np.testing.assert_array_equal(there.learning_curve, p.learning_curve)
                np.testing.assert_array_equal(there.runtime_s, p.runtime_s)
                assert there.to_dict() == p.to_dict()


def test_its_repr_is_short(bench, configs, many) -> None:
    assert repr(many) == "Prediction(own@3, 25 configurations)"
    assert repr(bench.predict(configs[0])).startswith("Prediction(own@3, {'opt': {'kind':")


def test_a_part_of_a_prediction_is_a_mapping(bench, configs) -> None:
    p = bench.predict(configs[0])
    std = p.std
    assert p._posteriors == {}
    assert (len(std), tuple(std)) == (len(bench.target_names), bench.target_names)
    assert std["runtime_s"] == p.distribution("runtime_s").std
    assert dict(p.curves).keys() == set(bench.curve_names)
    assert repr(std).startswith("{'valid': array(")
    with pytest.raises(KeyError, match="'nothing'; there are valid"):
        std["nothing"]


def test_every_target_is_found_by_its_name(bench, configs) -> None:
    for given in (configs[0], configs):
        p = bench.predict(given)
        assert tuple(p) == bench.target_names
        assert len(p) == len(bench.target_names)
        assert "runtime_s" in p
        assert "nothing" not in p
        for name in bench.scalar_names:
            np.testing.assert_array_equal(p[name], getattr(p, name))
        for name in bench.curve_names:
            np.testing.assert_array_equal(p[name], p.curves[name])
        with pytest.raises(KeyError, match="'nothing'; there are"):
            p["nothing"]


def test_the_figure_needs_matplotlib(bench, configs, monkeypatch) -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'eahas\[plot\]'"):
        bench.predict(configs[0]).plot()


def test_the_figure_is_one_of_matplotlib(bench, configs) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure
    assert isinstance(bench.predict(configs[0]).plot(0.8), figure)


# Spaces without curves, without scalars, without a fidelity


def test_without_curves(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec(targets={"scalars": ["runtime_s"]})
    bench = api.load_benchmark(saved(tmp_path / "b", spec, [handmade(spec, "scalars")]))
    for asked in (spec.space.sample(seed=0), spec.space.sample(3, seed=0)):
        p = bench.predict(asked)
        assert dict(p.curves) == {}
        assert list(p.std) == list(p.to_dict()["targets"]) == ["runtime_s"]
        with pytest.raises(EahasError, match=r"benchmark own@3 has no curves"):
            _ = p.learning_curve
        with pytest.raises(EahasError, match=r"has no curves"):
            p.plot()


def test_without_scalars(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec(targets={"curves": ["valid", "train"]})
    bench = api.load_benchmark(saved(tmp_path / "b", spec, [handmade(spec, "curves")]))
    for asked in (spec.space.sample(seed=0), spec.space.sample(3, seed=0)):
        p = bench.predict(asked)
        np.testing.assert_array_equal(p.learning_curve, p.curves["valid"])
        assert list(p.interval()) == ["valid", "train"]
        with pytest.raises(AttributeError, match=r"runtime_s"):
            _ = p.runtime_s


def test_without_a_fidelity(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec(fidelity=None, targets={"scalars": ["runtime_s", "test_energy_j"]})
    bench = api.load_benchmark(saved(tmp_path / "b", spec, [handmade(spec, "scalars")]))
    configs = spec.space.sample(4, seed=0)
    assert bench.predict(configs[0]).epochs == 1
    assert bench.predict(configs).epochs.tolist() == [1] * 4
    assert bench.query(configs[0]) == bench.query(configs[0], at=1)
    assert bench.query(configs[0])["runtime_s"] == bench.predict(configs[0]).runtime_s


def test_another_curve_is_the_main_one_where_there_is_no_validation(
    own_spec, handmade, saved, tmp_path
) -> None:
    for curves, main in ((["loss2", "valid_ema", "valid"], "valid_ema"), (["loss2"], "loss2")):
        described = {name: {"unit": "nat"} if name == "loss2" else None for name in curves}
        spec = own_spec(targets={"curves": described})
        folder = saved(tmp_path / main, spec, [handmade(spec, "curves")])
        bench = api.load_benchmark(folder)
        p = bench.predict(spec.space.sample(seed=0))
        assert bench.main_curve == main
        np.testing.assert_array_equal(p.learning_curve, p.curves[main])


def test_reserved_names_are_frozen(own_spec) -> None:
    """A name that a prediction has since then refuses no spec that was saved before."""
    assert (
        *("aleatoric_std", "benchmark", "configs", "curves", "epistemic_std", "epoch", "epochs"),
        *("interval", "learning_curve", "noise_seed", "plot", "question", "single", "std"),
        *("support", "to_dict"),
    ) == RESERVED
    for name in RESERVED:
        with pytest.raises(
            SpecError, match=f"targets: {name} is already|targets: {name} is also another"
        ):
            own_spec(targets={"scalars": {name: {"unit": "s"}}})


def test_a_target_with_the_name_of_a_newer_attribute(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec(targets={"scalars": {"distribution": {"unit": "m", "low": 0}}})
    bench = api.load_benchmark(saved(tmp_path / "b", spec, [handmade(spec, "scalars")]))
    p = bench.predict(spec.space.sample(seed=0))
    assert p["distribution"] > 0
    assert p.to_dict()["targets"]["distribution"]["value"] == p["distribution"]


# Nothing that is handed out can change a prediction


def test_results_are_independent_of_the_prediction(bench, configs) -> None:
    p = bench.predict(configs)
    before = p.to_dict()
    p.configs[0]["opt"]["kind"] = "changed"
    changed = p.to_dict()
    changed["config"].clear()
    p.epochs[:] = 1
    for part in (p.epistemic_std, p.aleatoric_std, p.std, p.curves):
        for name in part:
            part[name][...] = -7.0
    assert p.to_dict() == before


def test_columns_are_copied(bench, configs) -> None:
    columns = bench.space.columns(configs)
    p = bench.predict_columns(columns)
    for column in columns.values():
        column[:] = column[0]
    np.testing.assert_array_equal(p.runtime_s, bench.predict(configs).runtime_s)


def test_a_manifest_cannot_be_changed(bench) -> None:
    content = json.dumps(bench.manifest)
    for change in (
        lambda: bench.manifest.update(version=9),
        lambda: bench.manifest["energy"].__setitem__("source", "rapl"),
        lambda: bench.manifest["models"].append("more"),
        lambda: bench.spec.source["parameters"].pop("opt.kind"),
    ):
        with pytest.raises(TypeError, match="read-only"):
            change()
    own = copy.deepcopy(bench.manifest)
    own["version"] = 9
    assert json.dumps(bench.manifest) == content


# Pickles name the benchmark


def test_a_pickled_prediction_names_its_benchmark(bench, configs) -> None:
    content = pickle.dumps(bench.predict(configs[0]))
    assert len(content) < 2000
    assert str(bench.folder).encode() in content


def test_the_parts_of_a_prediction_pickle(bench, configs) -> None:
    p = bench.predict(configs[0])
    for part in (p.curves, p.std, p.epistemic_std, p.aleatoric_std, p.interval(0.8)):
        there = pickle.loads(pickle.dumps(part))
        for name in part:
            np.testing.assert_array_equal(there[name], part[name])


def test_a_pickle_of_another_content_is_refused(own_spec, handmade, saved, tmp_path) -> None:
    spec = own_spec()
    folder = saved(tmp_path / "b", spec, [handmade(spec, "scalars")])
    content = pickle.dumps(api.load_benchmark(folder))
    assert pickle.loads(content).id == "own@3"
    _verified.cache_clear()
    saved(folder, spec, [handmade(spec, "scalars", seed=5)])
    with pytest.raises(CheckpointError, match="no longer contains the own@3"):
        pickle.loads(content)
