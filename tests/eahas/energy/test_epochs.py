"""Energy of each epoch: grouping, sharing out, pausing, resuming."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from fake_nvml import COUNTER, PROCESSES
from hypothesis import given
from hypothesis import strategies as st
from traces import SLOW, energy_j

from eahas.energy import EpochMeter, apportion, honest_groups
from eahas.errors import MeterError

durations = st.lists(st.floats(1e-3, 10.0), min_size=1, max_size=60)


def train(epochs, clock, count, epoch_s, evaluation_s=0.0):
    for _ in range(count):
        with epochs.epoch():
            clock.sleep(epoch_s)
        clock.sleep(evaluation_s)


@given(st.floats(1e-3, 1e9), durations)
def test_apportioning_keeps_the_total_and_the_ratios(total_j, weights_s):
    shares = apportion(total_j, weights_s)
    assert shares.shape == (len(weights_s),)
    assert shares.sum() == pytest.approx(total_j)
    np.testing.assert_allclose(shares / shares[0], np.array(weights_s) / weights_s[0])


@pytest.mark.parametrize("weights_s", [[], [0.0, 0.0], [1.0, -1.0], [math.nan], [[1.0]]])
def test_what_cannot_be_a_weight(weights_s):
    with pytest.raises(MeterError, match="weights_s"):
        apportion(1.0, weights_s)


@given(durations, st.floats(0.0, 5.0))
def test_every_group_is_honest_and_none_is_lost(duration_s, min_window_s):
    try:
        groups = honest_groups(duration_s, min_window_s)
    except MeterError:
        assert sum(duration_s) < min_window_s * math.sqrt(len(duration_s)) * (1 + 1e-9)
        return
    assert sum(groups) == len(duration_s)
    start = 0
    for size in groups:
        seconds = sum(duration_s[start : start + size])
        assert seconds >= min_window_s * math.sqrt(size) * (1 - 1e-9)
        start += size


@pytest.mark.parametrize(
    ("duration_s", "groups"),
    [
        ([2.0, 3.0, 2.5], (1, 1, 1)),
        ([1.0] * 8, (4, 4)),
        ([1.0] * 9, (4, 5)),
        ([5.0, 0.1], (2,)),
        ([5.0, 2.0, 0.1], (3,)),
        ([5.0, 3.0, 0.1], (1, 2)),
        ([2.0] + [0.01] * 20, None),
    ],
)
def test_groups_of_short_epochs_grow_with_the_root_of_their_number(duration_s, groups):
    if groups is None:
        with pytest.raises(MeterError, match=r"21 epochs of 2.2 s in all are too short"):
            honest_groups(duration_s, 2.0)
    else:
        assert honest_groups(duration_s, 2.0) == groups


def test_no_shortest_window_means_no_groups():
    assert honest_groups([1e-9, 0.0, 5.0], 0.0) == (1, 1, 1)


def test_long_epochs_are_read_one_by_one_and_evaluation_is_left_out(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    clock.sleep(6.0)
    epochs, evaluations = EpochMeter(meter), EpochMeter(meter)
    for _ in range(4):
        with epochs.epoch():
            clock.sleep(3.0)
        with evaluations.epoch():
            clock.sleep(1.0)
    energies = epochs.finish()
    true = [energy_j(SLOW, 6.0 + 4 * e, 9.0 + 4 * e) for e in range(4)]
    np.testing.assert_allclose(energies.energy_j, true, rtol=0.02)
    np.testing.assert_allclose(energies.duration_s, 3.0)
    assert energies.groups == (1, 1, 1, 1)
    assert not energies.apportioned
    assert energies.reading.flags == ()
    assert energies.reading.duration_s == pytest.approx(12.0)
    assert energies.total_j == pytest.approx(energies.energy_j.sum())
    assert clock.ticking == 1
    evaluation = evaluations.finish()
    assert evaluation.total_j == pytest.approx(4 * 240, rel=0.05)
    assert evaluation.groups == (4,)
    assert clock.ticking == 0


def test_short_epochs_are_read_in_groups_and_say_so(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    clock.sleep(6.0)
    epochs = EpochMeter(meter)
    train(epochs, clock, 17, 0.5317, evaluation_s=0.1253)  # does not lock to the 0.1 s tick
    energies = epochs.finish()
    assert energies.apportioned
    assert "apportioned" in energies.reading.flags
    assert energies.groups == (17,)
    assert energies.energy_j.shape == energies.cumulative_j.shape == (17,)
    assert np.all(energies.energy_j > 0)
    true = sum(energy_j(SLOW, 6 + 0.657 * e, 6.5317 + 0.657 * e) for e in range(17))
    assert energies.total_j == pytest.approx(true, rel=0.03)


def test_epochs_that_are_too_short_even_together_are_refused(open_on, nvml, clock):
    epochs = EpochMeter(open_on("cuda", nvml=nvml))
    train(epochs, clock, 4, 0.5)
    with pytest.raises(MeterError, match=r"4 epochs of 2 s in all are too short .* need 4 s"):
        epochs.finish()
    assert clock.ticking == 0


def test_a_group_of_nothing_is_an_error(open_on, nvml, gpu, clock):
    epochs = EpochMeter(open_on("cuda", nvml=nvml))
    train(epochs, clock, 1, 3.0)
    stuck_mj = gpu.row(3.0)[2]
    gpu.counter = lambda mj: stuck_mj
    train(epochs, clock, 2, 3.0)
    with pytest.raises(MeterError, match=r"read 0 J .* over epochs 2 to 2"):
        epochs.finish()


def test_the_estimate_needs_no_groups(open_on, tmp_path, clock):
    epochs = EpochMeter(open_on("cpu", root=tmp_path, estimate_w_per_core=10.0))
    train(epochs, clock, 50, 0.001, evaluation_s=1.0)
    energies = epochs.finish()
    np.testing.assert_allclose(energies.energy_j, 0.01)
    assert not energies.apportioned
    assert energies.reading.source == "estimated"


def test_a_resumed_training_has_the_energy_of_an_unbroken_one(open_on, nvml, gpu, clock):
    gpu.processes.append((7, 8.0, 10.0))
    clock.sleep(6.0)
    before = EpochMeter(open_on("cuda", nvml=nvml))
    train(before, clock, 2, 3.0, evaluation_s=1.0)
    state = json.loads(json.dumps(before.state_dict()))
    after = EpochMeter(open_on("cuda", nvml=nvml))
    after.load_state_dict(state)
    assert len(after) == 2
    train(after, clock, 2, 3.0, evaluation_s=1.0)
    energies = after.finish()
    true = [energy_j(SLOW, 6.0 + 4 * e, 9.0 + 4 * e) for e in range(4)]
    np.testing.assert_allclose(energies.energy_j, true, rtol=0.02)
    assert energies.total_j == pytest.approx(energies.energy_j.sum())
    assert energies.reading.duration_s == pytest.approx(12.0)
    assert energies.reading.other_processes == (7,)
    assert energies.reading.flags == ("other_processes", "resumed")
    assert json.loads(json.dumps(energies.to_dict(), allow_nan=False))["groups"] == [1, 1, 1, 1]


def test_a_training_that_was_already_done_can_be_finished_again(open_on, nvml, clock):
    before = EpochMeter(open_on("cuda", nvml=nvml))
    train(before, clock, 2, 3.0)
    first = before.finish()
    after = EpochMeter(open_on("cuda", nvml=nvml))
    after.load_state_dict(before.state_dict())
    np.testing.assert_array_equal(after.finish().energy_j, first.energy_j)


def test_an_empty_state_changes_nothing(open_on, nvml, clock):
    after = EpochMeter(open_on("cuda", nvml=nvml))
    after.load_state_dict(EpochMeter(open_on("cuda", nvml=nvml)).state_dict())
    train(after, clock, 1, 3.0)
    assert after.finish().reading.flags == ()


def test_company_that_one_process_could_not_see_stays_unknown(open_on, nvml, gpu, clock):
    gpu.fail(PROCESSES)
    before = EpochMeter(open_on("cuda", nvml=nvml))
    train(before, clock, 1, 3.0)
    gpu.errors.clear()
    after = EpochMeter(open_on("cuda", nvml=nvml))
    after.load_state_dict(before.state_dict())
    train(after, clock, 1, 3.0)
    reading = after.finish().reading
    assert reading.other_processes is None
    assert reading.flags == ("processes_unknown", "resumed")


def test_joules_had_in_different_ways_are_not_added(open_on, nvml, gpu, clock):
    before = EpochMeter(open_on("cuda", nvml=nvml))
    train(before, clock, 1, 3.0)
    state = before.state_dict()
    gpu.fail(COUNTER)
    after = EpochMeter(open_on("cuda", nvml=nvml))
    with pytest.raises(MeterError, match=r"source: .*'nvml_counter', .* 'nvml_sampled'"):
        after.load_state_dict(state)


def test_a_state_comes_before_the_first_epoch(open_on, nvml, clock):
    epochs = EpochMeter(open_on("cuda", nvml=nvml))
    train(epochs, clock, 1, 3.0)
    with pytest.raises(MeterError, match="before the first epoch"):
        epochs.load_state_dict(epochs.state_dict())


def test_an_epoch_that_fails_is_dropped(open_on, nvml, clock):
    epochs = EpochMeter(open_on("cuda", nvml=nvml))
    train(epochs, clock, 1, 3.0)
    with pytest.raises(FloatingPointError), epochs.epoch():
        clock.sleep(1.0)
        raise FloatingPointError
    assert len(epochs) == 1
    assert epochs.finish().reading.duration_s == pytest.approx(3.0)


def test_calls_out_of_order_are_named(open_on, nvml, clock):
    epochs = EpochMeter(open_on("cuda", nvml=nvml))
    with pytest.raises(MeterError, match="no epoch is open"):
        epochs.pause()
    with pytest.raises(MeterError, match="no epoch was metered"):
        epochs.finish()
    epochs.start()
    with pytest.raises(MeterError, match="already open"):
        epochs.start()
    with pytest.raises(MeterError, match="an epoch is open"):
        epochs.finish()


def test_a_failure_between_epochs_is_not_lost(open_on, nvml, gpu, clock):
    epochs = EpochMeter(open_on("cuda", nvml=nvml))
    train(epochs, clock, 1, 3.0)
    gpu.fail("instant", 10)
    clock.sleep(1.0)
    gpu.errors.clear()
    with pytest.raises(MeterError, match="in the meantime"):
        epochs.start()
