"""Text for targets and their values in reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from eahas.energy.energy_facts import EnergyFacts
from eahas.energy.reading import ESTIMATED
from eahas.spec.targets import Target

LABELS = {
    "train": "training accuracy",
    "valid": "validation accuracy",
    "test": "test accuracy",
    "valid_ema": "validation accuracy (EMA)",
    "test_ema": "test accuracy (EMA)",
    "runtime_s": "training time",
    "train_energy_j": "training energy",
    "test_energy_j": "inference energy, test set",
}
UNITS = {"percent": "%"}


def label(target: Target) -> str:
    """The label of a known target; the name of any other target."""
    return LABELS.get(target.name, target.name)


def sourced(target: Target, source: str) -> str:
    """The label of a target, for an energy with its source: `training energy (estimated)`."""
    return f"{label(target)} ({source})" if target.is_energy else label(target)


def unit_of(target: Target, source: str) -> str:
    """The unit of a target, for an energy with its source: `J, estimated`."""
    unit = UNITS.get(target.unit, target.unit)
    return f"{unit}, {source}" if target.is_energy else unit


def number(value: float | None, digits: int = 3) -> str:
    """A number rounded to `digits` significant digits, `-` for None and NaN.

    Numbers from 0.0001 to below ten million have no exponent.
    """
    if value is None or math.isnan(value):
        return "-"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if not -4 <= exponent < 7:
        return f"{value:.{digits - 1}e}"
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}"


def quantity(value: float | None, unit: str) -> str:
    """A number with its unit: `13.8 J`, `52.0 %`."""
    return f"{number(value)} {UNITS.get(unit, unit)}".rstrip()


def span(low: float | None, high: float | None, unit: str) -> str:
    """An interval with its unit: `12.5 to 15.1 J`."""
    return f"{number(low)} to {quantity(high, unit)}"


def held_out_r2(manifest: Mapping[str, Any], target: Target) -> float | None:
    """R2 of a target on the held-out runs, for a curve at the last epoch; None if not known."""
    judged = manifest["quality"]["held_out"]["targets"].get(target.name, {})
    part = judged.get("last" if target.kind == "curve" else "value", {})
    return part.get("r2", {}).get("value")


def energy_words(energies: Mapping[str, EnergyFacts], formula: str) -> str:
    """The sources of some energies in one line; the keys are the names of their targets.

    `formula` is the formula of estimated energies.
    """
    sources = {name: _source_words(facts, formula) for name, facts in energies.items()}
    distinct = list(dict.fromkeys(sources.values()))
    if len(distinct) > 1:
        return "energy sources: " + "; ".join(f"{name}: {words}" for name, words in sources.items())
    if {facts.label for facts in energies.values()} == {ESTIMATED}:
        return f"energy is estimated, not measured ({formula})"
    return "".join(f"energy source: {words}" for words in distinct)


def _source_words(facts: EnergyFacts, formula: str) -> str:
    """`external_meter (boundary wall, idle included)`; an estimate also has its formula."""
    inside = [formula] if facts.label == ESTIMATED and formula else []
    inside += [] if facts.boundary is None else [f"boundary {facts.boundary}"]
    inside += [] if facts.idle is None else [f"idle {facts.idle}"]
    inside += [] if facts.method is None else [f"method {facts.method}"]
    return f"{facts.label} ({', '.join(inside)})" if inside else facts.label
