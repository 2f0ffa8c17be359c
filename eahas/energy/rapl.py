"""CPU and DRAM energy as the Linux kernel shows it: the powercap tree of RAPL.

Layout: `intel-rapl:N` is a package (or `psys`, which holds the packages and is left out),
`intel-rapl:N:M` a part of it; of the parts only `dram` is not inside the package. The tree bears
the name `intel-rapl` on AMD machines too. `intel-rapl-mmio:*` shows the same packages a second time
and is left out. See Documentation/power/powercap/powercap.rst of the kernel.
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
"""Often enough that no domain can wrap twice unseen: the smallest hold 65 kJ, a minute at 1 kW."""

MAX_POWER_W = 1000.0
"""More than one package, or the memory of one, can draw."""


@dataclass(frozen=True)
class Zone:
    """One RAPL domain: its name, the file of its counter, and where the counter wraps."""

    name: str
    energy_uj: Path
    max_uj: int

    @property
    def is_dram(self) -> bool:
        """Whether this is memory and no package."""
        return self.name.endswith("/dram")


class RaplSource:
    """Packages plus DRAM, summed. The counters cover every process of the machine.

    Raises:
        MeterError: there is no RAPL here, or it may not be read.
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
            tells_dram=has_dram,
            flags=("machine_wide", *(() if has_dram else ("dram_not_metered",)), *flags),
        )

    def begin(self, t_s: float) -> None:
        """Count from here."""
        for zone, counter in self._counters:
            counter.rebase(_read_int(zone.energy_uj), t_s)

    def poll(self, t_s: float) -> None:
        """Read every counter, so that no wrap is missed in a long window."""
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
        """The whole machine is always in the reading; the flag `machine_wide` says so."""
        return OtherProcesses()


def find_zones(root: Path) -> list[Zone]:
    """The package domains under `root` and the DRAM domains inside them, by number.

    Raises:
        MeterError: there is none, or a file of one cannot be read.
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
            f"{path} may not be read: since Linux 5.10 only root may, unless the administrator "
            f"gives the right"
        ) from error
    except OSError as error:
        raise MeterError(f"{path} cannot be read: {error.strerror}") from error


def _read_int(path: Path) -> int:
    text = _read_text(path)
    try:
        return int(text)
    except ValueError as error:
        raise MeterError(f"{path} should hold a whole number, not {text!r}") from error
