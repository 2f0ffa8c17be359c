"""Fit the components of a benchmark: one model family for each group of targets, and seed noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eahas.errors import FitError, unknown
from eahas.models.ensemble import Ensemble
from eahas.models.heads import ScalarHead
from surrogates.data.dataset import Runs
from surrogates.data.progress import Report
from surrogates.data.transforms import log_scale_scalars
from surrogates.families import Family, Settings
from surrogates.uncertainty.calibration import calibrate
from surrogates.uncertainty.crossfit import FOLDS, cross_fit
from surrogates.uncertainty.seed_noise import fit_seed_noise

MIN_KNOWN = 2 * FOLDS  # configurations with a value of a scalar that some runs lack


@dataclass(frozen=True)
class Component:
    """One model of a benchmark.

    Attributes:
        family: its family.
        settings: its settings; None for those of the family.
        targets: names of the scalars that it predicts; by default all targets of the family's kind.
            A model of a single scalar has the scalar's name.
    """

    family: Family
    settings: Settings | None = None
    targets: tuple[str, ...] = ()

    def fit(self, runs: Runs, progress: Callable[[int, int], None] | None = None) -> Ensemble:
        """Fit an uncalibrated ensemble.

        Raises:
            FitError: as in `Family.fit`.
        """
        if not self.targets:
            return self.family.fit(runs, self.settings, progress)
        fitted = self.family.fit(runs.only(self.targets), self.settings, progress)
        name = self.targets[0] if len(self.targets) == 1 else fitted.name
        return replace(fitted, name=name, spec=runs.spec)


def fit_components(
    components: Sequence[Component],
    runs: Runs,
    report: Report | None = None,
    *,
    folds: int = FOLDS,
    controls: Runs | None = None,
) -> tuple[tuple[Ensemble, ...], dict[str, str]]:
    """Fit the components to runs, fit their seed noise, and calibrate them by cross-fitting.

    Args:
        components: the components of the benchmark.
        runs: the runs to fit to.
        report: called with the progress.
        folds: number of folds of the cross-fitting.
        controls: repeats of configurations that are used for the seed noise only.

    Returns:
        the calibrated ensembles, and the source of the seed noise of each target.

    Raises:
        FitError: a target is unknown, is predicted twice, or has values for too few configurations,
            or there are fewer configurations than folds.
    """
    _check_targets(components, runs)
    models = []
    for component in components:
        progress = _JointProgress(report, f"fit {component.family.name}", folds + 1)

        def fit(
            some: Runs, component: Component = component, progress: _JointProgress = progress
        ) -> Ensemble:
            return component.fit(some, progress.next())

        models.append(cross_fit(fit, runs, count=folds))
    _report(report, "fit the seed noise", 0, 1)
    noisy, sources = fit_seed_noise(models, controls)
    calibrated: list[Ensemble] = []
    for model in noisy:
        _report(report, "calibrate", len(calibrated), len(noisy))
        calibrated.append(calibrate(model))
    return tuple(calibrated), sources


def _check_targets(components: Sequence[Component], runs: Runs) -> None:
    taken: set[str] = set()
    for component in components:
        name = component.family.name
        if component.targets and component.family.targets == "curves":
            raise FitError(
                f"model {name} fits all curves of a spec together; only scalars may "
                f"have a model of their own, got {', '.join(component.targets)}"
            )
        scalars = runs.spec.scalars
        allowed = scalars if component.targets else component.family.targets_of(runs.spec)
        known = [t.name for t in allowed]
        for target in component.targets or known:
            if target not in known:
                raise FitError(f"model {name}: {unknown('target', target, known)}")
            if target in taken:
                raise FitError(f"two models predict {target}; remove one of them")
            taken.add(target)
    if sum(len(component.targets) > 1 for component in components) > 1:
        raise FitError(
            "two models predict several scalars each, and would have the same name; give all but "
            "one of them a single target"
        )
    predicted = [target.name for target in runs.spec.scalars if target.name in taken]
    if predicted:
        _check_known(runs.only(predicted))


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
