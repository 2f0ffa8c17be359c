"""Whether uncertainty means what it says: coverage of intervals, CRPS, and the worst part of it.

Every run weighs one: of a curve it is the share of its epochs, or their mean, that counts. So the
bootstrap over runs, whose `weights` (R, n) are those of `surrogates.evaluation.metrics`, is one
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
STRATUM_LEVEL, MIN_RUNS = 0.9, 30  # of a stratum that is worth a figure
QUANTILES = (np.arange(200) + 0.5) / 200
RUNS_AT_ONCE = 64


def trust(belief: Distribution, seen: Array, runs: Runs, weights: Array) -> dict[str, Any]:
    """`coverage` at LEVELS, `crps` (over all epochs of a curve, and at its last), `worst` stratum.

    Each with its 95 % bootstrap interval; JSON-ready. `seen` is (n, E) or (n,).
    """
    width = min(np.shape(belief.location)[-1], seen.shape[-1]) if seen.ndim > 1 else None
    shares = {level: _per_run(_inside(belief, seen, level, width)) for level in LEVELS}
    crps = _crps(belief, seen, width)
    found: dict[str, Any] = {
        "coverage": {f"{level:g}": _mean(share, weights) for level, share in shares.items()},
        "crps": _mean(_per_run(crps), weights),
    }
    if width is not None:
        last = np.minimum(belief.target.schedule.counts(runs.epochs), width) - 1
        found["crps_last"] = _mean(crps[np.arange(len(crps)), last], weights)
    found["worst"] = _worst(shares[STRATUM_LEVEL], belief, runs, weights)
    return found


def _inside(belief: Distribution, seen: Array, level: float, width: int | None) -> Array:
    """1 where a value lies inside the interval, 0 where outside, NaN where there is none."""
    low, high = (end[..., :width] if width else end for end in belief.interval(level))
    values = seen[..., :width] if width else seen
    known = np.isfinite(values) & np.isfinite(low)
    return np.where(known, (low <= values) & (values <= high), np.nan)


def _crps(belief: Distribution, seen: Array, width: int | None) -> Array:
    """The continuous ranked probability score of each value, in the target's unit.

    Twice the mean pinball loss over the quantiles of the law (Gneiting and Raftery, 2007, eq. 20;
    Laio and Tamea, 2007).
    """
    reaches = np.array([_signed_reach(belief, q) for q in QUANTILES])
    location, scale = (np.asarray(p)[..., :width] for p in (belief.location, belief.scale))
    values = seen[..., :width] if width else seen
    scores = np.empty_like(values, dtype=float)
    for start in range(0, len(values), RUNS_AT_ONCE):
        rows = slice(start, start + RUNS_AT_ONCE)
        quantiles = inverse_link(
            belief.target, location[rows, ..., None] + scale[rows, ..., None] * reaches
        )
        above = values[rows, ..., None] - quantiles
        scores[rows] = 2.0 * np.maximum(QUANTILES * above, (QUANTILES - 1.0) * above).mean(axis=-1)
    return scores


def _signed_reach(belief: Distribution, quantile: float) -> float:
    reach = belief.law.reach(abs(2.0 * quantile - 1.0)) if quantile != 0.5 else 0.0
    return reach if quantile > 0.5 else -reach


def _per_run(values: Array) -> Array:
    """The mean of what is known of each run, (n,); NaN where nothing is."""
    known = np.isfinite(values).reshape(len(values), -1)
    sums = np.where(known, values.reshape(known.shape), 0.0).sum(axis=1)
    counts = known.sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)


def _mean(values: Array, weights: Array) -> dict[str, float | None]:
    known = np.isfinite(values)
    total = weights[:, known].sum(axis=1)
    sums = weights[:, known] @ values[known]
    return with_interval(np.divide(sums, total, out=np.full(len(weights), np.nan), where=total > 0))


def _worst(share: Array, belief: Distribution, runs: Runs, weights: Array) -> dict[str, Any] | None:
    """The stratum whose coverage at STRATUM_LEVEL is farthest from it, beyond what chance explains.

    The distance is counted in standard errors. Strata are the lengths, the values of each choice,
    and the thirds of what is predicted. None where no stratum has MIN_RUNS runs.
    """
    worst, distance = None, -1.0
    for name, rows in _strata(belief, runs):
        known = rows & np.isfinite(share)
        count = int(known.sum())
        if count < MIN_RUNS:
            continue
        error = max(float(share[known].std()), 0.5 / np.sqrt(count)) / np.sqrt(count)
        far = abs(float(share[known].mean()) - STRATUM_LEVEL) / error
        if far > distance:
            distance = far
            worst = {
                "stratum": name,
                "runs": count,
                "level": STRATUM_LEVEL,
                "coverage": _mean(np.where(known, share, np.nan), weights),
            }
    return worst


def _strata(belief: Distribution, runs: Runs) -> Iterator[tuple[str, Array]]:
    columns, fidelity = runs.columns(), runs.spec.space.fidelity
    for parameter in runs.spec.space.parameters:
        if isinstance(parameter, Choice) or parameter.name == fidelity:
            column = columns[parameter.name]
            values = parameter.choices if isinstance(parameter, Choice) else np.unique(column)
            for value in values:
                yield f"{parameter.name}={value}", np.array([v == value for v in column])
    value = np.asarray(belief.value)
    lengths = belief.target.schedule.counts(runs.epochs)
    final = value if value.ndim == 1 else value[np.arange(len(value)), lengths - 1]
    low, high = np.nanquantile(final, [1 / 3, 2 / 3])
    yield f"{belief.target.name} predicted low", final <= low
    yield f"{belief.target.name} predicted in the middle", (final > low) & (final <= high)
    yield f"{belief.target.name} predicted high", final > high
