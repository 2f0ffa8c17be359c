"""`eahas list` and `eahas predict`."""

from __future__ import annotations

import io
import json
import sys

import pytest

from eahas import api
from eahas.cli import terminal

NAME = "regnet-digits"


def plain(text: str) -> str:
    return " ".join(text.split())


def test_list_names_targets_units_source_and_runs(eahas):
    status, out, err = eahas("list")
    assert (status, err) == (0, "")
    assert f"{NAME}@" in out
    assert "runtime_s [s]" in out
    assert "estimated" in out
    _, listed, _ = eahas("list", "--json")
    assert json.loads(listed) == api.list_benchmarks()


def test_a_prediction_shows_curve_costs_units_intervals_and_provenance(eahas):
    status, out, err = eahas("predict", NAME, "--sample", 0)
    assert (status, err) == (0, "")
    bench = api.load_benchmark(NAME)
    prediction = bench.predict(bench.space.sample(seed=0))
    assert json.loads(out.splitlines()[0]) == bench.space.sample(seed=0)
    assert "└" in out  # the axes of the curve
    for name in ("training time", "training energy", "inference energy"):
        assert name in out
    assert f"{prediction.runtime_s:.2f} s" in out
    assert out.count("estimated") == 3  # both energies, and the formula
    assert f"{bench.manifest['provenance']['runs']:,} real runs" in out
    assert "90 % interval" in out
    assert "held-out R2" in out


def test_without_braille_the_curve_is_a_table(eahas, monkeypatch):
    monkeypatch.setattr(terminal, "can_draw", lambda: False)
    _, out, _ = eahas("predict", NAME, "--sample", 0)
    assert "epoch     value" in out
    assert out.isascii()


def test_json_is_the_predictions_own_dictionary(eahas, tmp_path):
    bench = api.load_benchmark(NAME)
    for config in (bench.space.sample(seed=1), bench.space.sample(3, seed=1)):
        path = tmp_path / "config.json"
        path.write_text(json.dumps(config))
        status, out, _ = eahas("predict", NAME, "--config", path, "--json", "--level", 0.5)
        assert status == 0
        assert json.loads(out) == json.loads(json.dumps(bench.predict(config).to_dict(0.5)))


def test_a_configuration_from_stdin_nested_or_flat(eahas, monkeypatch):
    bench = api.load_benchmark(NAME)
    nested = bench.space.sample(seed=2)
    answers = set()
    for config in (nested, bench.space.check(nested)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(config)))
        answers.add(eahas("predict", NAME, "--config", "-"))
    ((status, out, _),) = answers
    assert status == 0
    assert "training energy" in out


def test_at_an_epoch_says_what_is_reached_and_spent(eahas):
    _, out, _ = eahas("predict", NAME, "--sample", 0, "--at", 3)
    assert "at the end of epoch 3 of" in out
    _, whole, _ = eahas("predict", NAME, "--sample", 0, "--at", 3, "--json")
    bench = api.load_benchmark(NAME)
    assert json.loads(whole)["at"] == bench.query(bench.space.sample(seed=0), at=3)


def test_a_noise_seed_asks_for_one_run(eahas, refused):
    bench = api.load_benchmark(NAME)
    config = bench.space.sample(seed=0)
    run = bench.predict(config, noise_seed=3)
    _, out, _ = eahas("predict", NAME, "--sample", 0, "--noise-seed", 3)
    assert "one sampled run, with noise seed 3" in out
    assert f"{run.runtime_s:.2f} s" in out
    _, whole, _ = eahas("predict", NAME, "--sample", 0, "--noise-seed", 3, "--at", 2, "--json")
    assert json.loads(whole)["at"] == bench.query(config, at=2, noise_seed=3)
    assert json.loads(whole)["noise_seed"] == 3
    assert "--noise-seed" in refused("predict", NAME, "--sample", 0, "--noise-seed", -1)
    assert "noise_seed" in refused("predict", NAME, "--sample", 0, "--noise-seed", 2**63)


