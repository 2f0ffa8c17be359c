"""Train an ensemble of networks: all members at once, each with its own seed and fold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eahas.errors import CheckpointError, EahasError, FitError
from eahas.models.ensemble import Ensemble
from eahas.models.heads import CurveHead, ScalarHead
from eahas.models.regressors.mlp import MlpEnsemble, mlp_from_tensors
from eahas.settings import number, whole_numbers
from surrogates.data.dataset import Runs
from surrogates.data.folds import folds
from surrogates.data.transforms import log_scale_scalars
from surrogates.models.codecs import curve_bounds, initial_code
from surrogates.models.networks import MemberMlp, torch_decoder
from surrogates.settings import EnsembleSettings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class NetSettings(EnsembleSettings):
    """Settings of an ensemble of networks.

    `left_out` is the number of folds of the runs that each member leaves out.
    """

    hidden: tuple[int, ...] = whole_numbers((96, 96))
    steps: int = number(2500, 1)
    batch_size: int = number(128, 1)
    learning_rate: float = number(3e-3)
    weight_decay: float = number(1.0)
    dropout: float = number(0.1, 0, 1, open_high=True)
    left_out: int = number(1, 0, 1)

    @property
    def leaves_out(self) -> bool:
        """Whether each member leaves a fold of the runs out."""
        return True


@dataclass(frozen=True)
class FitSettings(NetSettings):
    """Settings of networks whose loss is computed on the decoded curves.

    The loss is computed at `positions` epochs; the last one has the additional weight
    `last_epoch_weight`.
    """

    positions: int = number(24, 2)
    last_epoch_weight: float = number(0.5)

    @property
    def leaves_out(self) -> bool:
        return self.left_out == 1


def fit_curves(
    runs: Runs,
    settings: FitSettings,
    progress: Progress | None = None,
    *,
    codec: str = "bezier",
) -> Ensemble:
    """Fit an ensemble of networks for all curves of the spec.

    The loss is the error of the decoded curve at random epochs and at the last one, not the error
    of the codes.

    Raises:
        FitError: there are fewer configurations than members (each member leaves one fold out), the
            codec is unknown, or the fit diverged.
    """
    spec = runs.spec
    start = initial_code(codec, runs, settings.degree, settings.seed)
    head = CurveHead(spec.curves, start.codec)
    low, high = (torch.tensor(bound).float()[:, None] for bound in curve_bounds(runs))
    spans = high - low
    targets = torch.from_numpy(runs.curves).float()
    groups = {int(e): np.flatnonzero(runs.lengths == e) for e in np.unique(runs.lengths)}
    rng = np.random.default_rng(settings.seed)
    c, k = len(spec.curves), start.codec.outputs
    decode = torch_decoder(start.codec)
    scale, shift = (torch.from_numpy(array).float() for array in (start.scale, start.shift))

    def batch_loss(network: MemberMlp, data: Data, generator: torch.Generator) -> Tensor:
        length, rows = _sample_batch(groups, settings.batch_size, rng)
        epochs = _sample_epochs(length, settings.positions, rng)
        positions = torch.from_numpy(epochs / max(length - 1, 1)).float()
        out = network(data.x[:, rows], generator)
        predicted = (decode(shift + scale * out[..., :k], positions) - low) / spans
        observed = ((targets[rows][:, :, epochs] - low) / spans).clamp(0.0, 1.0)
        known = torch.isfinite(observed)  # the epochs after a run diverged have no loss
        error = torch.where(known, predicted - observed.nan_to_num(), 0.0)
        ends = out[..., k:].unflatten(-1, (c, 2)).exp()
        noise = ends[..., :1] + (ends[..., 1:] - ends[..., :1]) * positions
        share = torch.full((len(epochs),), 1.0 / len(epochs))
        share[-1] += settings.last_epoch_weight
        loss = _loss(error, noise, share * known)
        return (loss.mean(-1) * data.weight[:, rows]).sum() / data.weight[:, rows].sum()

    bias = np.concatenate([np.zeros(k), np.full(2 * c, math.log(0.03))])
    network, data = train_networks(
        runs, head.outputs, bias, batch_loss, settings, progress, ignored=runs.features.of_costs
    )
    log_spans = np.repeat(np.log(spans.numpy()[:, 0]), 2)  # convert the noise to the target's unit
    assert spec.main_curve is not None
    return Ensemble.uncalibrated(
        head,
        spec=spec,
        name="learning_curve",
        features=runs.features,
        regressor=check_converged(
            network.to_numpy(
                data.mean,
                data.std,
                np.concatenate([start.scale, np.ones(2 * c)]),
                np.concatenate([start.shift, log_spans]),
            )
        ),
        primary=spec.main_curve.name,
        manifest={"settings": settings.to_dict()},
    )


def fit_scalars(runs: Runs, settings: FitSettings, progress: Progress | None = None) -> Ensemble:
    """Fit an ensemble of networks for all scalars of the spec.

    Targets on a log scale are fitted as logarithms, and totals per epoch.

    Raises:
        FitError: as in `fit_curves`, or a target on a log scale has a value that is not positive.
    """
    spec = runs.spec
    head = ScalarHead(spec.scalars)
    runs = runs.where(np.isfinite(runs.scalars).any(axis=1))
    transformed = log_scale_scalars(runs, head)
    mean = np.nanmean(transformed, axis=0)
    std = np.maximum(np.nanstd(transformed, axis=0), 1e-6)
    targets = torch.from_numpy((transformed - mean) / std).float()
    rng = np.random.default_rng(settings.seed)
    count = len(spec.scalars)

    def batch_loss(network: MemberMlp, data: Data, generator: torch.Generator) -> Tensor:
        rows = rng.choice(len(runs), min(settings.batch_size, len(runs)), replace=False)
        out = network(data.x[:, rows], generator)
        known = torch.isfinite(targets[rows])
        error = torch.where(known, out[..., :count] - targets[rows].nan_to_num(), 0.0)
        loss = _loss(error, out[..., count:].exp(), known / count)
        return (loss * data.weight[:, rows]).sum() / data.weight[:, rows].sum()

    bias = np.concatenate([np.zeros(count), np.full(count, math.log(0.2))])
    network, data = train_networks(runs, head.outputs, bias, batch_loss, settings, progress)
    scale = np.concatenate([std, np.ones(count)])
    shift = np.concatenate([mean, np.log(std)])
    return Ensemble.uncalibrated(
        head,
        spec=spec,
        name="costs",
        features=runs.features,
        regressor=check_converged(network.to_numpy(data.mean, data.std, scale, shift)),
        primary=spec.scalars[0].name,
        manifest={"settings": settings.to_dict()},
    )


@dataclass(frozen=True)
class Data:
    """The training data of the M members."""

    x: Tensor  # (M, n, F), standardised
    weight: Tensor  # (M, n), zero if the member leaves the run out
    mean: np.ndarray
    std: np.ndarray


def train_networks(
    runs: Runs,
    outputs: int,
    bias: np.ndarray,
    batch_loss: Callable[[MemberMlp, Data, torch.Generator], Tensor],
    settings: NetSettings,
    progress: Progress | None,
    *,
    ignored: np.ndarray | None = None,
) -> tuple[MemberMlp, Data]:
    """Train with AdamW and a cosine schedule; the same settings and runs give the same weights.

    Args:
        runs: the training runs.
        outputs: number of outputs of a network.
        bias: initial biases of the last layer (outputs,).
        batch_loss: loss of a random batch.
        settings: hyperparameters of the fit.
        progress: called after each step.
        ignored: a mask of features (F,) that the networks ignore; their weights are 0.

    Raises:
        FitError: the fit diverged, or there are fewer configurations than members.
    """
    data = _data(runs, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    sizes = (runs.x.shape[1], *settings.hidden, outputs)
    network = MemberMlp(settings.members, sizes, settings.dropout, generator)
    with torch.no_grad():
        network.biases[-1].copy_(torch.from_numpy(bias).float().expand_as(network.biases[-1]))
        if ignored is not None:
            network.weights[0][:, torch.from_numpy(ignored)] = 0.0
            data.x[..., torch.from_numpy(ignored)] = 0.0  # so that these weights have no gradient
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    for step in range(settings.steps):
        done = step / settings.steps
        for group in optimiser.param_groups:
            warmup = min(1.0, (step + 1) / (0.05 * settings.steps))
            group["lr"] = settings.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * done))
        try:
            loss = batch_loss(network, data, generator)
        except EahasError as error:  # codes that are not finite cannot be decoded
            raise _diverged(error) from None
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        if progress is not None:
            progress(step + 1, settings.steps)
    return network, data


def check_converged(mlp: MlpEnsemble) -> MlpEnsemble:
    """Return the networks if a checkpoint of them could be loaded.

    Raises:
        FitError: the fit diverged.
    """
    try:
        return mlp_from_tensors(mlp.tensors())
    except CheckpointError as error:
        raise _diverged(error) from None


def _diverged(error: EahasError) -> FitError:
    return FitError(f"the fit diverged ({error}); lower learning_rate")


def _data(runs: Runs, settings: NetSettings) -> Data:
    mean, std = runs.x.mean(axis=0), runs.x.std(axis=0)
    std = np.where(std > 1e-6, std, 1.0)
    x = torch.from_numpy((runs.x - mean) / std).float()
    fold = folds(runs, settings.members, settings.seed)
    held_out = fold[None, :] == np.arange(settings.members)[:, None]
    kept = torch.from_numpy(~held_out) if settings.leaves_out else torch.ones(held_out.shape)
    weight = torch.from_numpy(runs.weight).float() * kept
    return Data(x.repeat(settings.members, 1, 1), weight, mean, std)


def _loss(error: Tensor, noise: Tensor, share: Tensor) -> Tensor:
    """Squared error, plus the negative log likelihood of the noise for a fixed error.

    The error is detached, because in a joint likelihood a network can increase the noise instead of
    reducing the error (Seitzer et al., "On the Pitfalls of Heteroscedastic Uncertainty
    Estimation", 2022).
    """
    fixed = error.detach()
    noise = noise.clamp_min(1e-4)
    likelihood = 0.5 * (fixed / noise) ** 2 + noise.log()
    return ((error**2 * 20.0 + 0.02 * likelihood) * share).sum(-1)


def _sample_batch(
    groups: dict[int, np.ndarray], size: int, rng: np.random.Generator
) -> tuple[int, np.ndarray]:
    """Sample a length in proportion to its number of runs, then the rows of runs of this length."""
    lengths = list(groups)
    counts = np.array([len(groups[length]) for length in lengths], dtype=float)
    length = lengths[int(rng.choice(len(lengths), p=counts / counts.sum()))]
    rows = groups[length]
    return length, rng.choice(rows, min(size, len(rows)), replace=False)


def _sample_epochs(length: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sorted random epochs, counted from 0, with the first and the last; all if at most `count`."""
    if length <= count:
        return np.arange(length)
    inner = rng.choice(np.arange(1, length - 1), count - 2, replace=False)
    return np.sort(np.concatenate([[0], inner, [length - 1]]))
