"""Fit the components of a benchmark: one model family for each group of targets, and seed noise."""

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
from surrogates.data.transforms import log_scale_scalars
from surrogates.families import Family, Settings, family
from surrogates.uncertainty.calibration import calibrate
from surrogates.uncertainty.crossfit import FOLDS, CrossFit, cross_fit
from surrogates.uncertainty.seed_noise import fit_seed_noise

MIN_KNOWN = 2 * FOLDS  # configurations with a value of a scalar that some runs lack
FAMILY_OF_ENDS = "nn_E"  # fits the ends of curves if no component fits scalars
FittedModel = Ensemble | Cumulative
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Component:
    """One model of a benchmark.

    Attributes:
        family: its family.
        settings: its settings; None for those of the family.
        targets: names of the scalars that it predicts, or of the curves of one group (see
            `eahas.spec.targets.curve_groups`); by default all targets of the family's kind. A model
            of a single scalar has the scalar's name, and a model of a group without the learning
            curve has the name of its first curve.
    """

    family: Family
    settings: Settings | None = None
    targets: tuple[str, ...] = ()

    def fit(self, runs: Runs, progress: Progress | None = None) -> Ensemble:
        """Fit an uncalibrated ensemble; for cumulative curves one of their shares.

        Raises:
            FitError: as in `Family.fit`.
        """
        piece = self.pieces(runs.spec)[0]
        return piece.named(piece.fit(piece.view(runs), progress), runs.spec)

    def view(self, runs: Runs) -> Runs:
        """The runs with the targets of `fit`; of cumulative curves these are the shares."""
        piece = self.pieces(runs.spec)[0]
        return piece.view(runs) if piece.kind or not self.targets else runs.only(self.targets)

    def targets_in(self, spec: Spec) -> tuple[str, ...]:
        """The names of its targets in a spec."""
        return self.targets or tuple(target.name for target in self.family.targets_of(spec))

    def pieces(self, spec: Spec, of_scalars: Component | None = None) -> list[Piece]:
        """The ensembles that are fitted for it: one, or for cumulative curves one or two.

        The ends of curves are fitted with the family and the settings of `of_scalars`.
        """
        curves = [curve for curve in spec.curves if curve.name in self.targets_in(spec)]
        if not self.is_of_curves(spec) or not all(curve.cumulative for curve in curves):
            return [Piece(self, self)]
        monotone = replace(self, family=replace(self.family, codec=MONOTONE))
        pieces = [Piece(self, monotone, SHARES)]
        if any(curve.total is None for curve in curves):
            pieces.append(Piece(self, of_scalars or Component(family(FAMILY_OF_ENDS)), ENDS))
        return pieces

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
    """One ensemble of a component.

    Attributes:
        component: the component.
        by: has the family and the settings of the fit.
        kind: SHARES or ENDS of the component's curves; empty for its targets as they are.
    """

    component: Component
    by: Component
    kind: str = ""

    def view(self, runs: Runs) -> Runs:
        """The runs with the targets of this ensemble, or with all of them if `kind` is empty."""
        if not self.kind:
            return runs
        names = self.component.targets_in(runs.spec)
        curves = [curve for curve in runs.spec.curves if curve.name in names]
        if self.kind == SHARES:
            return shares(runs, curves)
        return ends(runs, [curve for curve in curves if curve.total is None])

    def fit(self, view: Runs, progress: Progress | None = None) -> Ensemble:
        """Fit an uncalibrated ensemble to runs that `view` returned; FitError as in the family."""
        targets = self.component.targets
        own = view.only(targets) if targets and not self.kind else view
        return self.by.family.fit(own, self.by.settings, progress)

    def named(self, model: Ensemble, spec: Spec) -> Ensemble:
        """The ensemble with this spec, under its name in a benchmark."""
        name = self.component.name(spec, model.name)
        return replace(model, spec=spec, name=f"{name}-{self.kind}" if self.kind == ENDS else name)

    def for_calibration(self, model: CrossFit) -> CrossFit:
        """The model with the runs that calibrate it: without shares that are known beforehand."""
        return replace(model, runs=without_ends(model.runs)) if self.kind == SHARES else model


def split_components(components: Sequence[Component], spec: Spec) -> list[Component]:
    """The components, with one for each group of curves in place of one for all curves."""
    groups = curve_groups(spec.curves)
    split = []
    for component in components:
        if component.targets or len(groups) < 2 or not component.is_of_curves(spec):
            split.append(component)
        else:
            names = [tuple(target.name for target in group) for group in groups]
            split += [replace(component, targets=targets) for targets in names]
    return split


