"""Mean and deviation come from the members, for one configuration and for a list alike."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.belief import CURVES_AT_ONCE, Belief, BeliefOfCurves, believe
from eahas.codecs import BezierCodec
from eahas.heads import CurveHead, ScalarHead
from eahas.spec import KNOWN_TARGETS, Target

CURVES = CurveHead(
    (KNOWN_TARGETS["train"], KNOWN_TARGETS["valid"]), BezierCodec(3, (0.0, 0.0), (100.0, 100.0))
)
SCALARS = ScalarHead((KNOWN_TARGETS["runtime_s"], KNOWN_TARGETS["test_energy_j"]))
CURVE_FACTORS, SCALAR_FACTORS = np.array([[1.5], [0.5]]), np.array([2.0, 1.0])


def outputs(head, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(*shape, head.outputs)).astype(np.float32)


@pytest.mark.parametrize(
    ("head", "factors", "epochs"),
    [(CURVES, CURVE_FACTORS, 9), (SCALARS, SCALAR_FACTORS, 50)],
)
def test_the_deviation_joins_disagreement_and_noise(head, factors, epochs) -> None:
    out = outputs(head, 4)
    found = believe(head, factors, out, epochs)
    members, noise = head.locations(out, epochs), head.noise(out, epochs)
    np.testing.assert_array_equal(found.members, members)
    np.testing.assert_allclose(found.location, members.mean(axis=0))
    expected = factors * np.sqrt(members.var(axis=0) + (noise**2).mean(axis=0))
    np.testing.assert_allclose(found.scale, expected)


def test_one_member_alone_still_has_noise() -> None:
    found = believe(SCALARS, np.ones(2), outputs(SCALARS, 1), 3)
    np.testing.assert_allclose(found.scale, SCALARS.noise(found.out, 3)[0])


@pytest.mark.parametrize("epochs", [[5], [1, 7, 3, 7], [4] * (CURVES_AT_ONCE + 3)])
def test_a_list_of_curves_is_the_single_ones_padded(epochs) -> None:
    out = outputs(CURVES, 3, len(epochs))
    many = believe(CURVES, CURVE_FACTORS, out, np.array(epochs))
    assert isinstance(many, BeliefOfCurves)
    longest = max(epochs)
    assert many.members.shape == (3, len(epochs), 2, longest)
    assert many.location.shape == many.scale.shape == (len(epochs), 2, longest)
    for k, e in enumerate(epochs):
        one = Belief(CURVES, CURVE_FACTORS, out[:, k], e)
        for part in ("members", "location", "scale"):
            row = getattr(many, part)[..., k, :, :]
            np.testing.assert_allclose(row[..., :e], getattr(one, part), rtol=1e-9)
            assert np.isnan(row[..., e:]).all()


def test_a_list_of_scalars_is_the_single_ones() -> None:
    out, epochs = outputs(SCALARS, 3, 4), np.array([1, 10, 2, 200])
    many = believe(SCALARS, SCALAR_FACTORS, out, epochs)
    for k, e in enumerate(epochs.tolist()):
        one = believe(SCALARS, SCALAR_FACTORS, out[:, k], e)
        np.testing.assert_allclose(many.location[k], one.location)
        np.testing.assert_allclose(many.scale[k], one.scale)


def test_rounding_does_not_lead_a_mean_beyond_the_bounds() -> None:
    """Three times 0.1 over three is more than 0.1."""
    low = Target("low", "curve", "percent", "maximize", 0.0, 0.1)
    head = CurveHead((low,), BezierCodec(3, (0.0,), (0.1,)))
    out = np.full((3, head.outputs), 40.0, dtype=np.float32)
    found = believe(head, np.ones((1, 1)), out, 7)
    assert found.members.mean(axis=0).max() > 0.1
    assert found.location.max() == 0.1
