"""What is truly best, where every configuration was trained: exact answers from a table.

Truth is the mean over the seeds, as the table's predictions are: of a cost that is the geometric
mean. Configurations without a value of what is asked for are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, EahasError, shown, unknown
from eahas.models.table import Table
from eahas.models.uncertainty.distribution import inverse_link
from eahas.pareto import pareto_rows
from eahas.spec.targets import Target, minimised

Array = np.ndarray


@dataclass(frozen=True)
class Point:
    """A configuration, nested, and its values of the targets that were asked for."""

    config: dict[str, Any]
    values: dict[str, float]


def best_points(table: Table, target: str, n: int = 1, at: int | None = None) -> list[Point]:
    """The n configurations that are best in a target, the best first; equal ones as in the table.

    With `at` what has been reached and spent at the end of that epoch, as `Benchmark.query` says
    it, among the configurations that train for so long. Fewer than n where there are no more.
    Raises EahasError for an unknown target and for n below 1, ConfigError for `at` out of range.
    """
    if not is_whole(n) or n < 1:
        raise EahasError(f"n={shown(n)}: allowed are whole numbers from 1")
    values = true_values(table, target, at)
    order = np.argsort(minimised(_target(table, target), values), kind="stable")
    known = order[np.isfinite(values[order])][:n]
    return _points(table, known, {target: values})


def front_points(
    table: Table, costs: Sequence[str], target: str, at: int | None = None
) -> list[Point]:
    """The configurations that no other one dominates in the target and the costs together.

    They are ordered by the first cost, the cheapest first. Of equal ones the first in the table
    counts. `at` and errors: as `best_points`.
    """
    values = {name: true_values(table, name, at) for name in (*costs, target)}
    points = [minimised(_target(table, name), found) for name, found in values.items()]
    return _points(table, pareto_rows(np.stack(points, axis=1)), values)


def true_values(table: Table, name: str, at: int | None = None) -> Array:
    """A target of every configuration of a table, (N,), NaN where there is none at that epoch."""
    target = _target(table, name)
    epochs, longest = table.epochs, int(table.epochs.max())
    if at is not None and (not is_whole(at) or not 1 <= at <= longest):
        raise ConfigError(f"at={shown(at)}: allowed are whole epochs in 1..{longest}")
    then = epochs if at is None else np.full_like(epochs, at)
    value = inverse_link(target, table.summary(name).location)
    if target.kind == "curve":
        found = value[np.arange(len(epochs)), np.minimum(then, longest) - 1]
    else:
        found = value * (then / epochs) if target.cumulative else value
    return np.where(then <= epochs, found, np.nan)


def _target(table: Table, name: str) -> Target:
    known: Sequence[Target] = table.targets
    for target in known:
        if target.name == name:
            return target
    raise EahasError(f"{table.name}: {unknown('target', name, [t.name for t in known])}")


def _points(table: Table, rows: Array, values: dict[str, Array]) -> list[Point]:
    return [
        Point(
            table.space.nest(table.flats[row]),
            {name: float(found[row]) for name, found in values.items()},
        )
        for row in rows.tolist()
    ]
