"""Fitting the parts of a benchmark: each a family for some targets, with one noise for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from eahas.ensemble import Ensemble
from eahas.errors import FitError, unknown
from surrogates.calibration import calibrated
from surrogates.crossfit import FOLDS, crossed
from surrogates.dataset import Runs
from surrogates.families import Family, Settings
from surrogates.noise import with_noise

Report = Callable[[str, int, int], None]  # what is being done, done, of how many


@dataclass(frozen=True)
class Part:
    """One model of a benchmark: its family, settings (None: the family's own), and targets.

    Without targets it is for all of its family's kind. With one target it bears its name.
    """

    family: Family
    settings: Settings | None = None
    targets: tuple[str, ...] = ()

    def fit(self, runs: Runs, progress: Callable[[int, int], None] | None = None) -> Ensemble:
        """An uncalibrated ensemble. Raises FitError as the family does."""
        if not self.targets:
            return self.family.fit(runs, self.settings, progress)
        fitted = self.family.fit(runs.only(self.targets), self.settings, progress)
        return replace(fitted, name=self.targets[0], spec=runs.spec)


def fit_parts(
    parts: Sequence[Part], runs: Runs, report: Report | None = None
) -> tuple[tuple[Ensemble, ...], dict[str, str]]:
    """The parts fitted to runs and calibrated by cross-fitting; the source of each target's noise.

    Raises FitError where a target is unknown or predicted twice, or there are fewer configurations
    than folds.
    """
    _check_targets(parts, runs)
    models = []
    for part in parts:
        counted = _Counted(report, f"fit {part.family.name}", FOLDS + 1)

        def fit(some: Runs, part: Part = part, counted: _Counted = counted) -> Ensemble:
            return part.fit(some, counted.next())

        models.append(crossed(fit, runs))
    noisy, sources = with_noise(models)
    return tuple(map(calibrated, noisy)), sources


def _check_targets(parts: Sequence[Part], runs: Runs) -> None:
    taken: set[str] = set()
    for part in parts:
        known = [t.name for t in getattr(runs.spec, part.family.targets)]
        for name in part.targets or known:
            if name not in known:
                raise FitError(f"model {part.family.name}: {unknown('target', name, known)}")
            if name in taken:
                raise FitError(f"two models are to predict {name}; one is enough")
            taken.add(name)


class _Counted:
    """Several fits under one bar."""

    def __init__(self, report: Report | None, what: str, fits: int) -> None:
        self._report, self._what, self._fits, self._begun = report, what, fits, 0

    def next(self) -> Callable[[int, int], None]:
        before, self._begun = self._begun, self._begun + 1

        def progress(done: int, total: int) -> None:
            if self._report is not None:
                self._report(self._what, before * total + done, self._fits * total)

        return progress
