"""Records as arrays: what a surrogate is fitted to and judged on.

Failed runs are left out: they say nothing about the configuration. A diverged run keeps its curves
up to the last finished epoch. From there on its accuracies stand at chance, which is what a user of
that configuration would see; a curve of another kind, a loss say, is not known there. It is left
out of time and energy. The manifest counts both.
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
from eahas.records.records import ASIDE, Record, Records
from eahas.records.schema import CONTROL, config_of, spread_of
from eahas.spec.spec import Spec
from eahas.spec.targets import Target

SPLIT_SHARES = (("test", 0.25), ("valid", 0.15))  # for records whose sweep fixed no split


@dataclass(frozen=True)
class Runs:
    """n runs of one space as arrays.

    x (n, F) float64; epochs (n,); curves (n, C, longest) padded with NaN; scalars (n, T) with NaN
    where a run has none, and their `spreads` (n, T), the standard deviations that were reported
    with them; split, config_id (n,) of str; seed (n,).
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
        """The runs at which a boolean mask (n,) is true."""
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
        """The runs at these positions, in their order here."""
        mask = np.zeros(len(self), dtype=bool)
        mask[rows] = True
        return self.where(mask)

    def only(self, targets: Sequence[str]) -> Runs:
        """The same runs with these scalars alone."""
        kept = [k for k, t in enumerate(self.spec.scalars) if t.name in targets]
        spec = replace(self.spec, curves=(), scalars=tuple(self.spec.scalars[k] for k in kept))
        scalars, spreads = self.scalars[:, kept], self.spreads[:, kept]
        return replace(self, spec=spec, curves=self.curves[:, :0], scalars=scalars, spreads=spreads)

    def values_of(self, target: Target) -> np.ndarray:
        """A target of every run: (n, longest) of a curve, (n,) of a scalar."""
        if target.kind == "curve":
            return self.curves[:, self.spec.curves.index(target)]
        return self.scalars[:, self.spec.scalars.index(target)]

    def side(self, *splits: str) -> Runs:
        """The runs of one split, or of several."""
        return self.where(np.isin(self.split, splits))

    def first_seeds(self) -> Runs:
        """One run a configuration: the one with the smallest seed."""
        order = np.lexsort((self.seed, self.config_id))
        _, first = np.unique(self.config_id[order], return_index=True)
        mask = np.zeros(len(self), dtype=bool)
        mask[order[first]] = True
        return self.where(mask)

    @cached_property
    def weight(self) -> np.ndarray:
        """(n,): the runs of one configuration together weigh as much as any other's one run."""
        counts = Counter(self.config_id.tolist())
        return np.array([1.0 / counts[name] for name in self.config_id.tolist()])

    def columns(self) -> dict[str, np.ndarray]:
        """The configurations as columns."""
        return self.spec.space.columns(self.configs)


def runs_from_records(rows: Records, spec: Spec) -> Runs:
    """The arrays of checked records; anchors, controls and failed runs left out.

    Raises FitError where nothing is left to learn from.
    """
    kept = [row for row in rows if row.get("role") not in ASIDE and _usable(row, spec)]
    if not kept:
        raise FitError(f"none of the {len(rows)} records can be learned from: no run ended well")
    return _runs(kept, spec)


def controls_from_records(rows: Records, spec: Spec) -> Runs | None:
    """The runs that stand aside to tell the noise: repeats that nobody is fitted to. None: none."""
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
    """What the runs say nothing of: parameters of one value, where the spec allows more."""
    columns, found = runs.columns(), []
    for parameter in runs.spec.space.parameters:
        values = columns[parameter.name]
        one = all(value == values[0] for value in values)
        if parameter.condition is None and one and parameter.cardinality() > 1:
            found.append(
                f"{parameter.name} is {values[0]} in all runs, and the spec allows "
                f"{parameter.allowed()}: nothing is known of another"
            )
    return found


def split_of(config_id: str) -> str:
    """A side fixed by the configuration's name alone, so that new runs move no old one."""
    digest = hashlib.sha256(config_id.encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    for side, part in SPLIT_SHARES:
        if share < part:
            return side
        share -= part
    return "train"


def chance_percent(spec: Spec) -> float | None:
    """Accuracy of guessing, where the spec says how many classes there are."""
    return None if spec.network is None else 100.0 / spec.network.classes


def is_accuracy(target: Target) -> bool:
    """Whether guessing has a known value of this target."""
    return target.unit == "percent" and target.direction == "maximize"


def _usable(row: Record, spec: Spec) -> bool:
    if row["status"] == "ok":
        return True
    return (
        row["status"] == "diverged"
        and chance_percent(spec) is not None
        and any(map(is_accuracy, spec.curves))
    )


def _curves(rows: Sequence[Record], spec: Spec, epochs: np.ndarray) -> np.ndarray:
    curves = np.full((len(rows), len(spec.curves), int(epochs.max())), np.nan)
    for i, row in enumerate(rows):
        for k, target in enumerate(spec.curves):
            values = np.asarray(row.get(target.name, ()), dtype=float)
            curves[i, k, : len(values)] = values
            if len(values) < epochs[i] and is_accuracy(target):
                curves[i, k, len(values) : epochs[i]] = chance_percent(spec)
    return curves


def _spreads(rows: Sequence[Record], spec: Spec) -> np.ndarray:
    found = [
        [row.get(spread_of(t), np.nan) / _factor(row, t) for t in spec.scalars] for row in rows
    ]
    return np.array(found, dtype=float).reshape(len(rows), len(spec.scalars))


def _scalars(rows: Sequence[Record], spec: Spec) -> np.ndarray:
    scalars = np.full((len(rows), len(spec.scalars)), np.nan)
    for i, row in enumerate(rows):
        if row["status"] != "ok":
            continue
        for k, target in enumerate(spec.scalars):
            scalars[i, k] = row.get(target.name, np.nan) / _factor(row, target)
    return scalars


def _factor(row: Record, target: Target) -> float:
    """Times of other machines, and joules that are a formula of time, are divided by this.

    Measured joules stay as they are: a machine that is twice as slow does not draw twice as much.
    """
    timed = target.unit == "s" or (target.unit == "J" and row.get("energy_source") == "estimated")
    return row.get("machine_factor", 1.0) if timed else 1.0
