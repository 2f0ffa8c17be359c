"""Kernel machines answer as arrays what scikit-learn answers."""

from __future__ import annotations

import numpy as np
import pytest

from eahas.models.regressors import kernel_from_tensors
from surrogates.models import kernels
from surrogates.models.kernels import (
    GpSettings,
    NuSvrSettings,
    SvrSettings,
    fit_gp,
    fit_nu_svr,
    fit_svr,
)
from surrogates.models.member_fits import fit_member

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4)) * [1.0, 100.0, 0.01, 1.0] + 5.0
    x[:, 3] = 7.0  # never varies
    y = np.stack([np.sin(x[:, 0]) + 0.01 * x[:, 1], 1e3 + 200 * np.sin(100 * x[:, 2])], axis=1)
    return x, y + rng.normal(0, 0.02, y.shape), rng.uniform(0.3, 1.0, 150)


def standard(values, weight=None):
    mean = np.average(values, axis=0, weights=weight)
    return mean, np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))


@pytest.mark.parametrize(
    ("name", "fit", "settings", "own"),
    [
        ("SVR", fit_svr, SvrSettings(), {"epsilon": 0.03, "C": 10.0}),
        ("NuSVR", fit_nu_svr, NuSvrSettings(), {"nu": 0.5, "C": 5.0}),
    ],
)
def test_support_vectors_answer_what_the_library_answers(data, name, fit, settings, own):
    from sklearn import svm

    x, y, weight = data
    found = fit(x, y, weight, settings, 0)
    # The solver stops within 1e-3 of the best, so that every rounding counts: the same numbers.
    (center, rate), (mean, spread) = kernels._feature_scale(x), kernels._output_scale(y, weight)
    z, wanted = (x - center) * rate, (y - mean) / spread
    machine = getattr(svm, name)(gamma=settings.gamma / 3, **own)
    for k in range(2):
        theirs = machine.fit(z, wanted[:, k], sample_weight=weight).predict(z)
        np.testing.assert_allclose(found.many(x)[0, :, k], mean[k] + spread[k] * theirs, rtol=1e-9)
    assert len(found.support) <= len(x)


def test_a_process_answers_what_the_library_answers(data):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    x, y, weight = data
    found = fit_gp(x, y, weight, GpSettings(), 0)
    (center, scale), (mean, spread) = standard(x[:, :3]), standard(y)
    smooth = RBF(np.full(3, 2 * np.sqrt(3)), (0.1, 1e4))
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * smooth + WhiteKernel(0.1, (1e-5, 1e1))
    theirs = GaussianProcessRegressor(kernel).fit((x[:, :3] - center) / scale, (y - mean) / spread)
    inside = theirs.predict((x[:, :3] - center) / scale)
    np.testing.assert_allclose(found.many(x)[0], mean + spread * inside, rtol=2e-3, atol=2e-3)


def test_the_likelihood_and_its_slope_are_the_library_s(data):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    z, y = data[0][:40, :3] / [1.0, 100.0, 0.01], data[1][:40] / 100
    kernel = ConstantKernel(2.0) * RBF([0.7, 1.5, 3.0]) + WhiteKernel(0.3)
    theirs = GaussianProcessRegressor(kernel, optimizer=None).fit(z, y)
    value, slope = theirs.log_marginal_likelihood(kernel.theta, eval_gradient=True)
    found, ours = kernels.negative_log_likelihood(kernel.theta, z, y)
    np.testing.assert_allclose(found + y.size / 2 * np.log(2 * np.pi), -value, rtol=1e-8)
    np.testing.assert_allclose(ours, -slope, rtol=1e-6, atol=1e-6)


def test_a_process_of_many_runs_is_of_a_subset_drawn_with_the_seed(data):
    x, y, weight = data
    settings = GpSettings(largest=40, likelihood=30, iterations=5)
    first, again, other = (fit_gp(x, y, weight, settings, seed) for seed in (0, 0, 1))
    assert len(first.support) == 40
    np.testing.assert_array_equal(first.support, again.support)
    assert not np.array_equal(first.support, other.support)


def test_runs_of_one_configuration_are_one_observation_of_a_process(data):
    x, y, _ = data
    twice = np.concatenate([x, x]), np.concatenate([y + 0.01, y - 0.01]), np.ones(300)
    found = fit_gp(*twice, GpSettings(likelihood=60, iterations=5), 0)
    assert len(found.support) == 150


@pytest.mark.parametrize("settings", [SvrSettings(), NuSvrSettings(), GpSettings(iterations=3)])
def test_what_never_varies_is_not_seen_and_constants_stay(data, settings):
    x, _, weight = data
    constant = np.full((150, 1), 7.5)
    found = fit_member(x, constant, weight, settings, 0)
    moved = x + np.array([0.0, 0.0, 0.0, 1e3])
    np.testing.assert_allclose(found.many(moved), 7.5, rtol=1e-6)
    kernel_from_tensors(found.tensors())
    nothing = fit_member(np.ones((150, 2)), constant, weight, settings, 0)
    np.testing.assert_allclose(nothing.many(x[:, :2]), 7.5, rtol=1e-6)
    kernel_from_tensors(nothing.tensors())


def test_an_output_that_some_runs_lack_is_learned_from_the_others(data):
    x, y, weight = data
    lacking = y.copy()
    lacking[::3, 1] = np.nan
    found = fit_member(x, lacking, weight, SvrSettings(), 0)
    assert found.outputs == 2
    error = found.many(x)[0] - y
    assert (error.std(axis=0) < 0.2 * y.std(axis=0)).all()
