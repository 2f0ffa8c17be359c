"""The counter that wraps, the trapezoid, and the reading: small parts by themselves."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eahas.energy import EnergyReading
from eahas.energy.counter import WrappingCounter
from eahas.energy.reading import combine
from eahas.energy.sampler import PowerIntegral, ThreadTicker
from eahas.errors import MeterError

READING = EnergyReading(
    energy_j=10.0,
    duration_s=2.0,
    cpu_time_s=1.0,
    source="nvml_counter",
    formula="f",
    device="A",
    sampled_j=9.0,
    power_limit_w=300.0,
    other_processes=(1,),
)


@given(st.lists(st.integers(0, 900), max_size=40), st.integers(0, 999))
def test_a_counter_adds_up_its_steps_through_wraps(steps, start):
    counter = WrappingCounter("c", unit_j=1.0, wraps_at=(1000,), max_power_w=900.0)
    counter.rebase(start, 0.0)
    raw, wraps = start, 0
    for t_s, step in enumerate(steps, 1):
        wraps += (raw + step) // 1000
        raw = (raw + step) % 1000
        counter.advance(raw, 0.85 * t_s)
    assert counter.total_j == sum(steps)
    assert counter.wraps == wraps


def test_the_trapezoid_is_exact_on_a_ramp():
    integral = PowerIntegral(gap_s=1.0)
    for t_s in (0.0, 0.3, 0.9, 2.0):
        integral.add(t_s, 100.0 + 50.0 * t_s)
    assert integral.energy_j == pytest.approx(200.0 + 100.0)
    assert (integral.samples, integral.gaps) == (4, 1)


def test_a_rest_is_not_integrated():
    integral = PowerIntegral(gap_s=1.0)
    integral.add(0.0, 100.0)
    integral.rest()
    integral.add(50.0, 100.0)
    integral.add(51.0, 100.0)
    assert (integral.energy_j, integral.gaps) == (100.0, 0)


def test_a_thread_that_hangs_is_an_error(monkeypatch):
    monkeypatch.setattr(ThreadTicker, "JOIN_S", 0.005)
    release, called = threading.Event(), threading.Event()

    def hang():
        called.set()
        release.wait()

    ticker = ThreadTicker(hang, 0.001)
    ticker.start()
    assert called.wait(5.0)
    with pytest.raises(MeterError, match="hung"):
        ticker.stop()
    release.set()


@pytest.mark.parametrize("energy_j", [0.0, -1.0, float("nan"), float("inf")])
def test_no_reading_can_be_zero(energy_j):
    with pytest.raises(MeterError, match="more than 0 J; power samples: 9 J"):
        dataclasses.replace(READING, energy_j=energy_j)


def test_disagreement_is_signed_and_relative():
    assert READING.disagreement == pytest.approx(-0.1)
    assert dataclasses.replace(READING, sampled_j=None).disagreement is None


def test_what_one_part_does_not_know_the_sum_does_not_know():
    blind = dataclasses.replace(
        READING, device="B", power_limit_w=None, sampled_j=None, other_processes=None
    )
    both = combine([READING, blind])
    assert both.energy_j == 20.0
    assert (both.power_limit_w, both.sampled_j, both.other_processes) == (None, None, None)
    seen = combine([READING, dataclasses.replace(READING, other_processes=(5, 1))])
    assert (seen.other_processes, seen.sampled_j) == ((1, 5), 18.0)


def test_the_edges_of_two_devices_err_apart():
    one = dataclasses.replace(READING, statistical=0.03)
    two = dataclasses.replace(READING, statistical=0.04, energy_j=10.0, device="B")
    assert combine([one, two]).statistical == pytest.approx(0.5 * 0.05)
    assert combine([one, READING]).statistical is None
