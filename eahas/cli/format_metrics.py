"""Format the quality of a fit as the tables that `fit`, `evaluate` and `demo` print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eahas.energy.energy_facts import EnergyFacts
from eahas.records.records import Records
from eahas.report.text import UNITS, label, number, quantity, sourced
from eahas.spec.targets import Target

METRICS = {"r2": "R2", "kendall_tau": "Kendall tau", "spearman": "Spearman", "rmse": "RMSE"}
FURTHER = {
    "mse": "MSE",
    "kendall_tau_2_dec": "tau with 2 decimals",
    "kendall_tau_1_dec": "with 1 decimal",
    "sparse_kendall_tau": "sparse tau",
}
PARTS = {"last": "last epoch", "mean": "mean over epochs", "value": "all"}
REFERENCES = {
    "surrogate": "surrogate",
    "one_seed": "another seed's run",
    "two_seeds": "mean of two other seeds",
    "mean": "mean of the training runs",
}
LABEL, CELL = 42, 25


def describe_records(records: Records, fitted: int, evaluated: int) -> str:
    """One line about records, and how many configurations the fit and its evaluation used."""
    own = records.in_splits
    configs = len({row["config_id"] for row in own})
    statuses = ", ".join(f"{count} {status}" for status, count in own.counts("status").items())
    return (
        f"{len(own)} runs ({statuses}) of {configs} configurations; "
        f"fitted to {fitted} of them, evaluated on {evaluated}"
    )


def summary(
    held_out: Mapping[str, Any], targets: Sequence[Target], energies: Mapping[str, EnergyFacts]
) -> str:
    """One line per target: R2, Kendall tau, RMSE, coverage of the 90 % interval.

    `energies` are the facts of each energy by the name of its target.
    """
    if not held_out["targets"]:
        return f"{held_out['runs']} held-out configurations: too few to evaluate the fit"
    head = f"{'R2':>8}{'Kendall tau':>13}{'RMSE':>12}{'90 % coverage':>15}"
    lines = [f"{_on(held_out['runs']):{LABEL}}{head}"]
    for target in targets:
        metrics = held_out["targets"][target.name]
        values = _values(metrics["last" if target.kind == "curve" else "value"])
        coverage = metrics["coverage"]["0.9"]["value"]
        lines.append(
            f"{_name(target, energies):{LABEL - 1}} {number(values['r2']):>8}"
            f"{number(values['kendall_tau']):>13} {quantity(values['rmse'], target.unit):>11}"
            f"{'-' if coverage is None else f'{100 * coverage:.0f} %':>15}"
        )
    return "\n".join(lines)


def tables(
    quality: Mapping[str, Any],
    targets: Sequence[Target],
    energies: Mapping[str, EnergyFacts],
    *,
    own: bool = True,
) -> str:
    """All metrics of each target with intervals: overall, by length, and of the references.

    `own` means that the benchmark was evaluated on the test part of its own records, to which it
    was not fitted.
    """
    held_out, repeated = quality["held_out"], quality["repeated"]
    references = quality["references"]["targets"]
    if not held_out["targets"]:
        return f"{held_out['runs']} held-out configurations: too few to evaluate the fit"
    origin = ", to which nothing was fitted" if own else " of other records"
    blocks = [f"{_on(held_out['runs'])}{origin}; brackets: 95 % bootstrap interval"]
    names = dict(REFERENCES)
    if "judged" in quality:  # a table, which has no fit
        blocks = [f"{quality['judged']}\nbrackets: 95 % bootstrap interval"]
        names["surrogate"] = "table of the others"
    for target in targets:
        unit = f" [{UNITS.get(target.unit, target.unit)}]" if target.unit else ""
        head = "".join(f"{name:>{CELL}}" for name in METRICS.values())
        lines = [
            f"{_with_source(target, energies) + unit:{LABEL}}{head}{'best-quarter tau':>{CELL}}"
        ]
        lines += _target_lines(held_out["targets"][target.name], target)
        if target.name in references:
            rows = {"surrogate": repeated["targets"][target.name], **references[target.name]}
            lines.append(f"  on {repeated['configurations']} configurations with three seeds")
            lines += [
                _row(f"    {name}", rows[key]["last" if target.kind == "curve" else "value"])
                for key, name in names.items()
            ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _target_lines(metrics: Mapping[str, Any], target: Target) -> Iterator[str]:
    if target.kind == "curve":
        yield _row("  last epoch", metrics["last"])
        yield _row("  mean over epochs", metrics["mean"])
    else:
        yield _row("  all", metrics["value"])
    by_length = metrics["by_length"] if len(metrics["by_length"]) > 1 else {}
    for length, group in by_length.items():
        name = f"  {length} epochs ({group['runs']} runs)"
        if target.kind == "curve":
            yield _row(f"{name}, last", group["last"])
            yield _row(f"{name}, mean", group["mean"])
        else:
            yield _row(name, group["value"])
    for part, values in metrics["further"].items():
        yield f"  {PARTS[part]}: {_further(values)}"
        for length, group in by_length.items():
            yield f"    {length} epochs: {_further(group['further'][part])}"
    coverage = ", ".join(
        f"{100 * float(level):g} %: {share(value)}" for level, value in metrics["coverage"].items()
    )
    yield f"  share of values inside the interval of {coverage}"
    worst = metrics["worst"]
    if worst is not None:
        yield (
            f"  worst part at {100 * worst['level']:g} %: {share(worst['coverage'])} of the "
            f"{worst['runs']} runs with {worst['stratum']}"
        )
    yield f"  CRPS {_with_interval(metrics['crps'])}" + (
        f", at the last epoch {_with_interval(metrics['crps_last'])}"
        if "crps_last" in metrics
        else ""
    )


def _further(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {number(metrics[key])}" for key, name in FURTHER.items())


def share(metric: Mapping[str, float | None]) -> str:
    """A share with its interval, in percent."""
    if metric["value"] is None or metric["low"] is None or metric["high"] is None:
        return "-"
    return f"{100 * metric['value']:.0f} % [{100 * metric['low']:.0f}, {100 * metric['high']:.0f}]"


def _row(name: str, metrics: Mapping[str, Any]) -> str:
    cells = [
        _with_interval(metrics[key]) for key in (*METRICS, "best_quarter_tau") if key in metrics
    ]
    return f"{name:{LABEL}}" + "".join(f" {cell:>{CELL - 1}}" for cell in cells)


def _with_interval(metric: Mapping[str, float | None]) -> str:
    low, high = (number(metric[end], 2) for end in ("low", "high"))
    return f"{number(metric['value'])} [{low}, {high}]"


def _values(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    return {key: metrics[key]["value"] for key in METRICS}


def _name(target: Target, energies: Mapping[str, EnergyFacts]) -> str:
    return _with_source(target, energies) + (", last epoch" if target.kind == "curve" else "")


def _with_source(target: Target, energies: Mapping[str, EnergyFacts]) -> str:
    return sourced(target, energies[target.name].label) if target.is_energy else label(target)


def _on(configurations: int) -> str:
    return f"on {configurations:,} held-out configurations"
