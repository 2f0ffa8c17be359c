"""The energy meter: how many joules a piece of work used, and how that is known.

`open_meter` chooses a source and says why; `Meter` reads windows; `EpochMeter` reads the epochs of
a training. Everything that a reading carries is explained in docs/energy.md.
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
