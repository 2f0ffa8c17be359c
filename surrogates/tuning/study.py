"""Tuning the settings of a fit with Optuna (Akiba et al., 2019): a study that can be continued.

A trial is fitted to the side `train` and judged on the side `valid`. Its score, the lower the
better, is for curves the mean of 1 - R2 at the last epoch and 1 - R2 averaged over the epochs,
averaged over the curves (of a model of the last epoch, that epoch alone); for scalars 1 - R2 on the
scale on which they are learned (logarithms, of one epoch's share of a total), averaged over the
scalars. The runs of one configuration together weigh as much as any other's one run.

The first trial is of the settings that the search begins from. A trial that fails, a fit that
diverged say, stays in the study with its reason. What trial k tries depends on the seed, k and the
trials that are finished, and on nothing else: a study that was interrupted and continued, one
process at a time, proposes what an uninterrupted one would have.
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
from surrogates.data.outliers import without_spikes
from surrogates.data.progress import Report
from surrogates.data.transforms import linked_scalars
from surrogates.evaluation.metrics import last_epoch, mean_over_epochs, r2
from surrogates.families import Settings
from surrogates.fitting import Part
from surrogates.models.optional import imported
from surrogates.settings import configured
from surrogates.tuning.search_spaces import Ranges, search_space

LAST = "last"  # the codec of models of the last epoch
FAILED, SETTINGS, IDENTITY = "failed", "settings", "identity"  # what a study keeps beside numbers
Array = np.ndarray


@dataclass(frozen=True)
class Tuned:
    """The best settings of a study, their score, that of the first trial, and who failed why."""

    settings: Settings
    score: float
    first: float | None
    trials: int
    failed: tuple[str, ...]
    about: str


def tune(
    part: Part,
    runs: Runs,
    *,
    trials: int,
    study: Path | None = None,
    seed: int = 0,
    held: frozenset[str] = frozenset(),
    report: Report | None = None,
) -> Tuned:
    """The best of so many trials, those of earlier calls with the same `study` file counted.

    The settings named in `held` stay as the part has them. Raises FitError where no trial
    succeeds, nothing is left to tune, a side has no runs, or the file holds the study of other runs
    or settings.
    """
    train, valid = runs.side("train"), runs.side("valid")
    if not len(train) or not len(valid):
        raise FitError(f"tuning needs train and valid runs; got {len(train)} and {len(valid)}")
    base = part.family.settings if part.settings is None else part.settings
    ranges = {n: r for n, r in search_space(part.family, base).items() if n not in held}
    if not ranges:
        raise FitError(f"model {part.family.name}: nothing is left to tune")
    whole = runs.side("train", "valid")
    train = without_spikes(train)
    title = f"{runs.spec.name}@{runs.spec.version} {_name_of(part)}"
    with _study(study, title, _identity(base, ranges, whole)) as opened:
        while (done := len(_finished(opened))) < trials:
            if report is not None:
                report(f"tune {_name_of(part)}", done, trials)
            _try_one(opened, part, base, ranges, (train, valid), (seed, done))
        about = (
            f"{len(train)} train and {len(valid)} valid runs of {runs.spec.name}@"
            f"{runs.spec.version} ({_digest(whole)[:12]})"
        )
        return _best(opened, base, about)


def score(model: Ensemble, runs: Runs, *, last_alone: bool = False) -> float:
    """The score of the module's head; NaN where nothing among the runs varies."""
    if isinstance(model.head, ScalarHead):
        return _score_of_scalars(model, model.head, runs)
    beliefs, losses = model.distribution(runs.configs), []
    for target in model.targets:
        predicted, seen = beliefs[target.name].value, runs.values_of(target)
        longest = min(predicted.shape[1], seen.shape[1])
        ends = last_epoch(predicted, runs.epochs), last_epoch(seen, runs.epochs)
        losses.append(1.0 - _weighted_r2(*ends, runs.weight))
        if last_alone:
            continue
        inside = np.arange(longest) < runs.epochs[:, None]
        whole = (np.isfinite(seen[:, :longest]) | ~inside).all(axis=1)
        part = predicted[whole, :longest], seen[whole, :longest], runs.epochs[whole]
        losses.append(1.0 - float(mean_over_epochs(r2, *part, runs.weight[None, whole])[0]))
    return _mean(losses)


def _score_of_scalars(model: Ensemble, head: ScalarHead, runs: Runs) -> float:
    runs = runs.only([target.name for target in model.targets])
    runs = runs.where(np.isfinite(runs.scalars).any(axis=1))
    wanted = linked_scalars(runs, head)
    beliefs = model.distribution(runs.configs)
    losses = []
    for k, target in enumerate(model.targets):
        told = np.asarray(beliefs[target.name].location) - head.per_epoch[k] * np.log(runs.epochs)
        losses.append(1.0 - _weighted_r2(told, wanted[:, k], runs.weight))
    return _mean(losses)


def _weighted_r2(predicted: Array, seen: Array, weight: Array) -> float:
    known = np.isfinite(predicted) & np.isfinite(seen)
    return float(r2(predicted[known], seen[known], weight[None, known])[0])


