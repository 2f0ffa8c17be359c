"""`eahas fit` with a search for settings, models for single targets, a name, other sides."""

from __future__ import annotations

import json

import pytest

from eahas import api

pytestmark = pytest.mark.integration

pytest.importorskip("optuna")
pytest.importorskip("sklearn")
QUICK = ("--model", "svr", "--model", "svr_accel", "--members", 2, "--resamples", 20)


def fit(eahas, toy, out, *more):
    return eahas("fit", toy / "spec.json", toy / "records.parquet", "--out", out, *QUICK, *more)


def test_the_best_settings_are_used_and_written_beside_the_benchmark(eahas, toy, tmp_path):
    status, out, err = fit(eahas, toy, tmp_path / "b", "--tune", 3)
    assert status == 0, err
    assert "tuned svr: 3 trials (0 failed)" in out
    written = json.loads((tmp_path / "b.settings.json").read_text())
    assert set(written) == {"curves", "scalars"}
    assert "3 trials" in written["curves"]["about"]
    assert (tmp_path / "b.study.db").exists()
    loaded = api.load_benchmark(tmp_path / "b")
    for model, kind in zip(loaded.models, ("curves", "scalars"), strict=True):
        stored = model.manifest["settings"]
        wanted = {n: v for n, v in written[kind].items() if n != "about"}
        assert {n: stored[n] for n in wanted} == wanted
    # The file is one that the command reads, and leads to the same fit.
    fit(eahas, toy, tmp_path / "c", "--settings", tmp_path / "b.settings.json")
    a, b = ((tmp_path / name / "costs" / "weights.safetensors").read_bytes() for name in ("b", "c"))
    assert a == b


def test_a_study_is_gone_on_with(eahas, toy, tmp_path):
    study = ("--study", tmp_path / "trials.db")
    fit(eahas, toy, tmp_path / "b", "--tune", 2, *study)
    _, out, _ = fit(eahas, toy, tmp_path / "b", "--tune", 4, *study)
    assert "tuned svr_accel: 4 trials" in out
    assert not (tmp_path / "b.study.db").exists()


def test_a_study_without_tuning_is_a_mistake(refused, toy, tmp_path):
    given = (toy / "spec.json", toy / "records.parquet", "--out", tmp_path / "b")
    assert "--tune N" in refused("fit", *given, "--study", tmp_path / "trials.db")
    assert "whole numbers from 1" in refused("fit", *given, "--tune", 0)


def test_a_target_may_have_a_model_of_its_own(eahas, toy, tmp_path):
    path = tmp_path / "settings.json"
    own = {"runtime_s": {"model": "svr", "settings": {"C": 3}}}
    path.write_text(json.dumps({"targets": own}))
    status, out, err = fit(eahas, toy, tmp_path / "b", "--settings", path)
    assert status == 0, err
    assert "training time" in out and "training energy" in out
    loaded = api.load_benchmark(tmp_path / "b")
    assert {m.name: m.manifest["family"] for m in loaded.models} == {
        "learning_curve": "svr",
        "train_energy_j": "svr_accel",
        "runtime_s": "svr",
    }
    assert loaded.model("runtime_s").manifest["settings"]["C"] == 3.0


def test_a_name_and_the_sides_to_learn_from(eahas, refused, toy, tmp_path):
    more = ("--name", "my-toy", "--learn-from", "train")
    assert fit(eahas, toy, tmp_path / "b", *more)[0] == 0
    loaded = api.load_benchmark(tmp_path / "b")
    assert loaded.id == "my-toy@1"
    assert loaded.manifest["learned_from"] == ["train"]
    given = (toy / "spec.json", toy / "records.parquet", "--out", tmp_path / "c")
    assert "--name" in refused("fit", *given, "--name", "my toy")
    for sides in ("test", "valid", "train,test", "train,train", ""):
        assert "allowed are train" in refused("fit", *given, "--learn-from", sides)
