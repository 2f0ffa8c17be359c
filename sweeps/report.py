"""The last stage: a summary of a collected sweep, as JSON-ready facts and as text."""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eahas.energy.energy_facts import EnergyFacts
from eahas.pareto import pareto_rows
from eahas.records.energies import known_sources, sources_of
from eahas.report.text import UNITS
from eahas.spec.quantities import PERCENT, TIME
from eahas.spec.spec import Spec
from eahas.spec.targets import KNOWN_TARGETS, Target
from sweeps.compatibility import require_one_boundary

Row = Mapping[str, Any]
MIN_POWER_COVERED = 0.25  # share of a device's power range below which the report warns


def facts(spec: Spec, rows: Sequence[Row]) -> dict[str, Any]:
    """Counts, ranges, the front of error and cost, seed noise and machine-speed drift; JSON-ready.

    `rows` are checked rows of the spec. Raises SweepError if their energies have different
    boundaries.
    """
    energies = require_one_boundary(spec, rows)
    ok = [row for row in rows if row["status"] == "ok" and row.get("role") != "anchor"]
    anchors = [row for row in rows if row["status"] == "ok" and row.get("role") == "anchor"]
    summary: dict[str, Any] = {
        "space": f"{spec.name}@{spec.version}",
        "runs": len(rows),
        "configurations": len({row["config_id"] for row in rows}),
        "status": dict(Counter(row["status"] for row in rows)),
        "split": dict(Counter(row.get("split", "") for row in ok)),
        "energy_source": dict(Counter(row.get("energy_source", "") for row in ok)),
        "energies": {name: facts.to_dict() for name, facts in energies.items()},
        "sources": {name: facts.label for name, facts in energies.items()},
        "units": {target.name: target.unit for target in spec.targets},
        "ranges": {},
    }
    for target in spec.targets:
        values = [final(row[target.name]) for row in ok if target.name in row]
        if values:
            quantiles = values * 19
            if len(values) > 1:
                quantiles = statistics.quantiles(values, n=20, method="inclusive")
            summary["ranges"][target.name] = {
                "min": min(values),
                "p5": quantiles[0],
                "median": statistics.median(values),
                "p95": quantiles[-1],
                "max": max(values),
            }
    curve = spec.main_curve
    cost = None if curve is None else _cost(spec, curve, energies)
    if curve is not None and cost is not None and ok:
        points = [(row[cost.name], shortfall(curve, row)) for row in ok]
        summary["front"] = {
            "error": shortfall_name(curve),
            "curve": curve.name,
            "cost": cost.name,
            "points": [points[i] for i in pareto_rows(points)],
        }
    power = _power(spec, ok)
    if power is not None:
        summary["power"] = power
    noise = _noise(spec, ok)
    if noise["configurations"]:
        summary["repeats"] = noise
    if len(anchors) > 1 and spec.scalars:
        timed = next((t for t in spec.scalars if t.quantity == TIME), spec.scalars[0])
        times = [row[timed.name] for row in anchors]
        factors = [row.get("machine_factor", 1.0) for row in ok]
        summary["anchor"] = {
            "runs": len(times),
            "unit": timed.unit,
            "median": statistics.median(times),
            "relative_std": statistics.stdev(times) / statistics.fmean(times),
            "least_factor": min(factors, default=1.0),
            "largest_factor": max(factors, default=1.0),
        }
    return summary


def _cost(spec: Spec, curve: Target, energies: Mapping[str, EnergyFacts]) -> Target | None:
    """The first scalar that is minimised, else the first one.

    An energy of another boundary than that of the curve is never chosen.
    """
    of_curve = energies.get(curve.name)
    scalars = [
        scalar
        for scalar in spec.scalars
        if of_curve is None
        or scalar.name not in energies
        or energies[scalar.name].is_comparable(of_curve)
    ]
    return next((s for s in scalars if s.direction == "minimize"), next(iter(scalars), None))


def _power(spec: Spec, rows: Sequence[Row]) -> dict[str, Any] | None:
    """Of measured runs the range of mean power, and what of the device's range that covers.

    If all runs draw the same power, energy contains no information beyond time. None if fewer than
    two runs were metered; the power of an estimate is only the stated one.
    """
    named = {target.name: target for target in spec.scalars}
    target = named.get("train_energy_j", KNOWN_TARGETS["train_energy_j"])
    known = known_sources(spec)

    def is_measured(row: Row) -> bool:
        sources = sources_of(row, target, known)
        return bool(sources) and all(source.measured for source in sources)

    measured = [
        row for row in rows if row.get("train_energy_j") and row.get("wall_s") and is_measured(row)
    ]
    if len(measured) < 2 or target.si_factor is None:
        return None
    from scipy.stats import kendalltau

    energies = [row["train_energy_j"] * target.si_factor for row in measured]
    times = [row["wall_s"] for row in measured]
    powers = [energy / time for energy, time in zip(energies, times, strict=True)]
    quantiles = statistics.quantiles(powers, n=20, method="inclusive")
    tau = float(kendalltau(energies, times).statistic)
    power: dict[str, Any] = {
        "runs": len(powers),
        "p5_w": quantiles[0],
        "median_w": statistics.median(powers),
        "p95_w": quantiles[-1],
        "tau_energy_time": tau if math.isfinite(tau) else None,  # nan if all are equal
    }
    readings = [_reading(row) for row in measured]
    limits = [reading["power_limit_w"] for reading in readings if reading.get("power_limit_w")]
    idles = [row["idle_power_w"] for row in measured if row.get("idle_power_w")]
    if limits and idles:
        idle, limit = statistics.median(idles), statistics.median(limits)
        if limit > idle:
            power |= {"idle_w": idle, "limit_w": limit}
            power["covered"] = (quantiles[-1] - quantiles[0]) / (limit - idle)
    return power


