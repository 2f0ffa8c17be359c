"""How targets and their values are written for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

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
    """What a target is called; one that a user's own spec defines keeps its name."""
    return LABELS.get(target.name, target.name)


def sourced(target: Target, source: str) -> str:
    """The label, and of joules where they come from: `training energy (estimated)`."""
    return f"{label(target)} ({source})" if target.is_energy else label(target)


def unit_of(target: Target, source: str) -> str:
    """The unit, and of joules where they come from: `J, estimated`."""
    unit = UNITS.get(target.unit, target.unit)
    return f"{unit}, {source}" if target.is_energy else unit


def number(value: float | None, digits: int = 3) -> str:
    """A number to `digits` significant digits, without an exponent between 0.0001 and ten million.

    A dash for what is not known (None, NaN).
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
    """R2 of a target on the held-out configurations, of a curve at its last epoch."""
    judged = manifest["quality"]["held_out"]["targets"].get(target.name, {})
    part = judged.get("last" if target.kind == "curve" else "value", {})
    return part.get("r2", {}).get("value")


def energy_words(manifest: Mapping[str, Any]) -> str:
    """One clause on where the joules of a benchmark come from."""
    energy = manifest["energy"]
    if energy["source"] == "estimated":
        return f"energy is estimated, not measured ({energy['formula']})"
    return f"energy source: {energy['source']}"
