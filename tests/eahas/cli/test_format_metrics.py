"""Tables of scores with names and units of a user's own."""

from __future__ import annotations

import pytest

from eahas.cli.format_metrics import METRICS, summary, tables
from eahas.spec.targets import Target

LONG = "a_target_whose_name_is_longer_than_its_column"


@pytest.mark.parametrize(
    ("unit", "shown"), [("samples_per_joule", ["samples_per_joule"]), ("", [])]
)
def test_columns_stay_apart_whatever_names_and_units_are(unit, shown) -> None:
    target = Target(LONG, "scalar", unit, "maximize")
    metrics = {name: {"value": 123.4} for name in METRICS}
    judged = {"value": metrics, "coverage": {"0.9": {"value": 0.9}}}
    text = summary({"runs": 9, "targets": {LONG: judged}}, [target], {})
    assert text.splitlines()[1].split() == [LONG, "123", "123", "123", *shown, "90", "%"]


def test_an_interval_that_fills_its_column_stays_apart() -> None:
    target = Target("ms", "scalar", "", "minimize")
    found = {"value": 0.00123, "low": 0.0000123, "high": 0.0123}
    further = dict.fromkeys(("mse", "kendall_tau_2_dec", "kendall_tau_1_dec", "sparse_kendall_tau"))
    judged = {
        "value": {**dict.fromkeys(METRICS, found), "best_quarter_tau": found},
        "further": {"value": further},
        "coverage": {"0.9": found},
        "worst": None,
        "crps": found,
        "by_length": {},
    }
    parts = {"held_out": {"runs": 9, "targets": {"ms": judged}}}
    whole = {**parts, "repeated": {"targets": {}}, "references": {"targets": {}}}
    lines = tables(whole, [target], {}).splitlines()
    assert lines[2].startswith("ms  ")
    assert lines[3].count(" 0.00123 [") == 5
