"""Energies in records: a source for each, and nothing pooled that covers different things."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eahas.errors import RecordError
from eahas.records.energies import energies_of
from eahas.records.schema import check_row, check_rows
from eahas.records.summary import energy_facts
from eahas.spec.spec import Spec, spec_from_dict

METER = {"name": "external_meter", "description": "at the socket", "measured": True}


def spec_of(**scalars: Any) -> Spec:
    return spec_from_dict(
        {
            "name": "s",
            "parameters": {"x": {"type": "integer", "low": 0, "high": 99}},
            "targets": {"scalars": scalars},
        }
    )


def row(x: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "run_id": f"r{x}",
        "space": "s",
        "space_version": 1,
        "config_id": f"c{x}",
        "seed": 0,
        "status": "ok",
        "epochs": 1,
        "x": x,
        **more,
    }


@pytest.mark.parametrize("unit", ["J", "kJ", "Wh", "kWh", "mJ", "J/token", "joules", "mj"])
def test_an_energy_in_any_unit_needs_a_source(unit) -> None:
    spec = spec_of(cost={"unit": unit})
    with pytest.raises(RecordError, match="cost is given without its energy_source"):
        check_row(row(cost=1.0), spec)
    assert check_row(row(cost=1.0, energy_source="rapl"), spec)["energy_source"] == "rapl"


def test_an_energy_curve_needs_one_too() -> None:
    spec = spec_from_dict(
        {
            "name": "s",
            "parameters": {"x": {"type": "choice", "choices": [2]}},
            "fidelity": "x",
            "targets": {"curves": {"epoch_energy_j": {"unit": "J"}}},
        }
    )
    given = row(2, epochs=2, epoch_energy_j=[1.0, 1.0])
    with pytest.raises(RecordError, match="epoch_energy_j is given without its energy_source"):
        check_row(given, spec)
    check_row({**given, "energy_source": "nvml_counter"}, spec)


def test_a_source_that_the_spec_states_need_not_stand_in_each_row() -> None:
    spec = spec_of(cost={"unit": "kWh", "source": METER, "boundary": "wall"})
    rows = check_rows([row(cost=0.5)], spec)
    found = energy_facts(rows, spec)
    assert found["source"] == "external_meter"
    assert found["targets"]["cost"] == {
        "source": "external_meter",
        "measured": True,
        "boundary": "wall",
        "idle": None,
        "method": None,
        "composed": False,
        "device": None,
    }


def test_a_declared_source_may_stand_in_rows_and_another_may_not() -> None:
    spec = spec_of(a={"unit": "J", "source": METER}, b={"unit": "J"})
    checked = check_rows([row(a=1.0, b=1.0, energy_source="external_meter")], spec)
    found = energies_of(checked, spec)
    assert found["b"].source is not None and found["b"].source.name == "external_meter"
    with pytest.raises(RecordError, match=r"energy_source 'magic' is unknown; .*external_meter"):
        check_row(row(a=1.0, b=1.0, energy_source="magic"), spec)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"energy_source": "estimated"}, "energy_source is 'estimated', but the spec states"),
        ({"energy_boundary": "gpu"}, "energy_boundary is 'gpu', but the spec states the boundary"),
        ({"energy_boundary": "rack"}, "energy_boundary 'rack' is unknown"),
    ],
)
def test_a_row_does_not_contradict_its_spec(change, says) -> None:
    spec = spec_of(cost={"unit": "J", "source": METER, "boundary": "wall"})
    with pytest.raises(RecordError, match=says):
        check_row(row(cost=1.0, **change), spec)


def test_a_sensor_covers_what_it_covers() -> None:
    spec = spec_of(cost={"unit": "J"})
    given = row(cost=1.0, energy_source="nvml_counter", energy_boundary="wall")
    with pytest.raises(RecordError, match="nvml_counter covers gpu"):
        check_row(given, spec)


def test_several_sources_are_each_at_their_target() -> None:
    spec = spec_of(train_kwh={"unit": "kWh", "source": METER}, test_energy_j=None)
    rows = [row(x, train_kwh=1.0, test_energy_j=2.0, energy_source="rapl") for x in range(2)]
    found = energy_facts(check_rows(rows, spec), spec)
    assert found["source"] == "mixed"
    sources = {name: facts["source"] for name, facts in found["targets"].items()}
    assert sources == {"train_kwh": "external_meter", "test_energy_j": "rapl"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"energy_source": "nvml_counter"}, {"energy_source": "rapl"}),
        ({"energy_source": "rapl"}, {"energy_source": "estimated"}),
        (
            {"energy_source": "estimated", "energy_boundary": "wall"},
            {"energy_source": "estimated", "energy_boundary": "node"},
        ),
    ],
)
def test_rows_that_cover_different_things_are_not_pooled(first, second) -> None:
    spec = spec_of(test_energy_j=None)
    rows = check_rows(
        [row(0, test_energy_j=1.0, **first), row(1, test_energy_j=1.0, **second)], spec
    )
    with pytest.raises(RecordError, match=r"test_energy_j: .* never pooled: r0 .* and r1"):
        energies_of(rows, spec)


def test_two_ways_of_metering_a_gpu_are_mixed_and_measured() -> None:
    spec = spec_of(test_energy_j=None)
    rows = [
        row(x, test_energy_j=1.0, energy_source=source)
        for x, source in enumerate(("nvml_counter", "nvml_sampled"))
    ]
    facts = energies_of(check_rows(rows, spec), spec)["test_energy_j"]
    assert (facts.label, facts.boundary, facts.idle) == ("mixed", "gpu", "included")


def test_the_parts_of_a_node_have_their_own_sources() -> None:
    """The total of a measured GPU and an estimated processor is not all measured."""
    spec = spec_of(
        train_energy_cpu_j={"unit": "J"},
        train_energy_gpu_j={"unit": "J"},
        train_energy_total_j={"unit": "J"},
    )
    values = dict.fromkeys(("train_energy_cpu_j", "train_energy_gpu_j"), 1.0)
    parts = {"gpu": "nvml_counter", "cpu": "estimated", "total": "gpu + cpu + 0 W x wall_s"}
    given = row(
        energy_source="nvml_counter",
        energy_parts=json.dumps(parts),
        train_energy_total_j=2.0,
        **values,
    )
    found = energies_of(check_rows([given], spec), spec)
    assert found["train_energy_cpu_j"].label == "estimated"
    assert found["train_energy_gpu_j"].label == "nvml_counter"
    total = found["train_energy_total_j"]
    assert (total.label, total.boundary) == ("mixed, not all measured", "gpu+cpu")
    measured = {"gpu": "nvml_counter", "cpu": "rapl", "total": "gpu + cpu + 0 W x wall_s"}
    rest = {**measured, "total": "gpu + cpu + 120 W x wall_s"}
    for parts, boundary, label in (
        (measured, "gpu+cpu", "mixed"),
        (rest, "node", "mixed, not all measured"),
    ):
        again = check_rows([{**given, "energy_parts": json.dumps(parts)}], spec)
        total = energies_of(again, spec)["train_energy_total_j"]
        assert (total.boundary, total.label) == (boundary, label)


def test_method_and_device_come_from_the_rows() -> None:
    spec = spec_of(train_energy_j=None, test_energy_j=None)
    rows = [
        row(
            x,
            train_energy_j=1.0,
            test_energy_j=1.0,
            energy_source="rapl",
            energy_method="window",
            energy_reading=json.dumps({"device": "a processor"}),
        )
        for x in range(2)
    ]
    found = energies_of(check_rows(rows, spec), spec)
    assert (found["train_energy_j"].method, found["test_energy_j"].method) == ("window", None)
    assert found["train_energy_j"].device == "a processor"
