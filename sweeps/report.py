"""The last stage: what a collected sweep covers, as facts and as a page of text."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from eahas.pareto import pareto_rows
from eahas.spec import Spec, Target

Row = Mapping[str, Any]


def facts(spec: Spec, rows: Sequence[Row]) -> dict[str, Any]:
    """Counts, ranges, the error-against-cost front, repeat noise and anchor drift; JSON-ready."""
    ok = [row for row in rows if row["status"] == "ok" and row.get("role") != "anchor"]
    anchors = [row for row in rows if row["status"] == "ok" and row.get("role") == "anchor"]
    found: dict[str, Any] = {
        "space": f"{spec.name}@{spec.version}",
        "runs": len(rows),
        "configurations": len({row["config_id"] for row in rows}),
        "status": dict(Counter(row["status"] for row in rows)),
        "split": dict(Counter(row.get("split", "") for row in ok)),
        "energy_source": dict(Counter(row.get("energy_source", "") for row in ok)),
        "ranges": {},
    }
    for target in spec.targets:
        values = [final(row[target.name]) for row in ok if target.name in row]
        if values:
            quantiles = values * 19
            if len(values) > 1:
                quantiles = statistics.quantiles(values, n=20, method="inclusive")
            found["ranges"][target.name] = {
                "min": min(values),
                "p5": quantiles[0],
                "median": statistics.median(values),
                "p95": quantiles[-1],
                "max": max(values),
            }
    curve = spec.main_curve
    if curve is not None and spec.scalars and ok:
        cost = next((s for s in spec.scalars if s.direction == "minimize"), spec.scalars[0])
        points = [(row[cost.name], shortfall(curve, row)) for row in ok]
        found["front"] = {
            "error": shortfall_name(curve),
            "curve": curve.name,
            "cost": cost.name,
            "points": [points[i] for i in pareto_rows(points)],
        }
    noise = _noise(spec, ok)
    if noise["configurations"]:
        found["repeats"] = noise
    if len(anchors) > 1 and spec.scalars:
        times = [row[spec.scalars[0].name] for row in anchors]
        factors = [row.get("machine_factor", 1.0) for row in ok]
        found["anchor"] = {
            "runs": len(times),
            "median": statistics.median(times),
            "relative_std": statistics.stdev(times) / statistics.fmean(times),
            "least_factor": min(factors, default=1.0),
            "largest_factor": max(factors, default=1.0),
        }
    return found


def _noise(spec: Spec, rows: Sequence[Row]) -> dict[str, Any]:
    """How far runs of one configuration lie apart: the pooled standard deviation of each target."""
    runs: dict[str, list[Row]] = {}
    for row in rows:
        runs.setdefault(row["config_id"], []).append(row)
    wanted = {target.name for target in spec.targets}
    groups = [[r for r in group if wanted <= r.keys()] for group in runs.values()]
    groups = [group for group in groups if len(group) > 1]
    free = sum(len(group) - 1 for group in groups)
    return {
        "configurations": len(groups),
        "std": {
            target.name: math.sqrt(
                sum(
                    (len(group) - 1) * statistics.variance(final(row[target.name]) for row in group)
                    for group in groups
                )
                / free
            )
            for target in spec.targets
            if groups
        },
    }


def final(value: Any) -> float:
    """The last value of a curve, or the scalar itself."""
    return float(value[-1] if isinstance(value, (list, tuple)) else value)


def shortfall(curve: Target, row: Row) -> float:
    """What is left to gain at a run's last epoch, so that less is better: of accuracy the error."""
    reached = final(row[curve.name])
    if curve.direction == "minimize":
        return reached
    return 100.0 - reached if curve.unit == "percent" else -reached


def shortfall_name(curve: Target) -> str:
    """How `shortfall` is computed."""
    if curve.direction == "minimize":
        return curve.name
    return f"100 - {curve.name}" if curve.unit == "percent" else f"-{curve.name}"


def page(found: Mapping[str, Any]) -> str:
    """The facts as text for a terminal."""
    lines = [
        f"{found['space']}: {found['runs']} runs of {found['configurations']} configurations",
        "status: " + ", ".join(f"{k} {v}" for k, v in found["status"].items()),
        "split:  " + ", ".join(f"{k or 'undecided'} {v}" for k, v in found["split"].items()),
        "energy: " + ", ".join(f"{k or 'none'} {v}" for k, v in found["energy_source"].items()),
        "",
        f"{'target':16}{'min':>10}{'5 %':>10}{'median':>10}{'95 %':>10}{'max':>10}",
    ]
    for name, r in found["ranges"].items():
        cells = "".join(f"{r[key]:10.4g}" for key in ("min", "p5", "median", "p95", "max"))
        lines.append(f"{name:16}{cells}")
    if "front" in found:
        front = found["front"]
        lines += ["", f"front of {front['error']} against {front['cost']}: {len(front['points'])}"]
        lines += [f"  {cost:10.4g}  {error:6.2f}" for cost, error in front["points"]]
    if "repeats" in found:
        noise = found["repeats"]
        lines += ["", f"spread of {noise['configurations']} configurations with several seeds:"]
        lines += [f"  {name:14}{std:10.4g}" for name, std in noise["std"].items()]
    if "anchor" in found:
        anchor = found["anchor"]
        lines += [
            "",
            f"anchor: {anchor['runs']} runs, median {anchor['median']:.4g} s, "
            f"spread {100 * anchor['relative_std']:.1f} %; "
            f"factors {anchor['least_factor']:.2f} to {anchor['largest_factor']:.2f}",
        ]
    return "\n".join(lines)
