"""Show a learning curve in a terminal: drawn with braille characters, or else as a table."""

from __future__ import annotations

import math
import shutil
import sys
from typing import TextIO

import numpy as np

from eahas.report.text import number

Array = np.ndarray
HEIGHT = 12  # rows of text
MIN_COLUMNS, MAX_COLUMNS = 40, 100
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # Unicode, U+2800


def width() -> int:
    """Number of columns of the terminal, or 80; $COLUMNS overrides both."""
    return min(MAX_COLUMNS, max(MIN_COLUMNS, shutil.get_terminal_size((80, 24)).columns))


def can_draw(stream: TextIO | None = None) -> bool:
    """Whether braille characters can be written to a stream (default: stdout)."""
    encoding = getattr(sys.stdout if stream is None else stream, "encoding", None) or ""
    return encoding.lower().replace("-", "") == "utf8"


def curve(
    value: Array,
    low: Array,
    high: Array,
    epochs: Array | None = None,
    *,
    columns: int,
    drawn: bool,
) -> str:
    """A curve with its band as lines of text: values at `epochs` (default: 1..L), each (L,)."""
    if drawn:
        return plot(value, low, high, epochs, columns=columns)
    return table(value, low, high, epochs)


def plot(
    value: Array,
    low: Array,
    high: Array,
    epochs: Array | None = None,
    *,
    columns: int,
    rows: int = HEIGHT,
) -> str:
    """The curve as a line of dots, its band as a light pattern, with both axes labelled."""
    epochs = np.arange(1, len(value) + 1) if epochs is None else epochs
    bottom, top, step = _axis(float(low.min()), float(high.max()), rows)
    ticks = {_row(y, bottom, top, rows): y for y in np.arange(bottom, top + step / 2, step)}
    margin = max(len(f"{y:g}") for y in ticks.values())
    cells = _cells(epochs, (value, low, high), (bottom, top), rows, columns - margin - 2)
    lines = []
    for r, text in enumerate(cells):
        tick = f"{ticks[r]:>{margin}g} ┤" if r in ticks else " " * margin + " │"
        lines.append((tick + text).rstrip())
    inner = columns - margin - 2
    first, last = f"{epochs[0]}", f"{epochs[-1]} epochs" if len(value) > 1 else ""
    lines.append(" " * margin + " └" + "─" * inner)
    lines.append(" " * (margin + 2) + first + last.rjust(inner - len(first)))
    return "\n".join(lines)


def table(
    value: Array, low: Array, high: Array, epochs: Array | None = None, rows: int = 10
) -> str:
    """The same at a few epochs, in plain ASCII."""
    epochs = np.arange(1, len(value) + 1) if epochs is None else epochs
    places = np.unique(np.linspace(1, len(value), min(rows, len(value))).round().astype(int)) - 1
    lines = [f"{'epoch':>8}{'value':>10}{'low':>10}{'high':>10}"]
    for k in places:
        cells = (number(float(a[k])) for a in (value, low, high))
        lines.append(f"{epochs[k]:>8}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def _cells(
    epochs: Array,
    curves: tuple[Array, Array, Array],
    ends: tuple[float, float],
    rows: int,
    columns: int,
) -> list[str]:
    """Rows of braille characters. A cell with a part of the line shows no part of the interval."""
    (value, low, high), (bottom, top) = curves, ends
    across, down = 2 * columns, 4 * rows
    positions = np.linspace(epochs[0], epochs[-1], across)

    def heights(y: Array) -> Array:
        share = (top - np.interp(positions, epochs, y)) / (top - bottom)
        return np.clip(np.rint(share * (down - 1)), 0, down - 1).astype(int)

    line = np.zeros((down, across), dtype=bool)
    band = np.zeros_like(line)
    middle, upper, lower = heights(value), heights(high), heights(low)
    for x in range(across):
        before = middle[max(0, x - 1)]  # the stroke goes from the previous dot to this one
        first, last = sorted((int(before), int(middle[x])))
        line[first + (first < last and before < middle[x]) : last + 1, x] = True
        band[upper[x] : lower[x] + 1, x] = True
    sparse = np.zeros_like(band)
    sparse[2::4, ::2] = True  # one dot per cell
    line_codes, band_codes = _code(line), _code(band & sparse)
    codes = np.where(line_codes > 0, line_codes, band_codes)
    return ["".join(chr(0x2800 + code) if code else " " for code in row) for row in codes]


def _code(dots: Array) -> Array:
    """Dots (4 rows and 2 columns per cell) as braille code points, relative to U+2800."""
    rows, columns = dots.shape[0] // 4, dots.shape[1] // 2
    cells = dots.reshape(rows, 4, columns, 2)
    return np.einsum("rack,ak->rc", cells, DOTS).astype(int)


def _axis(low: float, high: float, rows: int) -> tuple[float, float, float]:
    """Round ends of an axis that contains both values, and the step of its ticks."""
    extent = high - low if high > low else max(abs(low), 1.0)
    rough = extent / (rows / 3)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * (1 - 1e-9))
    bottom, top = math.floor(low / step) * step, math.ceil(high / step) * step
    return (bottom, top, step) if bottom < top else (bottom - step, top + step, step)


def _row(y: float, bottom: float, top: float, rows: int) -> int:
    """The row of text that contains a value."""
    share = (top - y) / (top - bottom)
    return min(rows - 1, round(share * (4 * rows - 1)) // 4)
