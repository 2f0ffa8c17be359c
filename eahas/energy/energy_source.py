"""Sources of energies: the known sources, and the class of those that a spec declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .reading import ESTIMATED, NVML_COUNTER, NVML_SAMPLED, RAPL

BOUNDARIES: Mapping[str, str] = {
    "cpu": "the processor, with its memory where the sensor covers it",
    "gpu": "the GPU or other accelerator, all of them where there are several",
    "gpu+cpu": "GPU and processor together",
    "node": "the whole machine, from sensors inside it and a stated rest",
    "wall": "the whole machine at the socket, with the losses of its power supply",
}
"""The parts of a machine that an energy covers. Different boundaries are never compared."""

IDLE: Mapping[str, str] = {
    "included": "the energy that the machine uses at rest is part of it",
    "subtracted": "the energy that the machine uses at rest was subtracted",
}
"""How an energy treats idle power."""

MIXED, NO_SOURCE = "mixed", "none"
"""The names of the source if there are several sources, and if none is stated."""


@dataclass(frozen=True)
class EnergySource:
    """A source of energies.

    Attributes:
        name: the name that is displayed with each energy from this source.
        description: how it obtains energies, in one line.
        measured: whether a sensor measures the energies. Reports label all others as not measured.
        boundary: what its energies cover, a name from `BOUNDARIES`; None if it varies.
        idle: a name from `IDLE`; None if it varies or does not apply.
        from_time: whether the energies are computed from the time, so that they scale with it on a
            slower machine.
    """

    name: str
    description: str
    measured: bool
    boundary: str | None = None
    idle: str | None = None
    from_time: bool = False


KNOWN_SOURCES: Mapping[str, EnergySource] = {
    source.name: source
    for source in (
        EnergySource(NVML_COUNTER, "NVML's total-energy counter", True, "gpu", "included"),
        EnergySource(NVML_SAMPLED, "NVML's power, sampled and integrated", True, "gpu", "included"),
        EnergySource(RAPL, "CPU packages and DRAM, from powercap", True, "cpu", "included"),
        EnergySource(ESTIMATED, "CPU time x stated power", False, "cpu", from_time=True),
    )
}
"""The sources of the meters in this package. A spec may declare others."""
