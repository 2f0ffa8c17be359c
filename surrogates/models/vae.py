"""A small variational autoencoder of curves (Kingma and Welling, 2014), fitted within seconds.

A `GridCodec` uses its decoder; the codes are the means that the encoder predicts.
"""

from __future__ import annotations

import numpy as np
import torch

from eahas.errors import FitError
from eahas.models.regressors import MlpEnsemble
from surrogates.models.networks import MemberMlp

CODES, HIDDEN = 8, 64
STEPS, BATCH, RATE = 600, 128, 6e-3
TOLERANCE = 0.05  # standard deviation of the reconstruction error, relative to that of the curves
Array = np.ndarray


def fit_vae(values: Array, weight: Array, seed: int) -> tuple[MlpEnsemble, Array]:
    """Fit an autoencoder to values (n, C, G) with weights (n,).

    The loss is the negative evidence lower bound: the squared error in units of TOLERANCE, plus the
    Kullback-Leibler divergence of the codes from a standard normal distribution.

    Returns:
        the decoder from codes to values, and the codes (n, K).

    Raises:
        FitError: the fit diverged.
    """
    count, _, points = values.shape
    mean = np.average(values, axis=0, weights=weight)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight).mean(axis=1))
    scale = np.repeat(np.maximum(spread, 1e-6), points)
    flat = torch.from_numpy((values - mean).reshape(count, -1) / scale).float()
    generator = torch.Generator().manual_seed(seed)
    width, codes = flat.shape[1], min(CODES, flat.shape[1])
    encoder = MemberMlp(1, (width, HIDDEN, 2 * codes), 0.0, generator)
    decoder = MemberMlp(1, (codes, HIDDEN, width), 0.0, generator)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    shares = torch.from_numpy(weight / weight.sum()).float()
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1.0 + np.cos(np.pi * step / STEPS))
        rows = torch.multinomial(shares, min(BATCH, count), replacement=True, generator=generator)
        mu, log_variance = encoder(flat[None, rows]).chunk(2, dim=-1)
        log_variance = log_variance.clamp(-12.0, 4.0)
        noise = torch.randn(mu.shape, generator=generator)
        sample = mu + torch.exp(0.5 * log_variance) * noise
        squares = ((decoder(sample) - flat[None, rows]) ** 2).sum(-1) / (2.0 * TOLERANCE**2)
        divergence = 0.5 * (mu**2 + log_variance.exp() - 1.0 - log_variance).sum(-1)
        loss = (squares + divergence).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1e3)
        optimiser.step()
    with torch.no_grad():
        encoded = encoder(flat[None])[0, :, :codes].double().numpy()
    exported = decoder.to_numpy(np.zeros(codes), np.ones(codes), scale, mean.reshape(-1))
    if not np.isfinite(exported.many(encoded)).all():
        raise FitError("the autoencoder of the curves diverged; check for a very large curve value")
    return exported, encoded
