"""The parts of a benchmark: one model a target, fitted, calibrated and saved beside the others."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from eahas import api
from eahas.errors import FitError
from eahas.spec.spec import spec_from_dict
from surrogates import benchmark
from surrogates.families import family
from surrogates.fitting import Component, fit_components
from surrogates.models.network_training import FitSettings
from surrogates.uncertainty.crossfit import FOLDS

QUICK = FitSettings(members=2, hidden=(16,), steps=150, batch_size=64, dropout=0.0)
CURVES, COSTS = family("bezier_nn_STAR"), family("nn_E")


@pytest.fixture(scope="module")
def parts() -> list[Component]:
    return [
        Component(CURVES, QUICK),
        Component(COSTS, QUICK, ("runtime_s",)),
        Component(COSTS, QUICK, ("test_energy_j",)),
    ]


@pytest.fixture(scope="module")
def fitted(spec, rows, parts):
    return benchmark.fit(spec, rows, components=parts, resamples=5)


@pytest.fixture(scope="module")
def folder(fitted, rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("parts") / "toy"
    benchmark.save(fitted, rows, path)
    return path


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([Component(COSTS), Component(COSTS)], "two models predict runtime_s"),
        ([Component(CURVES), Component(family("svd_nn_STAR"))], "two models predict valid"),
        (
            [Component(COSTS), Component(COSTS, targets=("test_energy_j",))],
            "two models predict test_energy_j; remove one of them",
        ),
        ([Component(COSTS, targets=("runtime_s",) * 2)], "two models predict runtime_s"),
        (
            [Component(COSTS, targets=("runtime",))],
            "model nn_E: target 'runtime' is unknown; allowed: runtime_s, test_energy_j; did you",
        ),
        ([Component(COSTS, targets=("valid",))], "model nn_E: target 'valid' is unknown"),
        (
            [Component(CURVES, targets=("runtime_s",))],
            "bezier_nn_STAR fits all curves .* got runtime_s",
        ),
        (
            [Component(CURVES, targets=("valid",))],
            "only scalars may have a model of their own, got valid",
        ),
    ],
)
def test_each_target_has_one_model_that_can_predict_it(parts, why, runs) -> None:
    with pytest.raises(FitError, match=why):
        fit_components(parts, runs)


def test_two_models_of_several_targets_would_bear_one_name(runs) -> None:
    names = ["runtime_s", "test_energy_j", "again_s", "again_j"]
    scalars = {name: {"unit": "s", "low": 0} for name in names}
    spec = spec_from_dict({**runs.spec.source, "targets": {"scalars": scalars}})
    twice = {
        name: np.hstack([getattr(runs, name), getattr(runs, name)])
        for name in ("scalars", "spreads")
    }
    more = replace(runs, spec=spec, curves=runs.curves[:, :0], **twice)
    pairs = [Component(COSTS, QUICK, tuple(names[:2])), Component(COSTS, QUICK, tuple(names[2:]))]
    with pytest.raises(FitError, match="several scalars each, and would have the same name"):
        fit_components(pairs, more)
    single = [Component(COSTS, replace(QUICK, steps=2), (name,)) for name in names[2:]]
    models, _ = fit_components([replace(pairs[0], settings=replace(QUICK, steps=2)), *single], more)
    assert [model.name for model in models] == ["costs", "again_s", "again_j"]


def test_fewer_configurations_than_folds_are_refused(runs, parts) -> None:
    few = runs.where(np.isin(runs.config_id, ["c0", "c1", "c2"]))
    with pytest.raises(FitError, match=f"3 training configurations for {FOLDS} folds"):
        fit_components(parts, few)


def test_a_part_with_one_target_bears_its_name(fitted) -> None:
    assert [model.name for model in fitted.models] == [
        "learning_curve",
        "runtime_s",
        "test_energy_j",
    ]
    for model in fitted.models[1:]:
        assert [target.name for target in model.targets] == [model.name]
        assert model.primary == model.name
        assert model.spec is fitted.spec


def test_each_part_comes_back_from_its_folder(fitted, folder, spec) -> None:
    bench = api.load_benchmark(folder)
    configs = spec.space.sample(6, seed=4)
    assert bench.manifest["models"] == ["learning_curve", "runtime_s", "test_energy_j"]
    assert bench.target_names == ("valid", "loss", "runtime_s", "test_energy_j")
    prediction = bench.predict(configs)
    for model in fitted.models:
        back = bench.model(model.name)
        assert (back.inflation, back.error_quantiles) == (model.inflation, model.error_quantiles)
        for name, expected in model.distribution(configs).items():
            for part in ("std", "epistemic_std", "aleatoric_std"):
                found = getattr(prediction, part)[name]
                np.testing.assert_allclose(found, getattr(expected, part), rtol=1e-5)
    alone = api.load_ensemble(folder / "runtime_s")
    np.testing.assert_allclose(alone.predict(configs), prediction.runtime_s)


def test_the_parts_of_a_saved_benchmark_stray_together(fitted, folder) -> None:
    """Time and energy have a noise of their own here, the curves share theirs."""
    bench = api.load_benchmark(folder)
    config = {**bench.space.sample(seed=0), "max_epoch": 12}
    runs = [bench.predict(config, noise_seed=k) for k in range(300)]
    valid, loss = (np.array([p.curves[name] for p in runs]) for name in ("valid", "loss"))
    assert np.corrcoef(valid[:, 5], loss[:, 5])[0, 1] < -0.9
    assert abs(np.corrcoef(valid[:, 5], [p.runtime_s for p in runs])[0, 1]) < 0.5


def test_the_source_of_each_targets_noise_stands_in_the_manifest(fitted, folder) -> None:
    names = ("valid", "loss", "runtime_s", "test_energy_j")
    assert fitted.noise == dict.fromkeys(names, "repeats")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["noise"] == dict(fitted.noise)


def test_the_noise_of_a_quick_fit_is_that_of_the_runs(fitted, spec) -> None:
    """Accuracies were made with a deviation of 1, times with one of 2 %."""
    found = fitted.models[0].distribution(spec.space.sample(40, seed=6))
    valid = found["valid"].aleatoric
    assert np.nanmedian(valid) == pytest.approx(1.0, abs=0.2)
    time = fitted.models[1].distribution(spec.space.sample(40, seed=6))["runtime_s"]
    assert np.median(time.aleatoric) == pytest.approx(0.02, rel=0.25)


def test_a_benchmark_may_have_some_of_the_targets(spec, rows, tmp_path) -> None:
    chosen = [Component(COSTS, QUICK, ("test_energy_j",))]
    some = benchmark.fit(spec, rows, components=chosen, resamples=2)
    benchmark.save(some, rows, tmp_path / "toy")
    bench = api.load_benchmark(tmp_path / "toy")
    assert bench.target_names == ("test_energy_j",)
    assert bench.manifest["noise"] == {"test_energy_j": "repeats"}
    config = spec.space.sample(seed=0)
    assert bench.predict(config).test_energy_j == pytest.approx(3 + config["a"], rel=0.2)


def test_progress_is_told_from_the_first_fit_to_the_last(runs, parts) -> None:
    told: list[tuple[str, int, int]] = []
    quick = [
        Component(part.family, FitSettings(members=2, hidden=(4,), steps=3)) for part in parts[:2]
    ]
    fit_components(quick, runs, lambda *now: told.append(now))
    for what in ("fit bezier_nn_STAR", "fit nn_E"):
        done = [d for name, d, _ in told if name == what]
        assert all(a < b for a, b in pairwise(done))
        assert done[-1] == (FOLDS + 1) * 3
        assert {total for name, _, total in told if name == what} == {(FOLDS + 1) * 3}
