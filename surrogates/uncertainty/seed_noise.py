"""Fitting the noise between runs of one configuration, for all targets of a benchmark together.

How large it is, a small network says of what a model predicts: accuracies near 100 % stray less. It
is fitted to squared deviations, by the likelihood of a normal law, and these come from the first of
three sources that has enough of them:

- `reported`: standard deviations that stand in the records beside a target;
- `repeats`: runs of one configuration with several seeds, each against their mean; runs that stand
  aside as controls are among them;
- `residuals`: the errors of models on runs that they have not seen, which hold the models' own
  errors too: an upper bound.

A network is believed as far as it has shown that it says more than one size for all: it is fitted
again to all folds but each one, and judged on the fold that it lacks. The models of the folds take
these, so that laws are calibrated on runs whose errors no part of a model has seen.

How it hangs together is principal factor analysis of the deviations in units of their size, where
what the factors leave over may be correlated among the curves of one epoch, and among scalars. What
was reported has no sign, and so it hangs together with nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from eahas.models.ensemble import Ensemble
from eahas.models.heads import CurveHead
from eahas.models.regressors import MlpEnsemble
from eahas.models.uncertainty.distribution import on_log_scale
from eahas.models.uncertainty.seed_noise import SeedNoise, at_positions
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs
from surrogates.models.networks import MemberMlp, one_thread
from surrogates.uncertainty.crossfit import Crossed

Array = np.ndarray
POSITIONS = np.linspace(0.0, 1.0, 8) ** 1.5  # learning curves change most at their beginning
MIN_KNOWN = 30  # deviations of a target that are reported, or shared with another target
MIN_REPEATED = 8  # configurations with several runs: their size is then known to a quarter
HIDDEN, STEPS, RATE, DECAY = 16, 600, 1e-2, 0.1
MIN_SHARE = 1e-4  # of the mean square: a deviation of nothing would be a claim too bold
MAX_DISTANCE = 4.0  # deviations; what is farther counts as this far in correlations
MAX_FACTORS, MIN_FACTOR = 8, 0.5
ROUNDS = 50
BELIEFS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])  # how far a network may be believed


@dataclass(frozen=True)
class _Deviations:
    """Of one model on n runs: inputs (n, U + S * P), deviations (n, S, P), a source for each S."""

    inputs: Array
    values: Array
    positions: Array
    sources: tuple[str, ...]

    @property
    def squares(self) -> Array:
        """(n, S * P)."""
        squares: Array = (self.values**2).reshape(len(self.values), -1)
        return squares


@one_thread()
def with_noise(
    models: Sequence[Crossed], controls: Runs | Sequence[Runs] | None = None, seed: int = 0
) -> tuple[list[Crossed], dict[str, str]]:
    """The models with their noise fitted, and the source of each target's.

    `controls` are runs of some of their configurations that they were not fitted to; several are
    the same runs as each model takes them.
    """
    aside = controls if isinstance(controls, Sequence) else [controls] * len(models)
    found = [_deviations(model, some) for model, some in zip(models, aside, strict=True)]
    sized = [_sized(d, model, seed) for d, model in zip(found, models, strict=True)]
    scaled = []
    for deviations, (network, _) in zip(found, sized, strict=True):
        size = np.exp(_said(network, deviations)).reshape(deviations.values.shape)
        relative = np.clip(deviations.values / size, -MAX_DISTANCE, MAX_DISTANCE)
        relative[:, [source == "reported" for source in deviations.sources]] = np.nan
        scaled.append(relative)
    noisy = []
    for model, d, (network, of_folds), (loadings, own) in zip(
        models, found, sized, _hung_together(scaled), strict=True
    ):
        whole = SeedNoise(network, d.positions, loadings, own)
        parts = [whole if n is network else replace(whole, network=n) for n in of_folds]
        noisy.append(model.with_noise(whole, parts))
    sources = {
        target.name: source
        for model, deviations in zip(models, found, strict=True)
        for target, source in zip(model.whole.targets, deviations.sources, strict=True)
    }
    return noisy, sources


def _deviations(model: Crossed, controls: Runs | None) -> _Deviations:
    curves = isinstance(model.whole.head, CurveHead)
    positions = POSITIONS if curves else np.zeros(1)
    targets, runs = model.whole.targets, model.runs

    def location(ensemble: Ensemble, part: Runs) -> Array:
        found = ensemble.distribution(part.configs)
        return np.stack(
            [
                _placed(np.asarray(found[t.name].location), part.epochs, positions, t)
                for t in targets
            ],
            axis=1,
        )

    def noise_outputs(ensemble: Ensemble, part: Runs) -> Array:
        return ensemble.regressor.many(part.x).mean(axis=0)[:, -ensemble.head.num_noise_outputs :]

    expected, about = model.gathered(location), model.gathered(noise_outputs)

    def seen_in(some: Runs) -> Array:
        placed = [_placed(_linked(some, t), some.epochs, positions, t) for t in targets]
        return np.stack(placed, axis=1)

    seen, names = seen_in(runs), runs.config_id
    both, of_both = seen, names
    if controls is not None:
        both, of_both = (
            np.concatenate([seen, seen_in(controls)]),
            np.append(names, controls.config_id),
        )
    choices = {
        "reported": _reported(runs, targets, seen),
        "repeats": _between_repeats(both, of_both)[: len(seen)],
        "residuals": seen - expected,
    }
    values, sources = np.full_like(seen, np.nan), []
    for k in range(len(targets)):
        known = {name: np.isfinite(c[:, k]).all(axis=1) for name, c in choices.items()}
        if known["reported"].sum() >= MIN_KNOWN:
            source = "reported"
        elif len(np.unique(names[known["repeats"]])) >= MIN_REPEATED:
            source = "repeats"
        else:
            source = "residuals"
        values[:, k] = choices[source][:, k]
        sources.append(source)
    inputs = np.concatenate([about, expected.reshape(len(runs), -1)], axis=1)
    return _Deviations(inputs, values, positions, tuple(sources))


def _linked(runs: Runs, target: Target) -> Array:
    """What a target was, (n, longest) or (n,), on the scale of locations."""
    values = runs.values_of(target)
    return np.log(values) if on_log_scale(target) else values


def _placed(values: Array, epochs: Array, positions: Array, target: Target) -> Array:
    """(n, P) of a curve (n, longest) or a scalar (n,), in runs of so many epochs (n,)."""
    if target.kind == "scalar":
        return values[:, None]
    lengths = target.schedule.counts(epochs)
    return np.stack(
        [at_positions(row[:end], positions) for row, end in zip(values, lengths, strict=True)]
    )


def _reported(runs: Runs, targets: Sequence[Target], seen: Array) -> Array:
    found = np.full_like(seen, np.nan)
    scalars = list(runs.spec.scalars)
    for k, target in enumerate(targets):
        if target in scalars:
            place = scalars.index(target)
            spread = runs.spreads[:, place]
            found[:, k, 0] = spread / runs.scalars[:, place] if on_log_scale(target) else spread
    return found


def _between_repeats(seen: Array, config_id: Array) -> Array:
    """Each run against the mean of its configuration, widened for the mean's own error."""
    found = np.full_like(seen, np.nan)
    _, inverse, counts = np.unique(config_id, return_inverse=True, return_counts=True)
    for group in np.flatnonzero(counts > 1):
        rows = np.flatnonzero(inverse == group)
        whole = rows[np.isfinite(seen[rows]).all(axis=(1, 2))]
        if len(whole) > 1:
            widened = np.sqrt(len(whole) / (len(whole) - 1))
            found[whole] = (seen[whole] - seen[whole].mean(axis=0)) * widened
    return found


