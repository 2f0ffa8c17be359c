"""How good a fitted benchmark is on held-out runs, beside what any predictor could reach.

The ceilings come from configurations that were run with several seeds: how well one seed's run
predicts another's, and how well the mean of two predicts a third. The floor is the mean of the
training runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eahas.models.protocol import Model
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs
from surrogates.data.progress import Report
from surrogates.evaluation.metrics import (
    FURTHER,
    METRICS,
    best_quarter_tau,
    known_mean,
    last_epoch,
    mean_over_epochs,
    once,
    resamplings,
    with_interval,
)
from surrogates.evaluation.uncertainty_metrics import trust

Array = np.ndarray


def quality(
    models: Sequence[Model],
    held_out: Runs,
    *,
    resamples: int = 200,
    report: Report | None = None,
) -> dict[str, Any]:
    """Metrics of every target on the first seed of each held-out configuration; JSON-ready.

    Per target: `last` (or `value` for scalars) with tau within the best quarter, the `mean` over
    epochs of curves, with 95 % bootstrap intervals; `further` metrics of the reference systems; all
    of this again in `by_length`; and what `surrogates.evaluation.uncertainty_metrics` says of the
    uncertainty.
    """
    runs = held_out.first_seeds()
    found: dict[str, Any] = {"runs": len(runs), "targets": {}}
    if len(runs) < 2:
        return found
    count = sum(len(model.targets) for model in models)
    weights = resamplings(len(runs), resamples)
    for model in models:
        beliefs = model.distribution(runs.configs)
        for target in model.targets:
            _tell(report, "judge on held-out runs", len(found["targets"]), count)
            belief = beliefs[target.name]
            seen = runs.values_of(target)
            facts = _judged(target, belief.value, seen, runs.epochs, resamples)
            found["targets"][target.name] = facts | trust(belief, seen, runs, weights)
    return found


def references(
    all_runs: Runs, *, resamples: int = 200, report: Report | None = None
) -> dict[str, Any]:
    """The same metrics for predictors that need no model, on the held-out runs with three seeds.

    `one_seed` predicts a run by another seed's run, `two_seeds` by the mean of two others', `mean`
    by the mean of the training runs of the same length.
    """
    held_out = all_runs.side("test")
    groups = [g for g in _by_config(held_out) if len(g) >= 3]
    found: dict[str, Any] = {"configurations": len(groups), "targets": {}}
    if len(groups) < 2:
        return found
    first, second, third = (np.array([g[k] for g in groups]) for k in range(3))
    epochs = held_out.epochs[third]
    training = all_runs.side("train")
    targets = all_runs.spec.targets
    for done, target in enumerate(targets):
        _tell(report, "judge other seeds", done, len(targets))
        seen = held_out.values_of(target)
        predicted = {
            "one_seed": seen[first],
            "two_seeds": 0.5 * (seen[first] + seen[second]),
            "mean": _mean_of_length(training.values_of(target), training.epochs, epochs, target),
        }
        found["targets"][target.name] = {
            name: _judged(target, value, seen[third], epochs, resamples)
            for name, value in predicted.items()
        }
    return found


def on_repeated(
    models: Sequence[Model],
    all_runs: Runs,
    *,
    resamples: int = 200,
    report: Report | None = None,
) -> dict[str, Any]:
    """The models' metrics on exactly the runs that `references` judges: the third seeds."""
    held_out = all_runs.side("test")
    groups = [g for g in _by_config(held_out) if len(g) >= 3]
    mask = np.zeros(len(held_out), dtype=bool)
    mask[[g[2] for g in groups]] = True
    if mask.sum() < 2:
        return {"configurations": int(mask.sum()), "targets": {}}
    found = quality(models, held_out.where(mask), resamples=resamples, report=report)
    return {"configurations": found["runs"], "targets": found["targets"]}


