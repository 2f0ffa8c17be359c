"""Records in, a benchmark folder out, and the folder answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eahas import api
from eahas.errors import FitError
from surrogates import benchmark
from surrogates.models.network_training import FitSettings

QUICK = FitSettings(members=3, hidden=(16,), steps=60, batch_size=64, dropout=0.0)


def quick_parts(spec, **changes):
    settings = replace(QUICK, **changes)
    return benchmark.default_components(spec, settings={"curves": settings, "scalars": settings})


@pytest.fixture(scope="module")
def fitted(spec, rows):
    return benchmark.fit(spec, rows, components=quick_parts(spec), resamples=20)


@pytest.fixture(scope="module")
def folder(fitted, rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "toy"
    benchmark.save(fitted, rows, path)
    return path


def test_the_saved_folder_predicts_as_the_fit_did(fitted, folder, spec) -> None:
    bench = api.load_benchmark(folder)
    configs = spec.space.sample(5, seed=9)
    prediction = bench.predict(configs)
    model = fitted.models[0].distribution(configs)
    np.testing.assert_allclose(prediction.curves["valid"], model["valid"].value)
    np.testing.assert_allclose(prediction.std["loss"], model["loss"].std)
    assert prediction.runtime_s.shape == (5,)


def test_the_manifest_says_what_it_is_made_of(folder) -> None:
    bench = api.load_benchmark(folder)
    assert bench.energy_source == "estimated"
    assert bench.manifest["provenance"]["runs"] == 300
    assert bench.manifest["provenance"]["configurations"] == 100
    assert set(bench.manifest["quality"]) == {"held_out", "repeated", "references"}
    assert bench.manifest["noise"] == dict.fromkeys(bench.target_names, "repeats")


def test_the_records_come_back(folder) -> None:
    frame = api.load_benchmark(folder).records()
    assert len(frame) == 300
    assert {"valid", "runtime_s", "a", "status"} <= set(frame.columns)


def test_references_bracket_what_can_be_known(fitted) -> None:
    valid = fitted.quality["references"]["targets"]["valid"]
    two, one, mean = (valid[k]["last"]["r2"]["value"] for k in ("two_seeds", "one_seed", "mean"))
    assert two > mean and one > mean
    assert fitted.quality["references"]["configurations"] == 20
    assert fitted.quality["repeated"]["configurations"] == 20


def test_quality_covers_every_target_with_intervals(fitted) -> None:
    found = fitted.quality["held_out"]
    assert found["runs"] == 20
    assert set(found["targets"]) == {"valid", "loss", "runtime_s", "test_energy_j"}
    r2 = found["targets"]["runtime_s"]["value"]["r2"]
    assert r2["low"] <= r2["value"] <= r2["high"]
    assert set(found["targets"]["valid"]["by_length"]) == {"4", "12"}


def test_nothing_to_learn_from_is_an_error(spec, rows) -> None:
    held_out = [row for row in rows if row["split"] == "test"]
    with pytest.raises(FitError, match=r"no train or valid runs among the usable .*60 test"):
        benchmark.fit(spec, held_out, components=quick_parts(spec))
    with pytest.raises(FitError, match=r"no valid runs among the usable ones"):
        benchmark.fit(spec, held_out, components=quick_parts(spec), learn_from=["valid"])


def test_it_learns_from_the_sides_that_are_named(spec, rows, fitted) -> None:
    assert set(fitted.learned.split.tolist()) == {"train", "valid"}
    less = benchmark.fit(
        spec, rows, components=quick_parts(spec, steps=2), learn_from=["train"], resamples=2
    )
    assert set(less.learned.split.tolist()) == {"train"}
    assert less.quality["held_out"]["runs"] == fitted.quality["held_out"]["runs"]


def test_the_support_is_that_of_the_runs_it_learned_from(fitted, folder, rows, spec) -> None:
    bench = api.load_benchmark(folder)
    learned = {str(spec.space.check(spec.space.nest(c))) for c in fitted.learned.configs}
    assert len(bench.support.codes) == len(learned)
    taught = [spec.space.nest(c) for c in fitted.learned.configs]
    assert np.median(bench.predict(taught).support) > 0.5
    assert bench.support.distances.min() > 0


def test_a_spec_without_curves_or_without_scalars_fits(spec, rows, tmp_path) -> None:
    from eahas.spec.spec import spec_from_dict

    for kept in ("curves", "scalars"):
        source = dict(spec.source)
        source["targets"] = {kept: source["targets"][kept]}
        part = spec_from_dict(source)
        fitted = benchmark.fit(part, rows, components=quick_parts(part, steps=3), resamples=5)
        benchmark.save(fitted, rows, tmp_path / kept)
        prediction = api.load_benchmark(tmp_path / kept).predict(part.space.sample(seed=0))
        assert len(prediction.to_dict()["targets"]) == 2


def test_a_better_fit_can_be_a_version_of_its_own(fitted, rows, tmp_path) -> None:
    benchmark.save(fitted, rows, tmp_path / "toy", version=2)
    bench = api.load_benchmark(tmp_path / "toy")
    assert (bench.id, bench.spec.version) == ("toy@2", 1)


def test_every_length_is_judged_in_the_same_ways(fitted) -> None:
    found = fitted.quality["held_out"]["targets"]["valid"]
    for part in (found, *found["by_length"].values()):
        for metrics in (part["last"], part["mean"]):
            for metric in metrics.values():
                assert set(metric) == {"value", "low", "high"}
        assert "best_quarter_tau" in part["last"]
    assert sum(part["runs"] for part in found["by_length"].values()) == 20


def test_a_seed_without_costs_costs_only_its_own_configuration(spec, rows) -> None:
    from surrogates.data.dataset import runs_from_records
    from surrogates.evaluation.quality import references

    runs = runs_from_records(rows, spec)
    scalars = runs.scalars.copy()
    first = np.flatnonzero((runs.split == "test") & (runs.seed == 0))[0]
    scalars[first] = np.nan
    found = references(replace(runs, scalars=scalars), resamples=20)["targets"]["runtime_s"]
    assert found["one_seed"]["value"]["r2"]["value"] > 0.9
    nothing = references(replace(runs, scalars=np.full_like(scalars, np.nan)), resamples=20)
    assert nothing["targets"]["runtime_s"]["one_seed"]["value"]["r2"]["value"] is None
