"""RAPL against a made-up powercap folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from eahas.energy import rapl
from eahas.errors import MeterError

RANGE_UJ = 262_143_328_850


class Powercap:
    """A powercap folder whose counters are set by hand."""

    def __init__(self, root: Path, zones: dict[str, str]) -> None:
        self.root = root
        for folder, name in zones.items():
            (root / folder).mkdir()
            (root / folder / "name").write_text(f"{name}\n")
            (root / folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
            self.set(folder, 1_000_000)

    def set(self, folder: str, energy_uj: int) -> None:
        (self.root / folder / "energy_uj").write_text(f"{energy_uj}\n")


@pytest.fixture
def powercap(tmp_path) -> Powercap:
    """Two packages, one with DRAM, and everything that must not be counted twice."""
    return Powercap(
        tmp_path,
        {
            "intel-rapl:0": "package-0",
            "intel-rapl:0:0": "core",
            "intel-rapl:0:1": "dram",
            "intel-rapl:1": "package-1",
            "intel-rapl:2": "psys",
            "intel-rapl-mmio:0": "package-0",
        },
    )


@pytest.fixture
def meter(open_on, powercap):
    return open_on("cpu", root=powercap.root)


def test_packages_and_dram_are_summed_and_nothing_twice(meter, powercap, clock):
    with meter.window() as window:
        clock.sleep(1.0)
        for folder in ("intel-rapl:0", "intel-rapl:1"):
            powercap.set(folder, 31_000_000)
        powercap.set("intel-rapl:0:1", 3_500_000)
        for folder in ("intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0"):
            powercap.set(folder, 99_000_000)
    reading = window.reading
    assert reading.energy_j == pytest.approx(30.0 + 30.0 + 2.5)
    assert reading.dram_j == pytest.approx(2.5)
    assert reading.source == "rapl"
    assert reading.formula.endswith("over package-0, package-0/dram, package-1")
    assert reading.flags == ("machine_wide",)
    assert reading.samples == 1
    assert (reading.disagreement, reading.other_processes, reading.mig) == (None, None, None)


def test_a_counter_wraps_at_its_range(meter, powercap, clock):
    powercap.set("intel-rapl:0", RANGE_UJ - 2_000_000)
    with meter.window() as window:
        clock.sleep(1.0)
        powercap.set("intel-rapl:0", 5_000_000)
    assert window.reading.energy_j == pytest.approx(7.0)
    assert "counter_wrapped" in window.reading.flags


def test_long_windows_are_polled_so_that_no_wrap_is_missed(meter, powercap, clock):
    energy_uj = 1_000_000
    with meter.window() as window:
        for _ in range(60):
            clock.sleep(10.0)
            energy_uj += 9_000_000_000
            powercap.set("intel-rapl:1", energy_uj % RANGE_UJ)
        clock.sleep(0.5)
    assert window.reading.energy_j == pytest.approx(60 * 9000.0)


def test_a_counter_left_unread_for_too_long_is_an_error(open_on, powercap, clock):
    meter = open_on(
        "cpu", root=powercap.root, ticker=lambda callback, _: clock.ticker(callback, 1e9)
    )
    window = meter.start()
    clock.sleep(300.0)
    with pytest.raises(MeterError, match=r"not read for 300\.0 s and may have wrapped"):
        window.stop()


def test_a_reset_is_an_error_naming_both_values(meter, powercap, clock):
    powercap.set("intel-rapl:0", 100_000_000_000)
    window = meter.start()
    clock.sleep(1.0)
    powercap.set("intel-rapl:0", 5)
    with pytest.raises(MeterError, match=r"package-0 .* decreased from 100000000000 to 5"):
        window.stop()


def test_a_window_of_nothing_is_an_error(meter, clock):
    window = meter.start()
    clock.sleep(1.0)
    with pytest.raises(MeterError, match="rapl read 0 J"):
        window.stop()


def test_a_window_of_few_ticks_is_refused(meter, powercap, clock):
    window = meter.start()
    clock.sleep(0.01)
    powercap.set("intel-rapl:0", 2_000_000)
    with pytest.raises(MeterError, match=r"too short for rapl .* at least 0\.02 s"):
        window.stop()


def test_idle_power_of_the_machine(meter, powercap, clock):
    meter._sleep = lambda seconds: (clock.sleep(seconds), powercap.set("intel-rapl:0", 51_000_000))
    assert meter.measure_idle(2.0) == pytest.approx(25.0)


def test_no_dram_domain_is_flagged(open_on, tmp_path, clock):
    powercap = Powercap(tmp_path, {"intel-rapl:0": "package-0"})
    with open_on("cpu", root=tmp_path).window() as window:
        clock.sleep(1.0)
        powercap.set("intel-rapl:0", 9_000_000)
    assert window.reading.flags == ("dram_not_metered", "machine_wide")


def test_without_rapl_the_estimate_is_used_and_the_reason_kept(open_on, tmp_path):
    meter = open_on("cpu", root=tmp_path, estimate_w_per_core=8.0)
    assert meter.source == "estimated"
    assert meter.why == (f"rapl: no package domain of RAPL under {tmp_path}",)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied"), "may not be read: since Linux 5.10 only root"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
    ],
)
def test_counters_that_cannot_be_read(open_on, powercap, monkeypatch, error, message):
    read_text = Path.read_text

    def refuse(path, *args, **kwargs):
        if path.name == "energy_uj":
            raise error
        return read_text(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", refuse)
    meter = open_on("cpu", root=powercap.root, estimate_w_per_core=8.0)
    assert meter.source == "estimated"
    assert message in meter.why[0]
    with pytest.raises(MeterError, match=message):
        open_on("cpu", root=powercap.root, source="rapl")


def test_a_counter_that_goes_away_in_the_middle(meter, powercap, clock):
    window = meter.start()
    (powercap.root / "intel-rapl:0" / "energy_uj").unlink()
    clock.sleep(1.0)
    with pytest.raises(MeterError, match=r"energy_uj cannot be read: No such file"):
        window.stop()


def test_a_counter_that_is_no_number(powercap):
    (powercap.root / "intel-rapl:0" / "max_energy_range_uj").write_text("soon\n")
    with pytest.raises(MeterError, match="should contain a whole number, not 'soon'"):
        rapl.find_zones(powercap.root)
