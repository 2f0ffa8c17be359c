"""What a collected sweep covers."""

from __future__ import annotations

import json
import statistics
from typing import Any

import numpy as np
import pytest

from eahas.spec.spec import Spec
from eahas.spec.targets import Target
from sweeps.report import facts, final, page, shortfall, shortfall_name


def row(config: int, seed: int = 0, **changed: Any) -> dict[str, Any]:
    number = 10.0 * config + seed
    return {
        "config_id": f"c{config}",
        "status": "ok",
        "role": "repeat" if seed else "main",
        "split": ("train", "valid", "test")[config % 3],
        "energy_source": "estimated",
        "train": [1.0, number],
        "valid": [2.0, number],
        "test": [3.0, number],
        "runtime_s": 100.0 - number,
        "train_energy_j": number + 1.0,
        "test_energy_j": 0.5,
    } | changed


ROWS = [
    *(row(config) for config in range(5)),
    row(1, seed=1),
    row(1, seed=2),
    row(2, seed=4),
    row(5, status="diverged", valid=[], reason="loss is nan"),
    row(6, status="failed"),
    row(0, role="anchor", split="", runtime_s=10.0),
    row(0, role="anchor", split="", runtime_s=24.0, machine_factor=2.0),
]


def test_what_is_counted(spec: Spec) -> None:
    found = facts(spec, ROWS)
    assert (found["space"], found["runs"], found["configurations"]) == ("tiny@1", 12, 7)
    assert found["status"] == {"ok": 10, "diverged": 1, "failed": 1}
    assert found["split"] == {"train": 2, "valid": 4, "test": 2}  # no anchors
    assert found["energy_source"] == {"estimated": 8}


def test_ranges_are_of_final_values_and_lie_in_order(spec: Spec) -> None:
    found = facts(spec, ROWS)["ranges"]
    values = [0.0, 10.0, 11.0, 12.0, 20.0, 24.0, 30.0, 40.0]
    assert found["valid"] == {
        "min": 0.0,
        "p5": pytest.approx(np.percentile(values, 5)),
        "median": statistics.median(values),
        "p95": pytest.approx(np.percentile(values, 95)),
        "max": 40.0,
    }
    few = facts(spec, ROWS[:2])["ranges"]["runtime_s"]
    assert few["min"] <= few["p5"] <= few["median"] <= few["p95"] <= few["max"]
    one = facts(spec, ROWS[:1])["ranges"]["valid"]
    assert set(one.values()) == {0.0}


def test_the_front_is_of_validation_error_against_the_first_cost(spec: Spec) -> None:
    front = facts(spec, ROWS)["front"]
    assert (front["error"], front["cost"]) == ("100 - valid", "runtime_s")
    assert front["points"] == [(60.0, 60.0)]  # the best run is the cheapest here


@pytest.mark.parametrize(
    ("direction", "unit", "name", "expected"),
    [
        ("maximize", "percent", "100 - x", 60.0),
        ("maximize", "", "-x", -40.0),
        ("minimize", "nats", "x", 40.0),
    ],
)
def test_less_is_better_on_every_front(direction, unit, name, expected) -> None:
    curve = Target("x", "curve", unit, direction)
    assert shortfall_name(curve) == name
    assert shortfall(curve, {"x": [1.0, 40.0]}) == expected


def test_repeats_show_the_noise(spec: Spec) -> None:
    repeats = facts(spec, ROWS)["repeats"]
    assert repeats["configurations"] == 2
    squares = 2 * statistics.variance([10.0, 11.0, 12.0]) + statistics.variance([20.0, 24.0])
    assert repeats["std"]["valid"] == pytest.approx((squares / 3) ** 0.5)
    assert repeats["std"]["test_energy_j"] == 0.0


def test_the_anchors_show_how_fast_the_machines_were(spec: Spec) -> None:
    found = facts(spec, ROWS)["anchor"]
    assert (found["runs"], found["median"]) == (2, 17.0)
    assert found["relative_std"] == pytest.approx(np.std([10.0, 24.0], ddof=1) / 17.0)


