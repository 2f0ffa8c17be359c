"""Fitting the parts of a benchmark: each a family for some targets, with one noise for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eahas.errors import FitError, unknown
from eahas.models.ensemble import Ensemble
from eahas.models.heads import ScalarHead
from eahas.spec.spec import Spec
from eahas.spec.targets import curve_groups
from surrogates.data.dataset import Runs
from surrogates.data.progress import Report
from surrogates.data.transforms import linked_scalars
from surrogates.families import Family, Settings
from surrogates.uncertainty.calibration import calibrated
from surrogates.uncertainty.crossfit import FOLDS, crossed
from surrogates.uncertainty.seed_noise import with_noise

MIN_KNOWN = 2 * FOLDS  # configurations with a value of a scalar that some runs lack


@dataclass(frozen=True)
class Part:
    """One model of a benchmark: its family, settings (None: the family's own), and targets.

    Without targets it is for all of its family's kind in the spec. With them it is for these: for
    some scalars, or for the curves of one group (see `eahas.spec.targets.curve_groups`). It bears
    the name of its only scalar, or of the first curve of a group without the learning curve.
    """

    family: Family
    settings: Settings | None = None
    targets: tuple[str, ...] = ()

    def fit(self, runs: Runs, progress: Callable[[int, int], None] | None = None) -> Ensemble:
        """An uncalibrated ensemble. Raises FitError as the family does."""
        if not self.targets:
            return self.family.fit(runs, self.settings, progress)
        fitted = self.family.fit(runs.only(self.targets), self.settings, progress)
        return replace(fitted, name=self._name(runs.spec, fitted.name), spec=runs.spec)

    def _name(self, spec: Spec, of_many: str) -> str:
        main = spec.main_curve
        if self.is_of_curves(spec):
            return of_many if main is not None and main.name in self.targets else self.targets[0]
        return self.targets[0] if len(self.targets) == 1 else of_many

    def is_of_curves(self, spec: Spec) -> bool:
        """Whether its targets in this spec are curves."""
        if not self.targets:
            return self.family.kind(spec) == "curves"
        return self.targets[0] in [curve.name for curve in spec.curves]


def split_parts(parts: Sequence[Part], spec: Spec) -> list[Part]:
    """The parts, with one for each group of curves in place of one for all curves."""
    groups = curve_groups(spec.curves)
    split = []
    for part in parts:
        if part.targets or len(groups) < 2 or not part.is_of_curves(spec):
            split.append(part)
        else:
            split += [replace(part, targets=tuple(t.name for t in group)) for group in groups]
    return split


def fit_parts(
    parts: Sequence[Part],
    runs: Runs,
    report: Report | None = None,
    *,
    folds: int = FOLDS,
    controls: Runs | None = None,
) -> tuple[tuple[Ensemble, ...], dict[str, str]]:
    """The parts fitted to runs and calibrated by cross-fitting; the source of each target's noise.

    A part for all curves is fitted as one model for each group of curves (`split_parts`).
    `controls` are repeats that nothing is fitted to, and that the noise is learned from.

    Raises FitError where a target is unknown, predicted twice, or known of too few configurations,
    and where there are fewer configurations than folds.
    """
    parts = split_parts(parts, runs.spec)
    _check_targets(parts, runs)
    models = []
    for part in parts:
        counted = _Counted(report, f"fit {part.family.name}", folds + 1)

        def fit(some: Runs, part: Part = part, counted: _Counted = counted) -> Ensemble:
            return part.fit(some, counted.next())

        models.append(crossed(fit, runs, count=folds))
    _say(report, "learn the noise", 0, 1)
    noisy, sources = with_noise(models, controls)
    found: list[Ensemble] = []
    for model in noisy:
        _say(report, "calibrate", len(found), len(noisy))
        found.append(calibrated(model))
    return tuple(found), sources


def _check_targets(parts: Sequence[Part], runs: Runs) -> None:
    taken: set[str] = set()
    for part in parts:
        if part.targets and part.family.targets == "curves":
            _check_group(part, runs.spec)
        of_curves = bool(part.targets) and part.is_of_curves(runs.spec)
        of_kind = runs.spec.curves if of_curves else runs.spec.scalars
        known = [t.name for t in (of_kind if part.targets else part.family.targets_of(runs.spec))]
        for name in part.targets or known:
            if name not in known:
                raise FitError(f"model {part.family.name}: {unknown('target', name, known)}")
            if name in taken:
                raise FitError(f"two models are to predict {name}; one is enough")
            taken.add(name)
    several = [p for p in parts if len(p.targets) > 1 and not p.is_of_curves(runs.spec)]
    if len(several) > 1:
        raise FitError(
            "two models are to predict several scalars each, and would bear one name; give all but "
            "one of them a single target"
        )
    scalars = [target.name for target in runs.spec.scalars if target.name in taken]
    if scalars:
        _check_known(runs.only(scalars))


def _check_group(part: Part, spec: Spec) -> None:
    groups = [tuple(t.name for t in group) for group in curve_groups(spec.curves)]
    if part.targets not in groups:
        raise FitError(
            f"model {part.family.name} fits all curves of one schedule together; only scalars may "
            f"have a model of their own, got {', '.join(part.targets)}"
        )


def _check_known(runs: Runs) -> None:
    """Said before anything is fitted: each scalar has values, and such as its kind allows."""
    for target, values in zip(runs.spec.scalars, runs.scalars.T, strict=True):
        known = np.isfinite(values)
        count = len(np.unique(runs.config_id[known]))
        if count < MIN_KNOWN and not known.all():
            raise FitError(
                f"{target.name} is known of {count} configurations to learn from; a fit needs "
                f"{MIN_KNOWN}: add some, or take {target.name} out of the targets of the spec"
            )
    linked_scalars(runs, ScalarHead(runs.spec.scalars))


def _say(report: Report | None, what: str, done: int, count: int) -> None:
    if report is not None:
        report(what, done, count)


class _Counted:
    """Several fits under one bar."""

    def __init__(self, report: Report | None, what: str, fits: int) -> None:
        self._report, self._what, self._fits, self._begun = report, what, fits, 0

    def next(self) -> Callable[[int, int], None]:
        before, self._begun = self._begun, self._begun + 1

        def progress(done: int, total: int) -> None:
            _say(self._report, self._what, before * total + done, self._fits * total)

        return progress
