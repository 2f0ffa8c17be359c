"""EA-HAS-Bench's interface: its order, its meanings, its units."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from eahas import api
from eahas.errors import EahasError, EstimatedEnergyWarning


@pytest.fixture(scope="module")
def bench(own_spec, handmade, saved, tmp_path_factory):
    spec = own_spec(
        targets={
            "curves": ["valid", "test", "test_ema"],
            "scalars": ["runtime_s", "train_energy_j", "test_energy_j"],
        }
    )
    models = [handmade(spec, "curves"), handmade(spec, "scalars")]
    return api.load_benchmark(saved(tmp_path_factory.mktemp("ea") / "b", spec, models))


@pytest.fixture(scope="module")
def models(bench):
    with pytest.warns(EstimatedEnergyWarning, match=r"own@3: the energy is estimated"):
        return api.get_ea_has_bench_api(str(bench.folder))["ea_has_bench_model"]


def test_one_configuration(bench, models) -> None:
    config = {**bench.space.sample(seed=0), "epochs": 12}
    p = bench.predict(config)
    curve, time, train, test = (model.predict(config=config) for model in models)
    np.testing.assert_allclose(curve, 100.0 - p.curves["test_ema"])
    assert curve.shape == (12,)
    assert time == pytest.approx(p.runtime_s / 12)
    assert train == pytest.approx(p.train_energy_j / 12 / 3.6e6)
    assert test == pytest.approx(p.test_energy_j / 3.6e6)
    assert {type(value) for value in (time, train, test)} == {float}


def test_a_list(bench, models) -> None:
    configs = bench.space.sample(8, seed=1)
    curve, time, train, test = (model.predict(configs) for model in models)
    assert curve.shape == (8, max(config["epochs"] for config in configs))
    for k, config in enumerate(configs):
        expected = [model.predict(config) for model in models]
        np.testing.assert_allclose(curve[k, : config["epochs"]], expected[0], rtol=1e-6)
        np.testing.assert_allclose([time[k], train[k], test[k]], expected[1:], rtol=1e-6)


def test_it_is_called_as_its_callers_do(bench, models) -> None:
    config = bench.space.sample(seed=0)
    for model in models:
        expected = model.predict(config=config)
        for again in (
            model.predict(config, "arch_str"),
            model.predict(config, "arch_str", False, "nbgreen_c10"),
            model.predict(
                config=config,
                representation="arch_str",
                search_space="nbgreen_c10",
                with_noise=False,
            ),
        ):
            np.testing.assert_array_equal(again, expected)
        with pytest.raises(EahasError, match=r"search_space 'darts' is unknown"):
            model.predict(config, search_space="darts")


def test_codes_have_their_epochs_too(bench, models) -> None:
    configs = bench.space.sample(5, seed=3)
    codes = np.array([bench.space.encode(config) for config in configs])
    near = [bench.space.decode(code) for code in codes]
    for model in models:
        many = model.predict(codes, encoded=True)
        np.testing.assert_array_equal(many, model.predict(near))
        np.testing.assert_array_equal(model.predict(codes[0], encoded=True), model.predict(near[0]))


def test_noise_is_drawn_in_the_same_units(bench, models) -> None:
    config = bench.space.sample(seed=0)
    for model in models:
        plain = model.predict(config)
        one = model.predict(config, with_noise=True, noise_seed=1)
        np.testing.assert_array_equal(one, model.predict(config, with_noise=True, noise_seed=1))
        assert np.shape(one) == np.shape(plain)
        assert np.any(one != plain)
        assert np.all(np.asarray(one) >= 0.0)


def test_a_benchmark_without_one_of_the_four_says_so(toy) -> None:
    with pytest.raises(EahasError, match=r"benchmark own@3 has no test, train_energy_j"):
        api.get_ea_has_bench_api(str(toy))


def test_the_plain_test_curve_is_taken_where_there_is_no_average(
    own_spec, handmade, saved, tmp_path
) -> None:
    spec = own_spec(
        targets={
            "curves": ["test"],
            "scalars": ["runtime_s", "train_energy_j", "test_energy_j"],
        },
    )
    folder = saved(
        tmp_path / "b",
        spec,
        [handmade(spec, "curves"), handmade(spec, "scalars")],
        energy={"source": "nvml_counter", "formula": ""},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is estimated, so nothing is said
        curve, *_ = api.get_ea_has_bench_api(folder)["ea_has_bench_model"]
    assert curve.ensemble.primary == "test"


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("cifar10", "regnet-cifar10"),
        ("cifar10-16px", "regnet-cifar10-16px"),
        ("tiny", "regnet-tinyimagenet"),
        ("tinyimagenet", "regnet-tinyimagenet"),
    ],
)
def test_a_data_set_that_does_not_ship_is_told_how_to_make_one(dataset, name) -> None:
    if name in {bench["name"] for bench in api.list_benchmarks()}:
        pytest.skip(f"{name} ships")
    with pytest.raises(EahasError, match=rf"only the spec of {name} ships.*eahas fit {name}"):
        api.get_ea_has_bench_api(dataset)


def test_the_warning_is_given_once_a_process() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("default")
        for _ in range(3):
            api.get_ea_has_bench_api("digits")
    energy = [w for w in seen if w.category is EstimatedEnergyWarning]
    assert len(energy) == 1
