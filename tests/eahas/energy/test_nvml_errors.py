"""Every error code that NVML has, at opening and in the middle of a window."""

from __future__ import annotations

import pytest
from fake_nvml import COUNTER, FIELDS, POWER, FakeNvml

from eahas.errors import MeterError

pynvml = pytest.importorskip("pynvml")

CODES = {
    name: getattr(pynvml, name) for name in sorted(dir(pynvml)) if name.startswith("NVML_ERROR_")
}
every_code = pytest.mark.parametrize("code", CODES.values(), ids=CODES.keys())


@pytest.fixture
def real_errors(clock, gpu) -> FakeNvml:
    """The fake, raising pynvml's own exceptions."""
    return FakeNvml(clock, [gpu], error_class=pynvml.NVMLError)


def test_the_codes_that_matter_are_among_them():
    assert {"NVML_ERROR_NOT_SUPPORTED", "NVML_ERROR_GPU_IS_LOST", "NVML_ERROR_UNKNOWN"} <= set(
        CODES
    )
    assert len(CODES) > 20


@every_code
def test_nvml_that_does_not_start(open_on, real_errors, code):
    real_errors.init_error = code
    with pytest.raises(MeterError, match=rf"nvml_counter and nvml_sampled: .*code {code}\)"):
        open_on("cuda", nvml=real_errors)


@every_code
def test_a_counter_that_fails_at_opening_is_passed_over_with_the_reason(
    open_on, real_errors, gpu, code
):
    gpu.fail(COUNTER, code)
    meter = open_on("cuda", nvml=real_errors)
    assert meter.source == "nvml_sampled"
    assert f"(code {code})" in meter.why[0]
    with pytest.raises(
        MeterError, match=rf"no energy source for cuda: nvml_counter: .*code {code}\)"
    ):
        open_on("cuda", nvml=real_errors, source="nvml_counter")
    assert real_errors.open == 1


@every_code
def test_nothing_that_can_be_read_at_opening(open_on, real_errors, gpu, code):
    for function in (COUNTER, FIELDS, POWER):
        gpu.fail(function, code)
    with pytest.raises(
        MeterError,
        match=rf"nvml_counter(: .*code {code}\).*| and )nvml_sampled: .*code {code}\).*; look",
    ):
        open_on("cuda", nvml=real_errors)
    assert real_errors.open == 0


@every_code
def test_a_counter_that_fails_in_the_middle(open_on, real_errors, gpu, clock, code):
    window = open_on("cuda", nvml=real_errors).start()
    gpu.fail(COUNTER, code, from_s=1.5)
    clock.sleep(3.0)
    with pytest.raises(MeterError, match=rf"code {code}\)"):
        window.stop()


@every_code
def test_power_that_fails_in_the_middle(open_on, real_errors, gpu, clock, code):
    gpu.fail(COUNTER)
    window = open_on("cuda", nvml=real_errors).start()
    gpu.fail("instant", code, from_s=1.5)
    clock.sleep(3.0)
    with pytest.raises(MeterError, match=rf"code {code}\)"):
        window.stop()


def test_a_binding_that_lacks_a_function(open_on, nvml, monkeypatch):
    monkeypatch.delattr(FakeNvml, COUNTER)
    meter = open_on("cuda", nvml=nvml)
    assert meter.source == "nvml_sampled"
    assert "no such function" in meter.why[0]


def test_names_that_cannot_be_had_are_unknown_and_failures_are_not(
    open_on, real_errors, gpu, clock
):
    gpu.fail("nvmlDeviceGetEnforcedPowerLimit", pynvml.NVML_ERROR_NOT_SUPPORTED)
    with open_on("cuda", nvml=real_errors).window() as window:
        clock.sleep(2.0)
    assert window.reading.power_limit_w is None
    gpu.fail("nvmlDeviceGetEnforcedPowerLimit", pynvml.NVML_ERROR_GPU_IS_LOST)
    with pytest.raises(MeterError, match="GPU is lost"):
        open_on("cuda", nvml=real_errors)


def test_a_missing_package_is_a_reason(open_on, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    with pytest.raises(MeterError, match=r"nvidia-ml-py.*not installed"):
        open_on("cuda")
