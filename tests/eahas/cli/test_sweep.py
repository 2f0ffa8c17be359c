"""`eahas sweep`: sample, launch, collect, report; and `eahas demo`, which does it all."""

from __future__ import annotations

import copy
import json

import pytest

from eahas import api
from eahas.cli import demo

pytestmark = pytest.mark.integration

pytest.importorskip("torch")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """regnet-digits with trainings of one and two epochs."""
    spec = copy.deepcopy(dict(api.load_benchmark("regnet-digits").spec.source))
    spec["name"] = "tiny"
    spec["parameters"]["OPTIM.MAX_EPOCH"]["choices"] = [1, 2]
    spec["parameters"]["REGNET.DEPTH"] |= {"low": 4, "high": 5}
    path = tmp_path_factory.mktemp("tiny") / "tiny.json"
    path.write_text(json.dumps(spec))
    return path


def test_the_four_stages_in_a_row(eahas, refused, tiny, tmp_path):
    sweep = tmp_path / "sweep"
    status, out, _ = eahas("sweep", "sample", tiny, "--out", sweep, "--configs", 2)
    assert status == 0
    assert "3 runs planned (1 anchor, 2 main)" in out
    assert f"eahas sweep launch {sweep}" in out

    status, out, _ = eahas("sweep", "launch", sweep, "--workers", 0)
    assert status == 0
    assert "3 of 3 runs finished" in out

    status, out, _ = eahas("sweep", "collect", sweep)
    assert status == 0
    assert "3 runs of tiny (3 ok)" in out
    assert (sweep / "records.parquet").is_file()

    again = tmp_path / "elsewhere"
    eahas("sweep", "sample", tiny, "--out", again, "--configs", 2)
    status, out, _ = eahas("sweep", "restore", again, sweep / "records.parquet")
    assert (status, "3 runs restored" in out) == (0, True)

    picture = tmp_path / "front.png"
    status, out, _ = eahas("sweep", "report", sweep, "--plot", picture)
    assert status == 0
    assert "runtime_s" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "suffix" in refused("sweep", "report", sweep, "--plot", tmp_path / "front.xyz")
    _, from_folder, _ = eahas("sweep", "report", sweep, "--json")
    records = sweep / "records.parquet"
    _, from_file, _ = eahas("sweep", "report", records, "--spec", tiny, "--json")
    assert json.loads(from_folder) == json.loads(from_file)


def test_increments_add_to_a_store_that_is_validated(eahas, refused, tiny, tmp_path):
    spec = json.loads(tiny.read_text()) | {"sweep": {"configs": 2, "repeat_every": 0}}
    spec["measurement"] |= {"ramp_s": 0.0}
    path, store, out_file = (tmp_path / name for name in ("s.json", "r.parquet", "v.json"))
    path.write_text(json.dumps(spec))
    given = ("sweep", "run", path, "--store", store, "--workers", 0, "--budget-s")
    assert "a budget of 1e-09 s ended before any run did; none had" in refused(*given, 1e-9)
    assert not store.exists()
    status, out, _ = eahas(*given, 600)
    assert status == 0
    assert "r.parquet: 3 of 3 runs (3 ok), 3 of them trained in" in out
    assert "next: eahas fit" in out
    assert "3 of 3 runs (3 ok), 0 of them trained" in eahas(*given, 600)[1]

    check = ("sweep", "validate-energy", store, "--spec", path, "--window-s", 0.01)
    status, out, _ = eahas(*check, "--out", out_file)
    assert status == 0
    assert "(estimated); error of the scaled window" in out
    assert "this validates no sensor" in out
    assert json.loads(out_file.read_text())["runs"] == 2
    assert "but 30 are needed" in refused(*check, "--runs", 30)
    assert "is a folder; name a file" in refused(*check, "--out", tmp_path)
    assert not list(tmp_path.glob("*.partial"))
    assert "--store: a path must not be empty" in refused(*given, 600, "--store", "")


def test_runs_that_failed_are_told(eahas, tiny, tmp_path, monkeypatch):
    """The first of three: its row says why, the summary how many, and how to make it again."""
    import regnet_hpo.train as training

    spec = json.loads(tiny.read_text()) | {"sweep": {"configs": 2, "repeat_every": 0}}
    path = tmp_path / "s.json"
    path.write_text(json.dumps(spec))
    real, seen = training.train, []

    def first_fails(*given, **more):
        seen.append(1)
        if len(seen) == 1:
            raise MemoryError("no more")
        return real(*given, **more)

    monkeypatch.setattr(training, "train", first_fails)
    given = ("sweep", "run", path, "--store", tmp_path / "r.parquet", "--workers", 0)
    _, out, err = eahas(*given, "--budget-s", 600)
    assert "sweep: anchor-0000 failed: MemoryError: no more at test_sweep.py" in err
    assert "3 of 3 runs (1 failed, 2 ok), 3 of them trained" in out
    assert "--retry-failed trains failed runs again" in out
    assert "(3 ok), 1 of them trained" in eahas(*given, "--budget-s", 600, "--retry-failed")[1]


