"""Records of a space that was trained whole in, a tabular benchmark out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.benchmark import RECORDS
from eahas.errors import FitError
from eahas.records.parquet import read_records
from eahas.spec.spec import Spec, spec_from_dict
from surrogates import table
from surrogates.data.dataset import runs_from_records

SOURCE: dict[str, Any] = {
    "name": "listed",
    "parameters": {
        "width": {"type": "integer", "low": 1, "high": 6},
        "kind": {"type": "choice", "choices": ["x", "y"]},
        "epochs_max": {"type": "choice", "choices": [3, 8]},
    },
    "constraints": [{"kind": "forbidden", "values": {"kind": "y", "width": 6}}],
    "fidelity": "epochs_max",
    "targets": {
        "curves": {"valid": None, "loss": {"unit": "nats", "direction": "minimize"}},
        "scalars": ["runtime_s", "test_energy_j"],
    },
    "network": {
        "image_size": 8,
        "in_channels": 1,
        "classes": 10,
        "stem": "res_stem_cifar",
        "stem_width": 8,
        "se_ratio": 0.25,
        "stride": 2,
    },
}
COUNT = 22  # configurations


@pytest.fixture(scope="module")
def spec() -> Spec:
    return spec_from_dict(SOURCE)


def make_rows(spec: Spec, seeds: int = 3) -> list[dict[str, Any]]:
    """Runs of every configuration; accuracies count two-hundredths."""
    rng, rows = np.random.default_rng(0), []
    for i, point in enumerate(spec.space.points()):
        flat = spec.space.check(point)
        epochs = flat["epochs_max"]
        for seed in range(seeds):
            top = 50 + 5 * flat["width"] + 3 * rng.normal()
            curve = np.rint(2 * top * (1 - np.exp(-np.arange(1, epochs + 1) / 3))) / 2
            rows.append(
                {
                    "run_id": f"c{i}-s{seed}",
                    "config_id": f"c{i}",
                    "space": spec.name,
                    "space_version": 1,
                    "seed": seed,
                    "status": "ok",
                    "split": "test",
                    "role": "repeat" if seed else "main",
                    "epochs": epochs,
                    "energy_source": "estimated",
                    "energy_formula": "made up",
                    "valid": curve.tolist(),
                    "loss": (3.0 - curve / 50 + 0.01 * rng.normal(size=epochs)).tolist(),
                    "runtime_s": float(epochs * flat["width"] * rng.lognormal(0, 0.05)),
                    "test_energy_j": float(flat["width"] * rng.lognormal(0, 0.1)),
                    **flat,
                }
            )
    return rows


@pytest.fixture(scope="module")
def rows(spec) -> list[dict[str, Any]]:
    return make_rows(spec)


@pytest.fixture(scope="module")
def made(spec, rows) -> table.Made:
    return table.make(spec, rows, resamples=10)


@pytest.fixture(scope="module")
def folder(made, rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "listed"
    table.save(made, rows, path)
    return path


def test_the_saved_folder_answers_with_the_runs(folder, rows, spec) -> None:
    bench = api.load_benchmark(folder)
    for row in rows:
        flat = {name: row[name] for name in spec.space.names}
        p = bench.predict(flat, noise_seed=row["seed"])
        np.testing.assert_array_equal(p.curves["valid"], row["valid"])
        np.testing.assert_array_equal(p.curves["loss"], np.float32(row["loss"]))
        assert (p.runtime_s, p.test_energy_j) == (row["runtime_s"], row["test_energy_j"])
    assert bench.best("valid")[0].config["width"] == 6


def test_the_manifest_says_what_is_in_it(folder) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["table"] == {
        "configurations": COUNT,
        "seeds": [0, 1, 2],
        "configurations_with_runs": {"3": COUNT},
    }
    assert manifest["provenance"]["runs"] == 3 * COUNT
    assert manifest["models"] == ["table"]
    assert set(manifest["files"]) == {
        "records.parquet",
        "table/manifest.json",
        "table/runs.safetensors",
    }
    inner = json.loads((folder / "table" / "manifest.json").read_text())
    assert inner["counts"] == {"valid": 200}
    assert set(manifest["quality"]) == {"judged", "held_out", "repeated", "references"}
    assert "predicted by a table of the others" in manifest["quality"]["judged"]


def test_a_name_and_a_version_of_its_own(made, rows, tmp_path) -> None:
    table.save(made, rows, tmp_path / "b", name="mine", version=4)
    assert api.load_benchmark(tmp_path / "b").id == "mine@4"


def test_quality_has_the_shape_of_other_benchmarks(made) -> None:
    held_out = made.quality["held_out"]
    assert held_out["runs"] == COUNT
    assert set(held_out["targets"]) == {"valid", "loss", "runtime_s", "test_energy_j"}
    for name, facts in held_out["targets"].items():
        part = facts["last" if name in ("valid", "loss") else "value"]
        assert part["r2"]["low"] <= part["r2"]["value"] <= part["r2"]["high"]
        assert set(facts["coverage"]) == {"0.5", "0.8", "0.9", "0.95"}
    repeated = made.quality["repeated"]
    assert repeated == {"configurations": COUNT, "targets": held_out["targets"]}
    two = made.quality["references"]["targets"]["valid"]["two_seeds"]["last"]["rmse"]
    assert two["value"] == pytest.approx(held_out["targets"]["valid"]["last"]["rmse"]["value"])


def test_the_judged_run_is_not_in_the_table_that_is_judged(spec, rows, made) -> None:
    """Its value changes what is seen, and nothing of what is predicted or promised."""
    moved = [
        {**row, "runtime_s": 3.0 * row["runtime_s"]} if row["seed"] == 2 else row for row in rows
    ]
    found = table.table_quality(runs_from_records(moved, spec), resamples=10)
    before, after = (q["held_out"]["targets"]["runtime_s"] for q in (made.quality, found))
    assert after["value"]["r2"]["value"] < before["value"]["r2"]["value"]
    assert after["coverage"]["0.95"]["value"] == 0.0


def test_configurations_without_a_run_are_refused_or_left_out(spec, rows, tmp_path) -> None:
    some = [row for row in rows if row["kind"] == "x" and not (row["width"] == 2 and row["seed"])]
    with pytest.raises(
        FitError, match=r"10 of the 22 configurations .* first of them .*'kind': 'y'"
    ):
        table.make(spec, some)
    made = table.make(spec, some, partial=True, resamples=5)
    table.save(made, some, tmp_path / "part")
    bench = api.load_benchmark(tmp_path / "part")
    assert bench.manifest["table"]["configurations_with_runs"] == {"1": 2, "3": 10}
    assert bench.predict({"width": 1, "kind": "x", "epochs_max": 3}).runtime_s > 0
    with pytest.raises(api.ConfigError, match=r"12 of the 22 configurations"):
        bench.predict({"width": 1, "kind": "y", "epochs_max": 3})


def test_of_one_seed_there_is_nothing_to_judge(spec, tmp_path) -> None:
    rows = make_rows(spec, seeds=1)
    made = table.make(spec, rows)
    assert made.quality["held_out"] == {"runs": 0, "targets": {}}
    table.save(made, rows, tmp_path / "one")
    p = api.load_benchmark(tmp_path / "one").predict(spec.space.sample(seed=0))
    assert np.isnan(p.std["runtime_s"])


def test_diverged_runs_stand_at_chance_and_cost_nothing_that_is_known(spec, rows) -> None:
    broken = {
        **{k: v for k, v in rows[0].items() if k not in ("runtime_s", "test_energy_j")},
        "status": "diverged",
        "reason": "loss is NaN",
        "epochs": 1,
        "valid": rows[0]["valid"][:1],
        "loss": rows[0]["loss"][:1],
    }
    made = table.make(spec, [broken, *rows[1:]], resamples=5).table
    row = made.flats.index({name: broken[name] for name in spec.space.names})
    np.testing.assert_array_equal(made.values["valid"][row, 0, :3], [broken["valid"][0], 10, 10])
    assert np.isnan(made.values["loss"][row, 0, 1:]).all()
    assert np.isnan(made.values["runtime_s"][row, 0])
    assert made.summary("runtime_s").location[row] == pytest.approx(
        np.log([rows[1]["runtime_s"], rows[2]["runtime_s"]]).mean()
    )


def test_anchors_are_no_runs_of_the_table_and_no_seed_counts_twice(spec, rows) -> None:
    anchor = {**rows[0], "run_id": "anchor-0000", "role": "anchor", "split": ""}
    made = table.make(spec, [*rows, anchor], resamples=5)
    assert made.table.present.sum() == len(rows)
    twice = {**rows[0], "run_id": "again"}
    with pytest.raises(FitError, match=r"configuration c0 has two runs of seed 0"):
        table.make(spec, [*rows, twice])


def test_costs_must_be_positive_and_known(spec, rows) -> None:
    with pytest.raises(FitError, match=r"runtime_s is on a log scale"):
        table.make(spec, [{**rows[0], "runtime_s": 0.0}, *rows[1:]])


def test_a_table_of_real_runs(tmp_path) -> None:
    """Two configurations of regnet-digits that were run with three seeds."""
    pytest.importorskip("pyarrow")
    bench = api.load_benchmark("regnet-digits")
    rows = [r for r in read_records(bench.folder / RECORDS, bench.spec) if r["status"] == "ok"]
    repeated = sorted({row["config_id"] for row in rows if row["seed"] == 2})[:2]
    kept = [r for r in rows if r["config_id"] in repeated and r.get("role") != "anchor"]
    source = json.loads(json.dumps(dict(bench.spec.source)))
    for name in source["parameters"]:
        choices = list(dict.fromkeys(row[name] for row in kept))
        source["parameters"][name] = {"type": "choice", "choices": choices}
    spec = spec_from_dict(source)
    made = table.make(spec, kept, partial=True, resamples=5)
    table.save(made, kept, tmp_path / "real")
    found = api.load_benchmark(tmp_path / "real")
    for row in kept:
        p = found.predict({name: row[name] for name in spec.space.names}, noise_seed=row["seed"])
        np.testing.assert_array_equal(p.curves["test"], np.float32(row["test"]))
        assert p.runtime_s == pytest.approx(row["runtime_s"] / row.get("machine_factor", 1.0))
    inner = json.loads((tmp_path / "real" / "table" / "manifest.json").read_text())
    assert inner["counts"] == {"train": 200, "valid": 600, "test": 600}


def test_the_table_that_ships_is_what_its_records_make() -> None:
    pytest.importorskip("pyarrow")
    try:
        bench = api.load_benchmark("regnet-digits-table")
    except api.CheckpointError:
        pytest.skip("no table ships with this checkout")
    rows = read_records(bench.folder / RECORDS, bench.spec)
    again, there = table.build_table(runs_from_records(rows, bench.spec)), bench.table
    assert again.flats == there.flats
    for name, values in again.values.items():
        np.testing.assert_array_equal(values, there.values[name], err_msg=name)
        np.testing.assert_allclose(
            again.seed_variance[name].deviation, there.seed_variance[name].deviation
        )
        np.testing.assert_allclose(
            again.error_quantiles[name].reaches, there.error_quantiles[name].reaches
        )
