"""How good a fit is, as tables: what `fit`, `evaluate` and `demo` print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eahas.records.records import Records
from eahas.report.text import UNITS, number, quantity, sourced
from eahas.spec.targets import Target

METRICS = {"r2": "R2", "kendall_tau": "Kendall tau", "spearman": "Spearman", "rmse": "RMSE"}
FURTHER = {
    "mse": "MSE",
    "kendall_tau_2_dec": "tau of 2 decimals",
    "kendall_tau_1_dec": "of 1 decimal",
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


def read(records: Records, sides: Mapping[str, int]) -> str:
    """One line on the records; `sides` has the number of configurations for each purpose."""
    own = records.in_splits
    configs = len({row["config_id"] for row in own})
    ended = ", ".join(f"{n} {status}" for status, n in own.counts("status").items())
    parts = ", ".join(f"{what} {count}" for what, count in sides.items())
    return f"{len(own)} runs ({ended}) of {configs} configurations; {parts} of them"


def summary(held_out: Mapping[str, Any], targets: Sequence[Target], source: str) -> str:
    """One line a target: R2, Kendall tau, RMSE, coverage of the 90 % interval."""
    if not held_out["targets"]:
        return f"{held_out['runs']} held-out configurations: too few to judge the fit"
    head = f"{'R2':>8}{'Kendall tau':>13}{'RMSE':>12}{'90 % holds':>12}"
    lines = [f"{_on(held_out['runs']):{LABEL}}{head}"]
    for target in targets:
        judged = held_out["targets"][target.name]
        values = _values(judged["last" if target.kind == "curve" else "value"])
        holds = judged["coverage"]["0.9"]["value"]
        lines.append(
            f"{_name(target, source):{LABEL - 1}} {number(values['r2']):>8}"
            f"{number(values['kendall_tau']):>13} {quantity(values['rmse'], target.unit):>11}"
            f"{'-' if holds is None else f'{100 * holds:.0f} %':>12}"
        )
    return "\n".join(lines)


def tables(
    judged: Mapping[str, Any], targets: Sequence[Target], source: str, *, own: bool = True
) -> str:
    """For each target every metric with its interval: overall, by length, beside the references.

    `own`: judged on the benchmark's own records, whose test side no fit has seen.
    """
    held_out, repeated = judged["held_out"], judged["repeated"]
    references = judged["references"]["targets"]
    if not held_out["targets"]:
        return f"{held_out['runs']} held-out configurations: too few to judge the fit"
    unseen = ", which the fit never saw" if own else " of other records"
    blocks = [f"{_on(held_out['runs'])}{unseen}; brackets: 95 % bootstrap interval"]
    names = dict(REFERENCES)
    if "judged" in judged:  # a table, which has no fit
        blocks = [f"{judged['judged']}\nbrackets: 95 % bootstrap interval"]
        names["surrogate"] = "table of the others"
    for target in targets:
        unit = f" [{UNITS.get(target.unit, target.unit)}]" if target.unit else ""
        head = "".join(f"{name:>{CELL}}" for name in METRICS.values())
        lines = [f"{sourced(target, source) + unit:{LABEL}}{head}{'best-quarter tau':>{CELL}}"]
        lines += _of_one(held_out["targets"][target.name], target)
        if target.name in references:
            rows = {"surrogate": repeated["targets"][target.name], **references[target.name]}
            lines.append(f"  on {repeated['configurations']} that were run with three seeds")
            lines += [
                _row(f"    {name}", rows[key]["last" if target.kind == "curve" else "value"])
                for key, name in names.items()
            ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _of_one(judged: Mapping[str, Any], target: Target) -> Iterator[str]:
    if target.kind == "curve":
        yield _row("  last epoch", judged["last"])
        yield _row("  mean over epochs", judged["mean"])
    else:
        yield _row("  all", judged["value"])
    by_length = judged["by_length"] if len(judged["by_length"]) > 1 else {}
    for length, of_length in by_length.items():
        name = f"  {length} epochs ({of_length['runs']} runs)"
        if target.kind == "curve":
            yield _row(f"{name}, last", of_length["last"])
            yield _row(f"{name}, mean", of_length["mean"])
        else:
            yield _row(name, of_length["value"])
    for part, metrics in judged["further"].items():
        yield f"  {PARTS[part]}: {_further(metrics)}"
        for length, of_length in by_length.items():
            yield f"    {length} epochs: {_further(of_length['further'][part])}"
    covered = ", ".join(
        f"{100 * float(level):g} %: {share(found)}" for level, found in judged["coverage"].items()
    )
    yield f"  share of values inside the interval of {covered}"
    worst = judged["worst"]
    if worst is not None:
        yield (
            f"  worst part at {100 * worst['level']:g} %: {share(worst['coverage'])} of the "
            f"{worst['runs']} runs with {worst['stratum']}"
        )
    yield f"  CRPS {_with_interval(judged['crps'])}" + (
        f", at the last epoch {_with_interval(judged['crps_last'])}"
        if "crps_last" in judged
        else ""
    )


def _further(metrics: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {number(metrics[key])}" for key, name in FURTHER.items())


def share(found: Mapping[str, float | None]) -> str:
    """A share with its interval, in percent."""
    if found["value"] is None or found["low"] is None or found["high"] is None:
        return "-"
    return f"{100 * found['value']:.0f} % [{100 * found['low']:.0f}, {100 * found['high']:.0f}]"


def _row(name: str, metrics: Mapping[str, Any]) -> str:
    shown = [
        _with_interval(metrics[key]) for key in (*METRICS, "best_quarter_tau") if key in metrics
    ]
    return f"{name:{LABEL}}" + "".join(f" {cell:>{CELL - 1}}" for cell in shown)


def _with_interval(metric: Mapping[str, float | None]) -> str:
    low, high = (number(metric[end], 2) for end in ("low", "high"))
    return f"{number(metric['value'])} [{low}, {high}]"


def _values(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    return {key: metrics[key]["value"] for key in METRICS}


def _name(target: Target, source: str) -> str:
    return sourced(target, source) + (", last epoch" if target.kind == "curve" else "")


def _on(configurations: int) -> str:
    return f"on {configurations:,} held-out configurations"
