"""EA-HAS-Bench's Bezier surrogate (BSC), reimplemented: its network, loss and training settings.

The settings are from its paper (Dou et al., "EA-HAS-Bench", 2023) and its public code. Architecture
and hyperparameters are encoded by one layer each and concatenated. Three more layers with ReLU
follow, then dropout, one head for the two end values (a sigmoid times 100), and one for the inner
control points, which are predicted unscaled: x in epochs, y in percent. Adam minimises the mean
squared error of the unscaled control points. The code here is ours. It is fitted to our
least-squares control points, which are closer to the curves than those of the published code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from eahas.models.curves import bezier
from surrogates.data.dataset import Runs
from surrogates.models.bezier_fit import fit

Array = np.ndarray
DEGREE = 5
FINE = 2001  # points of a curve among which the crossing of an epoch is searched


@dataclass(frozen=True)
class BscSettings:
    """The settings of its quintic surrogate for TinyImageNet, which its code assigns last."""

    hidden: int = 175
    dropout: float = 0.1
    learning_rate: float = 0.00026741326506786136
    epochs: int = 120
    batch_size: int = 64
    scaled: bool = False  # standardised targets and two linear heads: differs from the paper


class _Network(nn.Module):
    def __init__(self, architecture: int, others: int, settings: BscSettings) -> None:
        super().__init__()
        hidden, outputs = settings.hidden, 2 * DEGREE
        self.architecture = architecture
        self.scaled = settings.scaled
        self.encode_architecture = nn.Sequential(nn.Linear(architecture, hidden), nn.ReLU())
        self.encode_others = nn.Sequential(nn.Linear(others, hidden), nn.ReLU())
        self.trunk = nn.Sequential(
            *(nn.Linear(2 * hidden, hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Dropout(settings.dropout),
        )
        self.ends, self.inner = nn.Linear(hidden, 2), nn.Linear(hidden, outputs - 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, rest = x[:, : self.architecture], x[:, self.architecture :]
        encoded = [self.encode_architecture(first), self.encode_others(rest)]
        h = self.trunk(torch.cat(encoded, dim=1))
        ends = self.ends(h)
        return torch.cat([ends if self.scaled else 100.0 * torch.sigmoid(ends), self.inner(h)], 1)


def fit_and_predict(
    train: Runs, test: Runs, curve: int, seed: int, settings: BscSettings | None = None
) -> Array:
    """Fit one network, and predict the curves of the test runs (n, longest), padded with NaN."""
    settings = settings or BscSettings()
    encoded = [runs.spec.space.encode_columns(runs.columns()) for runs in (train, test)]
    labels = _control_points(train, curve)
    shift, scale = np.zeros(labels.shape[1]), np.ones(labels.shape[1])
    if settings.scaled:
        shift, scale = labels.mean(axis=0), np.maximum(labels.std(axis=0), 1e-6)
    torch.manual_seed(seed)
    architecture = sum(p.width for p in train.spec.space.parameters if p.name.startswith("REGNET"))
    network = _Network(architecture, encoded[0].shape[1] - architecture, settings)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    x = torch.from_numpy(encoded[0]).float()
    y = torch.from_numpy((labels - shift) / scale).float()
    network.train()
    for _ in range(settings.epochs):
        for start in range(0, len(x), settings.batch_size):
            rows = slice(start, start + settings.batch_size)
            loss = nn.functional.mse_loss(network(x[rows]), y[rows])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    network.eval()
    with torch.no_grad():
        out = network(torch.from_numpy(encoded[1]).float()).double().numpy()
    return _decode(out * scale + shift, test.epochs)


def _control_points(runs: Runs, curve: int) -> Array:
    """Control points (n, 10): both end values, the inner x in epochs, the inner y."""
    labels = np.empty((len(runs), 2 * DEGREE))
    for length in np.unique(runs.epochs):
        rows = np.flatnonzero(runs.epochs == length)
        fitted = fit(runs.curves[rows, curve, :length], DEGREE)
        x, y = 1.0 + fitted.x_ctrl * (length - 1), fitted.y_ctrl
        labels[rows] = np.concatenate([y[:, [0, -1]], x[:, 1:-1], y[:, 1:-1]], axis=1)
    return labels


def _decode(points: Array, epochs: Array) -> Array:
    """The values at each epoch: those of the first point of the curve with that x."""
    t = np.linspace(0.0, 1.0, FINE)
    basis = bezier.bernstein(DEGREE, t)
    curves = np.full((len(points), int(epochs.max())), np.nan)
    for i, (point, length) in enumerate(zip(points, epochs.tolist(), strict=True)):
        x = basis @ np.concatenate([[1.0], point[2 : DEGREE + 1], [length]])
        y = basis @ np.concatenate([[point[0]], point[DEGREE + 1 :], [point[1]]])
        at = np.arange(1, length + 1)
        first = (x[None, :] >= at[:, None] - 1e-9).argmax(axis=1)
        before = np.maximum(first - 1, 0)
        rise = np.where(first > 0, x[first] - x[before], 1.0)
        share = np.where(first > 0, (at - x[before]) / np.where(rise != 0, rise, 1.0), 0.0)
        curves[i, :length] = y[before] + share * (y[first] - y[before])
    return curves
