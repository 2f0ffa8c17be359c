"""True optima and fronts, where every configuration was trained: exact results from tables.

The true value is the mean over the seeds, as the table's predictions are: for a cost the geometric
mean. Configurations without a value of a requested target are left out. The targets of a front may
stand in different tables over one space (an accuracy for a task, a latency for a device).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.benchmark.reached import curve_of_total, reached_at, spent_at
from eahas.checks import is_whole
from eahas.errors import ConfigError, EahasError, shown
from eahas.models.table import Table
from eahas.models.uncertainty.distribution import inverse_link
from eahas.pareto import pareto_rows
from eahas.spec.targets import minimised

Array = np.ndarray
TableOf = Callable[[str], Table]
"""The table that holds a target, by the target's name; it raises EahasError for an unknown one."""


@dataclass(frozen=True)
class Point:
    """A configuration, nested, and its values of the requested targets."""

    config: dict[str, Any]
    values: dict[str, float]


def best_points(table_of: TableOf, target: str, n: int = 1, at: int | None = None) -> list[Point]:
    """The n configurations that are best in a target, the best first; equal ones as in the table.

    With `at`, what is reached and spent at the end of that epoch, as `Benchmark.query` returns it,
    among the configurations that train for so long. Fewer than n where there are no more. Raises
    EahasError for an unknown target and for n below 1, ConfigError for `at` out of range.
    """
    if not is_whole(n) or n < 1:
        raise EahasError(f"n={shown(n)}: allowed are whole numbers from 1")
    table = table_of(target)
    values = true_values(table, target, at)
    order = np.argsort(minimised(table.target(target), values), kind="stable")
    known = order[np.isfinite(values[order])][:n]
    return _points(table, known, {target: values})


def front_points(
    table_of: TableOf, costs: Sequence[str], target: str, at: int | None = None
) -> list[Point]:
    """The configurations that no other one dominates in the target and the costs together.

    They are ordered by the first cost, the cheapest first. Of equal ones the first in the table
    counts. `at` and errors: as `best_points`.
    """
    first = table_of(target)
    values, points = {}, []
    for name in (*costs, target):
        table = table_of(name)
        values[name] = _in_rows_of(first, table, true_values(table, name, at))
        points.append(minimised(table.target(name), values[name]))
    return _points(first, pareto_rows(np.stack(points, axis=1)), values)


def true_values(table: Table, name: str, at: int | None = None) -> Array:
    """A target of every configuration of a table, (N,), NaN where there is none at that epoch."""
    target = table.target(name)
    epochs, longest = table.epochs, int(table.epochs.max())
    if at is not None and (not is_whole(at) or not 1 <= at <= longest):
        raise ConfigError(f"at={shown(at)}: allowed are whole epochs in 1..{longest}")
    then = epochs if at is None else np.full_like(epochs, at)
    value = inverse_link(target, table.summary(name).location)
    curve = curve_of_total(target, table.targets)
    if target.kind == "curve":
        reached = reached_at(target, value, then[:, None], epochs)[:, 0]
        if not target.schedule.reached(np.minimum(then, epochs), epochs).any():
            raise ConfigError(f"at={shown(at)}: {name} has values at {target.schedule}")
    elif curve is not None and at is not None:
        values = inverse_link(curve, table.summary(curve.name).location)
        reached = spent_at(curve, values, then[:, None], epochs)[:, 0]
    else:
        reached = value * (then / epochs) if target.cumulative else value
    return np.where(then <= epochs, reached, np.nan)


def _in_rows_of(first: Table, table: Table, values: Array) -> Array:
    """Values of a table in the rows of another one; NaN for configurations that it lacks."""
    if table is first:
        return values
    rows = [table.row(flat) for flat in first.flats]
    return np.array([np.nan if row is None else values[row] for row in rows])


def _points(table: Table, rows: Array, values: dict[str, Array]) -> list[Point]:
    return [
        Point(
            table.space.nest(table.flats[row]),
            {name: float(column[row]) for name, column in values.items()},
        )
        for row in rows.tolist()
    ]
