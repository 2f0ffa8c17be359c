"""Matplotlib figures of predictions and fronts. They do not use pyplot and its global state."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eahas.errors import EahasError, MissingExtraError
from eahas.report.text import energy_words, label, quantity, sourced, span, unit_of
from eahas.report.view import FrontView, PredictionView

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito, 2008
INK, GREY, LIGHT = "#1f2933", "#6b7785", "#e4e7eb"
MAX_LINES = 6  # plotted configurations of a list
SIDE = 0.72  # x position of the text to the right of the curves, as a fraction of the width


def plot_prediction(
    view: PredictionView, *, seen: Mapping[str, Sequence[float]] | None = None
) -> Figure:
    """Plot the curves with their intervals over the epochs, and list the costs next to them.

    For a list, it plots the main curve of the first six configurations. `seen` adds the curves of a
    real run by name, as dots. Needs the extra `plot`; raises EahasError for a benchmark without
    curves.
    """
    if not view.curves:
        raise EahasError(f"benchmark {view.benchmark} has no curves to plot")
    figure = _figure()
    axes = figure.add_axes((0.075, 0.13, SIDE - 0.11, 0.71))
    if view.single:
        _curves(axes, view, seen or {})
    else:
        _first_curves(axes, view)
    main = view.main_curve.target
    quantity_name = "accuracy" if "accuracy" in label(main) else main.name
    _dress(axes, "epoch", f"{quantity_name} [{unit_of(main, view.main_curve.source or '')}]")
    axes.set_ylim(main.low, main.high)
    first, longest = int(np.nanmin(view.main_curve.epochs)), int(np.max(_shown(view)))
    axes.set_xlim(min(first, 1), longest if longest > 1 else 2)
    _title(figure, view.benchmark, view.description)
    _side(figure, view)
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
    """Plot error against cost of n runs, and their Pareto front.

    `points` and `front` are pairs (cost, error). `epochs` (n,) colours the runs by their number of
    epochs. `cost` and `error` label the axes.
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


