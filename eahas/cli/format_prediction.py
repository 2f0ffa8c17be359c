"""Format a prediction as text: the learning curve, the costs, and the data that it is based on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eahas.benchmark.model_set import ModelSet
from eahas.cli import terminal
from eahas.energy.energy_facts import EnergyFacts
from eahas.report.text import energy_words, label, number, quantity, span, unit_of
from eahas.report.view import PredictionView, TargetView

LABEL, VALUE, SPAN, R2, CELL = 34, 10, 20, 13, 28
MIN_SUPPORT = 0.01  # one in a hundred configurations like the training configurations is below


def format_prediction(view: PredictionView, *, drawn: bool, columns: int) -> str:
    """One configuration: its learning curve, a line for each target, and the data.

    `drawn` is whether the curve is drawn or listed as a table.
    """
    lines = [f"{view.benchmark}: {_epochs(view)}", ""]
    interval = f"{_percent(view.level)} interval"
    if view.curves:
        main = view.main_curve
        unit = unit_of(main.target, main.source or "") or "its own unit"
        lines += [
            f"{label(main.target)} in {unit}, with its {interval}",
            terminal.curve(
                main.value, main.low, main.high, main.epochs, columns=columns, drawn=drawn
            ),
            "",
        ]
    lines.append(f"{'':{LABEL}}{'predicted':>{VALUE}}{interval:>{SPAN}}{'held-out R2':>{R2}}")
    lines += [_row(target) for target in (*view.scalars, *view.curves)]
    return "\n".join(
        [*lines, "", *_notes(view), evidence(view.manifest, view.looked_up, view.energies)]
    )


def format_list(view: PredictionView) -> str:
    """A list of configurations: one line for each, with the last epoch of the curve."""
    targets = [*([view.main_curve] if view.curves else []), *view.scalars]
    heads = "".join(f" {label(t.target):>{CELL - 1}}" for t in targets)
    units = "".join(f" {unit_of(t.target, t.source or ''):>{CELL - 1}}" for t in targets)
    lines = [f"{view.benchmark}: {len(view.configs)} configurations", "", f"{'':10}{heads}"]
    lines.append(f"{'':4}epochs{units}")
    for i, epochs in enumerate(view.epochs):
        cells = ""
        for t in targets:
            at = (i, t.lengths(epochs) - 1) if t.target.kind == "curve" else i
            low, high = number(t.low[at]), number(t.high[at])
            cells += " " + f"{number(t.value[at])} [{low}, {high}]".rjust(CELL - 1)
        lines.append(f"{i:<4}{epochs:>6}{cells}")
    brackets = f"brackets: {_percent(view.level)} interval"
    behind = evidence(view.manifest, view.looked_up, view.energies)
    return "\n".join([*lines, "", brackets, behind])


def format_query(models: ModelSet, values: Mapping[str, float], epochs: int) -> str:
    """The result of `Benchmark.query` for one epoch of a run of `epochs` epochs."""
    lines = [f"at the end of epoch {values['epoch']:g} of {epochs}"]
    for target in models.scalars + models.curves:
        value = quantity(values[target.name], target.unit)
        source = f"  {models.energies[target.name].label}" if target.is_energy else ""
        lines.append(f"{label(target):{LABEL - 1}} {value:>{VALUE}}{source}")
    energies = {name: facts for name, facts in models.energies.items() if name in models.model_of}
    return "\n".join([*lines, "", evidence(models.manifest, models.table is not None, energies)])


def evidence(
    manifest: Mapping[str, Any], looked_up: bool, energies: Mapping[str, EnergyFacts]
) -> str:
    """The runs behind a benchmark, its quality, and the sources of these energies."""
    provenance, runs = manifest["provenance"], manifest["quality"]["held_out"]["runs"]
    if looked_up:
        how = "R2 of one seed predicted from the others"
    else:
        how = f"R2 on {runs:,} held-out configurations"
    lines = [
        f"based on {provenance['runs']:,} real runs of "
        f"{provenance['configurations']:,} configurations; {how}"
    ]
    if energies:
        lines.append(energy_words(energies, manifest["energy"]["formula"]))
    return "\n".join(lines)


def _row(view: TargetView) -> str:
    target = view.target
    last = (lambda part: part[-1]) if target.kind == "curve" else (lambda part: part)
    what = label(target) + (", last epoch" if target.kind == "curve" else "")
    interval = span(last(view.low), last(view.high), target.unit)
    source = "" if view.source is None else f"  {view.source}"
    return (
        f"{what:{LABEL - 1}} {quantity(last(view.value), target.unit):>{VALUE}}"
        f" {interval:>{SPAN - 1}}{number(view.r2):>{R2}}{source}"
    ).rstrip()


def _notes(view: PredictionView) -> list[str]:
    """Warnings and remarks about one prediction."""
    lines = []
    if view.noise_seed is not None:
        what = "measured" if view.looked_up else "sampled"
        lines.append(f"one {what} run, with noise seed {view.noise_seed}")
    if view.support < MIN_SUPPORT or view.support <= view.min_support < 1.0:
        lines.append(
            f"support {view.support:.2g}: hardly any training run is similar to this "
            "configuration; do not trust the values or the intervals"
        )
    return lines


def _epochs(view: PredictionView) -> str:
    if view.fidelity is None:
        return "one configuration"
    return f"{view.epochs} epoch{'s' if view.epochs > 1 else ''} of training"


def _percent(level: float) -> str:
    return f"{100 * level:g} %"
