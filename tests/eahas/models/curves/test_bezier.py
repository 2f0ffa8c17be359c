import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eahas.errors import EahasError
from eahas.models.curves import bezier

any_number = st.floats(allow_nan=False, allow_infinity=False)
ordinary = st.floats(-100.0, 100.0)


@st.composite
def raw_and_y(draw, raw_numbers=any_number):
    degree = draw(st.sampled_from(bezier.DEGREES))
    raw = draw(arrays(np.float64, degree, elements=raw_numbers))
    y = draw(arrays(np.float64, degree + 1, elements=ordinary))
    return raw, y


def curves(seed, count, degree, spread=1.5):
    rng = np.random.default_rng(seed)
    x = bezier.x_control_points(spread * rng.standard_normal((count, degree)))
    return x, rng.uniform(0.0, 100.0, (count, degree + 1))


def bisected_t(x_ctrl, positions):
    """t with x(t) = position by 60 halvings: slow, and no code of ours but the basis."""
    low, high = np.zeros(positions.shape), np.ones(positions.shape)
    for _ in range(60):
        middle = (low + high) / 2
        right = bezier.bernstein(len(x_ctrl) - 1, middle) @ x_ctrl < positions
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    return (low + high) / 2


@given(raw_and_y(), st.integers(1, 300))
@settings(deadline=None)
def test_any_network_output_decodes_to_finite_values_between_the_control_points(curve, epochs):
    raw, y = curve
    x = bezier.x_control_points(raw)
    assert x[0] == 0.0
    assert x[-1] == 1.0
    assert (np.diff(x) >= 0.0).all()
    values = bezier.decode(x, y, epochs)
    slack = 1e-9 * np.ptp(y) + 1e-12
    assert values.shape == (epochs,)
    assert (values >= y.min() - slack).all()
    assert (values <= y.max() + slack).all()
    assert values[0] == y[0]
    assert values[-1] == (y[-1] if epochs > 1 else y[0])


@given(raw_and_y())
@settings(deadline=None)
def test_x_of_t_is_monotone(curve):
    x = bezier.x_control_points(curve[0])
    along = bezier.bernstein(len(x) - 1, np.linspace(0.0, 1.0, 301)) @ x
    assert (np.diff(along) >= -1e-15).all()


@given(raw_and_y(), st.integers(3, 300))
@settings(max_examples=50, deadline=None)
def test_decode_is_the_curve_at_a_position_within_1e_7(curve, epochs):
    raw, y = curve
    x = bezier.x_control_points(raw)
    positions = bezier.epoch_positions(epochs)[1:-1]
    values = bezier.decode(x, y, epochs)[1:-1]
    first = bisected_t(x, np.maximum(positions - 1e-7, 0.0))
    last = bisected_t(x, np.minimum(positions + 1e-7, 1.0))
    between = first + np.linspace(0.0, 1.0, 21)[:, None] * (last - first)
    nearby = bezier.bernstein(len(x) - 1, between) @ y
    slack = 1e-9 * np.ptp(y) + 1e-9 * np.ptp(nearby, axis=0) + 1e-12
    assert (values >= nearby.min(axis=0) - slack).all()
    assert (values <= nearby.max(axis=0) + slack).all()


@pytest.mark.parametrize("degree", bezier.DEGREES)
@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 200, 1000])
def test_decode_agrees_with_a_dense_evaluation(degree, epochs):
    t = np.sin(np.linspace(0.0, np.pi / 2, 40001)) ** 2
    basis = bezier.bernstein(degree, t)
    positions = np.arange(epochs) / max(epochs - 1, 1)
    for x, y in zip(*curves(degree, 5, degree), strict=True):
        dense = np.interp(positions, basis @ x, basis @ y)
        np.testing.assert_allclose(bezier.decode(x, y, epochs), dense, atol=1e-4)


@pytest.mark.parametrize(
    "x",
    [
        [0, 0, 0, 0, 0, 1],
        [0, 1, 1, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0.5, 0.5, 0.5, 0.5, 1],
        [0, 1e-9, 1e-9, 1e-9, 1 - 1e-12, 1],
    ],
)
def test_flat_spots_are_solved_as_well(x):
    near_the_ends = np.concatenate((np.logspace(-12, -1, 200), 1 - np.logspace(-12, -1, 200)))
    t = bezier.solve_t(x, near_the_ends)
    reached = bezier.bernstein(5, t) @ np.array(x, dtype=float)
    np.testing.assert_allclose(reached, near_the_ends, rtol=0, atol=1e-7)
    assert np.isfinite(bezier.decode(x, np.arange(6.0), 200)).all()


def test_an_evenly_spaced_straight_line_stays_one():
    even = np.linspace(0.0, 1.0, 6)
    decoded = bezier.decode(even, 3.0 + 5.0 * even, 50)
    np.testing.assert_allclose(decoded, np.linspace(3.0, 8.0, 50), rtol=0, atol=1e-9)


def test_a_batch_equals_its_curves_one_by_one():
    x, y = curves(0, 150, 5)
    batch = bezier.decode(x.reshape(3, 50, 6), y.reshape(3, 50, 6), 40)
    assert batch.shape == (3, 50, 40)
    single = np.array([bezier.decode(a, b, 40) for a, b in zip(x, y, strict=True)])
    np.testing.assert_allclose(batch.reshape(150, 40), single, rtol=0, atol=1e-10)


