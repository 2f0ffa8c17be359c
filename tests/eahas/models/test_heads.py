"""Heads: from raw outputs to curves and scalars."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.models.curves import bezier
from eahas.models.curves.codecs import BezierCodec, sigmoid
from eahas.models.heads import CurveHead, ScalarHead
from eahas.spec.targets import KNOWN_TARGETS, Target

LOSS = Target("loss", "curve", "nat", "minimize")
DRIFT = Target("drift", "scalar", "K", "minimize", cumulative=True)


@pytest.fixture
def curves() -> CurveHead:
    return CurveHead((KNOWN_TARGETS["valid"], LOSS), BezierCodec(4, (0.0, -1.0), (100.0, 3.0)))


@pytest.fixture
def scalars() -> ScalarHead:
    return ScalarHead((KNOWN_TARGETS["runtime_s"], KNOWN_TARGETS["test_energy_j"], DRIFT))


def outputs(head, *shape: int, spread: float = 1.0) -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(*shape, head.outputs)) * spread
    return drawn.astype(np.float32)


@pytest.mark.parametrize("shape", [(3,), (3, 7)])
@pytest.mark.parametrize("epochs", [1, 2, 25])
def test_curves_have_an_axis_of_targets_and_one_of_epochs(curves, shape, epochs) -> None:
    out = outputs(curves, *shape)
    assert curves.locations(out, epochs).shape == (*shape, 2, epochs)


def test_a_curve_begins_and_ends_at_its_control_points(curves) -> None:
    out = outputs(curves, 5)
    x, y = curves.codec.control_points(out[..., : curves.codec.outputs])
    values = curves.locations(out, 30)
    np.testing.assert_array_equal(values[..., 0], y[..., 0])
    np.testing.assert_array_equal(values[..., -1], y[..., -1])
    np.testing.assert_allclose(x, bezier.x_control_points(out[:, :4]))
    raw = out[:, 4:9].astype(float)
    np.testing.assert_allclose(y[:, 0], 100.0 / (1.0 + np.exp(-raw)), rtol=1e-6)


@pytest.mark.parametrize("spread", [1.0, 30.0, 1e4, 1e37])
def test_whatever_the_network_says_curves_stay_in_their_range(curves, spread) -> None:
    out = outputs(curves, 50, spread=spread / 10)
    values = curves.locations(out, 40)
    low, high = (np.array(bound)[:, None] for bound in (curves.codec.low, curves.codec.high))
    slack = 1e-9 * (high - low)
    assert ((values >= low - slack) & (values <= high + slack)).all()


def test_what_is_said_of_noise_comes_last_and_changes_no_location(curves, scalars) -> None:
    for head, count, epochs in ((curves, 4, 9), (scalars, 3, 9)):
        assert head.num_noise_outputs == count
        out = outputs(head, 5)
        louder = out.copy()
        louder[:, -count:] += 3.0
        np.testing.assert_array_equal(head.locations(out, epochs), head.locations(louder, epochs))
        louder[:, : head.outputs - count] += 3.0
        assert (head.locations(out, epochs) != head.locations(louder, epochs)).any(axis=-1).all()


def test_cumulative_costs_grow_by_the_log_of_the_epochs(scalars) -> None:
    out = outputs(scalars, 4)
    one, hundred = scalars.locations(out, 1), scalars.locations(out, 100)
    np.testing.assert_allclose(hundred - one, np.tile([np.log(100), 0.0, 0.0], (4, 1)))
    np.testing.assert_allclose(one, out[:, :3])
    assert scalars.per_epoch.tolist() == [1.0, 0.0, 0.0]


def test_a_list_of_scalars_has_its_own_epochs(scalars) -> None:
    out, epochs = outputs(scalars, 4, 3), np.array([1, 10, 200])
    many = scalars.locations(out, epochs)
    for k, e in enumerate(epochs.tolist()):
        np.testing.assert_allclose(many[:, k], scalars.locations(out[:, k], e))
    assert many.shape == (4, 3, 3)


def test_the_part_of_a_target(curves, scalars) -> None:
    values = np.arange(24.0).reshape(3, 2, 4)
    np.testing.assert_array_equal(curves.of_target(values, 1), values[:, 1])
    one = scalars.of_target(np.arange(3.0), 2)
    assert isinstance(one, float)
    assert one == 2.0
    np.testing.assert_array_equal(scalars.of_target(values[0], 1), values[0][:, 1])


def test_the_logistic_function_never_overflows() -> None:
    raw = np.array([-3e38, -1.0, 0.0, 1.0, 3e38], dtype=np.float32)
    expected = [0.0, 1 / (1 + np.e), 0.5, np.e / (1 + np.e), 1.0]
    np.testing.assert_allclose(sigmoid(raw), expected, atol=1e-12, rtol=1e-6)
