"""A prediction as a person reads it: the curve, the costs, and what stands behind them."""

from __future__ import annotations

from collections.abc import Mapping

from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.prediction import Prediction
from eahas.cli import terminal
from eahas.report.text import energy_words, held_out_r2, label, number, quantity, span, unit_of
from eahas.spec.spec import Target

LABEL, VALUE, SPAN, R2, CELL = 34, 10, 20, 13, 28
UNSUPPORTED = 0.01  # of configurations like the training ones, one in a hundred is below


def answer(prediction: Prediction, level: float, *, drawn: bool, columns: int) -> str:
    """The answer for one configuration: its learning curve, a line a target, the evidence."""
    bench = prediction.benchmark
    lines = [f"{bench.id}: {_epochs(prediction)}", ""]
    if bench.curves:
        main = next(t for t in bench.curves if t.name == bench.main_curve)
        low, high = prediction.interval(level)[main.name]
        lines += [
            f"{label(main)} in {main.unit or 'its own unit'}, with its {_percent(level)} interval",
            terminal.curve(prediction.curves[main.name], low, high, columns=columns, drawn=drawn),
            "",
        ]
    head = f"{_percent(level)} interval"
    lines.append(f"{'':{LABEL}}{'predicted':>{VALUE}}{head:>{SPAN}}{'held-out R2':>{R2}}")
    targets = bench.scalars + bench.curves
    lines += [_row(prediction, target, level) for target in targets]
    return "\n".join([*lines, "", *_about(prediction), evidence(bench)])


def answers(prediction: Prediction, level: float) -> str:
    """The answers for a list of configurations: one line each, the last epoch of the curve."""
    bench, interval = prediction.benchmark, prediction.interval(level)
    main = [t for t in bench.curves if t.name == bench.main_curve]
    targets = [*main, *bench.scalars]
    heads = "".join(f" {label(t):>{CELL - 1}}" for t in targets)
    units = "".join(f" {unit_of(t, bench.energy_source):>{CELL - 1}}" for t in targets)
    lines = [f"{bench.id}: {len(prediction.configs)} configurations", "", f"{'':10}{heads}"]
    lines.append(f"{'':4}epochs{units}")
    for i, epochs in enumerate(prediction.epochs):
        cells = ""
        for t in targets:
            at = (i, epochs - 1) if t.kind == "curve" else i
            values = prediction.curves[t.name] if t.kind == "curve" else getattr(prediction, t.name)
            low, high = (number(end[at]) for end in interval[t.name])
            cells += " " + f"{number(values[at])} [{low}, {high}]".rjust(CELL - 1)
        lines.append(f"{i:<4}{epochs:>6}{cells}")
    return "\n".join([*lines, "", f"brackets: {_percent(level)} interval", evidence(bench)])


def reached(prediction: Prediction, found: Mapping[str, float]) -> str:
    """What `Benchmark.query` says about one epoch."""
    lines = [f"at the end of epoch {found['epoch']:g} of {prediction.epochs}"]
    bench = prediction.benchmark
    for target in bench.scalars + bench.curves:
        value = quantity(found[target.name], target.unit)
        lines.append(f"{label(target):{LABEL - 1}} {value:>{VALUE}}{_flag(prediction, target)}")
    return "\n".join([*lines, "", evidence(bench)])


def evidence(bench: Benchmark) -> str:
    """The runs behind a benchmark, how it was judged, and where its joules come from."""
    made, judged = bench.manifest["provenance"], bench.manifest["quality"]["held_out"]["runs"]
    how = "R2 on {:,} held-out ones" if bench.table is None else "R2 of one seed told by the others"
    lines = [
        f"behind it: {made['runs']:,} real runs of {made['configurations']:,} configurations; "
        f"{how.format(judged)}"
    ]
    if any(target.is_energy for target in bench.scalars):
        lines.append(energy_words(bench.manifest))
    return "\n".join(lines)


def _row(prediction: Prediction, target: Target, level: float) -> str:
    curve = target.kind == "curve"
    value = prediction.curves[target.name][-1] if curve else getattr(prediction, target.name)
    low, high = prediction.interval(level)[target.name]
    ends = (low[-1], high[-1]) if curve else (low, high)
    what = label(target) + (", last epoch" if curve else "")
    r2 = number(held_out_r2(prediction.benchmark.manifest, target))
    return (
        f"{what:{LABEL - 1}} {quantity(value, target.unit):>{VALUE}}"
        f" {span(*ends, target.unit):>{SPAN - 1}}{r2:>{R2}}{_flag(prediction, target)}"
    ).rstrip()


def _about(prediction: Prediction) -> list[str]:
    """What to keep in mind about one answer; nothing where there is nothing."""
    lines = []
    if prediction.noise_seed is not None:
        what = "plausible" if prediction.benchmark.table is None else "measured"
        lines.append(f"one {what} run, drawn with noise seed {prediction.noise_seed}")
    support, least = prediction.support, prediction.benchmark.support.least
    if support < UNSUPPORTED or support <= least < 1.0:
        lines.append(
            f"support {support:.2g}: hardly any training run was like this one; "
            "trust neither value nor interval"
        )
    return lines


def _flag(prediction: Prediction, target: Target) -> str:
    """Where joules come from; nothing for other targets."""
    return f"  {prediction.benchmark.energy_source}" if target.is_energy else ""


def _epochs(prediction: Prediction) -> str:
    fidelity = prediction.benchmark.space.fidelity
    if fidelity is None:
        return "one configuration"
    return f"{prediction.epochs} epoch{'s' if prediction.epochs > 1 else ''} of training"


def _percent(level: float) -> str:
    return f"{100 * level:g} %"
