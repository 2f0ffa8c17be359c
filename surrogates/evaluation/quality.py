"""Evaluate a fitted benchmark on held-out runs, and compare it with reference predictors.

The references use configurations that were trained with several seeds: the run of one seed predicts
the run of another, and the mean of two predicts a third. They show the best quality that a
predictor can reach. The mean of the training runs is the reference for a poor predictor.
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
    EXTRA_METRICS,
    METRICS,
    best_quarter_tau,
    last_epoch,
    mean_over_epochs,
    nan_mean,
    resamplings,
    unweighted,
    with_interval,
)
from surrogates.evaluation.uncertainty_metrics import uncertainty_metrics

Array = np.ndarray


def quality(
    models: Sequence[Model],
    held_out: Runs,
    *,
    resamples: int = 200,
    report: Report | None = None,
) -> dict[str, Any]:
    """Metrics of every target on the run with the first seed of each held-out configuration.

    The result consists of JSON values. For each target it contains: `last` (`value` for scalars),
    with Kendall tau within the best quarter; `mean` over the epochs of curves; 95 % bootstrap
    intervals of these; `further` metrics of the reference systems; the same for each length in
    `by_length`; and the metrics of `surrogates.evaluation.uncertainty_metrics`.
    """
    runs = held_out.first_seeds()
    result: dict[str, Any] = {"runs": len(runs), "targets": {}}
    if len(runs) < 2:
        return result
    count = sum(len(model.targets) for model in models)
    weights = resamplings(len(runs), resamples)
    for model in models:
        posteriors = model.distribution(runs.configs)
        for target in model.targets:
            _report(report, "evaluate on held-out runs", len(result["targets"]), count)
            posterior, observed = posteriors[target.name], runs.values_of(target)
            accuracy = _accuracy_metrics(target, posterior.value, observed, runs.epochs, resamples)
            uncertainty = uncertainty_metrics(posterior, observed, runs, weights)
            result["targets"][target.name] = accuracy | uncertainty
    return result


def references(
    all_runs: Runs, *, resamples: int = 200, report: Report | None = None
) -> dict[str, Any]:
    """The same metrics for reference predictors without a model.

    They are evaluated on held-out configurations with at least three seeds, and predict the run of
    the third seed. `one_seed` predicts it by the run of another seed, `two_seeds` by the mean of
    two other runs, and `mean` by the mean of the training runs of the same length.
    """
    held_out = all_runs.side("test")
    groups = [g for g in _by_config(held_out) if len(g) >= 3]
    result: dict[str, Any] = {"configurations": len(groups), "targets": {}}
    if len(groups) < 2:
        return result
    first, second, third = (np.array([g[k] for g in groups]) for k in range(3))
    epochs = held_out.epochs[third]
    training = all_runs.side("train")
    targets = all_runs.spec.targets
    for done, target in enumerate(targets):
        _report(report, "evaluate references", done, len(targets))
        observed = held_out.values_of(target)
        predicted = {
            "one_seed": observed[first],
            "two_seeds": 0.5 * (observed[first] + observed[second]),
            "mean": _mean_of_length(training.values_of(target), training.epochs, epochs, target),
        }
        result["targets"][target.name] = {
            name: _accuracy_metrics(target, value, observed[third], epochs, resamples)
            for name, value in predicted.items()
        }
    return result


def on_repeated(
    models: Sequence[Model],
    all_runs: Runs,
    *,
    resamples: int = 200,
    report: Report | None = None,
) -> dict[str, Any]:
    """The models' metrics on the same runs as in `references`: those of the third seeds."""
    held_out = all_runs.side("test")
    groups = [g for g in _by_config(held_out) if len(g) >= 3]
    mask = np.zeros(len(held_out), dtype=bool)
    mask[[g[2] for g in groups]] = True
    if mask.sum() < 2:
        return {"configurations": int(mask.sum()), "targets": {}}
    result = quality(models, held_out.where(mask), resamples=resamples, report=report)
    return {"configurations": result["runs"], "targets": result["targets"]}


