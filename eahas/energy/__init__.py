"""The energy meter: measures the joules that a computation uses, and records how it measured them.

`open_meter` chooses an energy source and gives the reason. `Meter` measures the energy of a time
window, `EpochMeter` that of each epoch of a training. docs/energy.md explains each field of a
reading.

The meters are imported at their first use: a reader of a spec needs the names of sources alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .energy_facts import EnergyFacts as EnergyFacts
    from .energy_source import BOUNDARIES as BOUNDARIES
    from .energy_source import KNOWN_SOURCES as KNOWN_SOURCES
    from .energy_source import EnergySource as EnergySource
    from .epochs import EpochEnergies as EpochEnergies
    from .epochs import EpochMeter as EpochMeter
    from .epochs import apportion as apportion
    from .epochs import honest_groups as honest_groups
    from .meter import Meter as Meter
    from .meter import Window as Window
    from .open import open_meter as open_meter
    from .reading import ESTIMATED as ESTIMATED
    from .reading import FLAGS as FLAGS
    from .reading import RAPL as RAPL
    from .reading import SOURCES as SOURCES
    from .reading import EnergyReading as EnergyReading

_MODULES = {
    **dict.fromkeys(("BOUNDARIES", "KNOWN_SOURCES", "EnergySource"), "energy_source"),
    "EnergyFacts": "energy_facts",
    **dict.fromkeys(("EpochEnergies", "EpochMeter", "apportion", "honest_groups"), "epochs"),
    **dict.fromkeys(("Meter", "Window"), "meter"),
    "open_meter": "open",
    **dict.fromkeys(("ESTIMATED", "FLAGS", "RAPL", "SOURCES", "EnergyReading"), "reading"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
