"""Print the held-out metrics of a benchmark as Markdown tables, from its manifest.

    python -m benchmarks.held_out [regnet-digits]

The metrics were computed when the benchmark was fitted. `eahas evaluate` computes them again from
the records that ship, and prints more.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from eahas import api
from eahas.cli.format_metrics import METRICS, REFERENCES, share


def main(name: str = "regnet-digits") -> None:
    bench = api.load_benchmark(name)
    quality, provenance = bench.manifest["quality"], bench.manifest["provenance"]
    units = {t.name: t.unit for t in bench.targets}
    held_out = quality["held_out"]
    print(
        f"`{bench.id}`: {provenance['runs']} runs of {provenance['configurations']} "
        f"configurations, evaluated on {held_out['runs']} held-out configurations. Brackets "
        "contain the 95 % bootstrap interval.\n"
    )
    _header("target", *METRICS.values(), "tau in the best quarter")
    for target, facts in held_out["targets"].items():
        last = facts.get("last") or facts["value"]
        label = f"{target}, last epoch" if "last" in facts else target
        _row(f"{label} [{units[target]}]", last)
    print("\nMean over epochs:\n")
    _header("curve", *METRICS.values(), "")
    for target, facts in held_out["targets"].items():
        if "mean" in facts:
            _row(target, facts["mean"])
    print("\nBy number of epochs (validation accuracy):\n")
    _header("epochs", "runs", "of", *METRICS.values(), "tau in the best quarter")
    for length, facts in held_out["targets"][bench.main_curve]["by_length"].items():
        for part, of in (("last", "last epoch"), ("mean", "mean over epochs")):
            _row(f"{length} | {facts['runs']} | {of}", facts[part])
    _references(quality, units)
    print("\nCoverage of the central interval (share of held-out values inside it):\n")
    levels = next(iter(held_out["targets"].values()))["coverage"]
    _header("target", *(f"{float(level):.0%}" for level in levels))
    for target, facts in held_out["targets"].items():
        cells = " | ".join(share(value) for value in facts["coverage"].values())
        print(f"| {target} | {cells} |")
    print(
        "\nCRPS, and the group of runs for which the coverage of the 90 % interval is worst "
        '("worst part"), with its runs and its coverage:\n'
    )
    _header("target", "CRPS", "CRPS at the last epoch", "worst part", "its runs", "inside")
    for target, facts in held_out["targets"].items():
        scores = " | ".join(
            cell(facts[key]) if key in facts else "" for key in ("crps", "crps_last")
        )
        worst = facts["worst"]
        worst_cells = (
            f"{worst['stratum']} | {worst['runs']} | {share(worst['coverage'])}"
            if worst
            else "- | |"
        )
        print(f"| {target} [{units[target]}] | {scores} | {worst_cells} |")


def _references(quality: Mapping[str, Any], units: Mapping[str, str]) -> None:
    count = quality["references"]["configurations"]
    print(
        f"\nOn the {count} held-out configurations that were run with three seeds (predictors of "
        "the run of one seed):\n"
    )
    _header("target", "predictor", *METRICS.values(), "tau in the best quarter")
    for target, predictors in quality["references"]["targets"].items():
        ours = quality["repeated"]["targets"][target]
        _row(f"{target} [{units[target]}] | surrogate", ours.get("last") or ours["value"])
        for key, facts in predictors.items():
            _row(f"{target} | {REFERENCES[key]}", facts.get("last") or facts["value"])


def _header(*names: str) -> None:
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))


def _row(label: str, facts: Mapping[str, Any]) -> None:
    cells = []
    for metric in (*METRICS, "best_quarter_tau"):
        cells.append(cell(facts[metric]) if metric in facts else "")
    print(f"| {label} | " + " | ".join(cells) + " |")


def uncertainty_cells(facts: Mapping[str, Any]) -> list[str]:
    """Table cells of a target's uncertainty metrics: coverages, CRPS, and the worst part."""
    worst = facts["worst"]
    return [
        *map(share, facts["coverage"].values()),
        f"{facts['crps']['value']:.3g}",
        f"{worst['stratum']}: {share(worst['coverage'])} of {worst['runs']}" if worst else "",
    ]


def cell(metric: Mapping[str, float | None]) -> str:
    """A table cell with a metric and its interval."""
    value, low, high = (_plain(metric[part]) for part in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


if __name__ == "__main__":
    main(*sys.argv[1:])
