"""Convert records to the arrays to which surrogates are fitted and on which they are evaluated.

Failed runs are left out, because they contain no information about the configuration. A diverged
run keeps its curves up to the last finished epoch. After it, accuracies have the value of guessing,
which is what a user of that configuration would get; other curves, such as a loss, are unknown. The
time and the energy of a diverged run are not used. The manifest counts failed and diverged runs.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import FitError
from eahas.models.features.features import Features, default_features
from eahas.records.energies import known_sources, sources_of
from eahas.records.records import ASIDE, Record, Records
from eahas.records.schema import CONTROL, config_of, spread_of
from eahas.spec.quantities import ACCURACY, LATENCY, PERCENT, TIME
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

SPLIT_SHARES = (("test", 0.25), ("valid", 0.15))  # for records whose sweep defines no split


@dataclass(frozen=True)
class Runs:
    """n runs of one space as arrays.

    x (n, F) float64; epochs (n,); curves (n, C, longest), each with one value for each epoch of its
    schedule and padded with NaN; scalars (n, T), NaN if a run has no value; spreads (n, T), the
    reported standard deviations of the scalars; split and config_id (n,) of str; seed (n,).
    """

    spec: Spec
    features: Features
    configs: tuple[Mapping[str, Any], ...]
    x: np.ndarray
    epochs: np.ndarray
    curves: np.ndarray
    scalars: np.ndarray
    spreads: np.ndarray
    split: np.ndarray
    config_id: np.ndarray
    seed: np.ndarray

    def __len__(self) -> int:
        return len(self.x)

    def where(self, mask: np.ndarray) -> Runs:
        """The runs for which a boolean mask (n,) is true."""
        rows = np.flatnonzero(mask)
        return Runs(
            self.spec,
            self.features,
            tuple(self.configs[i] for i in rows),
            self.x[rows],
            self.epochs[rows],
            self.curves[rows],
            self.scalars[rows],
            self.spreads[rows],
            self.split[rows],
            self.config_id[rows],
            self.seed[rows],
        )

    def where_rows(self, rows: np.ndarray) -> Runs:
        """The runs with these row numbers, in the order of the rows."""
        mask = np.zeros(len(self), dtype=bool)
        mask[rows] = True
        return self.where(mask)

    def only(self, targets: Sequence[str]) -> Runs:
        """The same runs with only these targets."""
        curve_ids = [k for k, t in enumerate(self.spec.curves) if t.name in targets]
        scalar_ids = [k for k, t in enumerate(self.spec.scalars) if t.name in targets]
        curves = tuple(self.spec.curves[k] for k in curve_ids)
        spec = replace(
            self.spec, curves=curves, scalars=tuple(self.spec.scalars[k] for k in scalar_ids)
        )
        longest = longest_curve(curves, self.epochs)
        return replace(
            self,
            spec=spec,
            curves=self.curves[:, curve_ids, :longest],
            scalars=self.scalars[:, scalar_ids],
            spreads=self.spreads[:, scalar_ids],
        )

    @cached_property
    def lengths(self) -> np.ndarray:
        """(n,): how many values the curves of each run have, where all have one schedule."""
        schedules = {target.schedule for target in self.spec.curves}
        assert len(schedules) == 1, "curves of several schedules are fitted apart"
        lengths: np.ndarray = schedules.pop().counts(self.epochs)
        return lengths

    def values_of(self, target: Target) -> np.ndarray:
        """The values of a target: (n, longest) for a curve, (n,) for a scalar."""
        if target.kind == "curve":
            return self.curves[:, self.spec.curves.index(target)]
        return self.scalars[:, self.spec.scalars.index(target)]

    def side(self, *splits: str) -> Runs:
        """The runs of one or more parts of the split."""
        return self.where(np.isin(self.split, splits))

    def first_seeds(self) -> Runs:
        """One run of each configuration: the one with the smallest seed."""
        order = np.lexsort((self.seed, self.config_id))
        _, first = np.unique(self.config_id[order], return_index=True)
        mask = np.zeros(len(self), dtype=bool)
        mask[order[first]] = True
        return self.where(mask)

    @cached_property
    def weight(self) -> np.ndarray:
        """Weights (n,): 1 / number of runs of the configuration, so that each one has weight 1."""
        counts = Counter(self.config_id.tolist())
        return np.array([1.0 / counts[name] for name in self.config_id.tolist()])

    def columns(self) -> dict[str, np.ndarray]:
        """The configurations as columns."""
        return self.spec.space.columns(self.configs)


def runs_from_records(rows: Records, spec: Spec) -> Runs:
    """The arrays of checked records, without anchors, controls and failed runs.

    Raises:
        FitError: no run remains.
    """
    kept = [row for row in rows if row.get("role") not in ASIDE and _usable(row, spec)]
    if not kept:
        raise FitError(f"none of the {len(rows)} records can be used: no run succeeded")
    return _runs(kept, spec)


def controls_from_records(rows: Records, spec: Spec) -> Runs | None:
    """The control runs: repeats that are used for the seed noise only; None if there are none."""
    kept = [row for row in rows if row.get("role") == CONTROL and _usable(row, spec)]
    return _runs(kept, spec) if kept else None


def _runs(kept: Sequence[Record], spec: Spec) -> Runs:
    configs = tuple(config_of(row, spec) for row in kept)
    features = default_features(spec.space)
    columns = spec.space.columns(configs)
    fidelity = spec.space.fidelity
    epochs = columns[fidelity].astype(int) if fidelity else np.ones(len(kept), dtype=int)
    splits = [row.get("split") or split_of(row["config_id"]) for row in kept]
    return Runs(
        spec=spec,
        features=features,
        configs=configs,
        x=features.many(columns),
        epochs=epochs,
        curves=_curves(kept, spec, epochs),
        scalars=_scalars(kept, spec),
        spreads=_spreads(kept, spec),
        split=np.array(splits),
        config_id=np.array([row["config_id"] for row in kept]),
        seed=np.array([row["seed"] for row in kept]),
    )


def unvaried(runs: Runs) -> list[str]:
    """Warnings about parameters that have one value in all runs, although the spec allows more."""
    columns, warnings = runs.columns(), []
    for parameter in runs.spec.space.parameters:
        values = columns[parameter.name]
        constant = all(value == values[0] for value in values)
        if parameter.condition is None and constant and parameter.cardinality() > 1:
            warnings.append(
                f"{parameter.name} is {values[0]} in all runs, but the spec allows "
                f"{parameter.allowed()}: predictions for other values are not supported by data"
            )
    return warnings


def split_of(config_id: str) -> str:
    """The part of the split for a configuration; it depends on its id only.

    Adding runs therefore does not change the part of another configuration.
    """
    digest = hashlib.sha256(config_id.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    for side, part in SPLIT_SHARES:
        if share < part:
            return side
        share -= part
    return "train"


def chance_percent(spec: Spec) -> float | None:
    """The accuracy of guessing in percent; None if the spec has no number of classes."""
    return None if spec.network is None else 100.0 / spec.network.classes


def is_accuracy(target: Target) -> bool:
    """Whether the target is an accuracy, for which guessing has a known value."""
    return target.quantity == ACCURACY and target.unit in PERCENT and not target.cumulative


def _usable(row: Record, spec: Spec) -> bool:
    if row["status"] == "ok":
        return True
    return (
        row["status"] == "diverged"
        and chance_percent(spec) is not None
        and any(map(is_accuracy, spec.curves))
    )


def longest_curve(curves: Sequence[Target], epochs: np.ndarray) -> int:
    """The largest number of values that one of these curves has in runs of so many epochs (n,)."""
    most = int(epochs.max())
    return max((int(target.schedule.counts(most)) for target in curves), default=most)


def _curves(rows: Sequence[Record], spec: Spec, epochs: np.ndarray) -> np.ndarray:
    longest = longest_curve(spec.curves, epochs)
    curves = np.full((len(rows), len(spec.curves), longest), np.nan)
    for k, target in enumerate(spec.curves):
        lengths = target.schedule.counts(epochs)
        for i, row in enumerate(rows):
            values = np.asarray(row.get(target.name, ()), dtype=float)
            if target.cumulative:
                values = _cumulative(values, row, target, spec)
            curves[i, k, : len(values)] = values
            if len(values) < lengths[i] and is_accuracy(target):
                curves[i, k, len(values) : lengths[i]] = chance_percent(spec)
    return curves


def _cumulative(values: np.ndarray, row: Record, target: Target, spec: Spec) -> np.ndarray:
    """The values on the reference machine; those of a run that ended well end at its total.

    A record has a curve in single precision and its total in double: the end is the total itself.
    """
    total = next((scalar for scalar in spec.scalars if scalar.name == target.total), None)
    if row["status"] == "ok" and total is not None and total.name in row:
        values = np.minimum(values, row[total.name])
        values[-1:] = row[total.name]
    return values / _factor(row, total or target, spec)


def _spreads(rows: Sequence[Record], spec: Spec) -> np.ndarray:
    spreads = [
        [row.get(spread_of(t), np.nan) / _factor(row, t, spec) for t in spec.scalars]
        for row in rows
    ]
    return np.array(spreads, dtype=float).reshape(len(rows), len(spec.scalars))


def _scalars(rows: Sequence[Record], spec: Spec) -> np.ndarray:
    scalars = np.full((len(rows), len(spec.scalars)), np.nan)
    for i, row in enumerate(rows):
        if row["status"] != "ok":
            continue
        for k, target in enumerate(spec.scalars):
            scalars[i, k] = row.get(target.name, np.nan) / _factor(row, target, spec)
    return scalars


def _factor(row: Mapping[str, Any], target: Target, spec: Spec) -> float:
    """The factor by which times of another machine, and energies estimated from time, are divided.

    Measured energies are not changed, because half the speed does not mean twice the energy.
    """
    factor: float = row.get("machine_factor", 1.0)
    if factor == 1.0 or target.quantity in (TIME, LATENCY):
        return factor
    if not target.is_energy:
        return 1.0
    sources = sources_of(row, target, known_sources(spec))
    return factor if sources and all(source.from_time for source in sources) else 1.0
