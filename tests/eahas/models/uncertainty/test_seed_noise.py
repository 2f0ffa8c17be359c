"""The noise between runs: its size, how it hangs together, and runs that are drawn from it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.benchmark import Benchmark
from eahas.errors import EahasError
from eahas.models.regressors import MlpEnsemble
from eahas.models.uncertainty.seed_noise import (
    MAX_LOG,
    SeedNoise,
    at_positions,
    generators,
    head_seed_noise,
)

CURVES, EPOCHS = 3, 11  # so many that each position is one of the epochs
AT = [0, 4, 10]  # which ones
SEEDS = 1500


@pytest.fixture(scope="module")
def noise(some_noise) -> SeedNoise:
    return some_noise(CURVES, curves=True, num_noise_outputs=2 * CURVES, seed=3)


@pytest.fixture(scope="module")
def bench(toy) -> Benchmark:
    return api.load_benchmark(toy)


@pytest.fixture(scope="module")
def configs(bench):
    return bench.space.sample(12, seed=0)


def parts(noise: SeedNoise, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """How each shared number (S, E, K) and each fresh one of its epoch (S, E, S) enters a draw."""
    series, factors = noise.series, noise.factors
    nothing = np.zeros((series, epochs))
    shared = [noise.sample(unit, nothing) for unit in np.eye(factors)]
    own = [
        noise.sample(np.zeros(factors), np.repeat(unit[:, None], epochs, axis=1))
        for unit in np.eye(series)
    ]
    return np.stack(shared, axis=-1), np.stack(own, axis=-1)


# How it hangs together


@pytest.mark.parametrize("epochs", [1, 2, 7, EPOCHS, 200])
def test_its_variance_is_one_at_every_epoch(noise, epochs) -> None:
    shared, own = parts(noise, epochs)
    variance = (shared**2).sum(axis=2) + (own**2).sum(axis=2)
    np.testing.assert_allclose(variance, 1.0)


def test_it_is_correlated_as_its_parts_say(noise) -> None:
    shared, own = parts(noise, EPOCHS)
    np.testing.assert_allclose(shared[:, AT], noise.loadings, atol=1e-12)
    np.testing.assert_allclose(own[:, AT], noise.own, atol=1e-12)


def test_between_positions_it_is_a_mixture_of_both(noise) -> None:
    shared, own = parts(noise, EPOCHS)
    for s in range(CURVES):
        loadings = 0.75 * noise.loadings[s, 0] + 0.25 * noise.loadings[s, 1]
        mixing = 0.75 * noise.own[s, 0] + 0.25 * noise.own[s, 1]
        length = np.sqrt((loadings**2).sum() + (mixing**2).sum())
        np.testing.assert_allclose(shared[s, 1], loadings / length, atol=1e-12)
        np.testing.assert_allclose(own[s, 1], mixing / length, atol=1e-12)


def test_many_draws_have_these_correlations(noise) -> None:
    rng = np.random.default_rng(0)
    drawn = np.array(
        [
            noise.sample(rng.standard_normal(2), rng.standard_normal((CURVES, EPOCHS)))[:, AT]
            for _ in range(4000)
        ]
    )
    found = np.corrcoef(drawn.reshape(len(drawn), -1), rowvar=False)
    expected = np.einsum("spk,tqk->sptq", noise.loadings, noise.loadings)
    for p in range(len(AT)):
        expected[:, p, :, p] += noise.own[:, p] @ noise.own[:, p].T
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=0.08)
    np.testing.assert_allclose(drawn.std(axis=0), 1.0, atol=0.05)


def test_what_cancels_between_two_positions_is_no_reason_for_a_number_that_is_none() -> None:
    against = SeedNoise(
        head_seed_noise(1, curves=True).network,
        np.array([0.0, 1.0]),
        np.array([[[1.0], [-1.0]]]),
        np.zeros((1, 2, 1)),
    )
    drawn = against.sample(np.array([2.0]), np.zeros((1, 3)))
    np.testing.assert_allclose(drawn, [[2.0, 0.0, -2.0]], atol=1e-9)


# How large it is


def test_plain_noise_is_what_a_head_says(noise) -> None:
    rng = np.random.default_rng(0)
    noise_outputs, location = rng.normal(size=(5, 4)), rng.normal(size=(5, 2, 9))
    found = head_seed_noise(2, curves=True).deviation(noise_outputs, location)
    first, last = noise_outputs[:, ::2], noise_outputs[:, 1::2]
    np.testing.assert_allclose(found[..., 0], np.exp(first), rtol=1e-5)
    np.testing.assert_allclose(found[..., 4], np.exp(0.5 * (first + last)), rtol=1e-5)
    np.testing.assert_allclose(found[..., 8], np.exp(last), rtol=1e-5)
    scalars = head_seed_noise(2, curves=False).deviation(noise_outputs[:, :2], location[..., :1])
    np.testing.assert_allclose(scalars[..., 0], np.exp(noise_outputs[:, :2]), rtol=1e-5)


def test_runs_of_plain_noise_stray_as_a_whole_and_each_target_alone() -> None:
    shared, own = parts(head_seed_noise(2, curves=True), 6)
    np.testing.assert_array_equal(own, 0.0)
    np.testing.assert_array_equal(shared, np.repeat(np.eye(2)[:, None], 6, axis=1))


def test_the_deviation_depends_on_what_is_said_and_on_the_locations(noise) -> None:
    rng = np.random.default_rng(1)
    noise_outputs, location = rng.normal(size=(4, 6)), 50.0 * rng.random((4, CURVES, EPOCHS))
    many = noise.deviation(noise_outputs, location)
    assert many.shape == location.shape
    for k in range(4):
        np.testing.assert_allclose(
            noise.deviation(noise_outputs[k], location[k]), many[k], rtol=1e-5
        )
    assert (noise.deviation(noise_outputs + 1.0, location) != many).all()
    elsewhere = location.copy()
    elsewhere[..., AT] += 1.0
    assert (noise.deviation(noise_outputs, elsewhere) != many).all()


def test_whatever_is_said_a_deviation_is_a_number_above_nothing(noise) -> None:
    steep = MlpEnsemble((noise.network.weights[0] * np.float32(1e6),), noise.network.biases)
    for noise_outputs in (-3e37, -1e3, 1e3, 3e37):
        for some in (noise, head_seed_noise(CURVES, curves=True), replace(noise, network=steep)):
            location = np.full((CURVES, 5), -noise_outputs)
            found = some.deviation(np.full(2 * CURVES, noise_outputs, dtype=np.float32), location)
            assert ((found > 0) & (found <= np.exp(MAX_LOG))).all()


def test_the_values_at_positions_are_those_of_the_nearest_epochs() -> None:
    values, positions = np.arange(22.0).reshape(2, 11), np.array([0.0, 0.26, 0.5, 1.0])
    np.testing.assert_array_equal(at_positions(values, positions)[1], [11.0, 14.0, 16.0, 21.0])
    np.testing.assert_array_equal(at_positions(values[:, :1], positions)[1], [11.0] * 4)


# Where the numbers come from


def test_its_numbers_are_the_same_on_every_machine() -> None:
    shared, fresh = generators(5, {"b": 0.1, "a": "x", "c": True}, "shared", "costs")
    np.testing.assert_allclose(shared.standard_normal(2), [1.279524346401926, -0.5425113569556711])
    np.testing.assert_allclose(fresh.standard_normal(2), [-0.1656441137502348, 0.5762640976175628])


def test_its_numbers_depend_on_seed_name_and_configuration_alone() -> None:
    def first(seed: int, config: dict[str, object], name: str) -> float:
        (found,) = generators(seed, config, name)
        return float(found.standard_normal())

    config = {"a": 1, "b": "x"}
    one = first(0, config, "shared")
    assert one == first(np.int64(0), dict(reversed(config.items())), "shared")
    others = [
        first(1, config, "shared"),
        first(0, config, "costs"),
        first(0, {**config, "a": 2}, "shared"),
        first(0, {"a": 1}, "shared"),
    ]
    assert len({one, *others}) == 5


# Runs of a benchmark


def values_of(prediction) -> dict[str, np.ndarray]:
    bench = prediction.benchmark
    scalars = {name: np.asarray(getattr(prediction, name)) for name in bench.scalar_names}
    return {**prediction.curves, **scalars}


def test_the_same_seed_gives_the_same_run_and_another_another(bench, configs) -> None:
    for asked in (configs[0], configs):
        one, other = bench.predict(asked, noise_seed=4), bench.predict(asked, noise_seed=5)
        again, mean = bench.predict(asked, noise_seed=np.int64(4)), bench.predict(asked)
        for name, value in values_of(one).items():
            np.testing.assert_array_equal(value, values_of(again)[name])
            if name != "score":  # which may lie at a bound
                assert not np.array_equal(value, values_of(other)[name], equal_nan=True)
                assert not np.array_equal(value, values_of(mean)[name], equal_nan=True)
            np.testing.assert_array_equal(one.std[name], mean.std[name])
            np.testing.assert_array_equal(one.interval()[name], mean.interval()[name])


def test_a_run_in_a_list_is_the_run_alone(bench, configs) -> None:
    many = values_of(bench.predict(configs, noise_seed=4))
    for k, config in enumerate(configs):
        for name, value in values_of(bench.predict(config, noise_seed=4)).items():
            row = np.ravel(many[name][k])
            np.testing.assert_allclose(np.ravel(value), row[: value.size], rtol=1e-5, atol=1e-4)
            assert np.isnan(row[value.size :]).all()


def test_a_run_does_not_depend_on_what_is_asked_first(bench, configs) -> None:
    names = list(bench.target_names)
    for config in configs[:3]:
        forth, back = (bench.predict(config, noise_seed=9) for _ in range(2))
        for name in names:
            _ = values_of_one(forth, name)
        for name in reversed(names):
            _ = values_of_one(back, name)
        for name in names:
            np.testing.assert_array_equal(values_of_one(forth, name), values_of_one(back, name))
            alone = bench.model(name).predict(config, with_noise=True, noise_seed=9)
            np.testing.assert_array_equal(values_of_one(forth, name), alone)


def values_of_one(prediction, name: str) -> np.ndarray:
    return prediction.curves[name] if name in prediction.curves else getattr(prediction, name)


def test_configurations_that_are_alike_have_runs_of_their_own(bench) -> None:
    config = bench.space.sample(seed=0)
    near = {**config, "units": config["units"] % 64 + 1}
    strayed = []
    for asked in (config, near):
        p = bench.predict(asked, noise_seed=2)
        location = bench.predict(asked).drift
        strayed.append((p.drift - location) / p.aleatoric_std["drift"])
    assert abs(strayed[0] - strayed[1]) > 1e-3


def test_the_values_of_a_query_are_those_of_the_run(bench, configs) -> None:
    found = bench.query(configs[0], at=1, noise_seed=3)
    p = bench.predict(configs[0], noise_seed=3)
    assert found["valid"] == p.curves["valid"][0]
    assert found["runtime_s"] == pytest.approx(p.runtime_s / p.epochs)
    assert found["score"] == p.score


def test_curves_and_costs_of_one_run_stray_together_where_they_share_factors(
    own_spec, handmade, saved, tmp_path
) -> None:
    spec = own_spec()
    models = []
    for kind, share in (("curves", 0.9), ("scalars", -0.8)):
        model = handmade(spec, kind)
        series, places, _ = model.seed_noise.own.shape
        loadings = np.zeros((series, places, 2))
        loadings[..., 0] = share
        apart = np.sqrt(1.0 - share**2) * np.repeat(np.eye(series)[:, None], places, axis=1)
        models.append(
            replace(model, seed_noise=replace(model.seed_noise, loadings=loadings, own=apart))
        )
    bench = api.load_benchmark(saved(tmp_path / "b", spec, models))
    config = {**spec.space.sample(seed=0), "epochs": 12}
    mean = bench.predict(config)
    runs = [bench.predict(config, noise_seed=k) for k in range(SEEDS)]
    loss = np.array([p.curves["loss"] for p in runs]) - mean.curves["loss"]
    drift = np.array([p.drift for p in runs]) - mean.drift
    time = np.log([p.runtime_s for p in runs]) - np.log(mean.runtime_s)
    pairs = [
        (loss[:, 0], loss[:, 11], 0.81),
        (loss[:, 3], drift, -0.72),
        (loss[:, 11], time, -0.72),
        (drift, time, 0.64),
    ]
    for a, b, expected in pairs:
        assert np.corrcoef(a, b)[0, 1] == pytest.approx(expected, abs=0.06)
    np.testing.assert_allclose(loss.std(axis=0), mean.aleatoric_std["loss"], rtol=0.06)
    assert drift.std() == pytest.approx(mean.aleatoric_std["drift"], rel=0.06)


@pytest.mark.parametrize("seed", [-1, 0.5, True, "1", 2**63])
def test_a_seed_is_a_whole_number(bench, configs, seed) -> None:
    for call in (bench.predict, bench.query):
        with pytest.raises(EahasError, match=r"noise_seed=.*whole numbers in 0..9"):
            call(configs[0], noise_seed=seed)


def test_the_seed_stands_in_the_json(bench, configs) -> None:
    found = bench.predict(configs[0], noise_seed=np.int64(2**62)).to_dict()
    assert json.loads(json.dumps(found))["noise_seed"] == 2**62
    assert bench.predict(configs[0]).to_dict()["noise_seed"] is None
