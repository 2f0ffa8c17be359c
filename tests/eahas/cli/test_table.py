"""`eahas table`, and what the other commands say of a benchmark that looks up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eahas import api
from eahas.records.parquet import write_records
from eahas.spec.spec import spec_from_dict

pytestmark = pytest.mark.integration

SPEC = {
    "name": "listed",
    "parameters": {
        "net.width": {"type": "integer", "low": 1, "high": 8},
        "epochs_max": {"type": "choice", "choices": [3, 6]},
    },
    "fidelity": "epochs_max",
    "targets": {"curves": ["valid"], "scalars": ["runtime_s", "train_energy_j"]},
}


@pytest.fixture(scope="module")
def listed(tmp_path_factory) -> Path:
    """A folder with `spec.json`, `records.parquet` of every configuration, and `part.parquet`."""
    folder, spec, rows = tmp_path_factory.mktemp("listed"), spec_from_dict(SPEC), []
    rng = np.random.default_rng(0)
    for i, point in enumerate(spec.space.points()):
        flat = spec.space.check(point)
        epochs = flat["epochs_max"]
        for seed in range(3):
            top = 50 + 5 * flat["net.width"] + rng.normal()
            rows.append(
                {
                    "run_id": f"c{i}-s{seed}",
                    "config_id": f"c{i}",
                    "space": "listed",
                    "space_version": 1,
                    "seed": seed,
                    "status": "ok",
                    "split": "test",
                    "epochs": epochs,
                    "energy_source": "estimated",
                    "energy_formula": "cpu_time_s x 10 W",
                    "valid": (top * (1 - np.exp(-np.arange(1, epochs + 1) / 2))).tolist(),
                    "runtime_s": float(epochs * flat["net.width"] * rng.lognormal(0, 0.01)),
                    "train_energy_j": float(epochs * flat["net.width"] * rng.lognormal(2, 0.01)),
                    **flat,
                }
            )
    (folder / "spec.json").write_text(json.dumps(SPEC))
    write_records(folder / "records.parquet", rows, spec)
    write_records(folder / "part.parquet", rows[6:], spec)
    return folder


@pytest.fixture(scope="module")
def bench(listed) -> Path:
    from eahas.cli import main

    out = listed / "bench"
    given = [str(listed / "spec.json"), str(listed / "records.parquet"), "--out", str(out)]
    assert main(["table", *given, "--resamples", "20"]) == 0
    return out


def test_it_writes_a_benchmark_and_says_how_well_seeds_agree(eahas, listed, tmp_path):
    given = (listed / "spec.json", listed / "records.parquet", "--out", tmp_path / "b")
    status, out, _ = eahas("table", *given, "--resamples", 20, "--name", "own", "--version", 2)
    assert status == 0
    assert "16 of 16 configurations, 48 runs with 3 seeds" in out
    assert "predicted by a table of the others" in out
    assert "training energy (estimated)" in out
    assert out.rstrip().endswith("--sample 0")
    assert api.load_benchmark(tmp_path / "b").id == "own@2"


def test_missing_configurations_need_partial(eahas, refused, listed, tmp_path):
    given = (listed / "spec.json", listed / "part.parquet", "--out", tmp_path / "b")
    message = refused("table", *given)
    assert "2 of the 16 configurations of space listed have no run" in message
    assert "{'net': {'width': 1}, 'epochs_max': 3}" in message
    assert "--partial" in message
    status, out, _ = eahas("table", *given, "--partial", "--resamples", 20)
    assert status == 0
    assert "14 of 16 configurations" in out
    asked = tmp_path / "config.json"
    asked.write_text('{"net": {"width": 1}, "epochs_max": 3}')
    assert "has no run in this table" in refused("predict", tmp_path / "b", "--config", asked)


def test_bad_input_is_one_line(refused, listed, tmp_path):
    spec, records = listed / "spec.json", listed / "records.parquet"
    out = ("--out", tmp_path / "b")
    assert "does not exist" in refused("table", spec, tmp_path / "no.parquet", *out)
    assert "letters, digits" in refused("table", spec, records, *out, "--name", "a/b")
    assert "whole numbers from 1" in refused("table", spec, records, *out, "--version", 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert "notes.txt" in refused("table", spec, records, "--out", tmp_path / "mine")
    endless = tmp_path / "endless.json"
    source = json.loads(json.dumps(SPEC))
    source["parameters"]["net.width"] = {"type": "float", "low": 1, "high": 8}
    endless.write_text(json.dumps(source))
    assert "at most 1,000,000 can be listed" in refused("table", endless, records, *out)
    assert not (tmp_path / "b").exists()


def test_predict_says_that_it_was_measured(eahas, bench):
    status, out, _ = eahas("predict", bench, "--sample", 0)
    assert status == 0
    assert (
        "based on 48 real runs of 16 configurations; R2 of one seed predicted from the others"
        in out
    )
    _, out, _ = eahas("predict", bench, "--sample", 0, "--noise-seed", 4)
    assert "one measured run, with noise seed 4" in out


def test_evaluate_recomputes_what_the_manifest_says(eahas, bench):
    _, out, _ = eahas("evaluate", bench, "--resamples", 20, "--json")
    found = json.loads(out)
    stored = api.load_benchmark(bench).manifest["quality"]
    assert {key: found[key] for key in stored} == stored
    _, out, _ = eahas("evaluate", bench, "--resamples", 20)
    assert "predicted by a table of the others" in out
    assert "table of the others" in out and "surrogate" not in out


def test_evaluate_judges_the_whole_table_on_other_records(eahas, bench, listed):
    status, out, _ = eahas(
        "evaluate", bench, "--resamples", 20, "--records", listed / "records.parquet"
    )
    assert status == 0
    assert "on 16 held-out configurations of other records" in out