def _sized(
    deviations: _Deviations, model: Crossed, seed: int
) -> tuple[MlpEnsemble, list[MlpEnsemble]]:
    """The network of log deviations, and those for the models of the folds."""
    folds = [rows for rows, _ in model.parts]
    if any(len(rows) == len(deviations.values) for rows in folds):
        (whole,), _ = _fitted(deviations, [], seed)
        return whole, [whole] * len(folds)
    (whole, *others), levels = _fitted(deviations, folds, seed)
    known = np.isfinite(deviations.squares)
    relative = np.nan_to_num(deviations.squares * np.exp(-2.0 * levels[0])) + MIN_SHARE
    surprise = np.zeros((len(BELIEFS), known.shape[1]))
    for rows, network, level in zip(folds, others, levels[1:], strict=True):
        more = _said(network, deviations)[rows] - level
        for k, belief in enumerate(BELIEFS):
            log = 2.0 * (level - levels[0] + belief * more)
            lost = log + relative[rows] * np.exp(-log)
            surprise[k] += np.where(known[rows], lost, 0.0).sum(axis=0)
    series, places = deviations.values.shape[1:]
    of_series = surprise.reshape(-1, series, places).sum(axis=2)
    belief = np.repeat(BELIEFS[np.argmin(of_series, axis=0)], places)
    believed = [_believed(*pair, belief) for pair in zip([whole, *others], levels, strict=True)]
    return believed[0], believed[1:]


def _believed(network: MlpEnsemble, level: Array, belief: Array) -> MlpEnsemble:
    """What a network says beyond the level of each output, times the belief in it."""
    last = level + (network.biases[-1] - level) * belief
    return MlpEnsemble(
        (*network.weights[:-1], (network.weights[-1] * belief).astype(np.float32)),
        (*network.biases[:-1], last.astype(np.float32)),
    )


def _said(network: MlpEnsemble, deviations: _Deviations) -> Array:
    """Log deviations of every run: (n, S * P)."""
    return network.many(np.nan_to_num(deviations.inputs))[0].astype(float)


