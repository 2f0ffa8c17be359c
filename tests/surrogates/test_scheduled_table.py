"""A table whose curves have schedules: made, saved, loaded, looked up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from eahas import api
from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.storage import table_folder
from eahas.benchmark.storage.folder import save_folder
from eahas.errors import CheckpointError, ConfigError
from eahas.models.table import Table
from eahas.records.parquet import as_stored
from eahas.spec.spec import Spec, spec_from_dict
from surrogates import table

SOURCE: dict[str, Any] = {
    "name": "scheduled-table",
    "parameters": {
        "width": {"type": "integer", "low": 1, "high": 5},
        "max_epoch": {"type": "choice", "choices": [4, 10]},
    },
    "fidelity": "max_epoch",
    "targets": {
        "curves": {
            "valid": {"epochs": {"every": 4, "start": 0}},
            "elapsed_s": {
                "unit": "s",
                "cumulative": True,
                "total": "runtime_s",
                "epochs": {"every": 4, "start": 0, "last": True},
            },
            "joules": {"unit": "J", "cumulative": True},
        },
        "scalars": ["runtime_s"],
    },
}
CONFIG = {"width": 2, "max_epoch": 10}


def make_rows(spec: Spec, seeds: int = 3) -> list[dict[str, Any]]:
    rng, rows = np.random.default_rng(0), []
    for i, config in enumerate(spec.space.points()):
        length = config["max_epoch"]
        at = {curve.name: curve.schedule.epochs_of(length) for curve in spec.curves}
        for seed in range(seeds):
            spent = np.append(0.0, np.cumsum(config["width"] * rng.lognormal(0, 0.1, length)))
            top = 50 + 5 * config["width"] + rng.normal()
            rows.append(
                {
                    "run_id": f"{i}-{seed}",
                    "config_id": f"c{i}",
                    "space": spec.name,
                    "space_version": 1,
                    "seed": seed,
                    "status": "ok",
                    "epochs": length,
                    "energy_source": "nvml_counter",
                    "valid": (10 + (top - 10) * (1 - np.exp(-at["valid"] / 3))).tolist(),
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
    return make_rows(spec)


@pytest.fixture(scope="module")
def bench(spec: Spec, rows: list[dict[str, Any]], tmp_path_factory: Any) -> Benchmark:
    folder: Path = tmp_path_factory.mktemp("table") / "bench"
    table.save(table.make(spec, rows, resamples=3), rows, folder)
    return api.load_benchmark(folder)


def test_a_look_up_is_the_mean_at_each_scheduled_epoch(
    bench: Benchmark, rows: list[dict[str, Any]]
) -> None:
    of = [row for row in rows if (row["width"], row["max_epoch"]) == (2, 10)]
    prediction = bench.predict(CONFIG)
    assert prediction.epochs_of("valid").tolist() == [0, 4, 8]
    assert prediction["valid"] == pytest.approx(np.mean([row["valid"] for row in of], axis=0))
    assert prediction.epochs_of("elapsed_s").tolist() == [0, 4, 8, 10]
    logs = np.log([row["elapsed_s"][1:] for row in of])
    assert prediction["elapsed_s"] == pytest.approx([0.0, *np.exp(logs.mean(axis=0))], rel=1e-6)
    many = bench.predict([CONFIG, {"width": 1, "max_epoch": 4}])
    assert np.isnan(many["valid"]).tolist() == [[False] * 3, [False, False, True]]


@pytest.mark.parametrize("noise_seed", [None, 0, 4])
def test_cumulative_curves_rise_to_their_total(bench: Benchmark, noise_seed: int | None) -> None:
    configs = [{"width": w, "max_epoch": e} for w in (1, 5) for e in (4, 10)]
    prediction = bench.predict(configs, noise_seed=noise_seed)
    for name in ("elapsed_s", "joules"):
        for values in (prediction[name], *prediction.interval(0.9)[name]):
            steps = np.diff(values, axis=1)
            assert (steps[np.isfinite(steps)] >= 0.0).all()
        assert np.isfinite(prediction.std[name][np.isfinite(prediction[name])]).all()
    ends = prediction["elapsed_s"][np.arange(4), [1, 3, 1, 3]]
    assert np.array_equal(ends, prediction.runtime_s)
    for of_curve, of_total in zip(
        prediction.interval(0.9)["elapsed_s"], prediction.interval(0.9)["runtime_s"], strict=True
    ):
        assert of_curve[np.arange(4), [1, 3, 1, 3]] == pytest.approx(of_total, rel=1e-14)


def test_the_best_and_the_front_take_the_last_scheduled_value(bench: Benchmark) -> None:
    (best,) = bench.best("valid", at=6)
    prediction = bench.predict([{"width": w, "max_epoch": 10} for w in range(1, 6)])
    widest = int(np.argmax(prediction["valid"][:, 1]))  # of epoch 4
    assert best.config["width"] == widest + 1
    assert best.values["valid"] == bench.predict(best.config)["valid"][1]
    (cheapest,) = bench.best("elapsed_s", at=9)
    assert cheapest.values["elapsed_s"] == bench.query(cheapest.config, at=9)["elapsed_s"]
    (total,) = bench.best("runtime_s", at=9)
    assert total.values["runtime_s"] == pytest.approx(
        bench.query(total.config, at=9)["runtime_s"], rel=1e-12
    )
    assert bench.front("runtime_s", "valid")
    assert bench.query(CONFIG, at=3)["elapsed_s"] == 0.0
    assert 0.0 < bench.query(CONFIG, at=3)["runtime_s"] < bench.query(CONFIG, at=4)["runtime_s"]


def test_without_a_value_up_to_an_epoch_nothing_is_best() -> None:
    spec = spec_from_dict(SOURCE | {"targets": {"curves": {"valid": {"epochs": [3]}}}})
    rows = [
        {k: v for k, v in row.items() if k not in ("elapsed_s", "joules", "runtime_s")}
        | {"valid": row["valid"][:1]}
        for row in make_rows(spec_from_dict(SOURCE))
    ]
    made = table.make(spec, as_stored(rows, spec), resamples=3)
    from eahas.benchmark.optima import best_points

    assert best_points(lambda _: made.table, "valid", at=3)
    with pytest.raises(ConfigError, match="at=2: valid has values at epochs 3"):
        best_points(lambda _: made.table, "valid", at=2)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("joules", [5.0, 4.0], "array 'values.joules' holds 4 after 5; allowed: rising"),
        ("elapsed_s", None, "array 'values.elapsed_s' ends at"),
    ],
)
def test_a_table_that_was_altered_is_refused(
    bench: Benchmark, tmp_path: Path, name: str, change: list[float] | None, says: str
) -> None:
    assert isinstance(bench.table, Table)
    manifest, files = table_folder.contents(bench.table)
    arrays = load(files[table_folder.FILE])
    if change is None:
        arrays[f"values.{name}"] *= 1.001
    else:
        arrays[f"values.{name}"][: len(change)] = change
    save_folder(tmp_path / "t", manifest, {table_folder.FILE: save(arrays)})
    with pytest.raises(CheckpointError) as caught:
        api.load_ensemble(tmp_path / "t")
    assert says in str(caught.value)
    if change is None:
        assert "allowed: its total runtime_s" in str(caught.value)


def test_it_is_judged_by_leaving_out_a_seed(bench: Benchmark) -> None:
    judged = bench.manifest["quality"]["held_out"]["targets"]
    assert judged["elapsed_s"]["last"]["r2"]["value"] > 0.9
    assert judged["valid"]["last"]["rmse"]["value"] < 5.0
