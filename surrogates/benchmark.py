"""From checked records to a benchmark folder: fit, calibrate, judge, save."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eahas.benchmark.storage.benchmark_folder import write_benchmark
from eahas.errors import FitError
from eahas.models.ensemble import Ensemble
from eahas.models.support import support_of
from eahas.records.schema import check_rows
from eahas.spec.spec import Spec
from surrogates.data.dataset import Runs, controls_from_records, runs_from_records
from surrogates.data.outliers import without_spikes
from surrogates.data.progress import Report
from surrogates.data.transforms import check_positive
from surrogates.evaluation.quality import judged
from surrogates.families import Family, Settings, family
from surrogates.fitting import Part, fit_parts
from surrogates.uncertainty.crossfit import FOLDS

MODELS = ("bezier_nn_STAR", "nn_E")  # what a benchmark is made of unless told otherwise
LEARN_FROM = ("train", "valid")  # choices have been made on valid; now it is there to learn from


@dataclass(frozen=True)
class Fitted:
    """The ensembles of a benchmark, the runs they came from, and how good they are.

    `learned` are the runs that the ensembles were fitted to, `noise` is the source of each target's
    (see `surrogates.uncertainty.seed_noise`).
    """

    spec: Spec
    runs: Runs
    learned: Runs
    models: tuple[Ensemble, ...]
    noise: Mapping[str, str]
    quality: Mapping[str, Any]


def fit(
    spec: Spec,
    rows: Sequence[Mapping[str, Any]],
    *,
    parts: Sequence[Part] | None = None,
    learn_from: Sequence[str] = LEARN_FROM,
    folds: int = FOLDS,
    resamples: int = 200,
    report: Report | None = None,
) -> Fitted:
    """Fit the parts of a benchmark (None: `default_parts`) to records.

    Fitted to the sides `learn_from`, calibrated there by cross-fitting, judged on `test`. Rows that
    are not `Records` are checked first. Raises FitError where there is nothing to learn from, and
    as `check_rows` and `surrogates.fitting.fit_parts`.
    """
    records = check_rows(rows, spec)
    runs = runs_from_records(records, spec)
    check_positive(runs, spec.scalars)
    learned = learnable(runs, learn_from)
    chosen = default_parts(spec) if parts is None else parts
    controls = controls_from_records(records, spec)
    models, noise = fit_parts(chosen, learned, report, folds=folds, controls=controls)
    found = judged(models, runs, resamples=resamples, report=report)
    return Fitted(spec, runs, learned, models, noise, found)


def learnable(runs: Runs, sides: Sequence[str] = LEARN_FROM) -> Runs:
    """The runs of the sides to learn from, without spikes; FitError where there are none."""
    learned = runs.side(*sides)
    if not len(learned):
        found = ", ".join(f"{n} {s}" for s, n in Counter(runs.split.tolist()).items())
        raise FitError(f"no {' or '.join(sides)} runs among the usable ones ({found})")
    return without_spikes(learned)


def default_parts(spec: Spec, settings: Mapping[str, Settings] | None = None) -> list[Part]:
    """One part for the curves of a spec and one for its scalars, where it has such.

    `settings` may have some for curves and scalars.
    """
    given = settings or {}
    return [
        Part(family_for(kind, spec), given.get(kind))
        for kind in ("curves", "scalars")
        if getattr(spec, kind)
    ]


def family_for(kind: str, spec: Spec, models: Sequence[str] = ()) -> Family:
    """The family among these that fits a spec's curves, or its scalars; our own where none does.

    Raises FitError where several do.
    """
    named = [chosen.name for chosen in map(family, models) if chosen.kind(spec) == kind]
    if len(named) > 1:
        raise FitError(f"{' and '.join(named)} are all for {kind} of {spec.name}; choose one")
    ours = [name for name in MODELS if family(name).kind(spec) == kind]
    return family((named or ours)[0])


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
        rows,
        noise=fitted.noise,
        quality=fitted.quality,
        entries={"learned_from": sorted(set(fitted.learned.split.tolist()))},
        support=support_of(spec.space, spec.space.encode_columns(fitted.learned.columns())),
        name=name,
        version=version,
        with_records=with_records,
        notice=notice,
    )
