"""Predictions and fronts as matplotlib figures. No pyplot: a figure belongs to who asked for it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eahas.benchmark.prediction import Prediction
from eahas.errors import EahasError, MissingExtraError
from eahas.report.text import UNITS, energy_words, label, quantity, sourced, span, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from eahas.benchmark.fronts import Fronts
    from eahas.spec.spec import Target

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito, 2008
INK, GREY, LIGHT = "#1f2933", "#6b7785", "#e4e7eb"
MOST_LINES = 6  # of a list of configurations
SIDE = 0.72  # where the text beside the curves begins


def plot_prediction(
    prediction: Prediction, level: float = 0.9, *, seen: Mapping[str, Sequence[float]] | None = None
) -> Figure:
    """The curves with their bands over the epochs, and the costs beside them.

    Of a list the main curve of its first six configurations. `seen` adds a real run's curves by
    name, as dots. Needs the extra `plot`; raises EahasError for a benchmark without curves.
    """
    bench = prediction.benchmark
    if not bench.curves:
        raise EahasError(f"benchmark {bench.id} has no curves to plot")
    figure = _figure()
    axes = figure.add_axes((0.075, 0.13, SIDE - 0.11, 0.71))
    if prediction.single:
        _curves(axes, prediction, level, seen or {})
    else:
        _first_of_many(axes, prediction, level)
    main = _main(prediction)
    what = "accuracy" if "accuracy" in label(main) else main.name
    _dress(axes, "epoch", f"{what} [{UNITS.get(main.unit, main.unit)}]")
    axes.set_ylim(main.low, main.high)
    longest = int(np.max(_shown(prediction)))
    axes.set_xlim(1, longest if longest > 1 else 2)
    _title(figure, bench.id, bench.spec.description)
    _side(figure, prediction, level)
    return figure


def plot_front(
    points: Sequence[tuple[float, float]],
    front: Sequence[tuple[float, float]],
    epochs: Sequence[int],
    *,
    title: str,
    cost: str,
    error: str,
) -> Figure:
    """Error against cost of n runs, each (cost, error), with the front that none of them beats.

    `epochs` (n,) colours the runs by their length. `cost` and `error` label the axes.
    """
    figure = _figure()
    from matplotlib.ticker import LogLocator

    axes = figure.add_axes((0.075, 0.13, 0.8, 0.71))
    lengths = sorted(set(epochs))
    at = np.asarray(points, dtype=float)
    for length, colour in zip(lengths, _shades(len(lengths)), strict=True):
        rows = np.array([e == length for e in epochs])
        axes.scatter(
            at[rows, 0],
            at[rows, 1],
            s=16,
            color=colour,
            alpha=0.75,
            linewidths=0,
            label=f"{length}",
        )
    line = np.asarray(front, dtype=float)
    axes.step(*line.T, where="post", color=COLOURS[1], linewidth=1.6, zorder=3)
    axes.scatter(line[:, 0], line[:, 1], s=26, color=COLOURS[1], zorder=4, label="front")
    if (at[:, 0] > 0).all() and at[:, 0].max() > 20 * at[:, 0].min():
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    _dress(axes, cost, error)
    axes.legend(
        title="epochs", loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, labelcolor=INK
    )
    _title(figure, title, f"{len(points):,} runs; {len(front)} of them on the front")
    return figure


def plot_fronts(found: Fronts) -> Figure:
    """A panel for each target against the aim: what was drawn, as a density, and the front."""
    figure = _figure()
    count = len(found.against)
    columns = min(count, 3)
    rows = -(-count // columns)
    figure.set_size_inches(9.2, 1.4 + 2.6 * rows)
    inch = 1.0 / (1.4 + 2.6 * rows)  # of the height
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).reshape(-1)
    figure.subplots_adjust(
        left=0.075, right=0.965, top=1 - 0.95 * inch, bottom=0.6 * inch, hspace=0.4
    )
    aim = found.values[found.aim.name]
    for axes, target in zip(panels, found.against, strict=False):
        values, front = found.values[target.name], found.fronts[target.name]
        scale = "log" if values.min() > 0 and values.max() > 20 * values.min() else "linear"
        axes.hexbin(
            values, aim, gridsize=45, bins="log", mincnt=1, xscale=scale, cmap="Greys", alpha=0.8
        )
        axes.plot(values[front], aim[front], "o-", color=COLOURS[1], markersize=3, linewidth=1.2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        _dress(axes, f"{label(target)} [{unit_of(target, found.benchmark.energy_source)}]", "")
    for axes in panels[count:]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        unit = UNITS.get(found.aim.unit, found.aim.unit)
        axes.set_ylabel(f"{label(found.aim)} [{unit}]", color=INK)
    below = f"predicted for {len(aim):,} configurations drawn at random; fronts in colour"
    up = 1 - 0.35 * inch
    figure.text(0.075, up, found.benchmark.id, fontsize=13, fontweight="bold", color=INK)
    figure.text(0.075, up - 0.25 * inch, below, fontsize=9, color=GREY)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure; its suffix says the format. Raises EahasError for one that is unknown."""
    path = Path(path)
    allowed = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in allowed:
        raise EahasError(f"{path}: the suffix names no format; allowed: .{', .'.join(allowed)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    return path


def _figure() -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plotting", "matplotlib", "plot") from None
    return Figure(figsize=(9.2, 4.6), facecolor="white")


def _curves(
    axes: Axes, prediction: Prediction, level: float, seen: Mapping[str, Sequence[float]]
) -> None:
    """The curves of one configuration in the unit of the main one, which is drawn boldest."""
    bench = prediction.benchmark
    epochs, interval = np.arange(1, prediction.epochs + 1), prediction.interval(level)
    main = _main(prediction)
    others = [t for t in bench.curves if t != main and t.unit == main.unit]
    colours = {t.name: COLOURS[i % len(COLOURS)] for i, t in enumerate([main, *others])}
    for target in [*others, main]:
        is_main, colour = target == main, colours[target.name]
        low, high = interval[target.name]
        mark = "o" if len(epochs) == 1 else None
        axes.fill_between(epochs, low, high, color=colour, alpha=0.16 if is_main else 0.07, lw=0)
        axes.plot(
            epochs,
            prediction.curves[target.name],
            marker=mark,
            linestyle="-" if is_main else (0, (4, 1.5)),
            color=colour,
            linewidth=2.2 if is_main else 1.3,
            label=label(target),
        )
        if target.name in seen:
            at = np.arange(1, len(seen[target.name]) + 1)
            axes.plot(
                at, seen[target.name], "o", color=colour, ms=3.5, alpha=0.8, mew=0, clip_on=False
            )
    if any(name in seen for name in colours):
        axes.plot([], [], "o", color=GREY, markersize=3, label="a real run")
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: labels[i] != label(main))
    axes.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="lower right",
        labelcolor=INK,
        fontsize=9,
        framealpha=0.75,
        edgecolor="none",
    )


