"""Metrics of predicted uncertainty: coverage of intervals, CRPS, and the worst-covered stratum.

Every run has the same weight. The value of a curve is the share of its epochs, or their mean. The
bootstrap over runs, with the `weights` (R, n) of `surrogates.evaluation.metrics`, is therefore
clustered by run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from eahas.models.uncertainty.distribution import Distribution, inverse_link
from eahas.space.parameters import Choice
from surrogates.data.dataset import Runs
from surrogates.evaluation.metrics import with_interval

Array = np.ndarray
LEVELS = (0.5, 0.8, 0.9, 0.95)
STRATUM_LEVEL = 0.9
MIN_RUNS = 30  # minimum number of runs in a stratum
QUANTILES = (np.arange(200) + 0.5) / 200
RUNS_PER_BLOCK = 64


def uncertainty_metrics(
    posterior: Distribution, observed: Array, runs: Runs, weights: Array
) -> dict[str, Any]:
    """Metrics of the predicted distribution of one target, with 95 % bootstrap intervals.

    The result consists of JSON values: `coverage` at LEVELS; `crps`, for curves over all epochs and
    as `crps_last` at the last one; and the stratum with the `worst` coverage.

    Args:
        posterior: the predictions for n runs.
        observed: the values of the runs, (n, E) or (n,).
        runs: the n runs.
        weights: weights of bootstrap resamples (R, n).
    """
    width = min(np.shape(posterior.location)[-1], observed.shape[-1]) if observed.ndim > 1 else None
    shares = {level: _run_means(_inside(posterior, observed, level, width)) for level in LEVELS}
    crps = _crps(posterior, observed, width)
    metrics: dict[str, Any] = {
        "coverage": {f"{level:g}": _mean(share, weights) for level, share in shares.items()},
        "crps": _mean(_run_means(crps), weights),
    }
    if width is not None:
        last = np.minimum(posterior.target.schedule.counts(runs.epochs), width) - 1
        metrics["crps_last"] = _mean(crps[np.arange(len(crps)), last], weights)
    metrics["worst"] = _worst_stratum(shares[STRATUM_LEVEL], posterior, runs, weights)
    return metrics


def _inside(posterior: Distribution, observed: Array, level: float, width: int | None) -> Array:
    """1 for a value inside the interval, 0 for one outside, NaN for no value."""
    low, high = (end[..., :width] if width else end for end in posterior.interval(level))
    values = observed[..., :width] if width else observed
    known = np.isfinite(values) & np.isfinite(low)
    return np.where(known, (low <= values) & (values <= high), np.nan)


def _crps(posterior: Distribution, observed: Array, width: int | None) -> Array:
    """The continuous ranked probability score of each value, in the target's unit.

    This is twice the mean pinball loss over the quantiles of the distribution (Gneiting and
    Raftery, 2007, eq. 20; Laio and Tamea, 2007).
    """
    offsets = np.array([_quantile_offset(posterior, q) for q in QUANTILES])
    location, scale = (np.asarray(p)[..., :width] for p in (posterior.location, posterior.scale))
    values = observed[..., :width] if width else observed
    scores = np.empty_like(values, dtype=float)
    for start in range(0, len(values), RUNS_PER_BLOCK):
        rows = slice(start, start + RUNS_PER_BLOCK)
        quantiles = inverse_link(
            posterior.target, location[rows, ..., None] + scale[rows, ..., None] * offsets
        )
        above = values[rows, ..., None] - quantiles
        scores[rows] = 2.0 * np.maximum(QUANTILES * above, (QUANTILES - 1.0) * above).mean(axis=-1)
    return scores


def _quantile_offset(posterior: Distribution, quantile: float) -> float:
    """The distance of a quantile from the median, in units of the scale."""
    reach = posterior.error_quantiles.reach(abs(2.0 * quantile - 1.0)) if quantile != 0.5 else 0.0
    return reach if quantile > 0.5 else -reach


def _run_means(values: Array) -> Array:
    """The mean of the known values of each run, (n,); NaN if none is known."""
    known = np.isfinite(values).reshape(len(values), -1)
    sums = np.where(known, values.reshape(known.shape), 0.0).sum(axis=1)
    counts = known.sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)


def _mean(values: Array, weights: Array) -> dict[str, float | None]:
    known = np.isfinite(values)
    total = weights[:, known].sum(axis=1)
    sums = weights[:, known] @ values[known]
    return with_interval(np.divide(sums, total, out=np.full(len(weights), np.nan), where=total > 0))


def _worst_stratum(
    share: Array, posterior: Distribution, runs: Runs, weights: Array
) -> dict[str, Any] | None:
    """The stratum whose coverage differs most from STRATUM_LEVEL, in standard errors.

    The strata are the lengths, the values of each choice, and the thirds of the predicted values.
    None if no stratum has MIN_RUNS runs.
    """
    worst, distance = None, -1.0
    for name, rows in _strata(posterior, runs):
        known = rows & np.isfinite(share)
        count = int(known.sum())
        if count < MIN_RUNS:
            continue
        error = max(float(share[known].std()), 0.5 / np.sqrt(count)) / np.sqrt(count)
        errors_away = abs(float(share[known].mean()) - STRATUM_LEVEL) / error
        if errors_away > distance:
            distance = errors_away
            worst = {
                "stratum": name,
                "runs": count,
                "level": STRATUM_LEVEL,
                "coverage": _mean(np.where(known, share, np.nan), weights),
            }
    return worst


def _strata(posterior: Distribution, runs: Runs) -> Iterator[tuple[str, Array]]:
    columns, fidelity = runs.columns(), runs.spec.space.fidelity
    for parameter in runs.spec.space.parameters:
        if isinstance(parameter, Choice) or parameter.name == fidelity:
            column = columns[parameter.name]
            values = parameter.choices if isinstance(parameter, Choice) else np.unique(column)
            for value in values:
                yield f"{parameter.name}={value}", np.array([v == value for v in column])
    value = np.asarray(posterior.value)
    lengths = posterior.target.schedule.counts(runs.epochs)
    final = value if value.ndim == 1 else value[np.arange(len(value)), lengths - 1]
    low, high = np.nanquantile(final, [1 / 3, 2 / 3])
    yield f"{posterior.target.name} predicted low", final <= low
    yield f"{posterior.target.name} predicted in the middle", (final > low) & (final <= high)
    yield f"{posterior.target.name} predicted high", final > high
