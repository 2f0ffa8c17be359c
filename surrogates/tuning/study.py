"""Tune the settings of a fit with Optuna (Akiba et al., 2019), in a study that can be continued.

A trial is fitted to the `train` part of the split and evaluated on the `valid` part. Lower scores
are better. The score of curves is the mean of 1 - R2 at the last epoch and of 1 - R2 averaged over
the epochs, averaged over the curves; a model of the last epoch is evaluated at that epoch only. The
score of scalars is 1 - R2 on the scale on which they are fitted (logarithms, totals per epoch),
averaged over the scalars. All configurations have the same weight.

The first trial uses the initial settings. A trial that fails, for example because the fit diverged,
remains in the study with the reason. The settings of trial k depend only on the seed, on k and on
the finished trials. A study that is interrupted and continued therefore proposes the same settings
as one that is not interrupted, if only one process runs it at a time.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eahas.errors import FitError, MissingExtraError
from eahas.models.ensemble import Ensemble
from eahas.models.heads import ScalarHead
from surrogates.data.dataset import Runs
from surrogates.data.outliers import without_outliers
from surrogates.data.progress import Report
from surrogates.data.transforms import log_scale_scalars
from surrogates.evaluation.metrics import last_epoch, mean_over_epochs, r2
from surrogates.families import Settings
from surrogates.fitting import Component, split_components
from surrogates.models.optional import import_optional
from surrogates.settings import configured
from surrogates.tuning.search_spaces import Ranges, search_space

LAST = "last"  # the codec of models of the last epoch
FAILED, SETTINGS, IDENTITY = "failed", "settings", "identity"  # names of a study's attributes
Array = np.ndarray


@dataclass(frozen=True)
class Tuned:
    """The result of a study.

    Attributes:
        settings: the best settings.
        score: their score.
        first: score of the first trial; None if it failed.
        trials: number of finished trials.
        failed: the reasons of failed trials.
        about: a description of the study, for people.
    """

    settings: Settings
    score: float
    first: float | None
    trials: int
    failed: tuple[str, ...]
    about: str


def tune(
    component: Component,
    runs: Runs,
    *,
    trials: int,
    study: Path | None = None,
    seed: int = 0,
    fixed: frozenset[str] = frozenset(),
    report: Report | None = None,
) -> Tuned:
    """Run trials until the study has `trials` of them, and return the best settings.

    Args:
        component: the component whose settings are tuned. If it is for curves of several schedules,
            the score is that of the curves with the schedule of the learning curve.
        runs: runs with a `train` and a `valid` part.
        trials: number of trials, including those of earlier calls with the same study.
        study: file of the study; by default the study is kept in memory.
        seed: seed of the search.
        fixed: names of settings that are not tuned.
        report: called before each trial.

    Raises:
        FitError: no trial succeeds, no setting remains to be tuned, a part of the split has no
            runs, or the file contains a study of other runs or settings.
    """
    component = split_components([component], runs.spec)[0]
    train, valid = runs.side("train"), runs.side("valid")
    if not len(train) or not len(valid):
        raise FitError(f"tuning needs train and valid runs; got {len(train)} and {len(valid)}")
    family = component.family
    base = family.settings if component.settings is None else component.settings
    ranges = {n: r for n, r in search_space(family, base).items() if n not in fixed}
    if not ranges:
        raise FitError(f"model {family.name}: no setting is left to tune")
    whole = runs.side("train", "valid")
    train = without_outliers(train)
    name = _component_name(component)
    title = f"{runs.spec.name}@{runs.spec.version} {name}"
    with _open_study(study, title, _identity(base, ranges, whole)) as opened:
        while (done := len(_finished(opened))) < trials:
            if report is not None:
                report(f"tune {name}", done, trials)
            _run_trial(opened, component, base, ranges, (train, valid), (seed, done))
        about = (
            f"{len(train)} train and {len(valid)} valid runs of {runs.spec.name}@"
            f"{runs.spec.version} ({_digest(whole)[:12]})"
        )
        return _best(opened, base, about)


def score(model: Ensemble, runs: Runs, *, last_only: bool = False) -> float:
    """The score that the module's docstring defines; NaN if no target varies among the runs."""
    if isinstance(model.head, ScalarHead):
        return _scalar_score(model, model.head, runs)
    posteriors, losses = model.distribution(runs.configs), []
    for target in model.targets:
        predicted, observed = posteriors[target.name].value, runs.values_of(target)
        longest, lengths = min(predicted.shape[1], observed.shape[1]), runs.lengths
        ends = last_epoch(predicted, lengths), last_epoch(observed, lengths)
        losses.append(1.0 - _weighted_r2(*ends, runs.weight))
        if last_only:
            continue
        inside = np.arange(longest) < lengths[:, None]
        complete = (np.isfinite(observed[:, :longest]) | ~inside).all(axis=1)
        curves = predicted[complete, :longest], observed[complete, :longest], lengths[complete]
        losses.append(1.0 - float(mean_over_epochs(r2, *curves, runs.weight[None, complete])[0]))
    return _mean(losses)


def _scalar_score(model: Ensemble, head: ScalarHead, runs: Runs) -> float:
    runs = runs.only([target.name for target in model.targets])
    runs = runs.where(np.isfinite(runs.scalars).any(axis=1))
    observed = log_scale_scalars(runs, head)
    posteriors = model.distribution(runs.configs)
    losses = []
    for k, target in enumerate(model.targets):
        location = np.asarray(posteriors[target.name].location)
        predicted = location - head.per_epoch[k] * np.log(runs.epochs)
        losses.append(1.0 - _weighted_r2(predicted, observed[:, k], runs.weight))
    return _mean(losses)