def fit_components(
    components: Sequence[Component],
    runs: Runs,
    report: Report | None = None,
    *,
    folds: int = FOLDS,
    controls: Runs | None = None,
) -> tuple[tuple[FittedModel, ...], dict[str, str]]:
    """Fit the components to runs, fit their seed noise, and calibrate them by cross-fitting.

    A component for all curves becomes one for each group of curves (`split_components`). One for
    cumulative curves is fitted as an ensemble of their shares, and one of the ends of the curves
    without a total.

    Args:
        components: the components of the benchmark.
        runs: the runs to fit to.
        report: called with the progress.
        folds: number of folds of the cross-fitting.
        controls: repeats of configurations that are used for the seed noise only.

    Returns:
        the calibrated models, and the source of the seed noise of each target.

    Raises:
        FitError: a target is unknown, is predicted twice, or has values for too few configurations,
            or there are fewer configurations than folds.
    """
    components = split_components(components, runs.spec)
    _check_targets(components, runs)
    of_scalars = next((c for c in components if not c.is_of_curves(runs.spec)), None)
    pieces = [piece for c in components for piece in c.pieces(runs.spec, of_scalars)]
    models = []
    for piece in pieces:
        progress = _JointProgress(report, f"fit {piece.by.family.name}", folds + 1)

        def fit(some: Runs, piece: Piece = piece, progress: _JointProgress = progress) -> Ensemble:
            return piece.named(piece.fit(some, progress.next()), runs.spec)

        models.append(cross_fit(fit, piece.view(runs), count=folds))
    _report(report, "fit the seed noise", 0, 1)
    views = None if controls is None else [piece.view(controls) for piece in pieces]
    noisy, sources = fit_seed_noise(models, views)
    fitted: list[tuple[Piece, Ensemble]] = []
    for piece, model in zip(pieces, noisy, strict=True):
        _report(report, "calibrate", len(fitted), len(noisy))
        fitted.append((piece, calibrate(piece.for_calibration(model))))
    return _assembled(components, fitted, runs.spec), sources


def _assembled(
    components: Sequence[Component], fitted: Sequence[tuple[Piece, Ensemble]], spec: Spec
) -> tuple[FittedModel, ...]:
    """The model of each component; those of cumulative curves with the models of their totals."""
    models: list[FittedModel] = []
    plain = {t.name: model for piece, model in fitted if not piece.kind for t in model.targets}
    for component in components:
        own = {piece.kind: model for piece, model in fitted if piece.component is component}
        if SHARES not in own:
            models.append(own[""])
            continue
        names = component.targets_in(spec)
        curves = tuple(curve for curve in spec.curves if curve.name in names)
        main = main_curve(curves)
        assert main is not None
        models.append(
            Cumulative(
                spec=spec,
                name=own[SHARES].name,
                targets=curves,
                shares=own[SHARES],
                ends=own.get(ENDS),
                totals={c.total: plain[c.total] for c in curves if c.total is not None},
                primary=main.name,
                manifest=own[SHARES].manifest,
            )
        )
    return tuple(models)


def _check_targets(components: Sequence[Component], runs: Runs) -> None:
    taken: set[str] = set()
    for component in components:
        name = component.family.name
        fits_curves = component.family.targets != "scalars"
        of_curves = bool(component.targets) and fits_curves and component.is_of_curves(runs.spec)
        if component.targets and (of_curves or component.family.targets == "curves"):
            _check_group(component, runs.spec)
        own = runs.spec.curves if of_curves else runs.spec.scalars
        allowed = own if component.targets else component.family.targets_of(runs.spec)
        known = [t.name for t in allowed]
        for target in component.targets or known:
            if target not in known:
                raise FitError(f"model {name}: {unknown('target', target, known)}")
            if target in taken:
                raise FitError(f"two models predict {target}; remove one of them")
            taken.add(target)
    for curve in runs.spec.curves:
        if curve.name in taken and curve.total is not None and curve.total not in taken:
            raise FitError(
                f"{curve.name} ends at {curve.total}, which no model predicts; fit one for it"
            )
    many = [c for c in components if len(c.targets) > 1 and not c.is_of_curves(runs.spec)]
    if len(many) > 1:
        raise FitError(
            "two models predict several scalars each, and would have the same name; give all but "
            "one of them a single target"
        )
    predicted = [target.name for target in runs.spec.scalars if target.name in taken]
    if predicted:
        _check_known(runs.only(predicted))


def _check_group(component: Component, spec: Spec) -> None:
    groups = [tuple(target.name for target in group) for group in curve_groups(spec.curves)]
    if component.targets not in groups:
        raise FitError(
            f"model {component.family.name} fits all curves of one schedule together; only scalars "
            f"may have a model of their own, got {', '.join(component.targets)}"
        )


def _check_known(runs: Runs) -> None:
    """Check before the fit that each scalar has enough values, all of them allowed."""
    for target, values in zip(runs.spec.scalars, runs.scalars.T, strict=True):
        known = np.isfinite(values)
        count = len(np.unique(runs.config_id[known]))
        if count < MIN_KNOWN and not known.all():
            raise FitError(
                f"{target.name} has values for {count} configurations; a fit needs {MIN_KNOWN}: "
                f"add some, or remove {target.name} from the targets of the spec"
            )
    log_scale_scalars(runs, ScalarHead(runs.spec.scalars))


def _report(report: Report | None, what: str, done: int, count: int) -> None:
    if report is not None:
        report(what, done, count)


class _JointProgress:
    """The progress of several fits as one."""

    def __init__(self, report: Report | None, what: str, fits: int) -> None:
        self._report, self._what, self._fits, self._started = report, what, fits, 0

    def next(self) -> Callable[[int, int], None]:
        """The callback of the next fit."""
        before, self._started = self._started, self._started + 1

        def progress(done: int, total: int) -> None:
            _report(self._report, self._what, before * total + done, self._fits * total)

        return progress
