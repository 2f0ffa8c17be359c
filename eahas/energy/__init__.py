"""The energy meter: measures the joules that a computation uses, and records how it measured them.

`open_meter` chooses an energy source and gives the reason. `Meter` measures the energy of a time
window, `EpochMeter` that of each epoch of a training. docs/energy.md explains each field of a
reading.
"""

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