def test_curves_that_share_a_spacing_equal_curves_with_a_copy_of_it():
    x, y = curves(1, 12, 4)
    shared = x.reshape(4, 3, 5)[:, :1]
    together = bezier.decode(shared, y.reshape(4, 3, 5), 30)
    apart = bezier.decode(np.repeat(shared, 3, axis=1), y.reshape(4, 3, 5), 30)
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-10)


def test_no_curves_decode_to_no_curves():
    assert bezier.decode(np.empty((0, 6)), np.empty((0, 6)), 7).shape == (0, 7)


def test_single_precision_is_decoded_in_double():
    x, y = curves(2, 4, 5)
    decoded = bezier.decode(x.astype(np.float32), y.astype(np.float32), 20)
    assert decoded.dtype == np.float64
    np.testing.assert_allclose(decoded, bezier.decode(x, y, 20), atol=1e-2)


def test_a_decrease_that_single_precision_caused_is_forgiven():
    x = np.array([0.0, 0.2, 0.5, 1.0 + 1e-7, 1.0])
    decoded = bezier.decode(x, np.arange(5.0), 10)
    assert (np.diff(decoded) > 0).all()


def test_decode_at_the_epoch_positions_is_decode():
    x, y = curves(3, 6, 6)
    at = bezier.decode_at(x, y, bezier.epoch_positions(33))
    np.testing.assert_array_equal(at, bezier.decode(x, y, 33))


def test_basis_at_reproduces_the_curve():
    x, y = curves(4, 6, 5)
    basis = bezier.basis_at(x, bezier.epoch_positions(60))
    assert basis.shape == (6, 6, 60)
    np.testing.assert_allclose((y[:, None] @ basis)[:, 0], bezier.decode(x, y, 60), atol=1e-6)


@given(raw_and_y(raw_numbers=st.floats(-5.0, 5.0)))
@settings(deadline=None)
def test_raw_numbers_come_back_up_to_a_constant(curve):
    raw, _ = curve
    back = bezier.raw_from_x_control_points(bezier.x_control_points(raw))
    np.testing.assert_allclose(back, raw - raw.mean(), atol=1e-6)


def test_raw_of_repeated_control_points_is_finite():
    raw = bezier.raw_from_x_control_points([0.0, 0.3, 0.3, 1.0], min_step=1e-3)
    np.testing.assert_allclose(bezier.x_control_points(raw), [0, 0.3, 0.3, 1], atol=1e-3)


@pytest.mark.parametrize("degree", [0, 1, 5])
def test_the_basis_sums_to_one(degree):
    basis = bezier.bernstein(degree, np.linspace(0.0, 1.0, 11))
    assert basis.shape == (11, degree + 1)
    np.testing.assert_allclose(basis.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("x", "y", "epochs", "message"),
    [
        ([0, 0.5, 1], [1, 2, 3], 10, "degree 2; allowed: 3, 4, 5, 6"),
        (np.linspace(0, 1, 8), np.zeros(8), 10, "degree 7"),
        (np.linspace(0, 1, 6), np.zeros(5), 10, r"\(6,\) and y_ctrl \(5,\)"),
        (np.tile(np.linspace(0, 1, 6), (2, 1)), np.zeros((3, 6)), 10, r"\(2, 6\)"),
        (np.linspace(0, 1, 6), np.zeros(6), 0, "epochs is 0"),
        ([0, 0.6, 0.4, 1], np.zeros(4), 10, "not decrease"),
        ([0.1, 0.4, 0.6, 1], np.zeros(4), 10, "start at 0"),
        ([0, 0.4, 0.6, 0.9], np.zeros(4), 10, "end at 1"),
        ([0, np.nan, 0.6, 1], np.zeros(4), 10, "not decrease"),
        (0.5, 0.5, 10, "allowed: 3, 4, 5, 6"),
    ],
)
def test_what_cannot_be_decoded_is_refused(x, y, epochs, message):
    with pytest.raises(EahasError, match=message):
        bezier.decode(x, y, epochs)


@pytest.mark.parametrize("position", [-0.1, 1.1, np.nan])
def test_positions_outside_the_curve_are_refused(position):
    x, y = curves(5, 1, 3)
    with pytest.raises(EahasError, match="between 0 and 1"):
        bezier.decode_at(x, y, [0.5, position])


def test_raw_of_a_wrong_degree_is_refused():
    with pytest.raises(EahasError, match="raw describes a curve of degree 2"):
        bezier.x_control_points([0.0, 1.0])


def test_curves_of_one_spacing_are_decoded_without_checks():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(3, 7, 5))
    y = rng.uniform(0, 100, (3, 7, 2, 6))
    x = bezier.x_of_steps(raw)
    np.testing.assert_array_equal(x, bezier.x_control_points(raw))
    for epochs in (1, 2, 40):
        found = bezier.decode_shared(x, y, epochs)
        np.testing.assert_array_equal(found, bezier.decode(x[..., None, :], y, epochs))
