"""Fit the seed noise (the noise between runs of one configuration) of all targets of a benchmark.

A small network predicts the standard deviation of the noise from the predictions of a model,
because the noise depends on these: accuracies near 100 % vary less. The network is fitted to
squared deviations by maximum likelihood under a normal distribution. The deviations come from the
first of three sources that has enough of them:

- `reported`: standard deviations that the records contain in addition to a target;
- `repeats`: differences between the runs of one configuration with several seeds and their mean;
  these include the runs that the records mark as controls;
- `residuals`: the errors of models on runs that they were not fitted to. These include the errors
  of the models, so they are an upper bound.

The network is shrunk towards a constant standard deviation, separately for each target. To choose
the amount of shrinkage, other networks are fitted to all folds but one and evaluated on the
left-out fold. The models of the folds use these networks, so that the calibration uses runs that
are new to every component of a model.

The correlations come from principal factor analysis of the standardised deviations. The remainder,
which the factors do not explain, may be correlated among the curves at one epoch, and among
scalars. Reported standard deviations have no sign, so their targets are uncorrelated with others.
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
from surrogates.uncertainty.crossfit import CrossFit

Array = np.ndarray
POSITIONS = np.linspace(0.0, 1.0, 8) ** 1.5  # learning curves change most at their beginning
MIN_KNOWN = 30  # minimum number of reported deviations, and of pairs for a correlation
MIN_REPEATED = 8  # configurations with several runs; their deviation is then known within 25 %
HIDDEN, STEPS, RATE, DECAY = 16, 600, 1e-2, 0.1
MIN_SHARE = 1e-4  # minimum variance relative to the mean square; a variance of 0 is not plausible
MAX_DISTANCE = 4.0  # standardised deviations are clipped to this before correlations
MAX_FACTORS, MIN_FACTOR = 8, 0.5
ROUNDS = 50
SHRINKAGE_WEIGHTS = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
"""Candidate weights of the network's prediction; the constant deviation has 1 - weight."""


@dataclass(frozen=True)
class _Deviations:
    """Deviations of n runs of one model, for S targets at P positions (1 for scalars)."""

    inputs: Array  # (n, U + S * P), of the network: noise outputs and locations of the model
    values: Array  # (n, S, P), NaN if unknown
    positions: Array  # (P,)
    sources: tuple[str, ...]  # (S,)

    @property
    def squares(self) -> Array:
        """Squared deviations (n, S * P)."""
        squares: Array = (self.values**2).reshape(len(self.values), -1)
        return squares


@one_thread()
def fit_seed_noise(
    models: Sequence[CrossFit], controls: Runs | Sequence[Runs] | None = None, seed: int = 0
) -> tuple[list[CrossFit], dict[str, str]]:
    """Fit the seed noise of cross-fitted models.

    Args:
        models: the cross-fitted models of one benchmark.
        controls: other runs of some of the same configurations, to which no model was fitted;
            or these runs as each model takes them.
        seed: seed of the networks.

    Returns:
        the models with their noise, and the source of the noise of each target.
    """
    of_models = controls if isinstance(controls, Sequence) else [controls] * len(models)
    all_deviations = [_deviations(m, some) for m, some in zip(models, of_models, strict=True)]
    networks = [
        _noise_networks(d, model, seed) for d, model in zip(all_deviations, models, strict=True)
    ]
    standardised = []
    for deviations, (network, _) in zip(all_deviations, networks, strict=True):
        std = np.exp(_predict_log_std(network, deviations)).reshape(deviations.values.shape)
        relative = np.clip(deviations.values / std, -MAX_DISTANCE, MAX_DISTANCE)
        relative[:, [source == "reported" for source in deviations.sources]] = np.nan
        standardised.append(relative)
    noisy = []
    for model, d, (network, fold_networks), (loadings, own) in zip(
        models, all_deviations, networks, _fit_correlations(standardised), strict=True
    ):
        whole = SeedNoise(network, d.positions, loadings, own)
        folds = [whole if n is network else replace(whole, network=n) for n in fold_networks]
        noisy.append(model.with_seed_noise(whole, folds))
    sources = {
        target.name: source
        for model, deviations in zip(models, all_deviations, strict=True)
        for target, source in zip(model.whole.targets, deviations.sources, strict=True)
    }
    return noisy, sources


