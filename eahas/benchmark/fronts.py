"""Predicted Pareto fronts over many sampled configurations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.benchmark.benchmark import Benchmark
from eahas.benchmark.energies import are_comparable, require_comparable
from eahas.errors import EahasError, unknown
from eahas.pareto import pareto_rows
from eahas.report.view import FrontView
from eahas.space.sampling import sample_columns
from eahas.spec.targets import Target, minimised

Array = np.ndarray
CONFIG_BLOCK = 50_000  # configurations whose features are in memory together
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Fronts:
    """The Pareto fronts of one objective and each of several costs, over n configurations.

    Attributes:
        columns: the configurations as columns of shape (n,).
        values: the predictions (n,) by the name of the target; of a curve, those at its last epoch.
        fronts: the indices of the configurations on each front, by the name of the cost and in
            rising order of the cost.
    """

    benchmark: Benchmark
    objective: Target
    costs: tuple[Target, ...]
    columns: dict[str, Array]
    values: dict[str, Array]
    fronts: dict[str, Array]

    def table(self) -> list[dict[str, Any]]:
        """One row for each point of each front: the cost as `front`, configuration, predictions."""
        rows = []
        for name, points in self.fronts.items():
            for i in points.tolist():
                config = {k: column[i] for k, column in self.columns.items()}
                plain = {k: v.item() if hasattr(v, "item") else v for k, v in config.items()}
                predicted = {k: float(values[i]) for k, values in self.values.items()}
                rows.append({"front": name, **plain, **predicted})
        return rows

    def joint(self, *costs: str) -> Array:
        """The indices of the configurations on the joint front of the objective and several costs.

        They are ordered by the first cost. Without names, all costs are used. Raises EahasError for
        a name that is not a cost of these fronts, and for two energies that cover different things.
        """
        known = {target.name: target for target in self.costs}
        for name in costs:
            if name not in known:
                raise EahasError(f"{self.benchmark.id}: {unknown('cost', name, known)}")
        targets = [*(known[name] for name in (costs or known)), self.objective]
        require_comparable(self.benchmark.energies, *(target.name for target in targets))
        return pareto_rows(np.stack([minimised(t, self.values[t.name]) for t in targets], axis=1))

    def view(self) -> FrontView:
        """The fronts as plain data, for reports."""
        return FrontView(
            benchmark=self.benchmark.id,
            objective=self.objective,
            costs=self.costs,
            values=self.values,
            fronts=self.fronts,
            energies={
                t.name: self.benchmark.energies[t.name]
                for t in (self.objective, *self.costs)
                if t.is_energy
            },
        )


def predicted_fronts(
    benchmark: Benchmark,
    n: int,
    *,
    objective: str | None = None,
    costs: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Fronts:
    """The Pareto fronts of `objective` and each of `costs`, over n sampled configurations.

    `objective` is by default the learning curve; without curves, the first scalar. `costs` are by
    default all other scalars; if the objective is an energy, the energies that are not comparable
    with it are left out. `progress` is called after each block with the number of finished
    configurations and n.

    Raises EahasError for an unknown target, for a given cost that is not comparable with the
    objective, if no cost is left, and for the errors of `sample_columns`.
    """
    known = {target.name: target for target in benchmark.targets}
    first = benchmark.main_curve if benchmark.curves else benchmark.scalars[0].name
    energies = benchmark.energies
    others = list(costs) or [
        t.name
        for t in benchmark.scalars
        if t.name != (objective or first) and are_comparable(energies, objective or first, t.name)
    ]
    for name in (objective or first, *others):
        if name not in known:
            raise EahasError(f"{benchmark.id}: {unknown('target', name, known)}")
        require_comparable(energies, objective or first, name)
    chosen = known[objective or first]
    chosen_costs = tuple(known[name] for name in dict.fromkeys(others) if name != chosen.name)
    if not chosen_costs:
        raise EahasError(f"{benchmark.id}: a front of {chosen.name} needs another target beside it")
    columns = sample_columns(benchmark.space, n, seed=seed)
    values = {t.name: np.empty(n) for t in (chosen, *chosen_costs)}
    for start in range(0, n, CONFIG_BLOCK):
        rows = slice(start, min(n, start + CONFIG_BLOCK))
        part = {name: column[rows] for name, column in columns.items()}
        prediction = benchmark.predict_columns(part)
        for target in (chosen, *chosen_costs):
            values[target.name][rows] = _last_value(prediction, target)
        if progress is not None:
            progress(rows.stop, n)
    fronts = {
        t.name: pareto_rows(
            np.stack([minimised(t, values[t.name]), minimised(chosen, values[chosen.name])], axis=1)
        )
        for t in chosen_costs
    }
    return Fronts(benchmark, chosen, chosen_costs, columns, values, fronts)


def _last_value(prediction: Any, target: Target) -> Array:
    value: Array = prediction[target.name]
    if target.kind == "curve":
        value = value[np.arange(len(value)), target.schedule.counts(prediction.epochs) - 1]
    return value
