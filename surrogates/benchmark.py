"""From checked records to a benchmark folder: fit, calibrate, evaluate, save."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eahas.benchmark.storage.benchmark_folder import write_benchmark
from eahas.errors import FitError
from eahas.models.support import support_of
from eahas.records.schema import check_rows
from eahas.spec.spec import Spec
from surrogates.data.dataset import Runs, controls_from_records, runs_from_records
from surrogates.data.energies import checked_energies, require_sources
from surrogates.data.outliers import without_outliers
from surrogates.data.progress import Report
from surrogates.data.transforms import check_positive
from surrogates.evaluation.quality import benchmark_quality
from surrogates.families import Family, Settings, family
from surrogates.fitting import Component, FittedModel, fit_components
from surrogates.uncertainty.crossfit import FOLDS

MODELS = ("bezier_nn_STAR", "nn_E")  # the default families
LEARN_FROM = ("train", "valid")  # valid too, because the settings have been chosen before


@dataclass(frozen=True)
class Fitted:
    """The ensembles of a benchmark, their runs and their quality.

    Attributes:
        spec: the spec of the benchmark.
        runs: all usable runs.
        learned: the runs to which the ensembles were fitted.
        models: the calibrated ensembles.
        noise: the source of the seed noise of each target (`surrogates.uncertainty.seed_noise`).
        quality: metrics on held-out runs (`surrogates.evaluation.quality`).
    """

    spec: Spec
    runs: Runs
    learned: Runs
    models: tuple[FittedModel, ...]
    noise: Mapping[str, str]
    quality: Mapping[str, Any]


def fit(
    spec: Spec,
    rows: Sequence[Mapping[str, Any]],
    *,
    components: Sequence[Component] | None = None,
    learn_from: Sequence[str] = LEARN_FROM,
    folds: int = FOLDS,
    resamples: int = 200,
    report: Report | None = None,
) -> Fitted:
    """Fit the components of a benchmark to records.

    They are fitted to the parts `learn_from` of the split, calibrated there by cross-fitting, and
    evaluated on `test`.

    Args:
        spec: the spec of the records.
        rows: the records; rows that are not `Records` are checked first.
        components: by default those of `default_components`.
        learn_from: parts of the split.
        folds: number of folds of the cross-fitting.
        resamples: number of bootstrap resamples for the intervals of the metrics.
        report: called with the progress.

    Raises:
        FitError: there are no runs to fit to, an energy has no source, the energies of the runs
            have different boundaries, or as in `surrogates.fitting.fit_components`.
        RecordError: as in `check_rows`.
    """
    require_sources(rows, spec)
    records = check_rows(rows, spec)
    checked_energies(records, spec)
    runs = runs_from_records(records, spec)
    check_positive(runs, spec.scalars)
    learned = learnable(runs, learn_from)
    chosen = default_components(spec) if components is None else components
    controls = controls_from_records(records, spec)
    models, noise = fit_components(chosen, learned, report, folds=folds, controls=controls)
    metrics = benchmark_quality(models, runs, resamples=resamples, report=report)
    return Fitted(spec, runs, learned, models, noise, metrics)


def learnable(runs: Runs, sides: Sequence[str] = LEARN_FROM) -> Runs:
    """The runs of these parts of the split, with outliers clipped.

    Raises:
        FitError: there are no such runs.
    """
    learned = runs.side(*sides)
    if not len(learned):
        counts = ", ".join(f"{n} {s}" for s, n in Counter(runs.split.tolist()).items())
        raise FitError(f"no {' or '.join(sides)} runs among the usable ones ({counts})")
    return without_outliers(learned)


def default_components(
    spec: Spec, settings: Mapping[str, Settings] | None = None
) -> list[Component]:
    """One component for the curves of a spec and one for its scalars, if the spec has these.

    `settings` may contain settings for "curves" and for "scalars".
    """
    given = settings or {}
    return [
        Component(family_for(kind, spec), given.get(kind))
        for kind in ("curves", "scalars")
        if getattr(spec, kind)
    ]


def family_for(kind: str, spec: Spec, models: Sequence[str] = ()) -> Family:
    """The family among `models` for the curves or the scalars of a spec; else the default family.

    Raises:
        FitError: several of `models` are for this kind of target.
    """
    named = [chosen.name for chosen in map(family, models) if chosen.kind(spec) == kind]
    if len(named) > 1:
        raise FitError(f"{' and '.join(named)} are all for {kind} of {spec.name}; choose one")
    defaults = [name for name in MODELS if family(name).kind(spec) == kind]
    return family((named or defaults)[0])


def save(
    fitted: Fitted,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    version: int | None = None,
    name: str | None = None,
    with_records: bool = True,
    notice: str | None = None,
) -> None:
    """Write the benchmark folder: manifest, one folder a model, the records.

    `version` is the benchmark's own, by default the spec's: a better fit of the same space is a new
    version, so that published numbers stay reproducible. `name` is its own where several share a
    space. Records that are others' to give away can stay behind; `notice` says whose they are.
    """
    spec = fitted.spec
    write_benchmark(
        folder,
        spec,
        fitted.models,
        check_rows(rows, spec),
        noise=fitted.noise,
        quality=fitted.quality,
        entries={"learned_from": sorted(set(fitted.learned.split.tolist()))},
        support=support_of(spec.space, spec.space.encode_columns(fitted.learned.columns())),
        name=name,
        version=version,
        with_records=with_records,
        notice=notice,
    )