def _weighted_r2(predicted: Array, observed: Array, weight: Array) -> float:
    known = np.isfinite(predicted) & np.isfinite(observed)
    return float(r2(predicted[known], observed[known], weight[None, known])[0])


def _mean(losses: list[float]) -> float:
    known = [loss for loss in losses if math.isfinite(loss)]
    return sum(known) / len(known) if known else math.nan


# One trial


def _run_trial(
    study: Any,
    component: Component,
    base: Settings,
    ranges: Ranges,
    sides: tuple[Runs, Runs],
    seed: tuple[int, int],
) -> None:
    """Get settings from the study, fit and evaluate them, and add the result to the study."""
    optuna = _optuna()
    first = not seed[1]
    if first:
        settings = base
    else:
        state = int(np.random.SeedSequence(seed).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(seed=state)
        trial = study.ask()
        changes = {name: values.suggest(trial, name) for name, values in ranges.items()}
        settings = configured(base, changes)
    attributes: dict[str, Any] = {SETTINGS: settings.to_dict()}
    value = None
    try:
        value = _evaluate(replace(component, settings=settings), *sides)
    except MissingExtraError:
        raise
    except Exception as error:  # noqa: BLE001  any exception of a library ends this trial only
        attributes[FAILED] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    states = optuna.trial.TrialState
    state = states.FAIL if value is None else states.COMPLETE
    if first:
        study.add_trial(_first_trial(base, ranges, state, value, attributes))
        return
    for name, attribute in attributes.items():
        trial.set_user_attr(name, attribute)
    study.tell(trial, value, state=state)


def _evaluate(component: Component, train: Runs, valid: Runs) -> float:
    value = score(
        component.fit(train), component.view(valid), last_only=component.family.codec == LAST
    )
    if not math.isfinite(value):
        raise FitError("the score is not a number: no target varies among the valid runs")
    return value


def _first_trial(
    base: Settings, ranges: Ranges, state: Any, value: float | None, attributes: Mapping[str, Any]
) -> Any:
    """The trial of the initial settings; a setting outside its range is not a parameter of it."""
    optuna = _optuna()
    stored = {name: values.stored(getattr(base, name)) for name, values in ranges.items()}
    params = {name: value for name, value in stored.items() if value is not None}
    fixed = optuna.trial.FixedTrial(params)
    for name in params:
        ranges[name].suggest(fixed, name)
    return optuna.trial.create_trial(
        state=state,
        value=value,
        params=params,
        distributions=fixed.distributions,
        user_attrs=dict(attributes),
    )


# The study


@contextmanager
def _open_study(path: Path | None, title: str, identity: Mapping[str, Any]) -> Iterator[Any]:
    """Open the study with a title in a file, or in memory.

    Raises:
        FitError: the file contains a study with another identity.
    """
    optuna = _optuna()
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = None
    try:
        if path is not None:
            storage = _storage(path)
        study = optuna.create_study(
            storage=storage, study_name=title, direction="minimize", load_if_exists=True
        )
        earlier = study.user_attrs.get(IDENTITY)
        for what, value in identity.items():
            if earlier is not None and earlier.get(what) != value:
                raise FitError(
                    f"{path} contains a study of {title} with other {what}; give another --study"
                )
        study.set_user_attr(IDENTITY, dict(identity))
        yield study
    finally:
        optuna.logging.set_verbosity(verbosity)
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _storage(path: Path) -> Any:
    optuna = _optuna()
    try:
        return optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    except Exception as error:  # noqa: BLE001  SQLAlchemy raises many types
        why = str(error).splitlines()[0]
        raise FitError(f"{path} cannot be opened as a study: {why}") from None


def _finished(study: Any) -> list[Any]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def _best(study: Any, base: Settings, data: str) -> Tuned:
    trials = _finished(study)
    failed = tuple(trial.user_attrs[FAILED] for trial in trials if FAILED in trial.user_attrs)
    successful = [trial for trial in trials if trial.value is not None]
    if not successful:
        raise FitError(f"all {len(trials)} trials failed; the last one: {failed[-1]}")
    best = min(successful, key=lambda trial: (trial.value, trial.number))
    settings = configured(base, {**best.user_attrs[SETTINGS], "seed": base.seed})
    first = trials[0].value
    initial = "failed" if first is None else f"{first:.5f}"
    about = (
        f"{len(trials)} trials ({len(failed)} failed) on {data}: score {best.value:.5f}, score of "
        f"the initial settings {initial}; lower is better"
    )
    return Tuned(settings, best.value, first, len(trials), failed, about)


def _identity(base: Settings, ranges: Ranges, runs: Runs) -> dict[str, Any]:
    """The properties that must be equal for trials to be comparable."""
    fixed = {name: value for name, value in base.to_dict().items() if name not in ranges}
    return {
        "runs": _digest(runs),
        "ranges": {name: repr(values) for name, values in ranges.items()},
        "settings that are not tuned": json.loads(json.dumps(fixed)),
    }


def _digest(runs: Runs) -> str:
    digest = hashlib.sha256(json.dumps([t.name for t in runs.spec.targets]).encode())
    for names in (runs.config_id, runs.seed, runs.split):
        digest.update("\n".join(map(str, names.tolist())).encode())
    for values in (runs.curves, runs.scalars):
        digest.update(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return digest.hexdigest()


def _component_name(component: Component) -> str:
    targets = f" of {', '.join(component.targets)}" if component.targets else ""
    return component.family.name + targets


def _optuna() -> Any:
    return import_optional("optuna", "optuna", "tune", "tuning")
