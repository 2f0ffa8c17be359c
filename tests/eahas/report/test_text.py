"""Numbers and units as people read them."""

from __future__ import annotations

import pytest

from eahas.report.text import LABELS, label, number, quantity, sourced, span, unit_of
from eahas.spec.targets import KNOWN_TARGETS, Target


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (0.15599, "0.156"),
        (-13.84, "-13.8"),
        (99.96, "100"),
        (999.6, "1,000"),
        (12345.6, "12,300"),
        (0.0001234, "0.000123"),
        (0.00001234, "1.23e-05"),
        (1.234e7, "1.23e+07"),
        (float("inf"), "inf"),
        (float("nan"), "-"),
        (None, "-"),
    ],
)
def test_numbers_have_three_digits_and_rarely_an_exponent(value, written):
    assert number(value) == written


def test_a_quantity_has_its_unit():
    assert quantity(13.84, "J") == "13.8 J"
    assert quantity(52.0, "percent") == "52.0 %"
    assert quantity(2.0, "") == "2.00"
    assert span(1.0, 2.0, "s") == "1.00 to 2.00 s"


def test_joules_say_where_they_come_from_and_nothing_else_does():
    joules, seconds = KNOWN_TARGETS["train_energy_j"], KNOWN_TARGETS["runtime_s"]
    assert sourced(joules, "estimated") == "training energy (estimated)"
    assert unit_of(joules, "rapl") == "J, rapl"
    assert sourced(seconds, "estimated") == "training time"
    assert unit_of(seconds, "estimated") == "s"


def test_every_known_target_has_a_label_and_others_keep_their_name():
    assert LABELS.keys() == KNOWN_TARGETS.keys()
    assert label(Target("latency_s", "scalar", "s", "minimize")) == "latency_s"