def _reading(row: Row) -> Mapping[str, Any]:
    """The facts in `energy_reading`; empty if its text is not a JSON object."""
    try:
        reading = json.loads(row.get("energy_reading") or "{}")
    except ValueError:
        return {}
    return reading if isinstance(reading, dict) else {}


def _power_lines(power: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"power of {power['runs']} measured runs: {power['p5_w']:.4g} to {power['p95_w']:.4g} W "
        f"(5 to 95 %), median {power['median_w']:.4g} W",
        "Kendall tau of energy and time: "
        + ("none" if power["tau_energy_time"] is None else f"{power['tau_energy_time']:.3f}"),
    ]
    if "covered" in power:
        lines.append(
            f"which covers {100 * power['covered']:.0f} % of the device's range, "
            f"{power['idle_w']:.4g} W idle to {power['limit_w']:.4g} W"
        )
        if power["covered"] < MIN_POWER_COVERED:
            lines.append(
                "warning: a narrow range of power; energy is little more than time here. "
                "Vary parameters that change the power: batch size, precision, width"
            )
    return lines


def _noise(spec: Spec, rows: Sequence[Row]) -> dict[str, Any]:
    """The seed noise: the pooled standard deviation of each target within a configuration."""
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row["config_id"], []).append(row)
    names = {target.name for target in spec.targets}
    groups = [[r for r in group if names <= r.keys()] for group in runs.values()]
    groups = [group for group in groups if len(group) > 1]
    degrees_of_freedom = sum(len(group) - 1 for group in groups)
    return {
        "configurations": len(groups),
        "std": {
            target.name: math.sqrt(
                sum(
                    (len(group) - 1) * statistics.variance(final(row[target.name]) for row in group)
                    for group in groups
                )
                / degrees_of_freedom
            )
            for target in spec.targets
            if groups
        },
    }


def final(value: Any) -> float:
    """The last value of a curve, or the scalar itself."""
    return float(value[-1] if isinstance(value, (list, tuple)) else value)


def shortfall(curve: Target, row: Row) -> float:
    """The error at the last epoch, for which smaller is better: 100 - accuracy, or a loss."""
    last = final(row[curve.name])
    if curve.direction == "minimize":
        return last
    return 100.0 - last if curve.unit in PERCENT else -last


def shortfall_name(curve: Target) -> str:
    """The formula of `shortfall`, as text."""
    if curve.direction == "minimize":
        return curve.name
    return f"100 - {curve.name}" if curve.unit in PERCENT else f"-{curve.name}"


def page(summary: Mapping[str, Any]) -> str:
    """The facts as text for a terminal."""
    lines = [
        f"{summary['space']}: {summary['runs']} runs of {summary['configurations']} configurations",
        "status: " + ", ".join(f"{k} {v}" for k, v in summary["status"].items()),
        "split:  " + ", ".join(f"{k or 'undecided'} {v}" for k, v in summary["split"].items()),
        "energy: " + ", ".join(f"{k or 'none'} {v}" for k, v in summary["energy_source"].items()),
        "",
        "successful runs without anchors; for curves the last value:",
        f"{'target':16}{'unit':>8}{'min':>10}{'5 %':>10}{'median':>10}{'95 %':>10}{'max':>10}",
    ]
    for name, r in summary["ranges"].items():
        cells = "".join(f"{r[key]:10.4g}" for key in ("min", "p5", "median", "p95", "max"))
        unit = summary["units"][name]
        source = summary["sources"].get(name)
        suffix = "" if source is None else f"  {source}"
        lines.append(f"{name:16}{UNITS.get(unit, unit):>8}{cells}{suffix}")
    if "front" in summary:
        front = summary["front"]
        share = f"{len(front['points'])} of {sum(summary['split'].values())} runs"
        source = summary["sources"].get(front["cost"])
        cost = front["cost"] if source is None else f"{front['cost']} ({source})"
        lines += ["", f"front of {front['error']} against {cost}: {share}"]
        lines += [f"  {spent:10.4g}  {error:6.2f}" for spent, error in front["points"]]
    if "power" in summary:
        lines += _power_lines(summary["power"])
    elif summary["energy_source"]:
        lines += ["", "power: unknown, because fewer than two runs have a metered energy"]
    if "repeats" in summary:
        noise = summary["repeats"]
        lines += [
            "",
            f"standard deviation of {noise['configurations']} configurations with several seeds:",
        ]
        lines += [f"  {name:14}{std:10.4g}" for name, std in noise["std"].items()]
    if "anchor" in summary:
        anchor = summary["anchor"]
        lines += [
            "",
            f"machine-speed reference: {anchor['runs']} runs, "
            f"median {anchor['median']:.4g} {anchor['unit']}, "
            f"standard deviation {100 * anchor['relative_std']:.1f} %; "
            f"factors {anchor['least_factor']:.2f} to {anchor['largest_factor']:.2f}",
        ]
    return "\n".join(lines)
