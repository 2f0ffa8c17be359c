import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eahas import api
from eahas.errors import FitError
from eahas.models.curves import bezier
from eahas.records.parquet import read_records
from surrogates.models.bezier_fit import MIN_STEP, fit


def learning_curves(seed, count, epochs):
    """Saturating accuracies with noise, in percent."""
    rng = np.random.default_rng(seed)
    epoch = np.arange(epochs)
    speed = 10 ** rng.uniform(-1.5, 0.0, (count, 1))
    curves = 10 + rng.uniform(40, 80, (count, 1)) * (1 - (1 + speed * epoch) ** -1.0)
    return curves + rng.normal(0.0, 0.3, (count, epochs))


def bezier_curves(seed, count, degree, epochs):
    rng = np.random.default_rng(seed)
    x = bezier.x_control_points(0.7 * rng.standard_normal((count, degree)))
    y = np.sort(rng.uniform(10.0, 90.0, (count, degree + 1)), axis=1)
    return bezier.decode(x, y, epochs)


def evenly_spaced_rmse(curves, degree):
    even = np.linspace(0.0, 1.0, degree + 1)
    basis = bezier.basis_at(even, bezier.epoch_positions(curves.shape[1])).T
    residual = curves.T - basis @ np.linalg.lstsq(basis, curves.T, rcond=None)[0]
    return np.sqrt(np.mean(residual**2, axis=0))


@pytest.mark.parametrize("degree", bezier.DEGREES)
def test_the_fit_is_a_curve_that_decode_accepts_and_rmse_is_its_distance(degree):
    curves = learning_curves(0, 20, 60)
    fitted = fit(curves, degree)
    assert fitted.x_ctrl.shape == fitted.y_ctrl.shape == (20, degree + 1)
    assert (np.diff(fitted.x_ctrl) >= MIN_STEP - 1e-12).all()
    decoded = bezier.decode(fitted.x_ctrl, fitted.y_ctrl, 60)
    np.testing.assert_allclose(
        np.sqrt(np.mean((decoded - curves) ** 2, axis=1)), fitted.rmse, rtol=1e-4
    )


@pytest.mark.parametrize("degree", bezier.DEGREES)
def test_a_bezier_curve_is_recovered(degree):
    curves = bezier_curves(1, 30, degree, 100)
    quick = fit(curves, degree)
    thorough = fit(curves, degree, starts=3, iterations=10)
    spread = np.ptp(curves, axis=1)
    assert np.median(quick.rmse / spread) < 1e-3
    assert np.median(thorough.rmse / spread) < 1e-4
    assert np.quantile(thorough.rmse / spread, 0.9) < 2e-3


@pytest.mark.parametrize("degree", bezier.DEGREES)
def test_free_spacing_beats_even_spacing(degree):
    curves = learning_curves(2, 40, 200)
    fitted, even = fit(curves, degree), evenly_spaced_rmse(curves, degree)
    assert (fitted.rmse <= even + 1e-9).all()
    assert np.median(even / fitted.rmse) > 1.5


def test_the_noise_is_what_remains():
    assert np.median(fit(learning_curves(3, 50, 200), 5).rmse) == pytest.approx(0.3, rel=0.1)


def test_more_work_is_never_worse():
    curves = learning_curves(4, 30, 80)
    library_only, default = fit(curves, 5, iterations=0), fit(curves, 5)
    steps, starts = fit(curves, 5, iterations=60), fit(curves, 5, starts=3)
    assert (default.rmse <= library_only.rmse).all()
    assert (steps.rmse <= default.rmse).all()
    assert (starts.rmse <= default.rmse).all()


def test_a_batch_equals_its_curves_one_by_one():
    curves = learning_curves(5, 140, 40)
    batch = fit(curves, 5)
    single = [fit(curve[None], 5) for curve in curves]
    # Rounding may decide between two spacings that fit equally well.
    np.testing.assert_allclose(batch.rmse, [f.rmse[0] for f in single], rtol=0.02)
    same = [np.allclose(b, f.x_ctrl[0]) for b, f in zip(batch.x_ctrl, single, strict=True)]
    assert np.mean(same) > 0.9


@pytest.mark.parametrize("degree", bezier.DEGREES)
@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 6, 7, 8, 10])
def test_short_curves_are_met(degree, epochs):
    curves = learning_curves(6, 8, epochs)
    fitted = fit(curves, degree)
    assert np.isfinite(fitted.y_ctrl).all()
    decoded = bezier.decode(fitted.x_ctrl, fitted.y_ctrl, epochs)
    if epochs <= degree + 1:
        np.testing.assert_allclose(decoded, curves, atol=1e-3)
    assert (np.sqrt(np.mean((decoded - curves) ** 2, axis=1)) < 1.0).all()


def test_one_epoch_is_a_constant():
    fitted = fit([[42.0], [7.0]], 5)
    np.testing.assert_allclose(fitted.y_ctrl, [[42.0] * 6, [7.0] * 6])


@pytest.mark.parametrize("value", [0.0, 10.0, 1e9, 1e-9])
def test_constant_curves_stay_constant(value):
    fitted = fit(np.full((3, 50), value), 5)
    np.testing.assert_allclose(fitted.y_ctrl, value, rtol=1e-9)
    np.testing.assert_allclose(fitted.rmse, 0.0, atol=1e-9 * max(value, 1e-9))


def test_a_straight_line_needs_no_bending():
    line = np.linspace(5.0, 90.0, 30)
    assert fit(line[None], 4).rmse[0] < 1e-9


def test_scale_and_offset_of_the_curve_do_not_matter():
    curves = learning_curves(7, 10, 60)
    small, large = fit(curves, 5), fit(1e6 * curves - 3e7, 5)
    np.testing.assert_allclose(large.rmse, 1e6 * small.rmse, rtol=0.02)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (2, 25), elements=st.floats(-1e6, 1e6)))
def test_any_curve_is_fitted_no_worse_than_by_a_constant(curves):
    fitted = fit(curves, 3)
    assert np.isfinite(fitted.y_ctrl).all()
    assert (fitted.rmse <= curves.std(axis=1) * (1 + 1e-6) + 1e-6).all()


def test_no_curves_give_no_fits():
    assert fit(np.empty((0, 20)), 5).x_ctrl.shape == (0, 6)


def test_a_missing_value_is_refused_and_its_row_named():
    curves = learning_curves(8, 5, 20)
    curves[3, 7] = np.nan
    with pytest.raises(FitError, match=r"curves\[3\] contains a value that is not finite"):
        fit(curves, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"curves": np.zeros(10)}, r"shape \(10,\)"),
        ({"curves": np.zeros((2, 0))}, r"shape \(2, 0\)"),
        ({"degree": 2}, "degree is 2; allowed: 3, 4, 5, 6"),
        ({"starts": 0}, "starts is 0"),
        ({"iterations": -1}, "iterations -1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(FitError, match=message):
        fit(**{"curves": np.zeros((2, 10)), **arguments})


def test_the_fit_is_near_the_best_of_a_long_search_on_real_curves():
    """Within 5 %: the long search refines six starts until nothing moves."""
    bench = api.load_benchmark("regnet-digits")
    rows = read_records(bench.folder / "records.parquet", bench.spec)
    for epochs in (25, 200):
        curves = np.array([row["valid"] for row in rows if row["epochs"] == epochs][:60])
        found, best = fit(curves).rmse, fit(curves, starts=6, iterations=15).rmse
        assert (found / np.maximum(best, 1e-6)).mean() < 1.05
