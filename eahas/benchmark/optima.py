"""True optima and Pareto fronts of tables, in which every configuration was trained.

The true value of a target is the mean over the training seeds; for a target on a log scale (a cost)
it is the geometric mean. The table predicts the same value. Configurations without a value of a
requested target are left out. The targets of a front may be in different tables over one space (an
accuracy for a task, a latency for a device).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.benchmark.reached import cumulative_at, curve_of_total, values_at
from eahas.checks import is_whole
from eahas.errors import ConfigError, EahasError, shown
from eahas.models.table import Table
from eahas.models.uncertainty.distribution import inverse_link
from eahas.pareto import pareto_rows
from eahas.spec.targets import minimised

Array = np.ndarray
TableOf = Callable[[str], Table]
"""A function from the name of a target to its table; it raises EahasError for an unknown name."""


@dataclass(frozen=True)
class Point:
    """A configuration in nested form, and its values of the requested targets by name."""

    config: dict[str, Any]
    values: dict[str, float]


def best_points(table_of: TableOf, target: str, n: int = 1, at: int | None = None) -> list[Point]:
    """The n configurations with the best true values of a target, the best first.

    Configurations with equal values keep the order of the table. With `at`, the values are those at
    the end of that epoch, as `Benchmark.query` returns them, and configurations with fewer epochs
    are left out. The result has fewer than n points if the table has fewer configurations.

    Raises EahasError for an unknown target and for n below 1, and ConfigError for `at` out of
    range.
    """
    if not is_whole(n) or n < 1:
        raise EahasError(f"n={shown(n)}: allowed are whole numbers from 1")
    table = table_of(target)
    values = true_values(table, target, at)
    order = np.argsort(minimised(table.target(target), values), kind="stable")
    best_rows = order[np.isfinite(values[order])][:n]
    return _points(table, best_rows, {target: values})


def front_points(
    table_of: TableOf, costs: Sequence[str], target: str, at: int | None = None
) -> list[Point]:
    """The configurations that no other configuration dominates in the target and the costs.

    They are ordered by the first cost, the cheapest first. Of configurations with equal values, the
    first in the table is kept. `at` and the errors are those of `best_points`.
    """
    first = table_of(target)
    values, points = {}, []
    for name in (*costs, target):
        table = table_of(name)
        values[name] = _in_rows_of(first, table, true_values(table, name, at))
        points.append(minimised(table.target(name), values[name]))
    return _points(first, pareto_rows(np.stack(points, axis=1)), values)


def true_values(table: Table, name: str, at: int | None = None) -> Array:
    """The true values (N,) of a target for all N configurations of a table, NaN if unknown.

    With `at` they are the values at the end of that epoch, and NaN for configurations with fewer
    epochs.
    """
    target = table.target(name)
    epochs, longest = table.epochs, int(table.epochs.max())
    if at is not None and (not is_whole(at) or not 1 <= at <= longest):
        raise ConfigError(f"at={shown(at)}: allowed are whole epochs in 1..{longest}")
    at_epochs = epochs if at is None else np.full_like(epochs, at)
    value = inverse_link(target, table.summary(name).location)
    curve = curve_of_total(target, table.targets)
    if target.kind == "curve":
        result = values_at(target, value, at_epochs[:, None], epochs)[:, 0]
        if not target.schedule.reached(np.minimum(at_epochs, epochs), epochs).any():
            raise ConfigError(f"at={shown(at)}: {name} has values at {target.schedule}")
    elif curve is not None and at is not None:
        values = inverse_link(curve, table.summary(curve.name).location)
        result = cumulative_at(curve, values, at_epochs[:, None], epochs)[:, 0]
    else:
        result = value * (at_epochs / epochs) if target.cumulative else value
    return np.where(at_epochs <= epochs, result, np.nan)


def _in_rows_of(first: Table, table: Table, values: Array) -> Array:
    """The values of `table` in the row order of `first`; NaN for a configuration it has not."""
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