def _deviations(model: CrossFit, controls: Runs | None) -> _Deviations:
    curves = isinstance(model.whole.head, CurveHead)
    positions = POSITIONS if curves else np.zeros(1)
    targets, runs = model.whole.targets, model.runs

    def location(ensemble: Ensemble, part: Runs) -> Array:
        posteriors = ensemble.distribution(part.configs)
        locations = [np.asarray(posteriors[t.name].location) for t in targets]
        sampled = [
            _at_positions(x, part.epochs, positions, t)
            for x, t in zip(locations, targets, strict=True)
        ]
        return np.stack(sampled, axis=1)

    def noise_outputs(ensemble: Ensemble, part: Runs) -> Array:
        return ensemble.regressor.many(part.x).mean(axis=0)[:, -ensemble.head.num_noise_outputs :]

    def observations(part: Runs) -> Array:
        values = [_on_model_scale(part, t) for t in targets]
        sampled = [
            _at_positions(v, part.epochs, positions, t)
            for v, t in zip(values, targets, strict=True)
        ]
        return np.stack(sampled, axis=1)

    expected, outputs = model.out_of_fold(location), model.out_of_fold(noise_outputs)
    observed, config_id = observations(runs), runs.config_id
    with_controls, all_ids = observed, config_id
    if controls is not None:
        with_controls = np.concatenate([observed, observations(controls)])
        all_ids = np.append(config_id, controls.config_id)
    choices = {
        "reported": _reported_deviations(runs, targets, observed),
        "repeats": _repeat_deviations(with_controls, all_ids)[: len(observed)],
        "residuals": observed - expected,
    }
    values, sources = np.full_like(observed, np.nan), []
    for k in range(len(targets)):
        known = {name: np.isfinite(c[:, k]).all(axis=1) for name, c in choices.items()}
        if known["reported"].sum() >= MIN_KNOWN:
            source = "reported"
        elif len(np.unique(config_id[known["repeats"]])) >= MIN_REPEATED:
            source = "repeats"
        else:
            source = "residuals"
        values[:, k] = choices[source][:, k]
        sources.append(source)
    inputs = np.concatenate([outputs, expected.reshape(len(runs), -1)], axis=1)
    return _Deviations(inputs, values, positions, tuple(sources))


def _on_model_scale(runs: Runs, target: Target) -> Array:
    """The values of a target, (n, longest) or (n,); logarithms if the target is on a log scale."""
    values = runs.values_of(target)
    return np.log(values) if on_log_scale(target) else values


def _at_positions(values: Array, epochs: Array, positions: Array, target: Target) -> Array:
    """Values (n, P) at the positions of a curve (n, longest), or of a scalar (n,) as (n, 1)."""
    if target.kind == "scalar":
        return values[:, None]
    lengths = target.schedule.counts(epochs)
    return np.stack(
        [at_positions(row[:end], positions) for row, end in zip(values, lengths, strict=True)]
    )


def _reported_deviations(runs: Runs, targets: Sequence[Target], observed: Array) -> Array:
    deviations = np.full_like(observed, np.nan)
    scalars = list(runs.spec.scalars)
    for k, target in enumerate(targets):
        if target in scalars:
            column = scalars.index(target)
            std = runs.spreads[:, column]
            deviations[:, k, 0] = std / runs.scalars[:, column] if on_log_scale(target) else std
    return deviations


def _repeat_deviations(observed: Array, config_id: Array) -> Array:
    """Differences between runs and the mean of their configuration, corrected for its error.

    The factor is sqrt(m / (m - 1)) for m runs (Bessel's correction).
    """
    deviations = np.full_like(observed, np.nan)
    _, inverse, counts = np.unique(config_id, return_inverse=True, return_counts=True)
    for group in np.flatnonzero(counts > 1):
        rows = np.flatnonzero(inverse == group)
        complete = rows[np.isfinite(observed[rows]).all(axis=(1, 2))]
        if len(complete) > 1:
            factor = np.sqrt(len(complete) / (len(complete) - 1))
            mean = observed[complete].mean(axis=0)
            deviations[complete] = (observed[complete] - mean) * factor
    return deviations