def plot_fronts(view: FrontView) -> Figure:
    """Plot one panel for each cost: the density of all configurations, and the Pareto front."""
    figure = _figure()
    count = len(view.costs)
    columns = min(count, 3)
    rows = -(-count // columns)
    figure.set_size_inches(9.2, 1.4 + 2.6 * rows)
    inch = 1.0 / (1.4 + 2.6 * rows)  # of the height
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).reshape(-1)
    figure.subplots_adjust(
        left=0.075, right=0.965, top=1 - 0.95 * inch, bottom=0.6 * inch, hspace=0.4
    )
    objective = view.values[view.objective.name]
    for axes, target in zip(panels, view.costs, strict=False):
        values, front = view.values[target.name], view.fronts[target.name]
        scale = "log" if values.min() > 0 and values.max() > 20 * values.min() else "linear"
        axes.hexbin(
            values,
            objective,
            gridsize=45,
            bins="log",
            mincnt=1,
            xscale=scale,
            cmap="Greys",
            alpha=0.8,
        )
        axes.plot(
            values[front], objective[front], "o-", color=COLOURS[1], markersize=3, linewidth=1.2
        )
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        unit = unit_of(target, view.sources.get(target.name, ""))
        _dress(axes, f"{label(target)} [{unit}]", "")
    for axes in panels[count:]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        unit = unit_of(view.objective, view.sources.get(view.objective.name, ""))
        axes.set_ylabel(f"{label(view.objective)} [{unit}]", color=INK)
    below = f"predicted for {len(objective):,} sampled configurations; fronts in colour"
    up = 1 - 0.35 * inch
    figure.text(0.075, up, view.benchmark, fontsize=13, fontweight="bold", color=INK)
    figure.text(0.075, up - 0.25 * inch, below, fontsize=9, color=GREY)
    return figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure in the format of the suffix; EahasError for an unknown suffix."""
    path = Path(path)
    allowed = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in allowed:
        raise EahasError(f"{path}: the suffix is unknown; allowed: .{', .'.join(allowed)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=160)
    return path


def _figure() -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plotting", "matplotlib", "plot") from None
    return Figure(figsize=(9.2, 4.6), facecolor="white")


def _curves(axes: Axes, view: PredictionView, seen: Mapping[str, Sequence[float]]) -> None:
    """Plot the curves of one configuration that have the unit of the main curve."""
    main = view.main_curve
    others = [c for c in view.curves if c is not main and c.target.unit == main.target.unit]
    colours = {c.target.name: COLOURS[i % len(COLOURS)] for i, c in enumerate([main, *others])}
    for curve in [*others, main]:
        name, is_main, epochs = curve.target.name, curve is main, curve.epochs
        colour = colours[name]
        mark = "o" if len(epochs) == 1 else None
        axes.fill_between(
            epochs, curve.low, curve.high, color=colour, alpha=0.16 if is_main else 0.07, lw=0
        )
        axes.plot(
            epochs,
            curve.value,
            marker=mark,
            linestyle="-" if is_main else (0, (4, 1.5)),
            color=colour,
            linewidth=2.2 if is_main else 1.3,
            label=sourced(curve.target, curve.source or ""),
        )
        if name in seen:
            at = epochs[: len(seen[name])]
            axes.plot(at, seen[name], "o", color=colour, ms=3.5, alpha=0.8, mew=0, clip_on=False)
    if any(name in seen for name in colours):
        axes.plot([], [], "o", color=GREY, markersize=3, label="a real run")
    handles, labels = axes.get_legend_handles_labels()
    first = sourced(main.target, main.source or "")
    order = sorted(range(len(labels)), key=lambda i: labels[i] != first)
    axes.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="lower right",
        labelcolor=INK,
        fontsize=9,
        framealpha=0.75,
        edgecolor="none",
    )


def _first_curves(axes: Axes, view: PredictionView) -> None:
    """Plot the main curve of the first configurations; the text next to it names their colours."""
    main = view.main_curve
    for i, length in enumerate(main.lengths(_shown(view))):
        epochs, colour = main.epochs[i, :length], COLOURS[i]
        low, high = main.low[i, :length], main.high[i, :length]
        axes.fill_between(epochs, low, high, color=colour, alpha=0.08, linewidth=0)
        axes.plot(epochs, main.value[i, :length], color=colour, linewidth=1.8)
        axes.plot(
            epochs[-1:], main.value[i, length - 1], "o", color=colour, markersize=5, clip_on=False
        )


def _shown(view: PredictionView) -> Any:
    """The epochs of the configurations that are plotted."""
    return np.atleast_1d(view.epochs)[:MAX_LINES]


def _dress(axes: Axes, across: str, up: str) -> None:
    """Set the labels and the style of axes: no box, a light grid, dark text."""
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


def _side(figure: Figure, view: PredictionView) -> None:
    """Write the costs with their intervals and the energy source to the right of the curves."""
    (_costs if view.single else _key)(figure, view)
    notes = [
        f"bands and ranges: {100 * view.level:g} % interval",
        f"fitted to {view.manifest['provenance']['runs']:,} real runs",
    ]
    if view.single and view.energies:
        notes.append(energy_words(view.energies, view.manifest["energy"]["formula"]))
    lines = [line for note in notes for line in textwrap.wrap(note, 36)]
    figure.text(SIDE, 0.13, "\n".join(lines), fontsize=8, color=GREY, va="bottom", linespacing=1.4)


def _costs(figure: Figure, view: PredictionView) -> None:
    """Write each scalar of one configuration with unit, interval and, for an energy, source."""
    y = 0.84
    for scalar in view.scalars:
        unit = scalar.target.unit
        title = sourced(scalar.target, scalar.source or "")
        figure.text(SIDE, y, title, fontsize=9, color=GREY, va="top")
        value = quantity(scalar.value, unit)
        figure.text(SIDE, y - 0.043, value, fontsize=14, fontweight="bold", color=INK, va="top")
        interval = span(scalar.low, scalar.high, unit)
        figure.text(SIDE, y - 0.107, interval, fontsize=9, color=GREY, va="top")
        y -= 0.18


def _key(figure: Figure, view: PredictionView) -> None:
    """Write index, last value of the curve and time of each configuration, in its colour."""
    main, y = view.main_curve, 0.84
    cost = next((scalar for scalar in view.scalars if scalar.source is None), None)
    title = sourced(main.target, main.source or "")
    figure.text(SIDE, y, title, fontsize=10, fontweight="bold", color=INK, va="top")
    for i, length in enumerate(main.lengths(_shown(view))):
        y -= 0.06
        words = [f"[{i}]", quantity(main.value[i, length - 1], main.target.unit)]
        if cost is not None:
            words.append(quantity(cost.value[i], cost.target.unit))
        for x, word in zip((0.0, 0.045, 0.12), words, strict=False):
            figure.text(SIDE + x, y, word, fontsize=10, color=COLOURS[i], va="top")
    more = len(view.configs) - MAX_LINES
    if more > 0:
        figure.text(SIDE, y - 0.06, f"and {more} more", fontsize=9, color=GREY, va="top")


def _shades(count: int) -> list[Any]:
    """Colours from light to dark, for ordered values."""
    from matplotlib import colormaps

    return list(colormaps["viridis_r"](np.linspace(0.12, 0.92, count)))
