"""The documented path of the energy meters, which now stand in `eahas.energy`."""

from eahas.energy import ESTIMATED as ESTIMATED
from eahas.energy import FLAGS as FLAGS
from eahas.energy import RAPL as RAPL
from eahas.energy import SOURCES as SOURCES
from eahas.energy import EnergyReading as EnergyReading
from eahas.energy import EpochEnergies as EpochEnergies
from eahas.energy import EpochMeter as EpochMeter
from eahas.energy import Meter as Meter
from eahas.energy import Window as Window
from eahas.energy import apportion as apportion
from eahas.energy import honest_groups as honest_groups
from eahas.energy import open_meter as open_meter