def test_an_answer_without_support_says_so(eahas, tmp_path):
    bench = api.load_benchmark(NAME)
    configs = bench.space.sample(1000, seed=0)
    scores = bench.predict(configs).support
    path = tmp_path / "config.json"
    for config, warned in ((configs[scores.argmin()], True), (configs[scores.argmax()], False)):
        path.write_text(json.dumps(config))
        _, out, _ = eahas("predict", NAME, "--config", path)
        assert ("hardly any training run is similar to this" in out) is warned
        assert "one sampled run" not in out


def test_a_list_is_a_line_each(eahas, tmp_path):
    configs = api.load_benchmark(NAME).space.sample(3, seed=0)
    path = tmp_path / "configs.json"
    path.write_text(json.dumps(configs))
    _, out, _ = eahas("predict", NAME, "--config", path)
    lines = [line for line in out.splitlines() if line[:1].isdigit()]
    assert [line.split()[1] for line in lines] == [str(c["OPTIM"]["MAX_EPOCH"]) for c in configs]
    assert "J, estimated" in out


def test_a_benchmark_of_ones_own_is_asked_by_its_folder(eahas, bench):
    status, out, _ = eahas("predict", bench, "--sample", 0)
    assert status == 0
    assert "validation accuracy" in out


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("{", "not JSON"),
        ("3", "a mapping"),
        ("[]", "empty list"),
        ("{}", "REGNET.DEPTH"),
        ('{"REGNET": {"DEPHT": 9}}', "REGNET.DEPHT"),
        ("[" * 100_000, "not JSON"),
        ('{"REGNET.DEPTH": 9, "REGNET.DEPTH": 8}', "'REGNET.DEPTH' occurs twice"),
    ],
)
def test_bad_configurations_are_one_line(content, named, refused, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(content)
    assert named in refused("predict", NAME, "--config", path)


def test_other_bad_input_is_one_line(refused, tmp_path):
    assert "did you mean" in refused("predict", "regnet-digit", "--sample", 0)
    assert "nowhere" in refused("predict", NAME, "--config", tmp_path / "nowhere.json")
    assert "cannot be read" in refused("predict", NAME, "--config", tmp_path)
    assert "allowed are whole epochs" in refused("predict", NAME, "--sample", 0, "--at", 999)
    assert "--level" in refused("predict", NAME, "--sample", 0, "--level", 1)
    assert "--sample" in refused("predict", NAME, "--sample", "x")
    configs = tmp_path / "configs.json"
    configs.write_text(json.dumps(api.load_benchmark(NAME).space.sample(2)))
    assert "--at" in refused("predict", NAME, "--config", configs, "--at", 1)


def test_plot_writes_a_picture(eahas, refused, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "new" / "curve.png"
    _, out, _ = eahas("predict", NAME, "--sample", 0, "--plot", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert out.endswith(f"wrote {path}\n")
    assert "suffix" in refused("predict", NAME, "--sample", 0, "--plot", tmp_path / "curve.xyz")


def test_a_benchmark_of_some_targets_answers_for_those(eahas, own_spec, handmade, saved, tmp_path):
    spec = own_spec()
    for kind, named, unnamed in (
        ("curves", "validation accuracy", "training time"),
        ("scalars", "training time", "validation accuracy"),
    ):
        folder = saved(tmp_path / kind, spec, [handmade(spec, kind)])
        for asked in (("--sample", 0), ("--sample", 0, "--at", 1)):
            status, out, _ = eahas("predict", folder, *asked)
            assert status == 0
            assert named in out
            assert unnamed not in out


def test_curves_of_another_unit_are_not_drawn_on_its_axis(own_spec, handmade, saved, tmp_path):
    pytest.importorskip("matplotlib")
    spec = own_spec()
    bench = api.load_benchmark(saved(tmp_path / "b", spec, [handmade(spec, "curves")]))
    figure = bench.predict(spec.space.sample(seed=0)).plot()
    assert [line.get_label() for line in figure.axes[0].get_lines()] == ["validation accuracy"]
