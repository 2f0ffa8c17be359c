"""`fit_model.py`: EA-HAS-Bench's command over `surrogates`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eahas import api
from eahas.records.parquet import write_records
from eahas.spec.spec import spec_from_dict
from fit_model import main

pytestmark = pytest.mark.integration

pytest.importorskip("torch")

ROOT = Path(__file__).resolve().parents[1]
SPEC = {
    "name": "small",
    "parameters": {
        "width": {"type": "integer", "low": 1, "high": 40},
        "max_epoch": {"type": "choice", "choices": [2, 5]},
    },
    "fidelity": "max_epoch",
    "targets": {"curves": ["valid"], "scalars": ["runtime_s"]},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with `spec.json`, `records.parquet` and a quick `settings.json`."""
    folder = tmp_path_factory.mktemp("data")
    spec = spec_from_dict(SPEC)
    rng = np.random.default_rng(0)
    rows = [
        {
            "run_id": f"c{i}",
            "config_id": f"c{i}",
            "space": "small",
            "space_version": 1,
            "seed": 0,
            "epochs": config["max_epoch"],
            "status": "ok",
            "split": ("train", "test", "valid", "train", "train")[i % 5],
            "valid": (60 - 50 * rng.random() / np.arange(1, config["max_epoch"] + 1)).tolist(),
            "runtime_s": float(config["width"] * config["max_epoch"]),
            **config,
        }
        for i, config in enumerate(spec.space.sample(30, seed=0))
    ]
    (folder / "spec.json").write_text(json.dumps(SPEC))
    (folder / "settings.json").write_text(json.dumps({"steps": 30, "hidden": [8]}))
    write_records(folder / "records.parquet", rows, spec)
    return folder


def options(data, out, **changes):
    given = {
        "model": "bezier_nn_STAR",
        "search_space": data / "spec.json",
        "data_path": data / "records.parquet",
        "log_dir": out,
        "model_config_path": data / "settings.json",
        "ensemble": 2,
        **changes,
    }
    return [str(word) for name, value in given.items() for word in (f"--{name}", value)]


@pytest.mark.parametrize(
    ("model", "target", "shape"),
    [("bezier_nn_STAR", "validation accuracy", (5,)), ("nn_E", "training time", ())],
)
def test_it_fits_judges_and_saves_an_ensemble(model, target, shape, data, tmp_path, capsys):
    assert main(options(data, tmp_path / "out", model=model)) == 0
    out = capsys.readouterr().out
    assert "on 6 held-out configurations" in out
    assert target in out
    loaded = api.load_ensemble(tmp_path / "out")
    assert loaded.members == 2
    assert loaded.manifest["family"] == model
    assert loaded.manifest["settings"]["seed"] == 6  # EA-HAS-Bench's own
    assert np.shape(loaded.predict({"width": 7, "max_epoch": 5})) == shape


def test_the_seed_is_an_argument(data, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert main(options(data, tmp_path / name, seed=seed)) == 0
    config = {"width": 7, "max_epoch": 5}
    a, b, c = (api.load_ensemble(tmp_path / name).predict(config) for name in "abc")
    assert (a == b).all()
    assert (a != c).any()


def test_an_earlier_ensemble_is_replaced_and_nothing_else_is(data, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(options(data, out)) == 0
    assert main(options(data, out)) == 0
    (out / "mine.txt").write_text("mine")
    assert main(options(data, out)) == 2
    assert "mine.txt" in capsys.readouterr().err
    assert (out / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": "bezier_nn_STARS"}, "did you mean 'bezier_nn_STAR'?"),
        ({"search_space": "regnet"}, "allowed: mnasnet, regnet-cifar10"),
        ({"data_path": "nowhere.parquet"}, "does not exist"),
        ({"data_path": str(ROOT)}, "is not a sweep folder"),
        ({"model_config_path": "nowhere.json"}, "cannot be read"),
        ({"seed": "six"}, "--seed"),
        ({"ensemble": 0}, "--ensemble"),
        ({"ensemble": 999}, "folds"),
    ],
)
def test_bad_input_is_one_line(changes, named, data, tmp_path, capsys):
    assert main(options(data, tmp_path / "out", **changes)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fit_model.py: error: ")
    assert err.count("\n") == 1
    assert named in err
    assert not (tmp_path / "out").exists()


def test_it_runs_as_a_script():
    command = [sys.executable, str(ROOT / "fit_model.py"), "--help"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    for option in ("--model", "--search_space", "--data_path", "--log_dir", "--seed", "--ensemble"):
        assert option in found.stdout
    assert "example:\n  python fit_model.py --model bezier_nn_STAR" in found.stdout