def benchmark_quality(
    models: Sequence[Model], runs: Runs, *, resamples: int = 200, report: Report | None = None
) -> dict[str, Any]:
    """The `quality` of a manifest: metrics on held-out and on repeated runs, and the references."""
    return {
        "held_out": quality(models, runs.side("test"), resamples=resamples, report=report),
        "repeated": on_repeated(models, runs, resamples=resamples, report=report),
        "references": references(runs, resamples=resamples, report=report),
    }


def _report(report: Report | None, what: str, done: int, count: int) -> None:
    if report is not None:
        report(what, done, count)


def _accuracy_metrics(
    target: Target, predicted: Array, observed: Array, epochs: Array, resamples: int
) -> dict[str, Any]:
    """All accuracy metrics over all runs, and over the runs of each length."""
    curve = target.kind == "curve"
    longest = min(predicted.shape[-1], observed.shape[-1]) if curve else 0
    counts = target.schedule.counts(epochs)
    last_predicted = last_epoch(predicted, counts) if longest else predicted
    last_observed = last_epoch(observed, counts) if longest else observed
    kept = np.isfinite(last_predicted) & np.isfinite(last_observed)
    if not kept.any():
        return _undefined_metrics(target)
    weights = resamplings(int(kept.sum()), resamples)
    lengths, counts = epochs[kept], counts[kept]
    last_predicted, last_observed = last_predicted[kept], last_observed[kept]
    curves = (predicted[kept, :longest], observed[kept, :longest]) if longest else None

    def metrics_of(rows: Array) -> dict[str, Any]:
        last = last_predicted[rows], last_observed[rows], weights[:, rows]
        best = best_quarter_tau(*last, maximize=target.direction == "maximize")
        result: dict[str, Any] = {
            "last" if curves else "value": {
                **{name: with_interval(metric(*last)) for name, metric in METRICS.items()},
                "best_quarter_tau": with_interval(best),
            }
        }
        if curves:
            part = curves[0][rows], curves[1][rows], counts[rows], weights[:, rows]
            result["mean"] = {
                name: with_interval(mean_over_epochs(metric, *part))
                for name, metric in METRICS.items()
            }
        return {**result, "further": extra_metrics_of(rows)}

    def extra_metrics_of(rows: Array) -> dict[str, Any]:
        last = last_predicted[rows], last_observed[rows]
        result = {
            "last" if curves else "value": {
                name: _number(unweighted(metric, *last)) for name, metric in EXTRA_METRICS.items()
            }
        }
        if curves:
            part = curves[0][rows], curves[1][rows], counts[rows], np.ones((1, len(rows)))
            result["mean"] = {
                name: _number(mean_over_epochs(metric, *part)[0])
                for name, metric in EXTRA_METRICS.items()
            }
        return result

    by_length = {}
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        by_length[str(length)] = {"runs": len(same), **metrics_of(same)}
    return {**metrics_of(np.arange(len(lengths))), "by_length": by_length}


def _number(value: float) -> float | None:
    """A rounded number; None instead of NaN, which JSON does not have."""
    return None if value != value else round(float(value), 6)


def _undefined_metrics(target: Target) -> dict[str, Any]:
    """The entries of a target for which no run has a value."""
    unknown = with_interval(np.array([np.nan]))
    metrics = dict.fromkeys(METRICS, unknown)
    last = {**metrics, "best_quarter_tau": unknown}
    entries = {"last": last, "mean": metrics} if target.kind == "curve" else {"value": last}
    none: dict[str, None] = dict.fromkeys(EXTRA_METRICS)
    return {**entries, "further": dict.fromkeys(entries, none), "by_length": {}}


def _mean_of_length(values: Array, lengths: Array, requested: Array, target: Target) -> Array:
    """The mean of the training runs of each length; of all runs if no run has the length."""
    rows = []
    for length in requested:
        same = lengths == length
        rows.append(nan_mean(values[same] if same.any() else values))
    return np.stack(rows) if target.kind == "curve" else np.array(rows)


def _by_config(runs: Runs) -> list[list[int]]:
    """The row numbers of each configuration, ordered by seed."""
    rows: dict[str, list[int]] = {}
    for i in np.lexsort((runs.seed, runs.config_id)):
        rows.setdefault(str(runs.config_id[i]), []).append(int(i))
    return list(rows.values())