def _noise_networks(
    deviations: _Deviations, model: CrossFit, seed: int
) -> tuple[MlpEnsemble, list[MlpEnsemble]]:
    """The shrunk networks of log standard deviations: of all runs, and of each fold's model.

    For each target, the shrinkage weight minimises the negative log likelihood on left-out folds.
    """
    folds = [rows for rows, _ in model.folds]
    if any(len(rows) == len(deviations.values) for rows in folds):
        (whole,), _ = _fit_networks(deviations, [], seed)
        return whole, [whole] * len(folds)
    (whole, *others), constants = _fit_networks(deviations, folds, seed)
    known = np.isfinite(deviations.squares)
    relative = np.nan_to_num(deviations.squares * np.exp(-2.0 * constants[0])) + MIN_SHARE
    losses = np.zeros((len(SHRINKAGE_WEIGHTS), known.shape[1]))
    for rows, network, constant in zip(folds, others, constants[1:], strict=True):
        difference = _predict_log_std(network, deviations)[rows] - constant
        for k, weight in enumerate(SHRINKAGE_WEIGHTS):
            log = 2.0 * (constant - constants[0] + weight * difference)
            loss = log + relative[rows] * np.exp(-log)
            losses[k] += np.where(known[rows], loss, 0.0).sum(axis=0)
    targets, positions = deviations.values.shape[1:]
    target_losses = losses.reshape(-1, targets, positions).sum(axis=2)
    weight = np.repeat(SHRINKAGE_WEIGHTS[np.argmin(target_losses, axis=0)], positions)
    shrunk = [_shrink(*pair, weight) for pair in zip([whole, *others], constants, strict=True)]
    return shrunk[0], shrunk[1:]


def _shrink(network: MlpEnsemble, constant: Array, weight: Array) -> MlpEnsemble:
    """The network weight * network + (1 - weight) * constant, for each output."""
    last = constant + (network.biases[-1] - constant) * weight
    return MlpEnsemble(
        (*network.weights[:-1], (network.weights[-1] * weight).astype(np.float32)),
        (*network.biases[:-1], last.astype(np.float32)),
    )


def _predict_log_std(network: MlpEnsemble, deviations: _Deviations) -> Array:
    """Log standard deviations of every run: (n, S * P)."""
    return network.many(np.nan_to_num(deviations.inputs))[0].astype(float)


def _fit_networks(
    deviations: _Deviations, folds: Sequence[Array], seed: int
) -> tuple[list[MlpEnsemble], Array]:
    """Fit networks of log standard deviations: one to all runs, then one to all but each fold.

    Also returns the constant log standard deviations of each (1 + folds, S * P): the logarithms of
    the root mean squares.
    """
    squares = deviations.squares
    known = np.repeat(np.isfinite(squares)[None], 1 + len(folds), axis=0)
    known[:, ~np.isfinite(deviations.inputs).all(axis=1)] = False
    for k, rows in enumerate(folds):
        known[1 + k, rows] = False
    mean = _mean_squares(np.broadcast_to(squares, known.shape), known)
    relative = np.where(known, squares, 0.0) / mean[:, None] + MIN_SHARE
    targets, mask = torch.from_numpy(relative).float(), torch.from_numpy(known).float()
    count = mask.sum(dim=(1, 2)).clamp_min(1.0)
    rows = known[0].any(axis=1)
    inputs = deviations.inputs[rows] if rows.any() else np.zeros((1, deviations.inputs.shape[1]))
    centre, std = inputs.mean(axis=0), inputs.std(axis=0)
    std = np.where(std > 1e-6, std, 1.0)
    x = torch.from_numpy((deviations.inputs - centre) / std).float().nan_to_num()
    x = x.repeat(len(known), 1, 1)
    generator = torch.Generator().manual_seed(seed)
    sizes = (x.shape[2], HIDDEN, squares.shape[1])
    network = MemberMlp(len(known), sizes, 0.0, generator)
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - step / STEPS)
        log = network(x)  # of the variance
        losses = ((log + targets * torch.exp(-log)) * mask).sum(dim=(1, 2)) / count
        optimiser.zero_grad(set_to_none=True)
        losses.sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), float(len(known)) ** 0.5)
        optimiser.step()
    constants = 0.5 * np.log(mean)
    half = np.full(squares.shape[1], 0.5)
    joint = network.to_numpy(centre, std, half, np.zeros(squares.shape[1]))
    networks = []
    for k, constant in enumerate(constants):
        biases = [bias[k : k + 1] for bias in joint.biases]
        biases[-1] = (biases[-1] + constant).astype(np.float32)
        networks.append(MlpEnsemble(tuple(w[k : k + 1] for w in joint.weights), tuple(biases)))
    return networks, constants