def _first_of_many(axes: Axes, prediction: Prediction, level: float) -> None:
    """The main curve of the first few configurations; the text beside it names them by colour."""
    name = prediction.benchmark.main_curve
    values, (low, high) = prediction.curves[name], prediction.interval(level)[name]
    for i, length in enumerate(_shown(prediction)):
        epochs, colour = np.arange(1, length + 1), COLOURS[i]
        axes.fill_between(
            epochs, low[i, :length], high[i, :length], color=colour, alpha=0.08, linewidth=0
        )
        axes.plot(epochs, values[i, :length], color=colour, linewidth=1.8)
        axes.plot(length, values[i, length - 1], "o", color=colour, markersize=5, clip_on=False)


def _shown(prediction: Prediction) -> Any:
    """The epochs of the configurations that are drawn."""
    return np.atleast_1d(prediction.epochs)[:MOST_LINES]


def _main(prediction: Prediction) -> Target:
    bench = prediction.benchmark
    return next(t for t in bench.curves if t.name == bench.main_curve)


def _dress(axes: Axes, across: str, up: str) -> None:
    """Quiet axes: no box, a light grid, dark text."""
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.grid(color=LIGHT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=GREY, labelcolor=INK, length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GREY)


def _title(figure: Figure, title: str, below: str) -> None:
    left = 0.075
    figure.text(left, 0.945, title, fontsize=13, fontweight="bold", color=INK, va="center")
    figure.text(left, 0.89, below, fontsize=9, color=GREY, va="center")


def _side(figure: Figure, prediction: Prediction, level: float) -> None:
    """What stands beside the curves: the costs, their intervals, and where the joules come from."""
    bench = prediction.benchmark
    (_costs if prediction.single else _key)(figure, prediction, level)
    made = bench.manifest["provenance"]
    notes = [
        f"bands and ranges: {100 * level:g} % interval",
        f"{made['runs']:,} real runs behind it",
    ]
    if prediction.single and any(target.is_energy for target in bench.scalars):
        notes.append(energy_words(bench.manifest))
    lines = [line for note in notes for line in textwrap.wrap(note, 36)]
    figure.text(SIDE, 0.13, "\n".join(lines), fontsize=8, color=GREY, va="bottom", linespacing=1.4)


def _costs(figure: Figure, prediction: Prediction, level: float) -> None:
    """Each scalar of one configuration, with its unit, its interval and the source of joules."""
    bench, y = prediction.benchmark, 0.84
    for target in bench.scalars:
        value, (low, high) = (
            getattr(prediction, target.name),
            prediction.interval(level)[target.name],
        )
        figure.text(SIDE, y, sourced(target, bench.energy_source), fontsize=9, color=GREY, va="top")
        worth = quantity(value, target.unit)
        figure.text(SIDE, y - 0.043, worth, fontsize=14, fontweight="bold", color=INK, va="top")
        figure.text(SIDE, y - 0.107, span(low, high, target.unit), fontsize=9, color=GREY, va="top")
        y -= 0.18


def _key(figure: Figure, prediction: Prediction, level: float) -> None:
    """The configurations of a list by place and colour, with the end of the curve and the time."""
    bench, main, y = prediction.benchmark, _main(prediction), 0.84
    cost = next((t for t in bench.scalars if not t.is_energy), None)
    figure.text(SIDE, y, label(main), fontsize=10, fontweight="bold", color=INK, va="top")
    for i, length in enumerate(_shown(prediction)):
        y -= 0.06
        words = [f"[{i}]", quantity(prediction.curves[main.name][i, length - 1], main.unit)]
        if cost is not None:
            words.append(quantity(getattr(prediction, cost.name)[i], cost.unit))
        for x, word in zip((0.0, 0.045, 0.12), words, strict=False):
            figure.text(SIDE + x, y, word, fontsize=10, color=COLOURS[i], va="top")
    more = len(prediction.configs) - MOST_LINES
    if more > 0:
        figure.text(SIDE, y - 0.06, f"and {more} more", fontsize=9, color=GREY, va="top")


def _shades(count: int) -> list[Any]:
    """Light to dark, for what is ordered."""
    from matplotlib import colormaps

    return list(colormaps["viridis_r"](np.linspace(0.12, 0.92, count)))