def _mean(losses: list[float]) -> float:
    known = [loss for loss in losses if math.isfinite(loss)]
    return sum(known) / len(known) if known else math.nan


# One trial


def _try_one(
    study: Any,
    part: Part,
    base: Settings,
    ranges: Ranges,
    sides: tuple[Runs, Runs],
    seed: tuple[int, int],
) -> None:
    """Ask for settings, fit, judge, and tell the study."""
    optuna = _optuna()
    first = not seed[1]
    if first:
        settings = base
    else:
        state = int(np.random.SeedSequence(seed).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(seed=state)
        trial = study.ask()
        changes = {name: drawn.suggested(trial, name) for name, drawn in ranges.items()}
        settings = configured(base, changes)
    kept: dict[str, Any] = {SETTINGS: settings.to_dict()}
    value = None
    try:
        value = _judged(replace(part, settings=settings), *sides)
    except MissingExtraError:
        raise
    except Exception as error:  # noqa: BLE001  whatever a library raises is this trial's end
        kept[FAILED] = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    states = optuna.trial.TrialState
    ended = states.FAIL if value is None else states.COMPLETE
    if first:
        study.add_trial(_first_trial(base, ranges, ended, value, kept))
        return
    for name, fact in kept.items():
        trial.set_user_attr(name, fact)
    study.tell(trial, value, state=ended)


def _judged(part: Part, train: Runs, valid: Runs) -> float:
    found = score(part.fit(train), valid, last_alone=part.family.codec == LAST)
    if not math.isfinite(found):
        raise FitError("the score is no number: nothing among the valid runs varies")
    return found


def _first_trial(
    base: Settings, ranges: Ranges, state: Any, value: float | None, kept: Mapping[str, Any]
) -> Any:
    """The trial of the settings as they are; what lies outside its range is no parameter of it."""
    optuna = _optuna()
    stored = {name: drawn.stored(getattr(base, name)) for name, drawn in ranges.items()}
    params = {name: known for name, known in stored.items() if known is not None}
    plain = optuna.trial.FixedTrial(params)
    for name in params:
        ranges[name].suggested(plain, name)
    return optuna.trial.create_trial(
        state=state,
        value=value,
        params=params,
        distributions=plain.distributions,
        user_attrs=dict(kept),
    )


# The study


@contextmanager
def _study(path: Path | None, title: str, identity: Mapping[str, Any]) -> Iterator[Any]:
    """The study of a title in a file, or in memory; FitError where it is of something else."""
    optuna = _optuna()
    shown = optuna.logging.get_verbosity()
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
                    f"{path} holds a study of {title} with other {what}; give another --study"
                )
        study.set_user_attr(IDENTITY, dict(identity))
        yield study
    finally:
        optuna.logging.set_verbosity(shown)
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()


def _storage(path: Path) -> Any:
    optuna = _optuna()
    try:
        return optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")
    except Exception as error:  # noqa: BLE001  SQLAlchemy has many
        why = str(error).splitlines()[0]
        raise FitError(f"{path} cannot be opened as a study: {why}") from None


def _finished(study: Any) -> list[Any]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def _best(study: Any, base: Settings, data: str) -> Tuned:
    trials = _finished(study)
    failed = tuple(trial.user_attrs[FAILED] for trial in trials if FAILED in trial.user_attrs)
    good = [trial for trial in trials if trial.value is not None]
    if not good:
        raise FitError(f"all {len(trials)} trials failed; the last one: {failed[-1]}")
    best = min(good, key=lambda trial: (trial.value, trial.number))
    found = configured(base, {**best.user_attrs[SETTINGS], "seed": base.seed})
    first = trials[0].value
    begun = "failed" if first is None else f"{first:.5f}"
    about = (
        f"{len(trials)} trials ({len(failed)} failed) on {data}: score {best.value:.5f}, of the "
        f"settings it began from {begun}; lower is better"
    )
    return Tuned(found, best.value, first, len(trials), failed, about)


def _identity(base: Settings, ranges: Ranges, runs: Runs) -> dict[str, Any]:
    """What must be the same for trials to be compared."""
    kept = {name: value for name, value in base.to_dict().items() if name not in ranges}
    return {
        "runs": _digest(runs),
        "ranges": {name: repr(drawn) for name, drawn in ranges.items()},
        "settings that are not tuned": json.loads(json.dumps(kept)),
    }


def _digest(runs: Runs) -> str:
    found = hashlib.sha256(json.dumps([t.name for t in runs.spec.targets]).encode())
    for names in (runs.config_id, runs.seed, runs.split):
        found.update("\n".join(map(str, names.tolist())).encode())
    for values in (runs.curves, runs.scalars):
        found.update(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return found.hexdigest()


def _name_of(part: Part) -> str:
    return part.family.name + (f" of {', '.join(part.targets)}" if part.targets else "")


def _optuna() -> Any:
    return imported("optuna", "optuna", "tune", "tuning")
