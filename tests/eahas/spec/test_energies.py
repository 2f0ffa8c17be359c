"""What a spec states of an energy: source, boundary, idle power, method."""

from __future__ import annotations

from typing import Any

import pytest

from eahas.energy import KNOWN_SOURCES, SOURCES
from eahas.errors import SpecError
from eahas.spec.spec import spec_from_dict
from eahas.spec.targets import KNOWN_TARGETS, Target

METER = {"name": "external_meter", "description": "a Yokogawa WT310", "measured": True}


def targets_of(**scalars: Any) -> tuple[Target, ...]:
    return spec_from_dict(
        {
            "name": "s",
            "parameters": {"x": {"type": "boolean"}},
            "targets": {"scalars": scalars},
        }
    ).targets


def test_a_declared_source_with_all_that_can_be_said() -> None:
    (target,) = targets_of(
        train_kwh={
            "unit": "kWh",
            "source": METER,
            "boundary": "wall",
            "idle": "subtracted",
            "method": "mean power x time",
            "composed": True,
            "device": "A100",
        }
    )
    facts = target.energy
    assert facts is not None and facts.source is not None
    assert (facts.source.name, facts.source.measured) == ("external_meter", True)
    assert facts.label == "external_meter, composed"
    assert facts.to_dict() == {
        "source": "external_meter",
        "measured": True,
        "boundary": "wall",
        "idle": "subtracted",
        "method": "mean power x time",
        "composed": True,
        "device": "A100",
    }


def test_every_meter_of_ours_is_a_known_source() -> None:
    assert tuple(KNOWN_SOURCES) == SOURCES
    assert [name for name, source in KNOWN_SOURCES.items() if not source.measured] == ["estimated"]
    (target,) = targets_of(e={"unit": "J", "source": "rapl"})
    assert target.energy is not None and target.energy.source is KNOWN_SOURCES["rapl"]


def test_what_is_not_measured_is_called_so() -> None:
    guess = {"name": "codecarbon", "description": "TDP x time", "measured": False}
    (target,) = targets_of(e={"unit": "Wh", "source": guess})
    assert target.energy is not None
    assert target.energy.label == "codecarbon, not measured"
    (target,) = targets_of(e={"unit": "Wh", "source": "estimated"})
    assert target.energy is not None
    assert target.energy.label == "estimated"


def test_a_target_that_ships_keeps_its_meaning_beside_its_facts() -> None:
    (target,) = targets_of(train_energy_j={"source": "rapl", "idle": "included"})
    assert target == KNOWN_TARGETS["train_energy_j"]  # measured in another way, the same target
    assert target.cumulative and target.unit == "J"
    assert target.energy is not None and target.energy.idle == "included"
    (own,) = targets_of(train_energy_j={"unit": "kWh", "source": "rapl"})
    assert (own.unit, own.cumulative) == ("kWh", False)


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ({"source": "wattmeter"}, r"source 'wattmeter' is unknown; allowed: nvml_counter.*declare"),
        ({"source": ["rapl"]}, r"source is a name or a mapping, got \['rapl'\]"),
        ({"source": {"name": "m", "measured": True}}, "source: description: text, got None"),
        ({"source": {"name": "m", "description": "d"}}, "measured is true or false, got None"),
        ({"source": {**METER, "measured": 1}}, "measured is true or false, got 1"),
        ({"source": {**METER, "name": ""}}, "source: name: text, got ''"),
        ({"source": {**METER, "name": "rapl"}}, "name 'rapl' is reserved"),
        ({"source": {**METER, "name": "mixed"}}, "name 'mixed' is reserved"),
        ({"source": {**METER, "name": "a\nb"}}, "name is plain text"),
        ({"source": {**METER, "maker": "x"}}, "field 'maker' is unknown"),
        ({"source": {**METER, "from_time": True}}, "measured and from_time .* exclude"),
        ({"boundary": "rack"}, "boundary 'rack' is unknown; allowed: cpu, gpu, gpu.cpu, node, wal"),
        ({"idle": "none"}, "idle 'none' is unknown; allowed: included, subtracted"),
        ({"composed": "yes"}, "composed is true or false, got 'yes'"),
        ({"method": 3}, "method: text, got 3"),
        ({"source": "nvml_counter", "boundary": "wall"}, "nvml_counter covers gpu .*, not wall"),
        ({"unit": "s", "source": "rapl"}, "only an energy has source.*, but its quantity is time"),
    ],
)
def test_malformed_facts_are_refused(described, says) -> None:
    with pytest.raises(SpecError, match=says):
        targets_of(e={"unit": "J", **described})


def test_one_name_stands_for_one_source() -> None:
    other = {**METER, "measured": False}
    with pytest.raises(SpecError, match="'external_meter' is declared twice with different fields"):
        targets_of(a={"unit": "J", "source": METER}, b={"unit": "J", "source": other})
    targets_of(a={"unit": "J", "source": METER}, b={"unit": "J", "source": METER})
