"""GPU meters against replayed traces: what is read, what is refused, what is flagged."""

from __future__ import annotations

import itertools
import statistics
import threading
import time

import pytest
from fake_nvml import COUNTER, GPU_IS_LOST, MIG, POWER, PROCESSES, FakeGpu, FakeNvml
from traces import FAST, FOLDER, SLOW, Load, energy_j, read_trace, synthesise, to_csv

from eahas.energy import open_meter
from eahas.errors import MeterError

TICK_J = 0.1 * 420


@pytest.mark.parametrize("load", [SLOW, FAST])
def test_traces_are_what_the_synthesiser_writes(load):
    assert (FOLDER / f"{load.name}.csv").read_text() == to_csv(load)


def test_counter_reads_the_true_energy_to_a_tick(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    clock.sleep(6.03)
    with meter.window() as window:
        clock.sleep(14.9)
    reading = window.reading
    assert (meter.source, meter.why, meter.min_window_s) == ("nvml_counter", (), 2.0)
    assert reading.energy_j == pytest.approx(energy_j(SLOW, 6.03, 20.93), abs=2 * TICK_J)
    assert reading.duration_s == pytest.approx(14.9)
    assert reading.cpu_time_s == pytest.approx(14.9)
    assert reading.source == "nvml_counter"
    assert reading.samples > 140
    assert abs(reading.disagreement) < 0.02
    assert reading.device == "Fake H100"
    assert reading.driver == "999.1"
    assert reading.power_limit_w == 700.0
    assert reading.mig is False
    assert reading.other_processes == ()
    assert reading.systematic == 0.05
    assert reading.statistical == pytest.approx(0.1 / 6**0.5 / 14.9)
    assert reading.flags == ()


def test_windows_at_all_phases_of_the_sensor_differ_as_the_reading_says(open_on, clock):
    steady = Load("steady", 0.1, ((400.0, 300.0),), ripple_w=0.0)
    meter = open_on("cuda", nvml=FakeNvml(clock, [FakeGpu(synthesise(steady))]))
    readings = []
    for phase in range(60):
        clock.sleep(0.1 * 0.61803 * phase % 0.1 + 0.1)
        with meter.window() as window:
            clock.sleep(2.0 + 0.1 * 0.7548 * phase % 0.1)
        readings.append(window.reading)
    spread = statistics.stdev(reading.mean_power_w for reading in readings) / 300.0
    assert spread == pytest.approx(readings[0].statistical, rel=0.25)


def test_fast_ticks_are_read_too(open_on, clock):
    nvml = FakeNvml(clock, [FakeGpu(read_trace(FOLDER / "fast.csv"))])
    meter = open_on("cuda:0", nvml=nvml)
    clock.sleep(1.0)
    with meter.window() as window:
        clock.sleep(4.0)
    assert window.reading.energy_j == pytest.approx(energy_j(FAST, 1.0, 5.0), abs=0.04 * 420)


def test_without_a_counter_power_is_sampled_and_the_reason_kept(open_on, nvml, gpu, clock):
    gpu.fail(COUNTER)
    meter = open_on("cuda", nvml=nvml)
    clock.sleep(6.0)
    with meter.window() as window:
        clock.sleep(12.0)
    assert meter.source == window.reading.source == "nvml_sampled"
    assert meter.why == (
        "nvml_counter: NVML: error number 3 (code 3) from nvmlDeviceGetTotalEnergyConsumption",
    )
    assert window.reading.energy_j == pytest.approx(energy_j(SLOW, 6.0, 18.0), rel=0.02)
    assert window.reading.samples >= 120
    assert window.reading.disagreement is None
    assert window.reading.flags == ()


def test_averaged_power_needs_a_longer_window_and_is_flagged(open_on, nvml, gpu, clock):
    gpu.fail(COUNTER)
    gpu.fail("instant")
    meter = open_on("cuda", nvml=nvml)
    assert meter.min_window_s == 10.0
    with meter.window() as window:
        clock.sleep(10.0)
    assert window.reading.flags == ("power_may_be_averaged",)


@pytest.mark.parametrize("code", [2, 3, 13])
def test_an_instant_field_that_the_driver_does_not_know_is_passed_over(open_on, nvml, gpu, code):
    gpu.fail("instant", code)
    assert open_on("cuda", nvml=nvml).source == "nvml_counter"


def test_a_counter_without_any_power_has_nothing_to_be_compared_with(open_on, nvml, gpu, clock):
    gpu.fail("instant")
    gpu.fail(POWER)
    meter = open_on("cuda", nvml=nvml)
    with meter.window() as window:
        clock.sleep(3.0)
    assert (window.reading.samples, window.reading.disagreement) == (0, None)
    assert window.reading.flags == ("no_power_samples",)


def test_a_counter_that_never_counted_is_not_used(open_on, nvml, gpu):
    gpu.counter = lambda mj: 0
    meter = open_on("cuda", nvml=nvml)
    assert meter.source == "nvml_sampled"
    assert "reads 0 mJ" in meter.why[0]


def test_a_stuck_counter_is_an_error_and_not_zero(open_on, nvml, gpu, clock):
    gpu.counter = lambda mj: 5_000
    window = open_on("cuda", nvml=nvml).start()
    clock.sleep(4.0)
    with pytest.raises(MeterError, match=r"read 0 J on Fake H100 .* power samples: 2\d\d"):
        window.stop()


def test_a_short_window_is_refused_and_says_what_to_do(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    window = meter.start()
    clock.sleep(1.9)
    with pytest.raises(MeterError, match=r"1\.9 s is too short .* at least 2 s.*measure_repeated"):
        window.stop()
    assert clock.ticking == 0


def test_short_work_is_repeated_and_divided(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    clock.sleep(6.0)
    reading = meter.measure_repeated(lambda: clock.sleep(0.25))
    assert reading.repeats == 8
    assert reading.duration_s == pytest.approx(0.25)
    assert reading.energy_j == pytest.approx(energy_j(SLOW, 6.0, 8.0) / 8, rel=0.05)
    assert abs(reading.disagreement) < 0.1
    assert "repeated" in reading.flags


def test_repetition_gives_up(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    with pytest.raises(MeterError, match=r"3 runs took 0.3 s, which does not fill a window of 2 s"):
        meter.measure_repeated(lambda: clock.sleep(0.1), max_repeats=3)
    assert clock.ticking == 0


def test_a_32_bit_counter_may_wrap(open_on, nvml, gpu, clock):
    offset = 2**32 - 3_142_600_000
    gpu.counter = lambda mj: (mj + offset) % 2**32
    meter = open_on("cuda", nvml=nvml)
    clock.sleep(6.0)
    with meter.window() as window:
        clock.sleep(12.0)
    assert gpu.counter(gpu.rows[-1][2]) < gpu.counter(gpu.rows[0][2])
    assert window.reading.energy_j == pytest.approx(energy_j(SLOW, 6.0, 18.0), abs=2 * TICK_J)
    assert window.reading.flags == ("counter_wrapped",)


def test_a_counter_that_is_reset_is_an_error_naming_both_values(open_on, nvml, gpu, clock):
    meter = open_on("cuda", nvml=nvml)
    window = meter.start()
    clock.sleep(3.0)
    gpu.counter = lambda mj: 17
    clock.sleep(3.0)
    with pytest.raises(MeterError, match=r"decreased from 3141\d+ to 17.*reloaded"):
        window.stop()


def test_rests_between_windows_are_neither_counted_nor_gaps(open_on, nvml, gpu, clock):
    meter = open_on("cuda", nvml=nvml)
    with meter.window():
        clock.sleep(2.5)
    gpu.counter = lambda mj: mj - 3_000_000_000  # the driver was reloaded while nobody looked
    clock.sleep(5.0)
    with meter.window() as window:
        clock.sleep(3.0)
    assert window.reading.energy_j == pytest.approx(energy_j(SLOW, 7.5, 10.5), abs=2 * TICK_J)
    assert window.reading.flags == ()


def test_mig_is_refused_unless_allowed(open_on, nvml, gpu, clock):
    gpu.mig = (1, 1)
    with pytest.raises(MeterError, match=r"MIG mode.*allow_mig: true"):
        open_on("cuda", nvml=nvml)
    assert nvml.open == 0
    meter = open_on("cuda", nvml=nvml, allow_mig=True)
    with meter.window() as window:
        clock.sleep(2.0)
    assert window.reading.mig is True
    assert window.reading.flags == ("mig_shared",)


@pytest.mark.parametrize(("code", "mig", "flags"), [(3, False, ()), (4, None, ("mig_unknown",))])
def test_a_gpu_that_does_not_tell_mig(open_on, nvml, gpu, clock, code, mig, flags):
    gpu.fail(MIG, code)
    with open_on("cuda", nvml=nvml).window() as window:
        clock.sleep(2.0)
    assert (window.reading.mig, window.reading.flags) == (mig, flags)


def test_two_gpus_are_summed_and_each_metered_once(open_on, clock, gpu):
    other = FakeGpu(
        read_trace(FOLDER / "fast.csv"), name="Fake A100", uuid="GPU-b", limit_mw=400_000
    )
    nvml = FakeNvml(clock, [gpu, other])
    meter = open_on(["cuda:0", "cuda:1", "cuda:0"], nvml=nvml)
    meter.measure_idle(2.0)
    with meter.window() as window:
        clock.sleep(3.0)
    reading = window.reading
    first, second = reading.parts
    assert (first.device, second.device) == ("Fake H100", "Fake A100")
    assert reading.device == meter.device == "Fake H100 + Fake A100"
    assert reading.energy_j == pytest.approx(first.energy_j + second.energy_j)
    assert reading.power_limit_w == 1100.0
    assert reading.idle_power_w == pytest.approx(first.idle_power_w + second.idle_power_w)
    assert reading.duration_s == pytest.approx(3.0)
    assert reading.samples == first.samples + second.samples
    assert second.energy_j == pytest.approx(energy_j(FAST, 2.0, 5.0), abs=0.04 * 420)


def test_one_dead_gpu_of_two_is_an_error(open_on, clock, gpu):
    other = FakeGpu(gpu.rows, uuid="GPU-b", counter=lambda mj: 5_000)
    window = open_on(["cuda:0", "cuda:1"], nvml=FakeNvml(clock, [gpu, other])).start()
    clock.sleep(3.0)
    with pytest.raises(MeterError, match="read 0 J"):
        window.stop()


def test_other_processes_are_seen_even_in_the_middle(open_on, nvml, gpu, clock):
    gpu.processes += [(7, 1.5, 3.5), (8, 9.0, 10.0)]
    meter = open_on("cuda", nvml=nvml)
    with meter.window() as first:
        clock.sleep(5.0)
    with meter.window() as second:
        clock.sleep(3.0)
    assert (first.reading.other_processes, first.reading.flags) == ((7,), ("other_processes",))
    assert (second.reading.other_processes, second.reading.flags) == ((), ())


def test_in_a_container_an_other_process_may_be_ourselves(open_on, nvml, gpu, clock):
    gpu.processes = [(70_001, 0.0, 99.0)]
    with open_on("cuda", nvml=nvml).window() as window:
        clock.sleep(2.0)
    assert window.reading.other_processes == (70_001,)
    assert window.reading.flags == ("other_processes", "own_pid_not_seen")


def test_processes_that_the_driver_hides_are_unknown(open_on, nvml, gpu, clock):
    gpu.fail(PROCESSES, 4)
    with open_on("cuda", nvml=nvml).window() as window:
        clock.sleep(2.0)
    assert window.reading.other_processes is None
    assert window.reading.flags == ("processes_unknown",)


def test_a_list_of_processes_that_cannot_be_had_costs_no_joules(open_on, nvml, gpu, clock):
    """999, unknown, is what some sandboxes answer."""
    gpu.fail(PROCESSES, 999)
    with open_on("cuda", nvml=nvml).window() as window:
        clock.sleep(2.0)
    assert window.reading.other_processes is None


def test_who_is_there_now_is_told_while_the_clock_runs(nvml, gpu):
    gpu.processes = [(100, 0.0, 99.0), (4242, 0.0, 99.0)]
    ticks = itertools.count()
    with open_meter("cuda", nvml=nvml, clock=lambda: next(ticks) * 1e-3, own_pids={100}) as meter:
        assert meter.others() == (4242,)
        gpu.processes = [(100, 0.0, 99.0)]
        assert meter.others() == ()


def test_disagreement_of_counter_and_samples_is_flagged(open_on, nvml, gpu, clock):
    gpu.counter = lambda mj: mj // 2
    with open_on("cuda", nvml=nvml).window() as window:
        clock.sleep(5.0)
    assert window.reading.disagreement == pytest.approx(1.0, abs=0.05)
    assert "disagreement" in window.reading.flags


def test_idle_power_is_measured_before_the_run(open_on, nvml, gpu, clock):
    meter = open_on("cuda", nvml=nvml)
    assert meter.idle_power_w is None
    assert meter.measure_idle() == pytest.approx(72.0, rel=0.05)
    assert clock.now_s == 5.0
    with meter.window() as window:
        clock.sleep(3.0)
    assert window.reading.idle_power_w == meter.idle_power_w
    with pytest.raises(MeterError, match="too short"):
        meter.measure_idle(0.5)
    gpu.processes.append((7, 0.0, 99.0))
    meter.measure_idle(2.0)
    gpu.processes.pop()
    with meter.window() as window:
        clock.sleep(3.0)
    assert "idle_not_alone" in window.reading.flags


def test_a_gpu_lost_in_the_middle_is_an_error(open_on, nvml, gpu, clock):
    gpu.fail(COUNTER, GPU_IS_LOST, from_s=1.0)
    window = open_on("cuda", nvml=nvml).start()
    clock.sleep(4.0)
    with pytest.raises(MeterError, match=r"code 15\) from nvmlDeviceGetTotalEnergyConsumption"):
        window.stop()
    assert clock.ticking == 0


def test_a_sampling_failure_that_passed_is_still_raised_at_the_end(open_on, nvml, gpu, clock):
    window = open_on("cuda", nvml=nvml).start()
    gpu.fail("instant", 10)
    clock.sleep(1.0)
    gpu.errors.clear()
    clock.sleep(3.0)
    with pytest.raises(MeterError, match=r"in the meantime: NVML: .*code 10"):
        window.stop()


def test_a_failure_of_one_window_does_not_spoil_the_next(open_on, nvml, gpu, clock):
    meter = open_on("cuda", nvml=nvml)
    gpu.fail("instant", 10, from_s=0.5)
    with pytest.raises(MeterError), meter.window():
        clock.sleep(3.0)
    gpu.errors.clear()
    with meter.window() as window:
        clock.sleep(3.0)
    assert window.reading.energy_j > 0


def test_the_real_thread_raises_its_failure_at_the_end(nvml, gpu, clock):
    meter = open_meter(
        "cuda", nvml=nvml, clock=clock, cpu_clock=clock.cpu, environ={}, sample_period_s=0.001
    )
    window = meter.start()
    gpu.fail("instant", 999)
    for _ in range(2000):
        if meter._failure is not None:
            break
        time.sleep(0.001)
    gpu.errors.clear()
    clock.sleep(3.0)
    with pytest.raises(MeterError, match=r"in the meantime: NVML: .*code 999"):
        window.stop()
    assert "energy-sampler" not in [thread.name for thread in threading.enumerate()]


def test_starved_sampling_is_flagged(open_on, nvml, gpu, clock):
    meter = open_on(
        "cuda", nvml=nvml, ticker=lambda callback, period_s: clock.ticker(callback, 1.5)
    )
    with meter.window() as window:
        clock.sleep(4.0)
    assert "sampling_gap" in window.reading.flags


def test_an_exception_in_the_block_goes_through(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    with pytest.raises(ZeroDivisionError), meter.window() as window:
        clock.sleep(3.0)
        raise ZeroDivisionError
    assert clock.ticking == 0
    with pytest.raises(MeterError, match="no reading"):
        _ = window.reading


def test_a_window_that_cannot_open_leaves_nothing_running(open_on, nvml, gpu, clock):
    def lose_the_gpu():
        gpu.fail(COUNTER, GPU_IS_LOST)

    meter = open_on("cuda", nvml=nvml, sync=lose_the_gpu)
    with pytest.raises(MeterError, match="code 15"):
        meter.start()
    assert clock.ticking == 0


def test_windows_may_overlap(open_on, nvml, clock):
    meter = open_on("cuda", nvml=nvml)
    with meter.window() as outer:
        clock.sleep(2.0)
        with meter.window() as inner:
            clock.sleep(2.0)
        clock.sleep(2.0)
    assert outer.reading.energy_j == pytest.approx(energy_j(SLOW, 0.0, 6.0), abs=2 * TICK_J)
    assert inner.reading.energy_j == pytest.approx(energy_j(SLOW, 2.0, 4.0), abs=2 * TICK_J)


def test_queued_work_is_waited_for_at_both_edges(open_on, nvml, clock):
    waits = []
    meter = open_on("cuda", nvml=nvml, sync=lambda: waits.append(clock.now_s))
    with meter.window():
        clock.sleep(2.0)
    assert waits == [0.0, 2.0]


def test_closing_lets_nvml_go_and_ends_sampling(open_on, nvml, clock):
    with open_on("cuda", nvml=nvml) as meter:
        window = meter.start()
        assert (nvml.open, clock.ticking) == (1, 1)
    meter.close()
    assert (nvml.open, clock.ticking) == (0, 0)
    with pytest.raises(MeterError, match="closed"):
        meter.start()
    assert window is not None


def test_a_window_closes_once(open_on, nvml, clock):
    window = open_on("cuda", nvml=nvml).start()
    clock.sleep(2.0)
    window.stop()
    with pytest.raises(MeterError, match="closed already"):
        window.stop()
