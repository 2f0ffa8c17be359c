"""Mean and deviations come from members and noise, for one configuration and for a list alike."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from eahas.models.curves.codecs import BezierCodec
from eahas.models.heads import CurveHead, ScalarHead
from eahas.models.posterior import (
    CURVE_BLOCK,
    CurveListSummary,
    EnsemblePosterior,
    MemberSummary,
    summarise,
)
from eahas.models.uncertainty.error_quantiles import normal_quantiles
from eahas.models.uncertainty.list_distribution import CurveListDistribution
from eahas.models.uncertainty.seed_noise import head_seed_noise
from eahas.spec.targets import KNOWN_TARGETS, Target

CURVES = CurveHead(
    (KNOWN_TARGETS["train"], KNOWN_TARGETS["valid"]), BezierCodec(3, (0.0, 0.0), (100.0, 100.0))
)
SCALARS = ScalarHead((KNOWN_TARGETS["runtime_s"], KNOWN_TARGETS["test_energy_j"]))
CURVE_INFLATION, SCALAR_INFLATION = np.array([[1.5], [0.5]]), np.array([2.0, 1.0])


@pytest.fixture(scope="module")
def curve_noise(some_noise):
    return some_noise(2, curves=True, num_noise_outputs=4, seed=0)


@pytest.fixture(scope="module")
def scalar_noise(some_noise):
    return some_noise(2, curves=False, num_noise_outputs=2, seed=0)


def outputs(head, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(*shape, head.outputs)).astype(np.float32)


@pytest.mark.parametrize(
    ("head", "inflation", "epochs"),
    [(CURVES, CURVE_INFLATION, 9), (SCALARS, SCALAR_INFLATION, 50)],
)
def test_members_disagree_and_what_they_say_of_noise_is_averaged(
    head, inflation, epochs, curve_noise, scalar_noise
) -> None:
    out, curves = outputs(head, 4), head is CURVES
    noise = curve_noise if curves else scalar_noise
    found = summarise(head, noise, inflation, out, epochs)
    members = head.locations(out, epochs)
    np.testing.assert_array_equal(found.members, members)
    np.testing.assert_allclose(found.location, members.mean(axis=0))
    np.testing.assert_allclose(found.epistemic, inflation * members.std(axis=0))
    location = found.location if curves else found.location[:, None]
    expected = noise.deviation(out[:, -head.num_noise_outputs :].mean(axis=0), location)
    np.testing.assert_allclose(found.aleatoric, expected if curves else expected[:, 0], rtol=1e-5)


def test_one_member_alone_agrees_with_itself_and_still_has_noise() -> None:
    out = outputs(SCALARS, 1)
    found = summarise(SCALARS, head_seed_noise(2, curves=False), np.ones(2), out, 3)
    np.testing.assert_array_equal(found.epistemic, 0.0)
    np.testing.assert_allclose(found.aleatoric, np.exp(out[0, 2:]), rtol=1e-6)


@pytest.mark.parametrize("epochs", [[5], [1, 7, 3, 7], [4] * (CURVE_BLOCK + 3)])
def test_a_list_of_curves_is_the_single_ones_padded(epochs, curve_noise) -> None:
    out = outputs(CURVES, 3, len(epochs))
    many = summarise(CURVES, curve_noise, CURVE_INFLATION, out, np.array(epochs))
    assert isinstance(many, CurveListSummary)
    longest = max(epochs)
    assert many.members.shape == (3, len(epochs), 2, longest)
    for part in (many.location, many.epistemic, many.aleatoric):
        assert part.shape == (len(epochs), 2, longest)
    for k, e in enumerate(epochs):
        one = MemberSummary(CURVES, curve_noise, CURVE_INFLATION, out[:, k], e)
        for part in ("members", "location", "epistemic", "aleatoric"):
            row = getattr(many, part)[..., k, :, :]
            np.testing.assert_allclose(row[..., :e], getattr(one, part), rtol=1e-6)
            assert np.isnan(row[..., e:]).all()


PARTS = ("location", "epistemic", "aleatoric", "scale", "value", "std")
PARTS += ("epistemic_std", "aleatoric_std")


def posterior(out: np.ndarray, epochs: list[int], noise) -> EnsemblePosterior:
    """Of a list of curves; the query itself plays no part in a mean or a distribution."""
    summary = summarise(CURVES, noise, CURVE_INFLATION, out, np.array(epochs))
    index = {target.name: (k, target) for k, target in enumerate(CURVES.curves)}
    return EnsemblePosterior(None, summary, index, (normal_quantiles(),) * 2, "some")


@pytest.mark.parametrize("epochs", [[5], [1, 7, 3, 7], [4] * (CURVE_BLOCK + 3)])
@pytest.mark.parametrize("target", ["train", "valid"])
def test_a_long_list_has_the_distributions_of_a_short_one(
    epochs, target, curve_noise, monkeypatch
) -> None:
    out = outputs(CURVES, 3, len(epochs))
    short = posterior(out, epochs, curve_noise)
    kept = short.distribution(target)
    monkeypatch.setattr("eahas.models.posterior.MAX_KEPT", 0)
    long = posterior(out, epochs, curve_noise)
    blockwise = long.distribution(target)
    assert not isinstance(kept, CurveListDistribution)
    assert isinstance(blockwise, CurveListDistribution)
    for name in ("target", "error_quantiles", "log"):
        assert getattr(blockwise, name) == getattr(kept, name)
    for part in PARTS:
        expected = getattr(kept, part)
        assert expected.shape == (len(epochs), max(epochs))
        np.testing.assert_allclose(getattr(blockwise, part), expected, rtol=1e-12)
    np.testing.assert_allclose(blockwise.interval(0.7), kept.interval(0.7), rtol=1e-12)
    np.testing.assert_allclose(long.mean(target), short.mean(target), rtol=1e-12)
    assert not {"location", "_deviations"} & set(vars(long.summary))


def test_an_interval_of_a_long_list_needs_little_memory(curve_noise, monkeypatch) -> None:
    """Beside the interval only blocks are in memory, not the curves of all targets and members."""
    monkeypatch.setattr("eahas.models.posterior.MAX_KEPT", 0)
    count, epochs = 4 * CURVE_BLOCK, 200
    long = posterior(outputs(CURVES, 3, count), [epochs] * count, curve_noise)
    tracemalloc.start()
    low, high = long.distribution("valid").interval(0.9)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    work = 16 * 3 * CURVE_BLOCK * 2 * epochs * 8  # a few arrays of the members of one block
    assert low.shape == high.shape == (count, epochs)
    assert peak < low.nbytes + high.nbytes + work
    assert work < 8 * 3 * count * 2 * epochs * 8  # less than a few arrays of all members


def test_a_list_of_scalars_is_the_single_ones(scalar_noise) -> None:
    out, epochs = outputs(SCALARS, 3, 4), np.array([1, 10, 2, 200])
    many = summarise(SCALARS, scalar_noise, SCALAR_INFLATION, out, epochs)
    for k, e in enumerate(epochs.tolist()):
        one = summarise(SCALARS, scalar_noise, SCALAR_INFLATION, out[:, k], e)
        np.testing.assert_allclose(many.location[k], one.location)
        np.testing.assert_allclose(many.epistemic[k], one.epistemic)
        np.testing.assert_allclose(many.aleatoric[k], one.aleatoric, rtol=1e-6)


def test_rounding_does_not_lead_a_mean_beyond_the_bounds() -> None:
    """Three times 0.1 over three is more than 0.1."""
    low = Target("low", "curve", "percent", "maximize", 0.0, 0.1)
    head = CurveHead((low,), BezierCodec(3, (0.0,), (0.1,)))
    out = np.full((3, head.outputs), 40.0, dtype=np.float32)
    found = summarise(head, head_seed_noise(1, curves=True), np.ones((1, 1)), out, 7)
    assert found.members.mean(axis=0).max() > 0.1
    assert found.location.max() == 0.1
