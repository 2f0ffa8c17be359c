"""Codes of share curves, and their twin for fitting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from eahas.models.cumulative import share_of
from eahas.models.curves.monotone import MONOTONE, MonotoneCodec
from eahas.spec.targets import Target
from surrogates.data.dataset import Runs
from surrogates.models.codecs import encode, initial_code
from surrogates.models.networks import torch_decoder


@pytest.fixture(scope="module")
def of_shares(runs: Runs) -> Runs:
    """The toy runs with two share curves: one bends, and one starts at 0 and is nearly straight."""
    names = ("s", "t")
    targets = tuple(share_of(Target(n, "curve", "s", "minimize", 0.0)) for n in names)
    curves = np.full_like(runs.curves, np.nan)
    rng = np.random.default_rng(0)
    for i, length in enumerate(runs.epochs.tolist()):
        steps = 1 + 2 * np.exp(-np.arange(length)) + rng.uniform(0, 0.3, length)
        curves[i, 0, :length] = np.cumsum(steps) / steps.sum()
        straight = np.linspace(0, 1, length)
        curves[i, 1, :length] = straight + 0.2 * straight * (1 - straight)
    return replace(runs, spec=replace(runs.spec, curves=targets), curves=curves)


def test_codes_draw_the_shares_that_they_came_from(of_shares: Runs) -> None:
    encoded = encode(MONOTONE, of_shares)
    assert isinstance(encoded.codec, MonotoneCodec)
    assert encoded.codec.from_zero == (False, True)
    assert encoded.codes.shape == (len(of_shares), encoded.codec.outputs)
    for i, length in enumerate(of_shares.epochs.tolist()):
        drawn = encoded.codec.curves(encoded.codes[i], length)
        assert drawn == pytest.approx(of_shares.curves[i, :, :length], abs=0.03)


@pytest.mark.parametrize("length", [4, 12])
def test_the_twin_for_fitting_draws_the_same(of_shares: Runs, length: int) -> None:
    encoded = encode(MONOTONE, of_shares)
    code = torch.from_numpy(encoded.codes[:20]).float().requires_grad_()
    drawn = torch_decoder(encoded.codec)(code, torch.linspace(0, 1, length))
    expected = encoded.codec.curves(encoded.codes[:20], length)
    np.testing.assert_allclose(drawn.detach().numpy(), expected, rtol=1e-3, atol=2e-3)
    drawn.square().sum().backward()
    gradient: Any = code.grad
    assert torch.isfinite(gradient).all()


def test_a_start_is_a_typical_share(of_shares: Runs) -> None:
    of_shares = of_shares.where(of_shares.epochs == 12)
    start = initial_code(MONOTONE, of_shares)
    assert (start.scale == 1).all()
    middle = start.codec.curves(start.shift, 12)
    typical = np.nanmedian(of_shares.curves, axis=0)
    assert middle == pytest.approx(typical, abs=0.06)
