"""The torch twins compute what the numpy core computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from eahas.models.curves import bezier
from surrogates.models.networks import MemberMlp, decode_at, one_thread, x_control_points


def test_the_exported_network_is_the_same_function() -> None:
    generator = torch.Generator().manual_seed(0)
    network = MemberMlp(3, (4, 8, 8, 5), 0.0, generator)
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=4), rng.uniform(0.5, 2, 4)
    scale, shift = rng.uniform(0.5, 2, 5), rng.normal(size=5)
    x = rng.normal(size=(6, 4))
    standardised = torch.from_numpy((x - mean) / std).float().expand(3, -1, -1)
    wanted = network(standardised).detach().numpy() * scale + shift
    exported = network.to_numpy(mean, std, scale, shift)
    np.testing.assert_allclose(exported.many(x), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(exported.one(x[2]), wanted[:, 2], rtol=1e-4, atol=1e-5)


def test_decoding_agrees_with_the_core() -> None:
    rng = np.random.default_rng(1)
    raw, y = rng.normal(size=(7, 5)), rng.uniform(size=(7, 3, 6))
    x = x_control_points(torch.from_numpy(raw))
    np.testing.assert_allclose(x.numpy(), bezier.x_control_points(raw), atol=1e-12)
    decoded = decode_at(x, torch.from_numpy(y), torch.linspace(0, 1, 30, dtype=torch.float64))
    core = bezier.decode(bezier.x_control_points(raw)[:, None, :], y, 30)
    np.testing.assert_allclose(decoded.numpy(), core, atol=1e-5)


def test_gradients_of_decoding_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(2)
    raw = torch.from_numpy(rng.normal(size=(2, 5))).requires_grad_()
    y = torch.from_numpy(rng.uniform(size=(2, 1, 6))).requires_grad_()
    positions = torch.tensor([0.1, 0.35, 0.8], dtype=torch.float64)
    decode_at(x_control_points(raw), y, positions).sum().backward()

    def value(moved: np.ndarray) -> float:
        core = bezier.decode_at(bezier.x_control_points(moved), y.detach().numpy()[:, 0], positions)
        return float(core.sum())

    step = 1e-4
    for i in range(2):
        for k in range(5):
            up, down = raw.detach().numpy().copy(), raw.detach().numpy().copy()
            up[i, k] += step
            down[i, k] -= step
            slope = (value(up) - value(down)) / (2 * step)
            assert abs(raw.grad[i, k].item() - slope) < 1e-3


def test_one_thread_is_taken_and_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ValueError, match="within"), one_thread():
            assert torch.get_num_threads() == 1
            raise ValueError("within")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