def judged(
    models: Sequence[Model], runs: Runs, *, resamples: int = 200, report: Report | None = None
) -> dict[str, Any]:
    """The `quality` of a manifest: held out, and the repeated configurations beside references."""
    return {
        "held_out": quality(models, runs.side("test"), resamples=resamples, report=report),
        "repeated": on_repeated(models, runs, resamples=resamples, report=report),
        "references": references(runs, resamples=resamples, report=report),
    }


def _tell(report: Report | None, what: str, done: int, count: int) -> None:
    if report is not None:
        report(what, done, count)


def _judged(
    target: Target, predicted: Array, seen: Array, epochs: Array, resamples: int
) -> dict[str, Any]:
    """Every metric over all runs, and over those of each length."""
    longest = min(predicted.shape[-1], seen.shape[-1]) if target.kind == "curve" else 0
    counts = target.schedule.counts(epochs)
    ends = (
        (last_epoch(predicted, counts), last_epoch(seen, counts)) if longest else (predicted, seen)
    )
    kept = np.isfinite(ends[0]) & np.isfinite(ends[1])
    if not kept.any():
        return _nothing(target)
    weights = resamplings(int(kept.sum()), resamples)
    lengths, now, then = epochs[kept], ends[0][kept], ends[1][kept]
    counts = counts[kept]
    curves = (predicted[kept, :longest], seen[kept, :longest]) if longest else None

    def judge(rows: Array) -> dict[str, Any]:
        share = weights[:, rows]
        best = best_quarter_tau(
            now[rows], then[rows], share, maximize=target.direction == "maximize"
        )
        found: dict[str, Any] = {
            "last" if curves else "value": {
                **{
                    name: with_interval(metric(now[rows], then[rows], share))
                    for name, metric in METRICS.items()
                },
                "best_quarter_tau": with_interval(best),
            }
        }
        if curves:
            part = curves[0][rows], curves[1][rows], counts[rows], share
            found["mean"] = {
                name: with_interval(mean_over_epochs(metric, *part))
                for name, metric in METRICS.items()
            }
        return {**found, "further": further(rows)}

    def further(rows: Array) -> dict[str, Any]:
        found = {"last" if curves else "value": _further(now[rows], then[rows])}
        if curves:
            part = curves[0][rows], curves[1][rows], counts[rows], np.ones((1, len(rows)))
            found["mean"] = {
                name: _plain(mean_over_epochs(metric, *part)[0]) for name, metric in FURTHER.items()
            }
        return found

    by_length = {}
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        by_length[str(length)] = {"runs": len(same), **judge(same)}
    return {**judge(np.arange(len(lengths))), "by_length": by_length}


def _further(predicted: Array, seen: Array) -> dict[str, float | None]:
    return {name: _plain(once(metric, predicted, seen)) for name, metric in FURTHER.items()}


def _plain(value: float) -> float | None:
    """JSON has no NaN."""
    return None if value != value else round(float(value), 6)


def _nothing(target: Target) -> dict[str, Any]:
    """What is said of a target of which no run has a value."""
    unknown = with_interval(np.array([np.nan]))
    metrics = dict.fromkeys(METRICS, unknown)
    whole = {**metrics, "best_quarter_tau": unknown}
    of_curve = {"last": whole, "mean": metrics}
    judged = of_curve if target.kind == "curve" else {"value": whole}
    none: dict[str, None] = dict.fromkeys(FURTHER)
    return {**judged, "further": dict.fromkeys(judged, none), "by_length": {}}


def _mean_of_length(values: Array, lengths: Array, wanted: Array, target: Target) -> Array:
    """The training mean of each wanted length, or of all runs where the length is new."""
    rows = []
    for length in wanted:
        same = lengths == length
        rows.append(known_mean(values[same] if same.any() else values))
    return np.stack(rows) if target.kind == "curve" else np.array(rows)


def _by_config(runs: Runs) -> list[list[int]]:
    """The rows of each configuration, by seed."""
    rows: dict[str, list[int]] = {}
    for i in np.lexsort((runs.seed, runs.config_id)):
        rows.setdefault(str(runs.config_id[i]), []).append(int(i))
    return list(rows.values())