def test_sample_is_repeatable_and_will_not_mix_two_plans(eahas, refused, tiny, tmp_path):
    given = ("sweep", "sample", tiny, "--out", tmp_path / "s", "--configs", 5)
    repeats = ("--repeats-train", 1, "--repeats-test", 1, "--repeat-seeds", 3)
    assert "12 runs planned" in eahas(*given, *repeats)[1]
    assert eahas(*given, *repeats)[0] == 0
    assert "already contains another" in refused(*given, *repeats, "--seed", 1)


def test_no_run_is_started_after_the_budget(eahas, tiny, tmp_path):
    eahas("sweep", "sample", tiny, "--out", tmp_path, "--configs", 2)
    status, out, _ = eahas("sweep", "launch", tmp_path, "--workers", 0, "--budget-s", 1e-9)
    assert status == 0
    assert "0 of 3 runs finished" in out
    assert "to continue" in out


def test_bad_input_is_one_line(refused, eahas, tiny, toy, tmp_path):
    assert "did you mean 'regnet-digits'" in refused(
        "sweep", "sample", "regnet-digit", "--out", tmp_path, "--configs", 1
    )
    whole = json.loads(tiny.read_text())
    left_out = ("network", "constraints")
    wanting = {name: section for name, section in whole.items() if name not in left_out}
    guessing = whole | {"measurement": {"energy": "guess"}}
    for spec, named in ((wanting, "needs the section network"), (guessing, "energy")):
        path = tmp_path / "spec.json"
        path.write_text(json.dumps(spec))
        assert named in refused("sweep", "sample", path, "--out", tmp_path / "s", "--configs", 1)
        assert not (tmp_path / "s").exists()
    for stage in ("launch", "collect", "report"):
        assert "is not a sweep folder" in refused("sweep", stage, tmp_path)
    eahas("sweep", "sample", tiny, "--out", tmp_path, "--configs", 1)
    assert "no finished run" in refused("sweep", "collect", tmp_path)
    assert "device 'tpu'" in refused("sweep", "launch", tmp_path, "--device", "tpu")
    assert "--workers" in refused("sweep", "launch", tmp_path, "--workers", -1)
    assert "--budget-s" in refused("sweep", "launch", tmp_path, "--budget-s", "nan")
    assert "give --spec" in refused("sweep", "report", toy / "records.parquet")


def test_a_front_of_estimated_energy_is_noted(eahas, toy, tmp_path):
    spec = json.loads((toy / "spec.json").read_text())
    spec["targets"]["scalars"] = ["train_energy_j"]
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec))
    status, _, err = eahas("sweep", "report", toy / "records.parquet", "--spec", path)
    assert status == 0
    assert err.count("eahas: note:") == 1
    assert "estimated" in err
    _, _, err = eahas("sweep", "report", toy / "records.parquet", "--spec", toy / "spec.json")
    assert err == ""


def test_the_demo_runs_from_start_to_end(eahas, monkeypatch, tmp_path):
    for name, value in (("EPOCHS", (1, 2)), ("STEPS", 3), ("MAX_WORKERS", 0)):
        monkeypatch.setattr(demo, name, value)
    status, out, _ = eahas("demo", "--out", tmp_path, "--configs", demo.MIN_CONFIGS)
    assert status == 0
    for stage in ("sample", "launch", "collect", "fit", "load"):
        assert f"\n{stage:8} " in out
    assert "inference energy" in out
    assert "estimated" in out.partition("load")[2]
    assert "only show that the pipeline works" in " ".join(out.split())
    assert (
        api.load_benchmark(tmp_path / f"benchmark-{demo.MIN_CONFIGS}").name == "regnet-digits-demo"
    )
    assert (tmp_path / "prediction.png").is_file()
    assert (tmp_path / "held-out.png").is_file()
    assert eahas("demo", "--out", tmp_path, "--configs", demo.MIN_CONFIGS)[0] == 0  # again, resumed


def test_the_demo_trains_the_shipped_space_with_short_trainings_alone():
    shipped = api.load_benchmark("regnet-digits").spec
    small = demo.small_spec(shipped)
    assert small.space["OPTIM.MAX_EPOCH"].choices == demo.EPOCHS
    assert small.name != shipped.name
    assert [p for p in small.space.parameters if p.name != "OPTIM.MAX_EPOCH"] == [
        p for p in shipped.space.parameters if p.name != "OPTIM.MAX_EPOCH"
    ]
