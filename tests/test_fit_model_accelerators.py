"""`fit_model.py` on Accel-NASBench's data set: a small one of its layout."""

from __future__ import annotations

import ast
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eahas import api
from fit_model import main
from sweeps.specs import load_spec

pytestmark = pytest.mark.integration

pytest.importorskip("torch")
pytest.importorskip("sklearn")

LINE = (
    *("mae", "mse", "rmse", "r2", "kendall_tau", "kendall_tau_2_dec", "kendall_tau_1_dec"),
    "spearmanr",
)


def result(config: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    layers = sum(config[f"block{block}_l"] for block in range(7))
    expansion = sum(config[f"block{block}_e"] for block in range(7))
    speed = 4000 / (layers + expansion)
    perf = {}
    for target in load_spec("mnasnet").scalars:
        kind = target.name.partition("_")[0]
        if kind in ("throughput", "latency"):
            value = speed if kind == "throughput" else 1e3 / speed
            perf[target.name] = {f"{kind}_mean": value, f"{kind}_std": None}
    return {
        "architecture": config,
        "metrics": {
            "val_top1": 40 + layers + 0.1 * rng.normal(),
            "val_top5": 85.0,
            "train_time": 1500.0 + 100 * layers,
        },
        "model_info": {"macs": 300.0, "params": 4.0},
        "platform_perf": perf,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 networks, unpacked in `json`, with the three files of a split beside it."""
    path = tmp_path_factory.mktemp("anb")
    rng = np.random.default_rng(0)
    configs = load_spec("mnasnet").space.sample(120, seed=0)
    (path / "json").mkdir()
    for number, config in enumerate([*configs, configs[0]]):
        content = json.dumps(result(config, rng))
        (path / "json" / f"result_{number}.json").write_text(content)
    for name, part in (("train", range(90)), ("val", range(90, 105)), ("test", range(105, 120))):
        listed = [f"../somewhere/result_{number}.json" for number in part]
        (path / f"{name}_paths.json").write_text(json.dumps(listed))
    return path


def fit(root: Path, out: Path, *more: object) -> int:
    given = ("--dataset_root", root, "--log_dir", out, *more)
    return main([str(word) for word in given])


def loaded_from(out: str) -> Any:
    """The ensemble that the last line names."""
    return api.load_ensemble(re.search(r'load_ensemble\("(.*)"\)', out)[1])


def sides_of(out: str) -> dict[str, dict[str, float]]:
    lines = [line.partition(" metrics: ") for line in out.splitlines() if " metrics: " in line]
    return {side: ast.literal_eval(found) for side, _, found in lines}


def test_accuracy_is_fitted_and_all_three_sides_are_judged(folder, tmp_path, capsys):
    assert fit(folder / "json", tmp_path / "out", "--model", "svr", "--split", "default") == 0
    out = capsys.readouterr().out
    found = sides_of(out)
    assert list(found) == ["train", "valid", "test"]
    for side in found.values():
        assert tuple(side) == LINE
        assert side["rmse"] ** 2 == pytest.approx(side["mse"])
    assert found["test"]["r2"] > 0.5
    assert "on 15 held-out configurations" in out
    loaded = loaded_from(out)
    assert (loaded.primary, loaded.manifest["family"]) == ("accuracy", "svr")
    assert loaded.manifest["settings"]["seed"] == 6
    network = load_spec("mnasnet").space.sample(seed=1)
    assert 40 < loaded.predict(network) < 70


def test_a_device_and_its_metric(folder, tmp_path, capsys):
    given = ("--model", "svr_accel", "--device", "ZCU102", "--metric", "latency")
    assert fit(folder / "json", tmp_path / "out", *given, "--split", "default") == 0
    out = capsys.readouterr().out
    assert sides_of(out)["test"]["r2"] > 0.5
    assert f"{tmp_path}/out/svr_accel/zcu102/latency/" in out
    loaded = loaded_from(out)
    assert [target.name for target in loaded.targets] == ["latency_zcu102"]


def test_a_random_split_is_drawn_by_the_seed_and_needs_no_files(folder, tmp_path, capsys):
    with tarfile.open(tmp_path / "anb_dataset_jsons.tar.gz", "w:gz") as archive:
        archive.add(folder / "json", "anb_dataset_jsons")
    lines: list[Any] = []
    for seed in (3, 3, 4):
        assert fit(tmp_path, tmp_path / "out", "--model", "svr", "--seed", seed) == 0
        lines.append(sides_of(capsys.readouterr().out))
    assert lines[0] == lines[1] != lines[2]
    assert fit(tmp_path, tmp_path / "new", "--model", "svr", "--split", "default") == 2
    assert "of the default split is missing" in capsys.readouterr().err


def test_settings_are_tuned_on_train_and_valid(folder, tmp_path, capsys):
    pytest.importorskip("optuna")
    given = ("--model", "svr", "--split", "default", "--tune", 3)
    assert fit(folder / "json", tmp_path / "out", *given) == 0
    out = capsys.readouterr().out
    assert "tuned svr: 3 trials (0 failed) on 90 train and 15 valid runs of mnasnet@1" in out
    one = loaded_from(out)
    (settings,) = (tmp_path / "out" / "svr").glob("*.settings.json")
    assert "3 trials" in json.loads(settings.read_text())["about"]
    again = ("--model", "svr", "--split", "default")
    config = ("--model_config_path", settings)
    assert fit(folder / "json", tmp_path / "again", *again, *config) == 0
    two = loaded_from(capsys.readouterr().out)
    network = load_spec("mnasnet").space.sample(seed=1)
    assert one.predict(network) == two.predict(network)


def test_the_data_config_of_the_original_is_taken_and_not_needed(folder, tmp_path, capsys):
    config = tmp_path / "nb_fpga.json"
    given = ("--model", "svr", "--split", "default", "--data_config_path", config)
    assert fit(folder / "json", tmp_path / "out", *given) == 2
    assert "does not exist" in capsys.readouterr().err
    config.write_text("{}")
    assert fit(folder / "json", tmp_path / "out", *given) == 0
    assert "is ignored" in capsys.readouterr().err


def test_its_readmes_command_runs_and_no_fit_replaces_another(
    folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    space, data = tmp_path / "xgb_configspace.json", tmp_path / "nb_fpga.json"
    space.write_text('{"hyperparameters": [{"name": "param:max_depth"}]}')
    data.write_text("{}")
    given = ("--model", "svr", "--model_config_path", space, "--data_config_path", data)
    for root in (("--log_dir", "experiments/"), ()):
        (tmp_path / "experiments").mkdir(exist_ok=True)
        (tmp_path / "experiments" / "notes.txt").write_text("mine")
        words = ("--dataset_root", folder / "json", "--seed", 3, *given, *root)
        assert main([str(word) for word in words]) == 0
        out, err = capsys.readouterr()
        assert "contains a ConfigSpace, which is ignored" in err
        assert loaded_from(out).primary == "accuracy"
    assert len(list((tmp_path / "experiments").rglob("svr/*-3/manifest.json"))) == 2


ACCEL = ("--model", "xgb_accel")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ((*ACCEL, "--device", "a100", "--metric", "latency"), "vck190: throughput, latency"),
        ((*ACCEL, "--device", "h100", "--metric", "throughput"), "device 'h100' is unknown"),
        ((*ACCEL, "--device", "a100"), "needs both --device and --metric"),
        (ACCEL, "needs both --device and --metric"),
        (("--model", "xgb", "--device", "a100", "--metric", "throughput"), "are for the models"),
        (("--model", "svd_lgb"), "svd_lgb"),
        (("--model", "xgboost"), "allowed: bezier_nn_STAR"),
        (("--model", "xgb", "--search_space", "regnet-digits"), "of the space mnasnet"),
        (("--model", "xgb", "--data_path", "records.parquet"), "either --data_path or"),
        (("--model", "xgb", "--split", "own"), "invalid choice"),
        (("--model", "xgb", "--study", "trials.db"), "--study needs --tune"),
    ],
)
def test_what_does_not_go_together_is_one_line(more, named, folder, tmp_path, capsys):
    assert fit(folder / "json", tmp_path / "out", *more) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fit_model.py: error: ") and err.count("\n") == 1
    assert named in err
    assert not (tmp_path / "out").exists()


def test_no_data_and_a_split_of_other_records_are_refused(tmp_path, capsys):
    assert main(["--log_dir", str(tmp_path / "out")]) == 2
    assert "give the data" in capsys.readouterr().err
    records = ["--data_path", "records.parquet", "--split", "random"]
    assert main(["--log_dir", str(tmp_path / "out"), *records]) == 2
    assert "--split is for --dataset_root" in capsys.readouterr().err
