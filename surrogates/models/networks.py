"""Torch versions of the MLP regressor and of the codecs, for training; eahas predicts in numpy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from eahas.models.curves import bezier
from eahas.models.curves.codecs import BezierCodec, Codec
from eahas.models.curves.monotone import MonotoneCodec
from eahas.models.regressors.mlp import MlpEnsemble


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch to one thread; usable as a context manager and as a decorator.

    Networks of this size do not become faster with more threads, and threads that wait for busy
    cores slow them down. With one thread, sums do not depend on the number of cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class MemberMlp(nn.Module):
    """M networks of one shape, trained together: (M, batch, inputs) -> (M, batch, outputs)."""

    def __init__(
        self, members: int, sizes: tuple[int, ...], dropout: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for inputs, outputs in itertools.pairwise(sizes):
            weight = torch.randn(members, inputs, outputs, generator=generator)
            self.weights.append(nn.Parameter(weight * math.sqrt(2.0 / inputs)))
            self.biases.append(nn.Parameter(torch.zeros(members, 1, outputs)))
        with torch.no_grad():
            self.weights[-1].mul_(0.1)  # so that the first predictions are close to the bias
        self.dropout = dropout

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if k:
                x = torch.relu(x)
                if self.dropout and generator is not None:
                    kept = torch.rand(x.shape, generator=generator) >= self.dropout
                    x = x * kept / (1.0 - self.dropout)
            x = torch.baddbmm(bias, x, weight)
        return x

    def to_numpy(
        self, mean: np.ndarray, std: np.ndarray, scale: np.ndarray, shift: np.ndarray
    ) -> MlpEnsemble:
        """The same function on raw features and in raw units.

        Features were standardised with `mean` and `std` (F,); outputs are to be multiplied by
        `scale` and moved by `shift` (outputs,). Both are folded into the outer layers.
        """
        weights = [w.detach().double().numpy() for w in self.weights]
        biases = [b.detach().double().numpy()[:, 0] for b in self.biases]
        biases[0] = biases[0] - np.einsum("f,mfh->mh", mean / std, weights[0])
        weights[0] = weights[0] / std[:, None]
        weights[-1] = weights[-1] * scale
        biases[-1] = biases[-1] * scale + shift
        return MlpEnsemble(
            tuple(w.astype(np.float32) for w in weights),
            tuple(b.astype(np.float32) for b in biases),
        )


def torch_decoder(codec: Codec) -> Callable[[Tensor, Tensor], Tensor]:
    """A differentiable `codec.curves`: codes (..., K) and positions (P,) -> curves (..., C, P)."""
    if isinstance(codec, BezierCodec):
        n, count = codec.degree, len(codec.low)
        low, high = (torch.tensor(bound).float()[:, None] for bound in (codec.low, codec.high))

        def from_control_points(code: Tensor, positions: Tensor) -> Tensor:
            share = torch.sigmoid(code[..., n:].unflatten(-1, (count, n + 1)))
            y = low + (high - low) * share
            return decode_at(x_control_points(code[..., :n]), y, positions)

        return from_control_points
    if isinstance(codec, MonotoneCodec):
        steps, begin = codec.degree, torch.tensor(codec.from_zero)[:, None]

        def from_steps(code: Tensor, positions: Tensor) -> Tensor:
            raw = code[..., steps:].unflatten(-1, (len(codec.from_zero), steps + 1))
            first = raw[..., :1].masked_fill(begin, -torch.inf)
            y = torch.softmax(torch.cat((first, raw[..., 1:]), dim=-1), dim=-1).cumsum(-1)
            return decode_at(x_control_points(code[..., :steps]), y, positions)

        return from_steps
    grid, decoder = codec.positions, codec.decoder
    layers = () if decoder is None else tuple(zip(decoder.weights, decoder.biases, strict=True))
    tensors = [(torch.from_numpy(w[0]), torch.from_numpy(b[0])) for w, b in layers]

    def from_grid(code: Tensor, positions: Tensor) -> Tensor:
        for k, (weight, bias) in enumerate(tensors):
            code = (torch.relu(code) if k else code) @ weight + bias
        values = code.unflatten(-1, (codec.count, len(grid)))
        at = positions.double().numpy()
        interpolation = np.array([np.interp(at, grid, unit) for unit in np.eye(len(grid))])
        return values @ torch.from_numpy(interpolation).float()

    return from_grid


def x_control_points(raw: Tensor) -> Tensor:
    """Differentiable `eahas.models.curves.bezier.x_control_points`: (..., n) -> (..., n + 1)."""
    steps = torch.softmax(raw, dim=-1)
    inner = torch.cumsum(steps, dim=-1)[..., :-1]
    zero = torch.zeros_like(raw[..., :1])
    return torch.cat((zero, inner, zero + 1.0), dim=-1)


def decode_at(x_ctrl: Tensor, y_ctrl: Tensor, positions: Tensor) -> Tensor:
    """Values of Bezier curves at positions in [0, 1], differentiable in all control points.

    x_ctrl (..., n + 1), y_ctrl (..., C, n + 1), positions (P,) -> (..., C, P). The t with
    x(t) = position is computed without gradients. One Newton step from this t then has the exact
    derivative of the inverse function.
    """
    degree = x_ctrl.shape[-1] - 1
    with torch.no_grad():
        solved = bezier.solve_t(x_ctrl.detach().double().numpy(), positions.double().numpy())
        t = torch.from_numpy(solved).to(x_ctrl.dtype)
        value, slope = _bernstein(degree, t), _bernstein(degree - 1, t)
        steps = degree * (x_ctrl[..., 1:] - x_ctrl[..., :-1])
        dx = (slope * steps[..., None, :]).sum(-1).clamp_min(1e-3)
    x = (value * x_ctrl[..., None, :]).sum(-1)
    t = t - (x - positions) / dx
    basis = _bernstein(degree, t.clamp(0.0, 1.0))
    return torch.einsum("...pk,...ck->...cp", basis, y_ctrl)


def _bernstein(degree: int, t: Tensor) -> Tensor:
    """Bernstein polynomials at t: (..., P) -> (..., P, degree + 1)."""
    rising, falling = _powers(degree, t), _powers(degree, 1.0 - t)
    terms = [math.comb(degree, k) * rising[k] * falling[degree - k] for k in range(degree + 1)]
    return torch.stack(terms, dim=-1)


def _powers(degree: int, t: Tensor) -> list[Tensor]:
    """Powers of t from 0 to degree, as products, which are much faster than `pow`."""
    powers = [torch.ones_like(t)]
    for _ in range(degree):
        powers.append(powers[-1] * t)
    return powers
