"""Choosing a source, and the estimate at the end of the list."""

from __future__ import annotations

import json

import pytest

from eahas.energy import FLAGS, SOURCES, open_meter
from eahas.energy.cpu import cpu_name
from eahas.errors import MeterError


def test_the_estimate_is_cpu_time_times_stated_watts(open_on, tmp_path, clock):
    meter = open_on("cpu", root=tmp_path, estimate_w_per_core=7.5)
    clock.busy_cores = 1.5
    with meter.window() as window:
        clock.sleep(4.0)
    reading = window.reading
    assert reading.energy_j == reading.cpu_time_s * 7.5 == 45.0
    assert reading.source == meter.source == "estimated"
    assert reading.formula == "cpu_time_s x 7.5 W per busy core"
    assert meter.min_window_s == 0.0
    assert meter.measure_idle() is None
    assert clock.now_s == 4.0
    assert (reading.idle_power_w, reading.systematic, reading.flags) == (None, None, ())


def test_the_real_clocks_give_an_estimate(tmp_path):
    with open_meter("cpu", root=tmp_path, estimate_w_per_core=8.0) as meter:
        reading = meter.measure_repeated(lambda: sum(range(1000)))
        assert reading.repeats == 1
        assert reading.energy_j == pytest.approx(8.0 * reading.cpu_time_s)


def test_no_cpu_time_is_an_error_and_not_zero(open_on, tmp_path, clock):
    clock.busy_cores = 0.0
    window = open_on("cpu", root=tmp_path, estimate_w_per_core=8.0).start()
    clock.sleep(1.0)
    with pytest.raises(MeterError, match="estimated read 0 J"):
        window.stop()


def test_no_source_at_all_lists_each_reason(open_on, tmp_path):
    with pytest.raises(
        MeterError, match=r"for cpu: rapl: no package.*; estimated: .*was not given"
    ):
        open_on("cpu", root=tmp_path)


@pytest.mark.parametrize("watts", [0.0, -3.0, float("nan"), float("inf")])
def test_stated_watts_must_be_watts(open_on, watts):
    with pytest.raises(MeterError, match="positive number of watts"):
        open_on("cpu", source="estimated", estimate_w_per_core=watts)


def test_an_unknown_source_or_device_names_what_is_allowed(open_on):
    with pytest.raises(MeterError, match="did you mean 'nvml_counter'"):
        open_on("cuda", source="nvml_count")
    for device in ("cuda:x", "gpu", "mps", "", "cuda:"):
        with pytest.raises(MeterError, match="'cpu', 'gpus', 'cuda' or 'cuda:N'"):
            open_on(device)
    with pytest.raises(MeterError, match="at least one"):
        open_on([])
    with pytest.raises(MeterError, match="'cpu'"):
        open_on(["cuda:0", "cpu"])
    with pytest.raises(MeterError, match="sample_period_s"):
        open_on("cuda", sample_period_s=0.0)


def test_nvml_does_not_meter_a_cpu(open_on, nvml):
    with pytest.raises(MeterError, match="the device is the CPU"):
        open_on("cpu", nvml=nvml, source="nvml_counter")


def test_a_gpu_never_falls_through_to_what_sees_only_the_cpu(open_on, nvml, gpu, clock, tmp_path):
    nvml.init_error = 9
    with pytest.raises(MeterError, match="no energy source for cuda"):
        open_on("cuda", nvml=nvml, estimate_w_per_core=8.0, root=tmp_path)
    meter = open_on("cuda", nvml=nvml, source="estimated", estimate_w_per_core=8.0)
    with meter.window() as window:
        clock.sleep(1.0)
    assert window.reading.flags == ("gpu_not_metered",)


def test_a_reading_is_json(open_on, nvml, clock):
    with open_on("cuda", nvml=nvml).window() as window:
        clock.sleep(2.0)
    plain = json.loads(json.dumps(window.reading.to_dict(), allow_nan=False))
    assert plain["energy_j"] == window.reading.energy_j
    assert plain["mean_power_w"] == window.reading.mean_power_w
    assert plain["disagreement"] == window.reading.disagreement
    assert plain["source"] in SOURCES
    assert plain["flags"] == []


def test_every_flag_has_a_meaning():
    assert all(FLAGS[name] and name == name.lower() for name in FLAGS)


def test_the_cpu_has_a_name(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert cpu_name(info) == "Some CPU @ 2 GHz"
    assert cpu_name(tmp_path / "none")
