"""The energies of a benchmark: shown with their own source, never compared across boundaries."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.benchmark.assembly import Source, assemble
from eahas.benchmark.energies import without_sources
from eahas.benchmark.fronts import predicted_fronts
from eahas.benchmark.prediction import prediction_view
from eahas.benchmark.storage.manifest import read_manifest
from eahas.benchmark.storage.registry import describe
from eahas.cli.format_prediction import format_list, format_prediction, format_query
from eahas.energy.energy_facts import NOT_STATED, EnergyFacts
from eahas.energy.energy_source import KNOWN_SOURCES
from eahas.errors import CheckpointError, EahasError, EstimatedEnergyWarning, RecordError
from eahas.frozen import thawed
from eahas.records.schema import check_row
from eahas.spec.spec import spec_from_dict

METER = {"name": "external_meter", "description": "at the socket", "measured": True}
GUESS = {"name": "codecarbon", "description": "TDP x time", "measured": False}
TARGETS = {
    "curves": ["valid"],
    "scalars": {
        "train_kwh": {
            "unit": "kWh",
            "low": 0,
            "source": METER,
            "boundary": "wall",
            "composed": True,
            "device": "A100",
        },
        "test_energy_j": None,
        "guess": {"unit": "mJ/token", "low": 0, "source": GUESS},
    },
}
FACTS = {
    "train_kwh": {
        "source": "external_meter",
        "measured": True,
        "boundary": "wall",
        "idle": None,
        "method": None,
        "composed": True,
        "device": "A100",
    },
    "test_energy_j": {
        "source": "estimated",
        "measured": False,
        "boundary": "cpu",
        "idle": None,
        "method": None,
        "composed": False,
        "device": None,
    },
    "guess": {
        "source": "codecarbon",
        "measured": False,
        "boundary": None,
        "idle": None,
        "method": None,
        "composed": False,
        "device": None,
    },
}


@pytest.fixture(scope="module")
def make(own_spec, handmade, saved, tmp_path_factory):
    def made(targets: Any, **changes: Any) -> Any:
        spec = own_spec(targets=targets)
        kinds = [kind for kind in ("curves", "scalars") if getattr(spec, kind)]
        folder = tmp_path_factory.mktemp("energies") / "b"
        return saved(folder, spec, [handmade(spec, kind) for kind in kinds], **changes)

    return made


@pytest.fixture(scope="module")
def bench(make):
    energy = {"source": "mixed", "formula": "cpu_time_s x 10 W", "targets": FACTS}
    return api.load_benchmark(make(TARGETS, energy=energy))


@pytest.fixture
def prediction(bench):
    return bench.predict({**bench.space.sample(seed=0), "epochs": 12})


def test_each_energy_has_its_own_source(bench) -> None:
    assert bench.energy_source == "mixed"
    labels = {name: bench.energy_source_of(name) for name in bench.scalar_names}
    assert labels == {
        "train_kwh": "external_meter, composed",
        "test_energy_j": "estimated",
        "guess": "codecarbon, not measured",
    }
    assert bench.energy_source_of("valid") is None


def test_a_dictionary_has_them_at_each_target(prediction) -> None:
    found = json.loads(json.dumps(prediction.to_dict()))["targets"]
    train = found["train_kwh"]
    assert (train["source"], train["measured"], train["boundary"]) == (
        *("external_meter", True),
        "wall",
    )
    assert train["composed"] is True and train["device"] == "A100"
    assert (train["quantity"], train["si_factor"], train["si_unit"]) == ("energy", 3.6e6, "J")
    assert (found["test_energy_j"]["source"], found["test_energy_j"]["measured"]) == (
        *("estimated", False),
    )
    assert (found["guess"]["source"], found["guess"]["si_unit"]) == ("codecarbon", "J/token")
    assert found["valid"]["quantity"] == "accuracy"
    assert not {"source", "measured"} & found["valid"].keys()


def test_a_text_has_them_at_each_target(bench, prediction) -> None:
    config = {**bench.space.sample(seed=0), "epochs": 12}
    view = prediction_view(prediction)
    one = format_prediction(view, drawn=False, columns=80).splitlines()
    query = format_query(bench, bench.query(config), 12).splitlines()
    for lines in (one, query):
        for name, label in (
            ("train_kwh", "external_meter, composed"),
            ("inference energy", "estimated"),
            ("guess", "codecarbon, not measured"),
        ):
            (line,) = [each for each in lines if each.startswith(name)]
            assert line.endswith(f"  {label}")
        assert "energy sources: train_kwh: external_meter, composed (boundary wall)" in lines[-1]
        assert "test_energy_j: estimated (cpu_time_s x 10 W, boundary cpu)" in lines[-1]
    many = format_list(prediction_view(bench.predict([config, config])))
    for unit in ("kWh, external_meter, composed", "J, estimated", "codecarbon, not measured"):
        assert unit in many


def test_a_plot_has_them_at_each_target(bench, prediction) -> None:
    pytest.importorskip("matplotlib")
    from eahas.report.plotting import plot_fronts

    texts = [text.get_text() for text in prediction.plot().texts]
    assert "train_kwh (external_meter, composed)" in texts
    assert "inference energy, test set (estimated)" in texts
    assert "guess (codecarbon, not measured)" in texts
    figure = plot_fronts(predicted_fronts(bench, 60).view())
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert "train_kwh [kWh, external_meter, composed]" in labels
    turned = plot_fronts(predicted_fronts(bench, 60, objective="train_kwh", costs=["valid"]).view())
    assert turned.axes[0].get_ylabel() == "train_kwh [kWh, external_meter, composed]"


def test_energies_of_different_boundaries_make_no_front(bench) -> None:
    with pytest.raises(EahasError, match=r"train_kwh \(boundary wall.*never combined in one front"):
        predicted_fronts(bench, 20, objective="train_kwh", costs=["test_energy_j"])
    by_default = predicted_fronts(bench, 20, objective="valid")
    assert [cost.name for cost in by_default.costs] == ["train_kwh", "test_energy_j", "guess"]
    with pytest.raises(EahasError, match="never combined in one front"):
        by_default.joint()
    assert len(by_default.joint("train_kwh"))
    with pytest.raises(EahasError, match="needs another target beside it"):
        predicted_fronts(bench, 20, objective="train_kwh")


def test_energies_of_one_boundary_do(make) -> None:
    bench = api.load_benchmark(make({"scalars": ["train_energy_j", "test_energy_j"]}))
    fronts = predicted_fronts(bench, 50, objective="test_energy_j")
    assert [cost.name for cost in fronts.costs] == ["train_energy_j"]
    same = {"unit": "J", "boundary": "cpu"}
    idle = {"a": {**same, "idle": "included"}, "b": {**same, "idle": "subtracted"}}
    apart = api.load_benchmark(make({"scalars": idle}))
    with pytest.raises(EahasError, match=r"idle included.* idle subtracted"):
        predicted_fronts(apart, 20, objective="a", costs=["b"])


def test_a_table_keeps_them_apart_too(tabled, saved_table, tmp_path) -> None:
    table = tabled()
    source = thawed(table.spec.source)
    source["targets"]["scalars"]["test_energy_j"] = {"source": METER, "boundary": "wall"}
    score = {"unit": "J", "low": 0, "high": 100, "boundary": "node"}
    source["targets"]["scalars"]["score"] = score
    own = replace(table, spec=spec_from_dict(source))
    bench = api.load_benchmark(saved_table(tmp_path / "t", own))
    assert bench.front("runtime_s", "test_energy_j")
    with pytest.raises(EahasError, match=r"boundary node.* and .*boundary wall"):
        bench.front("score", "test_energy_j")
    with pytest.raises(EahasError, match="cover different things"):
        bench.front(["score", "test_energy_j"], "runtime_s")


# Folders of version 1


@pytest.mark.parametrize("source", ["rapl", "estimated", "mixed", "none"])
def test_a_folder_without_facts_has_its_manifests_source(make, source) -> None:
    targets = {"scalars": {"a_kwh": {"unit": "kWh", "low": 0}, "test_energy_j": None}}
    bench = api.load_benchmark(make(targets, energy={"source": source, "formula": "f"}))
    assert [t.quantity for t in bench.targets] == ["energy", "energy"]
    found = bench.predict(bench.space.sample(seed=0)).to_dict()["targets"]
    for name in ("a_kwh", "test_energy_j"):
        assert found[name]["source"] == source
        assert found[name]["measured"] == (source == "rapl")


def test_its_records_are_read_though_they_have_no_source() -> None:
    spec = spec_from_dict(
        {
            "name": "s",
            "parameters": {"x": {"type": "boolean"}},
            "targets": {"scalars": {"a_kwh": {"unit": "kWh", "low": 0}}},
        }
    )
    row = {
        **dict.fromkeys(("run_id", "config_id"), "r"),
        "space": "s",
        "space_version": 1,
        "seed": 0,
        "status": "ok",
        "epochs": 1,
        "x": True,
        "a_kwh": 1.0,
    }
    of_manifest = without_sources(spec, {"a_kwh": EnergyFacts(source=NOT_STATED)})
    assert check_row(row, of_manifest)["a_kwh"] == 1.0
    with pytest.raises(RecordError, match="without its energy_source"):
        check_row(row, without_sources(spec, {"a_kwh": EnergyFacts(KNOWN_SOURCES["rapl"])}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"source": "wattmeter"}, r"energy.targets.train_kwh.source 'wattmeter' is unknown"),
        ({"source": None}, r"train_kwh.source is text, got None"),
        ({"measured": 1}, r"train_kwh.measured is true or false, got 1"),
        ({"measured": False}, r"train_kwh.measured is False, but that of external_meter is True"),
        ({"boundary": "rack"}, r"train_kwh.boundary 'rack' is unknown"),
        ({"idle": 3}, r"train_kwh.idle is text, got 3"),
        ({"composed": "no"}, r"train_kwh.composed is true or false"),
    ],
)
def test_a_damaged_fact_is_refused_at_loading(make, change, says) -> None:
    targets = {**FACTS, "train_kwh": {**FACTS["train_kwh"], **change}}
    folder = make(TARGETS, energy={"source": "mixed", "formula": "", "targets": targets})
    with pytest.raises(CheckpointError, match=says):
        api.load_benchmark(folder)


def test_every_energy_has_its_facts_and_nothing_else_has(make) -> None:
    for targets, says in (
        ({k: v for k, v in FACTS.items() if k != "guess"}, r"energy.targets.guess is missing"),
        ({**FACTS, "valid": FACTS["guess"]}, r"energy.targets: energy 'valid' is unknown"),
        ({**FACTS, "guess": 3}, r"energy.targets.guess is an object, got 3"),
    ):
        folder = make(TARGETS, energy={"source": "mixed", "formula": "", "targets": targets})
        with pytest.raises(CheckpointError, match=says):
            api.load_benchmark(folder)


# EA-HAS-Bench's kWh, from any unit


def test_the_kwh_of_ea_has_bench_are_converted_from_any_unit(make) -> None:
    low = {"low": 0, "cumulative": True}
    targets = {
        "curves": ["test"],
        "scalars": {
            "runtime_s": {"unit": "ms", **low},
            "train_energy_j": {"unit": "kWh", "source": GUESS, **low},
            "test_energy_j": {"unit": "mJ", "source": METER, "low": 0},
        },
    }
    folder = make(targets, energy={"source": "none", "formula": ""})
    bench = api.load_benchmark(folder)
    config = {**bench.space.sample(seed=0), "epochs": 12}
    p = bench.predict(config)
    with pytest.warns(EstimatedEnergyWarning, match=r"train_energy_j codecarbon, not measured"):
        models = api.get_ea_has_bench_api(folder)["ea_has_bench_model"]
    _, time, train, test = (model.predict(config) for model in models)
    np.testing.assert_allclose(time, p.runtime_s / 1e3 / 12)
    np.testing.assert_allclose(train, p.train_energy_j / 12)
    np.testing.assert_allclose(test, p.test_energy_j / 1e3 / 3.6e6)


def test_a_unit_that_nobody_can_convert_is_refused(make) -> None:
    targets = {
        "curves": ["test"],
        "scalars": {
            "runtime_s": None,
            "train_energy_j": {"unit": "mj", "source": METER},
            "test_energy_j": None,
        },
    }
    folder = make(targets, energy={"source": "rapl", "formula": ""})
    with pytest.raises(EahasError, match="train_energy_j in mj cannot be converted"):
        api.get_ea_has_bench_api(folder)


def test_a_measured_energy_gives_no_warning(bench) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bench.warn_not_measured([t for t in bench.targets if t.name == "train_kwh"])
    with pytest.warns(EstimatedEnergyWarning, match="guess codecarbon, not measured"):
        bench.warn_not_measured(bench.targets)


def test_parts_of_several_devices_keep_their_facts(make, tmp_path) -> None:
    curve = make({"curves": ["valid"]}, energy={"source": "none", "formula": ""})
    folders = {}
    for device, facts in (("a100", {"source": METER, "boundary": "wall"}), ("cpu", "rapl")):
        stated = facts if isinstance(facts, dict) else {"source": facts}
        folders[device] = make(
            {"scalars": {"test_energy_j": stated}}, energy={"source": "none", "formula": ""}
        )
    sources = [Source(curve), *(Source(f, device=d) for d, f in folders.items())]
    assemble(sources, tmp_path / "many", name="many")
    for device, label, boundary in (("a100", "external_meter", "wall"), ("cpu", "rapl", "cpu")):
        bench = api.load_benchmark(tmp_path / "many", device=device)
        found = bench.predict(bench.space.sample(seed=0)).to_dict()["targets"]["test_energy_j"]
        assert (found["source"], found["boundary"]) == (label, boundary)
        assert (found["device"], found["unit"]) == (device, "J")
    assert describe(read_manifest(tmp_path / "many"))["energies"] == {
        "test_energy_j": "external_meter or rapl"
    }
