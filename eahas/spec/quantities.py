"""Quantities of targets (energy, time, accuracy, ...), their units, and factors to SI units.

A unit may be a rate (J/token, ms/image); the part after the slash is not converted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

ENERGY, POWER, TIME, LATENCY = "energy", "power", "time", "latency"
ACCURACY, ERROR, LOSS = "accuracy", "error", "loss"
THROUGHPUT, MEMORY, COUNT, OTHER = "throughput", "memory", "count", "other"
QUANTITIES = (
    *(ENERGY, POWER, TIME, ACCURACY, ERROR, LOSS),
    *(THROUGHPUT, LATENCY, MEMORY, COUNT, OTHER),
)

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
UNITS: Mapping[str, Mapping[str, float]] = {
    ENERGY: {
        "J": 1.0,
        "kJ": 1e3,
        "MJ": 1e6,
        "GJ": 1e9,
        "mJ": 1e-3,
        "uJ": 1e-6,
        "µJ": 1e-6,
        "nJ": 1e-9,
        "Ws": 1.0,
        "mWh": 3.6,
        "Wh": 3.6e3,
        "kWh": 3.6e6,
        "MWh": 3.6e9,
    },
    POWER: {"W": 1.0, "mW": 1e-3, "kW": 1e3, "MW": 1e6},
    TIME: _SECONDS,
    LATENCY: _SECONDS,
    MEMORY: {
        "B": 1.0,
        "kB": 1e3,
        "KB": 1e3,
        "MB": 1e6,
        "GB": 1e9,
        "TB": 1e12,
        "KiB": 2.0**10,
        "MiB": 2.0**20,
        "GiB": 2.0**30,
        "TiB": 2.0**40,
    },
}
"""The units of each quantity with SI units, with their factor to the SI unit."""

SI_UNITS = {ENERGY: "J", POWER: "W", TIME: "s", LATENCY: "s", MEMORY: "B"}
PERCENT = ("percent", "%")
_RATES = ("images/s", "img/s", "samples/s", "frames/s", "fps", "tokens/s", "inferences/s")
# Other spellings, in lower case. `mj` and `mwh` are ambiguous (milli or mega), so they are energies
# without a known factor.
_SPELLINGS = {
    **dict.fromkeys(("j", "joule", "joules"), "J"),
    **dict.fromkeys(("kj", "kilojoule", "kilojoules"), "kJ"),
    **dict.fromkeys(("millijoule", "millijoules"), "mJ"),
    **dict.fromkeys(("microjoule", "microjoules"), "uJ"),
    **dict.fromkeys(("megajoule", "megajoules"), "MJ"),
    **dict.fromkeys(("wh", "watthour", "watthours", "watt-hour", "watt-hours"), "Wh"),
    **dict.fromkeys(("kwh", "kilowatthour", "kilowatthours", "kilowatt-hour"), "kWh"),
    "kilowatt-hours": "kWh",
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("usec", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("minute", "minutes"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("watt", "watts"), "W"),
    **dict.fromkeys(("byte", "bytes"), "B"),
}
_AMBIGUOUS_ENERGIES = ("mj", "mwh")
_ENERGY_WORDS = {"energy", "energies", "joule", "joules", "kwh", "wh"}


def split_rate(unit: str) -> tuple[str, str]:
    """Numerator and denominator of a unit: `("J", "token")` for J/token, `("J", "")` for J."""
    head, *per = re.split(r"\s*/\s*|[\s_]+per[\s_]+", unit.strip(), maxsplit=1)
    return head, per[0] if per else ""


def si_factor(quantity: str, unit: str) -> float | None:
    """The factor from a value in `unit` to a value in the SI unit; None if it is not known.

    For a rate it is the factor of the unit before the slash: 0.001 for mJ/token.
    """
    known = UNITS.get(quantity)
    if known is None:
        return None
    head, per = split_rate(unit)
    if quantity == POWER and _factor(TIME, per) is not None:
        energy, seconds = _factor(ENERGY, head), _factor(TIME, per)
        return None if energy is None or seconds is None else energy / seconds
    return _factor(quantity, head)


def si_unit(quantity: str, unit: str) -> str:
    """The unit of a value after multiplication with `si_factor`; `unit` itself without a factor."""
    if si_factor(quantity, unit) is None:
        return unit
    head, per = split_rate(unit)
    base = SI_UNITS[quantity]
    return f"{base}/{per}" if per and _factor(quantity, head) is not None else base


def infer_quantity(name: str, unit: str, direction: str) -> str:
    """The quantity of a target whose spec states none, inferred from its unit, or from its name.

    The name is used only for energies without a unit. Energies are recognised in any spelling,
    because each energy needs a source.
    """
    head, per = split_rate(unit)
    if _is_energy(head):
        return POWER if _factor(TIME, per) is not None else ENERGY
    if _factor(TIME, head) is not None:
        return TIME
    if unit in PERCENT:
        return ACCURACY if direction == "maximize" else ERROR
    if unit in _RATES:
        return THROUGHPUT
    for quantity in (POWER, MEMORY):
        if not per and _factor(quantity, head) is not None:
            return quantity
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    return ENERGY if not unit and words & _ENERGY_WORDS else OTHER


def check_quantity(quantity: str, name: str, unit: str, direction: str) -> str | None:
    """Why the unit does not fit the quantity that a spec states; None if it fits."""
    inferred = infer_quantity(name, unit, direction)
    if quantity in UNITS:
        wrong = {quantity, inferred} == {ENERGY, POWER} or si_factor(quantity, unit) is None
        if wrong:
            return (
                f"unit is one of {', '.join(UNITS[quantity])}, or a rate with one of these, for "
                f"the quantity {quantity}"
            )
    elif inferred == ENERGY and unit and quantity not in (ERROR, LOSS):
        return f"a value in {unit} is an energy, or the error or loss of an energy"
    return None


def _factor(quantity: str, unit: str) -> float | None:
    known = UNITS[quantity]
    return known.get(unit, known.get(_SPELLINGS.get(unit.casefold(), "")))


def _is_energy(unit: str) -> bool:
    return _factor(ENERGY, unit) is not None or unit.casefold() in _AMBIGUOUS_ENERGIES
