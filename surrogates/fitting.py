"""Fitting the parts of a benchmark: each a family for some targets, with one noise for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eahas.benchmark.storage.ensemble_folder import ENDS, SHARES
from eahas.errors import FitError, unknown
from eahas.models.cumulative import Cumulative
from eahas.models.curves.monotone import MONOTONE
from eahas.models.ensemble import Ensemble
from eahas.models.heads import ScalarHead
from eahas.spec.spec import Spec
from eahas.spec.targets import curve_groups, main_curve
from surrogates.data.dataset import Runs
from surrogates.data.progress import Report
from surrogates.data.shares import ends, shares, without_ends
from surrogates.data.transforms import linked_scalars
from surrogates.families import Family, Settings, family
from surrogates.uncertainty.calibration import calibrated
from surrogates.uncertainty.crossfit import FOLDS, Crossed, crossed
from surrogates.uncertainty.seed_noise import with_noise

OF_ENDS = "nn_E"  # fits ends where no part fits scalars
FittedModel = Ensemble | Cumulative
Progress = Callable[[int, int], None]
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

    def fit(self, runs: Runs, progress: Progress | None = None) -> Ensemble:
        """An uncalibrated ensemble: of cumulative curves that of their shares.

        Raises FitError as the family does.
        """
        piece = self.pieces(runs.spec)[0]
        return piece.named(piece.fit(piece.view(runs), progress), runs.spec)

    def view(self, runs: Runs) -> Runs:
        """The runs with the targets of `fit`: those of cumulative curves are their shares."""
        piece = self.pieces(runs.spec)[0]
        return piece.view(runs) if piece.kind or not self.targets else runs.only(self.targets)

    def targets_in(self, spec: Spec) -> tuple[str, ...]:
        """The names of its targets in a spec."""
        return self.targets or tuple(target.name for target in self.family.targets_of(spec))

    def pieces(self, spec: Spec, of_scalars: Part | None = None) -> list[Piece]:
        """What is fitted for it: one ensemble, or of cumulative curves one or two.

        The ends of curves are fitted as `of_scalars` fits scalars, by default by OF_ENDS.
        """
        curves = [curve for curve in spec.curves if curve.name in self.targets_in(spec)]
        if not self.is_of_curves(spec) or not all(curve.cumulative for curve in curves):
            return [Piece(self, self)]
        found = [Piece(self, replace(self, family=replace(self.family, codec=MONOTONE)), SHARES)]
        if any(curve.total is None for curve in curves):
            found.append(Piece(self, of_scalars or Part(family(OF_ENDS)), ENDS))
        return found

    def name(self, spec: Spec, of_many: str) -> str:
        """The name of its model; `of_many` is that of a model of all curves, or of many scalars."""
        if not self.targets:
            return of_many
        main = spec.main_curve
        if self.is_of_curves(spec):
            return of_many if main is not None and main.name in self.targets else self.targets[0]
        return self.targets[0] if len(self.targets) == 1 else of_many

    def is_of_curves(self, spec: Spec) -> bool:
        """Whether its targets in this spec are curves."""
        if not self.targets:
            return self.family.kind(spec) == "curves"
        return self.targets[0] in [curve.name for curve in spec.curves]


@dataclass(frozen=True)
class Piece:
    """One ensemble of a part: of its targets as they are, or of shares or ends of its curves.

    `by` has the family and the settings that fit it.
    """

    part: Part
    by: Part
    kind: str = ""

    def view(self, runs: Runs) -> Runs:
        """The runs as this ensemble takes them."""
        if not self.kind:
            return runs
        names = self.part.targets_in(runs.spec)
        curves = [curve for curve in runs.spec.curves if curve.name in names]
        if self.kind == SHARES:
            return shares(runs, curves)
        return ends(runs, [curve for curve in curves if curve.total is None])

    def fit(self, view: Runs, progress: Progress | None = None) -> Ensemble:
        """An uncalibrated ensemble of runs as `view` gives them; FitError as the family does."""
        ours = view.only(self.part.targets) if self.part.targets and not self.kind else view
        return self.by.family.fit(ours, self.by.settings, progress)

    def named(self, model: Ensemble, spec: Spec) -> Ensemble:
        """The model of this spec under its name in a benchmark."""
        name = self.part.name(spec, model.name)
        return replace(model, spec=spec, name=f"{name}-{self.kind}" if self.kind == ENDS else name)

    def judged(self, model: Crossed) -> Crossed:
        """The model with the runs that calibrate it: those of which something is left to tell."""
        return replace(model, runs=without_ends(model.runs)) if self.kind == SHARES else model


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
) -> tuple[tuple[FittedModel, ...], dict[str, str]]:
    """The parts fitted to runs and calibrated by cross-fitting; the source of each target's noise.

    A part for all curves is fitted as one model for each group of curves (`split_parts`), and one
    for cumulative curves as a model of their shares and one of the ends that are no scalar.

    `controls` are repeats that nothing is fitted to, and that the noise is learned from.

    Raises FitError where a target is unknown, predicted twice, or known of too few configurations,
    and where there are fewer configurations than folds.
    """
    parts = split_parts(parts, runs.spec)
    _check_targets(parts, runs)
    of_scalars = next((part for part in parts if not part.is_of_curves(runs.spec)), None)
    pieces = [piece for part in parts for piece in part.pieces(runs.spec, of_scalars)]
    models = []
    for piece in pieces:
        counted = _Counted(report, f"fit {piece.by.family.name}", folds + 1)

        def fit(some: Runs, piece: Piece = piece, counted: _Counted = counted) -> Ensemble:
            return piece.named(piece.fit(some, counted.next()), runs.spec)

        models.append(crossed(fit, piece.view(runs), count=folds))
    _say(report, "learn the noise", 0, 1)
    told = None if controls is None else [piece.view(controls) for piece in pieces]
    noisy, sources = with_noise(models, told)
    found: list[tuple[Piece, Ensemble]] = []
    for piece, model in zip(pieces, noisy, strict=True):
        _say(report, "calibrate", len(found), len(noisy))
        found.append((piece, calibrated(piece.judged(model))))
    return _assembled(parts, found, runs.spec), sources


def _assembled(
    parts: Sequence[Part], found: Sequence[tuple[Piece, Ensemble]], spec: Spec
) -> tuple[FittedModel, ...]:
    """A model for each part, the cumulative ones with the models of their totals."""
    models: list[FittedModel] = []
    plain = {t.name: model for piece, model in found if not piece.kind for t in model.targets}
    for part in parts:
        own = {piece.kind: model for piece, model in found if piece.part is part}
        if SHARES not in own:
            models.append(own[""])
            continue
        curves = tuple(curve for curve in spec.curves if curve.name in part.targets_in(spec))
        totals = {curve.total: plain[curve.total] for curve in curves if curve.total is not None}
        main = main_curve(curves)
        assert main is not None
        models.append(
            Cumulative(
                spec=spec,
                name=own[SHARES].name,
                targets=curves,
                shares=own[SHARES],
                ends=own.get(ENDS),
                totals=totals,
                primary=main.name,
                manifest=own[SHARES].manifest,
            )
        )
    return tuple(models)


def _check_targets(parts: Sequence[Part], runs: Runs) -> None:
    taken: set[str] = set()
    for part in parts:
        fits_curves = part.family.targets != "scalars"
        of_curves = bool(part.targets) and fits_curves and part.is_of_curves(runs.spec)
        if part.targets and (of_curves or part.family.targets == "curves"):
            _check_group(part, runs.spec)
        of_kind = runs.spec.curves if of_curves else runs.spec.scalars
        known = [t.name for t in (of_kind if part.targets else part.family.targets_of(runs.spec))]
        for name in part.targets or known:
            if name not in known:
                raise FitError(f"model {part.family.name}: {unknown('target', name, known)}")
            if name in taken:
                raise FitError(f"two models are to predict {name}; one is enough")
            taken.add(name)
    for curve in runs.spec.curves:
        if curve.name in taken and curve.total is not None and curve.total not in taken:
            raise FitError(
                f"{curve.name} ends at {curve.total}, which no model is to predict; fit one for it"
            )
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