def _fitted(
    deviations: _Deviations, folds: Sequence[Array], seed: int
) -> tuple[list[MlpEnsemble], Array]:
    """Networks of log deviations side by side: of all runs, then of all but each fold.

    With them the logs of each one's root mean squares (1 + folds, S * P).
    """
    squares = deviations.squares
    known = np.repeat(np.isfinite(squares)[None], 1 + len(folds), axis=0)
    known[:, ~np.isfinite(deviations.inputs).all(axis=1)] = False
    for k, rows in enumerate(folds):
        known[1 + k, rows] = False
    mean = _mean_of_known(np.broadcast_to(squares, known.shape), known)
    relative = np.where(known, squares, 0.0) / mean[:, None] + MIN_SHARE
    wanted, mask = torch.from_numpy(relative).float(), torch.from_numpy(known).float()
    count = mask.sum(dim=(1, 2)).clamp_min(1.0)
    rows = known[0].any(axis=1)
    seen = deviations.inputs[rows] if rows.any() else np.zeros((1, deviations.inputs.shape[1]))
    centre, spread = seen.mean(axis=0), seen.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1.0)
    x = torch.from_numpy((deviations.inputs - centre) / spread).float().nan_to_num()
    x = x.repeat(len(known), 1, 1)
    generator = torch.Generator().manual_seed(seed)
    sizes = (x.shape[2], HIDDEN, squares.shape[1])
    network = MemberMlp(len(known), sizes, 0.0, generator)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / STEPS)
        log = network(x)  # of the square
        losses = ((log + wanted * torch.exp(-log)) * mask).sum(dim=(1, 2)) / count
        optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), float(len(known)) ** 0.5)
        optimiser.step()
    levels = 0.5 * np.log(mean)
    half = np.full(squares.shape[1], 0.5)
    together = network.to_numpy(centre, spread, half, np.zeros(squares.shape[1]))
    networks = []
    for k, level in enumerate(levels):
        biases = [bias[k : k + 1] for bias in together.biases]
        biases[-1] = (biases[-1] + level).astype(np.float32)
        networks.append(MlpEnsemble(tuple(w[k : k + 1] for w in together.weights), tuple(biases)))
    return networks, levels


def _mean_of_known(squares: Array, known: Array) -> Array:
    """(M, S * P) of (M, n, S * P); of an output that nothing is known of, 1."""
    count = known.sum(axis=1)
    mean = np.where(known, squares, 0.0).sum(axis=1) / np.maximum(count, 1)
    found: Array = np.maximum(np.where(count, mean, 1.0), np.finfo(np.float32).tiny)
    return found


def _hung_together(scaled: Sequence[Array]) -> list[tuple[Array, Array]]:
    """Loadings (S, P, K) and own parts (S, P, S) of each model's scaled deviations (n, S, P)."""
    columns = np.concatenate([values.reshape(len(values), -1) for values in scaled], axis=1)
    correlation = _correlation(columns)
    blocks, starts, at = [], [], 0
    for values in scaled:
        _, series, places = values.shape
        starts.append(at)
        blocks += [at + place + places * np.arange(series) for place in range(places)]
        at += series * places
    loadings, own = _factors(correlation, blocks)
    parts = []
    for start, values in zip(starts, scaled, strict=True):
        _, series, places = values.shape
        stop = start + series * places
        mixing = np.stack(
            [own[start + p + places * np.arange(series)][:, :series] for p in range(places)], axis=1
        )
        parts.append((loadings[start:stop].reshape(series, places, -1), mixing))
    return parts


def _correlation(columns: Array) -> Array:
    """Of columns with NaN: from the rows that two share, 0 where they share too few."""
    known = np.isfinite(columns)
    values = np.where(known, columns, 0.0)
    shared = known.astype(float).T @ known
    products = (values.T @ values) / np.maximum(shared, 1.0)
    size = np.sqrt(np.maximum(np.diag(products), 1e-12))
    found = np.where(shared >= MIN_KNOWN, products / size / size[:, None], 0.0)
    found = np.clip(found, -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return found


def _factors(correlation: Array, blocks: Sequence[Array]) -> tuple[Array, Array]:
    """Loadings (D, K), and of each row its part (D, largest block) in what is left of its block.

    Alternately: factors of the matrix less what is left in the blocks, and what they leave there.
    """
    size = len(correlation)
    left = np.zeros_like(correlation)
    loadings = np.zeros((size, 0))
    for _ in range(ROUNDS):
        values, vectors = np.linalg.eigh(correlation - left)
        order = np.argsort(values)[::-1][:MAX_FACTORS]
        order = order[values[order] > MIN_FACTOR]
        loadings = vectors[:, order] * np.sqrt(values[order])
        common = loadings @ loadings.T
        for block in blocks:
            at = np.ix_(block, block)
            left[at] = _positive(correlation[at] - common[at])
    own = np.zeros((size, max(len(block) for block in blocks)))
    for block in blocks:
        values, vectors = np.linalg.eigh(left[np.ix_(block, block)])
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        own[block, : len(block)] = root
    length = np.sqrt((loadings**2).sum(axis=1) + (own**2).sum(axis=1))[:, None]
    return loadings / length, own / length


def _positive(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    found: Array = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return found
