"""Energies through a whole fit: refused without a source, shown with it, never pooled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eahas import api
from eahas.cli.evaluate import evaluate, require_same_energies
from eahas.errors import EahasError, FitError, RecordError
from eahas.frozen import thawed
from eahas.records.parquet import write_records
from eahas.spec.spec import Spec, spec_from_dict
from surrogates import benchmark, table
from surrogates.data.dataset import is_accuracy, runs_from_records
from surrogates.models.network_training import FitSettings

QUICK = FitSettings(members=2, hidden=(8,), steps=20, batch_size=64, dropout=0.0)
METER = {"name": "external_meter", "description": "at the socket", "measured": True}
KWH: dict[str, Any] = {"unit": "kWh", "low": 0}
DECLARED = KWH | {"source": METER, "boundary": "wall", "idle": "included", "composed": True}


def with_targets(spec: Spec, **scalars: Any) -> Spec:
    source = thawed(spec.source)
    source["targets"] = {"scalars": {"runtime_s": None, **scalars}}
    return spec_from_dict(source)


def with_kwh(rows, **more: Any) -> list[dict[str, Any]]:
    """The rows with an energy in kWh and without a source, unless one is given."""
    changed = []
    for row in rows[:90]:
        kept = {k: v for k, v in row.items() if not k.startswith("energy_")}
        changed.append({**kept, "train_kwh": row["test_energy_j"] / 3.6e6, **more})
    return changed


def quick_fit(spec: Spec, rows) -> benchmark.Fitted:
    components = benchmark.default_components(spec, settings={"scalars": QUICK})
    return benchmark.fit(spec, rows, components=components, folds=3, resamples=2)


@pytest.mark.parametrize("unit", ["kWh", "kJ", "Wh", "mJ", "J/token"])
def test_a_fit_refuses_an_energy_without_a_source(spec, rows, unit) -> None:
    own = with_targets(spec, train_kwh=KWH | {"unit": unit})
    says = rf"train_kwh is an energy \(unit {unit}\), .* no source.*energy_source .*source: \{{name"
    with pytest.raises(FitError, match=says):
        benchmark.fit(own, with_kwh(rows), resamples=2)
    with pytest.raises(FitError, match=says):
        table.make(own, with_kwh(rows), resamples=2)


def test_saving_refuses_it_too(spec, rows, tmp_path) -> None:
    own = with_targets(spec, train_kwh=DECLARED)
    fitted = quick_fit(own, with_kwh(rows))
    bare = replace(fitted, spec=with_targets(spec, train_kwh=KWH))
    with pytest.raises(RecordError, match=r"train_kwh .* source: \{name"):
        benchmark.save(bare, with_kwh(rows), tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.fixture(scope="module")
def declared(spec, rows, tmp_path_factory):
    """A benchmark of two energies: one by a declared meter, one by the column of its rows."""
    own = with_targets(spec, train_kwh=DECLARED, test_energy_j=None)
    made = with_kwh(rows, energy_source="rapl")
    folder = tmp_path_factory.mktemp("declared") / "b"
    benchmark.save(quick_fit(own, made), made, folder)
    return api.load_benchmark(folder)


def test_a_declared_source_goes_from_the_spec_to_every_prediction(declared) -> None:
    facts = declared.manifest["energy"]
    assert facts["source"] == "mixed"
    assert facts["targets"]["train_kwh"] == {
        "source": "external_meter",
        "measured": True,
        "boundary": "wall",
        "idle": "included",
        "method": None,
        "composed": True,
        "device": None,
    }
    assert facts["targets"]["test_energy_j"]["source"] == "rapl"
    found = declared.predict(declared.space.sample(seed=0)).to_dict()["targets"]
    assert (found["train_kwh"]["source"], found["test_energy_j"]["source"]) == (
        *("external_meter", "rapl"),
    )
    assert found["train_kwh"]["composed"] is True
    assert {t["name"]: t["quantity"] for t in declared.manifest["targets"]} == {
        "runtime_s": "time",
        "train_kwh": "energy",
        "test_energy_j": "energy",
    }
    assert len(declared.records()) == 90


def test_its_own_records_judge_it_and_others_of_another_boundary_do_not(
    declared, rows, tmp_path
) -> None:
    assert evaluate(declared, None, 2)["held_out"]["runs"]
    require_same_energies(declared, with_kwh(rows, energy_source="rapl"))
    other = with_kwh(rows, energy_source="nvml_counter")
    write_records(tmp_path / "r.parquet", other, declared.spec)
    says = r"test_energy_j of toy@1 \(boundary cpu.*records \(boundary gpu.*never compared"
    with pytest.raises(EahasError, match=says):
        evaluate(declared, str(tmp_path / "r.parquet"), 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"energy_source": "nvml_counter"}, {"energy_source": "rapl"}),
        (
            {"energy_source": "estimated", "energy_boundary": "node"},
            {"energy_source": "estimated", "energy_boundary": "wall"},
        ),
    ],
)
def test_runs_of_different_boundaries_are_not_fitted_together(spec, rows, first, second) -> None:
    own = with_targets(spec, train_kwh=KWH)
    made = with_kwh(rows, **first)
    made[7] |= second
    for fit in (benchmark.fit, table.make):
        with pytest.raises(FitError, match=r"train_kwh: .* are never pooled"):
            fit(own, made, resamples=2)


def test_a_time_in_any_unit_is_divided_by_the_factor(spec, rows) -> None:
    own = with_targets(
        spec,
        span_ms={"unit": "ms", "low": 0},
        wait={"unit": "min", "low": 0, "quantity": "latency"},
        watts={"unit": "W", "low": 0},
    )
    row = {**rows[0], "span_ms": 4.0, "wait": 6.0, "watts": 8.0, "machine_factor": 2.0}
    (found,) = runs_from_records([row], own).scalars
    assert found.tolist() == [row["runtime_s"] / 2, 2.0, 3.0, 8.0]


def test_an_energy_is_divided_only_where_it_is_a_formula_of_time(spec, rows) -> None:
    guess = {"name": "codecarbon", "description": "TDP x time", "measured": False}
    own = with_targets(
        spec,
        by_time=KWH | {"source": {**guess, "name": "tdp", "from_time": True}},
        by_model=KWH | {"source": guess},
        by_meter=KWH | {"source": METER},
        by_row=KWH,
    )
    names = ("by_time", "by_model", "by_meter", "by_row")
    row = {**rows[0], **dict.fromkeys(names, 4.0), "machine_factor": 2.0}
    for source, by_row in (("estimated", 2.0), ("rapl", 4.0)):
        (found,) = runs_from_records([{**row, "energy_source": source}], own).scalars
        np.testing.assert_array_equal(found[1:], [2.0, 4.0, 4.0, by_row])


def test_only_an_accuracy_in_percent_stands_at_chance(spec) -> None:
    described = {"unit": "percent", "direction": "maximize"}
    own = with_targets(spec, top1=described, busy=described | {"quantity": "other"})
    assert [is_accuracy(target) for target in own.scalars] == [False, True, False]
