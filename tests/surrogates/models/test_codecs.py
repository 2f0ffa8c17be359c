"""Codecs fitted to runs: their codes draw the runs' curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eahas.errors import FitError
from eahas.models.curves.codecs import BezierCodec
from surrogates.models.codecs import CODECS, encode, initial_code
from surrogates.models.networks import torch_decoder


def rmse_of(encoded, runs):
    """Root mean squared distance of the drawn curves from the runs', by curve."""
    squares = []
    for i, epochs in enumerate(runs.epochs.tolist()):
        drawn = encoded.codec.curves(encoded.codes[i], epochs)
        squares.append(((drawn - runs.curves[i, :, :epochs]) ** 2).mean(axis=1))
    return np.sqrt(np.mean(squares, axis=0))


@pytest.mark.parametrize("name", [name for name in CODECS if name != "last"])
def test_codes_draw_the_curves_that_they_came_from(name, runs) -> None:
    encoded = encode(name, runs)
    assert encoded.codes.shape == (len(runs), encoded.codec.outputs)
    spread = np.nanstd(runs.curves, axis=(0, 2))
    assert (rmse_of(encoded, runs) < 0.15 * spread).all()


@pytest.mark.parametrize("name", CODECS)
def test_the_twin_for_fitting_draws_the_same(name, runs) -> None:
    encoded = encode(name, runs)
    code = torch.from_numpy(encoded.codes[:20]).float()
    for epochs in (4, 12):
        drawn = torch_decoder(encoded.codec)(code, torch.linspace(0, 1, epochs))
        expected = encoded.codec.curves(encoded.codes[:20], epochs)
        np.testing.assert_allclose(drawn.numpy(), expected, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("name", CODECS)
def test_a_start_is_a_typical_curve(name, runs) -> None:
    start = initial_code(name, runs)
    assert (start.scale > 0).all()
    middle = start.codec.curves(start.shift, 12)[0]
    low, high = np.nanpercentile(runs.curves[runs.epochs == 12][:, 0], [5, 95], axis=0)
    assert ((middle > low) & (middle < high)).all()
    assert isinstance(start.codec, BezierCodec) == (start.scale == 1).all()


def test_an_autoencoder_needs_few_codes_and_a_seed_fixes_it(runs) -> None:
    first, again, other = (encode("vae", runs, seed=seed) for seed in (0, 0, 1))
    assert first.codec.decoder is not None and len(first.codec.decoder.weights) > 1
    assert first.codes.shape[1] < 10
    np.testing.assert_array_equal(first.codes, again.codes)
    assert not np.array_equal(first.codes, other.codes)
    spread = np.nanstd(runs.curves, axis=(0, 2))
    assert (rmse_of(other, runs) < 0.15 * spread).all()


def test_the_last_epoch_is_exact_and_what_comes_before_has_the_typical_shape(runs) -> None:
    encoded = encode("last", runs)
    assert encoded.codes.shape == (len(runs), 2)
    shapes = []
    for i, epochs in enumerate(runs.epochs.tolist()):
        drawn = encoded.codec.curves(encoded.codes[i], epochs)
        np.testing.assert_allclose(drawn[:, -1], runs.curves[i, :, epochs - 1], rtol=1e-5)
        if epochs == 12:
            shapes.append(drawn - drawn[:, -1:])
    np.testing.assert_allclose(shapes, np.broadcast_to(shapes[0], np.shape(shapes)), atol=1e-4)
    assert (shapes[0][0, :-1] < 0).all()  # accuracies rise towards their end


def test_only_whole_curves_are_encoded(runs) -> None:
    curves = runs.curves.copy()
    curves[::2, 0, 1] = np.nan
    encoded = encode("svd", replace(runs, curves=curves))
    assert len(encoded.codes) == len(runs) // 2
    assert np.isfinite(encoded.codes).all()
    with pytest.raises(FitError, match="no training run has a value of every curve"):
        encode("svd", replace(runs, curves=np.full_like(curves, np.nan)))


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(FitError, match=r"codec 'svp' is unknown; allowed: bezier.*mean 'svd'"):
        encode("svp", None)
