"""What a search could find at best: predicted fronts over very many drawn configurations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.benchmark.benchmark import Benchmark
from eahas.errors import EahasError, unknown
from eahas.pareto import pareto_rows
from eahas.space.sampling import sample_columns
from eahas.spec.spec import Target

Array = np.ndarray
AT_ONCE = 50_000  # configurations whose features are in memory together
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Fronts:
    """Of n drawn configurations: columns and predictions, each (n,), and the rows of each front.

    `aim` is the objective that every front has, `fronts` the rows by the name of the other one,
    ordered by it. Of a curve the value at the last epoch is meant.
    """

    benchmark: Benchmark
    aim: Target
    against: tuple[Target, ...]
    columns: dict[str, Array]
    values: dict[str, Array]
    fronts: dict[str, Array]

    def table(self) -> list[dict[str, Any]]:
        """A row for each point of each front: `front`, the configuration, the predictions."""
        rows = []
        for name, points in self.fronts.items():
            for i in points.tolist():
                config = {k: column[i] for k, column in self.columns.items()}
                plain = {k: v.item() if hasattr(v, "item") else v for k, v in config.items()}
                told = {k: float(values[i]) for k, values in self.values.items()}
                rows.append({"front": name, **plain, **told})
        return rows


def predicted_fronts(
    benchmark: Benchmark,
    n: int,
    *,
    aim: str | None = None,
    against: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Fronts:
    """The fronts of `aim` against each other target, over n configurations drawn at random.

    `aim` is the learning curve, or without curves the first scalar, unless it is named; `against`
    are all other scalars unless they are named. Raises EahasError for an unknown target, and as
    `sample_columns`.
    """
    known = {target.name: target for target in benchmark.targets}
    first = benchmark.main_curve if benchmark.curves else benchmark.scalars[0].name
    others = list(against) or [t.name for t in benchmark.scalars if t.name != (aim or first)]
    for name in (aim or first, *others):
        if name not in known:
            raise EahasError(f"{benchmark.id}: {unknown('target', name, known)}")
    wanted = known[aim or first]
    rivals = tuple(known[name] for name in dict.fromkeys(others) if name != wanted.name)
    if not rivals:
        raise EahasError(f"{benchmark.id}: a front of {wanted.name} needs another target beside it")
    columns = sample_columns(benchmark.space, n, seed=seed)
    values = {t.name: np.empty(n) for t in (wanted, *rivals)}
    for start in range(0, n, AT_ONCE):
        rows = slice(start, min(n, start + AT_ONCE))
        part = {name: column[rows] for name, column in columns.items()}
        prediction = benchmark.predict_columns(part)
        for target in (wanted, *rivals):
            values[target.name][rows] = _at_the_end(prediction, target)
        if progress is not None:
            progress(rows.stop, n)
    better = smaller_is_better(wanted) * values[wanted.name]
    fronts = {
        t.name: pareto_rows(np.stack([smaller_is_better(t) * values[t.name], better], axis=1))
        for t in rivals
    }
    return Fronts(benchmark, wanted, rivals, columns, values, fronts)


def smaller_is_better(target: Target) -> float:
    """1 for what is to be small, -1 for what is to be large."""
    return 1.0 if target.direction == "minimize" else -1.0


def _at_the_end(prediction: Any, target: Target) -> Array:
    if target.kind == "scalar":
        found: Array = getattr(prediction, target.name)
        return found
    curves = prediction.curves[target.name]
    last: Array = curves[np.arange(len(curves)), np.asarray(prediction.epochs) - 1]
    return last