def test_a_sweep_of_which_nothing_ended_well_has_facts_too(spec: Spec) -> None:
    found = facts(spec, [row(0, status="failed")])
    assert found["ranges"] == {}
    assert not {"front", "repeats", "anchor"} & set(found)
    assert "status: failed 1" in page(found)


def test_facts_are_json_and_a_page(spec: Spec) -> None:
    found = facts(spec, ROWS)
    json.dumps(found, allow_nan=False)
    text = page(found)
    for part in ("tiny@1: 12 runs of 7", "ok 10, diverged 1", "train_energy_j", "several seeds"):
        assert part in text
    assert "front of 100 - valid against runtime_s: 1 of 8 runs" in text
    assert "power: unknown, because fewer than two runs have a metered energy" in text
    assert "machine-speed reference: 2 runs, median 17 s" in text


@pytest.mark.parametrize(
    ("value", "expected"), [([1.0, 2.0], 2.0), ((3,), 3.0), (4, 4.0), (np.float32(0.5), 0.5)]
)
def test_the_final_value_of_a_curve_or_a_scalar(value: Any, expected: float) -> None:
    assert final(value) == expected
    assert type(final(value)) is float


# The range of power


def measured(powers: list[float], limit_w: float | None = 500.0) -> list[dict[str, Any]]:
    """A run for each power, the k-th of k + 1 s."""
    reading = {} if limit_w is None else {"power_limit_w": limit_w}
    return [
        row(
            k,
            energy_source="nvml_counter",
            wall_s=k + 1.0,
            train_energy_j=power * (k + 1.0),
            idle_power_w=100.0,
            energy_reading=json.dumps(reading),
        )
        for k, power in enumerate(powers)
    ]


def test_a_wide_range_of_power_is_told(spec: Spec) -> None:
    powers = [float(p) for p in np.linspace(150, 450, 41)]
    found = facts(spec, measured(powers))
    power = found["power"]
    assert power["p5_w"] == pytest.approx(np.percentile(powers, 5))
    assert power["covered"] == pytest.approx((435.0 - 165.0) / 400.0)
    assert power["tau_energy_time"] == pytest.approx(1.0)
    assert "68 % of the device's range, 100 W idle to 500 W" in page(found)
    assert "warning" not in page(found)


def test_a_narrow_one_is_warned_of(spec: Spec) -> None:
    """Energy is then time times a constant, and an energy-aware search has nothing to find."""
    found = facts(spec, measured([300.0, 301.0, 302.0, 303.0]))
    assert found["power"]["covered"] < 0.01
    assert "warning: a narrow range of power" in page(found)


def test_energy_and_time_may_disagree(spec: Spec) -> None:
    found = facts(spec, measured([400.0, 190.0, 120.0, 85.0]))
    assert found["power"]["tau_energy_time"] == pytest.approx(-1.0)


def test_without_a_limit_the_share_is_not_known(spec: Spec) -> None:
    found = facts(spec, measured([200.0, 300.0], limit_w=None))
    assert "covered" not in found["power"]
    assert "power of 2 measured runs" in page(found)


@pytest.mark.parametrize("text", ["", "[1]", "half a {", "{}"])
def test_a_reading_of_another_trainer_may_be_any_text(spec: Spec, text: str) -> None:
    rows = [row | {"energy_reading": text} for row in measured([200.0, 300.0])]
    assert "covered" not in facts(spec, rows)["power"]


def test_runs_that_are_all_alike_have_no_order(spec: Spec) -> None:
    rows = [row | {"wall_s": 2.0, "train_energy_j": 200.0} for row in measured([1.0, 2.0], 100.0)]
    found = facts(spec, rows)  # and the limit is the idle power
    assert found["power"]["tau_energy_time"] is None
    assert "covered" not in found["power"]
    assert "Kendall tau of energy and time: none" in page(found)
    json.dumps(found, allow_nan=False)


def test_an_estimate_has_no_power(spec: Spec) -> None:
    assert "power" not in facts(spec, ROWS)
