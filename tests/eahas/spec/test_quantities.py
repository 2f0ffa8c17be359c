"""Quantities and units: what a target is, and how it is converted."""

from __future__ import annotations

from typing import Any

import pytest

from eahas.errors import SpecError
from eahas.spec import quantities
from eahas.spec.quantities import QUANTITIES, infer_quantity, si_factor, si_unit, split_rate
from eahas.spec.spec import Spec, spec_from_dict
from eahas.spec.targets import KNOWN_TARGETS, Target


def spec_of(described: Any, name: str = "cost") -> Spec:
    return spec_from_dict(
        {
            "name": "s",
            "parameters": {"x": {"type": "boolean"}},
            "targets": {"scalars": {name: described}},
        }
    )


def target_of(described: Any, name: str = "cost") -> Target:
    return spec_of(described, name).targets[0]


@pytest.mark.parametrize(
    ("unit", "quantity", "factor", "si"),
    [
        ("J", "energy", 1.0, "J"),
        ("kJ", "energy", 1e3, "J"),
        ("mJ", "energy", 1e-3, "J"),
        ("MJ", "energy", 1e6, "J"),
        ("Wh", "energy", 3600.0, "J"),
        ("kWh", "energy", 3.6e6, "J"),
        ("KWh", "energy", 3.6e6, "J"),
        ("joules", "energy", 1.0, "J"),
        ("J/token", "energy", 1.0, "J/token"),
        ("mJ / image", "energy", 1e-3, "J/image"),
        ("J per token", "energy", 1.0, "J/token"),
        ("mj", "energy", None, "mj"),  # milli or mega: an energy all the same
        ("s", "time", 1.0, "s"),
        ("ms", "time", 1e-3, "s"),
        ("min", "time", 60.0, "s"),
        ("h", "time", 3600.0, "s"),
        ("ms/image", "time", 1e-3, "s/image"),
        ("W", "power", 1.0, "W"),
        ("J/s", "power", 1.0, "W"),
        ("MiB", "memory", 2.0**20, "B"),
        ("images/s", "throughput", None, "images/s"),
        ("nat", "other", None, "nat"),
        ("K", "other", None, "K"),
        ("samples_per_joule", "other", None, "samples_per_joule"),
        ("", "other", None, ""),
    ],
)
def test_a_unit_says_the_quantity(unit, quantity, factor, si) -> None:
    target = Target("cost", "scalar", unit, "minimize")
    assert (target.quantity, target.si_factor, target.si_unit) == (quantity, factor, si)
    assert target_of({"unit": unit}) == target
    assert target.is_energy == (quantity == "energy")


def test_percent_is_an_accuracy_or_an_error_by_its_direction() -> None:
    assert infer_quantity("x", "percent", "maximize") == "accuracy"
    assert infer_quantity("x", "percent", "minimize") == "error"


def test_a_name_says_energy_only_where_no_unit_does() -> None:
    assert infer_quantity("train_energy", "", "minimize") == "energy"
    assert infer_quantity("total_kwh", "", "minimize") == "energy"
    assert infer_quantity("energy_error", "eV", "minimize") == "other"
    assert infer_quantity("synergy", "", "minimize") == "other"


def test_what_ships_is_what_it_was() -> None:
    found = {name: target.quantity for name, target in KNOWN_TARGETS.items()}
    energies = {name for name, quantity in found.items() if quantity == "energy"}
    assert energies == {"train_energy_j", "test_energy_j"}
    assert found["runtime_s"] == "time"
    assert {found[n] for n in ("train", "valid", "test", "valid_ema", "test_ema")} == {"accuracy"}


def test_a_spec_states_a_quantity() -> None:
    assert target_of({"unit": "ms", "quantity": "latency"}).quantity == "latency"
    assert target_of({"unit": "ms", "quantity": "latency"}).si_factor == 1e-3
    assert target_of({"unit": "J", "quantity": "error"}).quantity == "error"
    assert target_of({"quantity": "count"}).quantity == "count"
    for quantity in QUANTITIES:
        unit = next(iter(quantities.UNITS.get(quantity, {"": 1.0})))
        assert target_of({"unit": unit, "quantity": quantity}).quantity == quantity


@pytest.mark.parametrize(
    ("described", "says"),
    [
        ({"quantity": "enrgy"}, "quantity 'enrgy' is unknown; allowed: energy, power"),
        ({"quantity": "energy", "unit": "eV"}, "unit is one of J, kJ, .*; got unit 'eV'"),
        ({"quantity": "energy", "unit": "mj"}, "unit is one of J, kJ"),
        ({"quantity": "energy", "unit": "J/s"}, "unit is one of J, kJ"),
        ({"quantity": "energy"}, "unit is one of J, kJ, .*; got unit ''"),
        ({"quantity": "time", "unit": "kWh"}, "unit is one of s, ms"),
        ({"quantity": "other", "unit": "kWh"}, r"a value in kWh is an energy"),
        ({"quantity": "count", "unit": "J/token"}, r"a value in J/token is an energy"),
        ({"unit": "s", "device": 3}, "device: text, got 3"),
    ],
)
def test_a_quantity_that_does_not_fit_is_refused(described, says) -> None:
    with pytest.raises(SpecError, match=says):
        target_of(described)


def test_rates_and_factors_alone() -> None:
    assert split_rate("J/token") == ("J", "token")
    assert split_rate("J") == ("J", "")
    assert si_factor("loss", "nat") is None
    assert si_unit("loss", "nat") == "nat"
    assert si_factor("power", "kJ/min") == pytest.approx(1000.0 / 60.0)
