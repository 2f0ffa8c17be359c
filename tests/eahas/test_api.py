"""The public surface, and that importing and asking stay light."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eahas import api
from eahas.errors import CheckpointError, EahasError

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["torch", "pandas", "scipy", "sklearn", "pyarrow", "yaml", "matplotlib"]
ASK = """
import json, sys, warnings
warnings.simplefilter("error")
from eahas import api
api.list_benchmarks()
bench = api.load_benchmark("regnet-digits")
model = api.load_ensemble("checkpoints/regnet-digits/learning_curve")
configs = bench.space.sample(50, seed=0)
for asked in (configs, configs[0]):
    p = bench.predict(asked)
    p.to_dict(), p.runtime_s, p.learning_curve, p.std["valid"], p.interval(0.9)["runtime_s"]
    model.predict(config=asked)
bench.query(configs[0], at=2)
print(json.dumps([bench.id, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_import_load_and_predict_touch_nothing_heavy(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    name, loaded = json.loads(done.stdout)
    assert name == "regnet-digits@1"
    assert not set(HEAVY) & set(loaded)


def test_benchmarks_by_name_version_and_path(toy, tmp_path, monkeypatch) -> None:
    shipped = api.load_benchmark("regnet-digits")
    for name in ("regnet-digits@1", "checkpoints/regnet-digits", shipped.folder):
        assert api.load_benchmark(name).folder == shipped.folder
    monkeypatch.chdir(tmp_path)
    assert api.load_benchmark("checkpoints/regnet-digits").folder == shipped.folder
    assert api.load_benchmark(toy).id == api.load_benchmark(str(toy)).id == "own@3"


def test_ensembles_by_name_and_path(toy) -> None:
    bench = api.load_benchmark(toy)
    config = bench.space.sample(seed=0)
    p = bench.predict(config)
    for name, expected in (
        ("learning_curve", p.learning_curve),
        ("loss", p.curves["loss"]),
        ("costs", p.runtime_s),
        ("score", p.score),
    ):
        model = api.load_ensemble(toy / name)
        assert isinstance(model, api.Ensemble)
        np.testing.assert_array_equal(model.predict(config=config), expected)


def test_the_wrong_door_names_the_right_one(toy) -> None:
    with pytest.raises(CheckpointError, match=r"own is a benchmark: name one of its models"):
        api.load_ensemble(toy)
    for name in ("costs", "runtime_s", "nothing"):
        with pytest.raises(CheckpointError, match=r"not a benchmark: use load_ensemble"):
            api.load_benchmark(toy / name)
    with pytest.raises(EahasError, match=r"own@3: model 'nothing' is unknown"):
        api.load_ensemble(toy / "nothing")
    with pytest.raises(CheckpointError, match=r"costs is an ensemble: it contains no weights"):
        api.load_ensemble(toy / "costs" / "weights.safetensors")


@pytest.mark.parametrize("load", [api.load_benchmark, api.load_ensemble])
@pytest.mark.parametrize("name", ["cifar10", "tiny", "regnet-digits@7"])
def test_what_does_not_ship_is_told_what_does(load, name) -> None:
    with pytest.raises(CheckpointError, match=r"allowed: .*regnet-digits.*make one with: eahas"):
        load(name)


@pytest.mark.parametrize("dataset", [None, 5, ["cifar10"], "nowhere"])
def test_a_data_set_is_a_name(dataset) -> None:
    with pytest.raises(CheckpointError):
        api.get_ea_has_bench_api(dataset)


def test_a_pickle_is_refused(tmp_path) -> None:
    (tmp_path / "surrogate_model.model").write_bytes(b"\x80\x04K\x01.")
    for load in (api.load_benchmark, api.load_ensemble):
        for path in (tmp_path, tmp_path / "surrogate_model.model"):
            with pytest.raises(CheckpointError, match=r"pickles? .*never loaded"):
                load(path)


def test_every_public_name_is_there() -> None:
    public = {name for name in vars(api) if not name.startswith("_")}
    assert {
        *("Benchmark", "Ensemble", "Prediction", "Space", "Spec", "spec_from_dict"),
        *("CheckpointError", "ConfigError", "EahasError", "MissingExtraError"),
        *("list_benchmarks", "load_benchmark", "load_ensemble", "get_ea_has_bench_api"),
        *("EstimatedEnergyWarning", "EA_HAS_BENCH_NAMES"),
    } <= public