def _mean_squares(squares: Array, known: Array) -> Array:
    """Means over runs of known squares, (M, n, S * P) -> (M, S * P); 1 if none is known."""
    count = known.sum(axis=1)
    mean = np.where(known, squares, 0.0).sum(axis=1) / np.maximum(count, 1)
    positive: Array = np.maximum(np.where(count, mean, 1.0), np.finfo(np.float32).tiny)
    return positive


def _fit_correlations(standardised: Sequence[Array]) -> list[tuple[Array, Array]]:
    """Factor analysis of all models' standardised deviations (n, S, P) together.

    Returns for each model the loadings of the common factors (S, P, K), and the matrices that mix
    the remaining noise of its targets (S, P, S).
    """
    columns = np.concatenate([values.reshape(len(values), -1) for values in standardised], axis=1)
    correlation = _correlation(columns)
    blocks, starts, start = [], [], 0
    for values in standardised:
        _, targets, positions = values.shape
        starts.append(start)
        blocks += [start + p + positions * np.arange(targets) for p in range(positions)]
        start += targets * positions
    loadings, own = _factors(correlation, blocks)
    by_model = []
    for start, values in zip(starts, standardised, strict=True):
        _, targets, positions = values.shape
        stop = start + targets * positions
        rows = [start + p + positions * np.arange(targets) for p in range(positions)]
        mixing = np.stack([own[r][:, :targets] for r in rows], axis=1)
        by_model.append((loadings[start:stop].reshape(targets, positions, -1), mixing))
    return by_model


def _correlation(columns: Array) -> Array:
    """Correlations of columns with NaN.

    Two columns are compared on the rows that both have; the correlation is 0 if these are fewer
    than MIN_KNOWN.
    """
    known = np.isfinite(columns)
    values = np.where(known, columns, 0.0)
    shared = known.astype(float).T @ known
    products = (values.T @ values) / np.maximum(shared, 1.0)
    std = np.sqrt(np.maximum(np.diag(products), 1e-12))
    correlation = np.where(shared >= MIN_KNOWN, products / std / std[:, None], 0.0)
    correlation = np.clip(correlation, -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _factors(correlation: Array, blocks: Sequence[Array]) -> tuple[Array, Array]:
    """Principal factor analysis with a correlated remainder inside each block.

    It alternates between the factors of the matrix without the remainder, and the remainder that
    these factors leave in each block. Returns the loadings (D, K), and for each row its row of the
    square root of its block's remainder (D, largest block).
    """
    size = len(correlation)
    remainder = np.zeros_like(correlation)
    loadings = np.zeros((size, 0))
    for _ in range(ROUNDS):
        values, vectors = np.linalg.eigh(correlation - remainder)
        order = np.argsort(values)[::-1][:MAX_FACTORS]
        order = order[values[order] > MIN_FACTOR]
        loadings = vectors[:, order] * np.sqrt(values[order])
        common = loadings @ loadings.T
        for block in blocks:
            inside = np.ix_(block, block)
            remainder[inside] = _project_positive(correlation[inside] - common[inside])
    own = np.zeros((size, max(len(block) for block in blocks)))
    for block in blocks:
        values, vectors = np.linalg.eigh(remainder[np.ix_(block, block)])
        root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        own[block, : len(block)] = root
    length = np.sqrt((loadings**2).sum(axis=1) + (own**2).sum(axis=1))[:, None]
    return loadings / length, own / length


def _project_positive(matrix: Array) -> Array:
    """The nearest positive semidefinite matrix: negative eigenvalues are set to 0."""
    values, vectors = np.linalg.eigh(matrix)
    projected: Array = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return projected
