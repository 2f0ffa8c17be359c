"""CPU and DRAM energy from RAPL, which the Linux kernel exposes as a powercap folder tree.

Layout: `intel-rapl:N` is a CPU package (or `psys`, which contains the packages and is not used).
`intel-rapl:N:M` is a part of a package; of these only `dram` is not already counted in the package.
AMD machines use the name `intel-rapl` too. `intel-rapl-mmio:*` repeats the same packages and is not
used. Source: Documentation/power/powercap/powercap.rst of the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eahas.errors import MeterError

from .counter import WrappingCounter
from .cpu import cpu_name
from .reading import RAPL
from .source import OtherProcesses, SourceFacts, Totals

POWERCAP = Path("/sys/class/powercap")

EDGE_S = 0.001
"""The counters are updated about every millisecond (Intel SDM vol. 3B, 'RAPL Interfaces')."""

POLL_S = 10.0
"""Short enough that no counter wraps twice between polls: the smallest wraps at 65 kJ, which takes
a minute at 1 kW."""

MAX_POWER_W = 1000.0
"""An upper bound of the power of one package, and of its memory."""


@dataclass(frozen=True)
class Zone:
    """One RAPL domain: its name, the file of its counter, and the value at which it wraps."""

    name: str
    energy_uj: Path
    max_uj: int

    @property
    def is_dram(self) -> bool:
        """Whether this domain is the memory of a package."""
        return self.name.endswith("/dram")


class RaplSource:
    """The sum of all package and DRAM counters, which cover every process of the machine.

    Args:
        root: the powercap folder.
        device: name of the device; by default the model name of the CPU.
        flags: additional flags of every reading.

    Raises:
        MeterError: the machine has no RAPL, or its files cannot be read.
    """

    poll_period_s = POLL_S

    def __init__(
        self, root: Path = POWERCAP, *, device: str | None = None, flags: tuple[str, ...] = ()
    ) -> None:
        zones = find_zones(root)
        self._counters = [
            (
                zone,
                WrappingCounter(
                    f"RAPL {zone.name} (microjoules)",
                    unit_j=1e-6,
                    wraps_at=(zone.max_uj,),
                    max_power_w=MAX_POWER_W,
                ),
            )
            for zone in zones
        ]
        for zone in zones:
            _read_int(zone.energy_uj)
        has_dram = any(zone.is_dram for zone in zones)
        self._samples = 0
        self.facts = SourceFacts(
            source=RAPL,
            formula="sum of differences of energy_uj over "
            + ", ".join(zone.name for zone in zones),
            device=cpu_name() if device is None else device,
            edge_s=EDGE_S,
            has_dram=has_dram,
            flags=("machine_wide", *(() if has_dram else ("dram_not_metered",)), *flags),
        )

    def begin(self, t_s: float) -> None:
        """Count from the current values."""
        for zone, counter in self._counters:
            counter.rebase(_read_int(zone.energy_uj), t_s)

    def poll(self, t_s: float) -> None:
        """Read every counter, so that no wrap goes unnoticed in a long window."""
        for zone, counter in self._counters:
            counter.advance(_read_int(zone.energy_uj), t_s)
        self._samples += 1

    def read(self, t_s: float, cpu_time_s: float) -> Totals:
        """Joules of all domains since the source was opened."""
        self.poll(t_s)
        return Totals(
            energy_j=sum(counter.total_j for _, counter in self._counters),
            samples=self._samples,
            wraps=sum(counter.wraps for _, counter in self._counters),
            dram_j=sum(counter.total_j for zone, counter in self._counters if zone.is_dram),
        )

    def other_processes(self, since_s: float) -> OtherProcesses:
        """Unknown: the reading covers the whole machine and has the flag `machine_wide`."""
        return OtherProcesses()


def find_zones(root: Path) -> list[Zone]:
    """The package domains under `root` and their DRAM domains, in the order of the folder names.

    Raises:
        MeterError: there is no package domain, or a file cannot be read.
    """
    zones = []
    for folder in sorted(root.glob("intel-rapl:*")):
        name = _read_text(folder / "name")
        parent = folder.name.rpartition(":")[0]
        if folder.name.count(":") == 1 and name.startswith("package"):
            zones.append(_zone(name, folder))
        elif folder.name.count(":") == 2 and name == "dram":
            package = _read_text(root / parent / "name")
            zones.append(_zone(f"{package}/dram", folder))
    if not zones:
        raise MeterError(f"no package domain of RAPL under {root}")
    return zones


def _zone(name: str, folder: Path) -> Zone:
    return Zone(name, folder / "energy_uj", _read_int(folder / "max_energy_range_uj"))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except PermissionError as error:
        raise MeterError(
            f"{path} may not be read: since Linux 5.10 only root may read it, unless the "
            f"administrator changes its permissions"
        ) from error
    except OSError as error:
        raise MeterError(f"{path} cannot be read: {error.strerror}") from error


def _read_int(path: Path) -> int:
    text = _read_text(path)
    try:
        return int(text)
    except ValueError as error:
        raise MeterError(f"{path} should contain a whole number, not {text!r}") from error
