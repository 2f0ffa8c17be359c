"""Kernel machines exported to arrays: scikit-learn's support vectors, and Gaussian processes.

Each `fit_*` function fits one ensemble member: outputs y (n, K) from features x (n, F) with weights
(n,). Features and outputs are standardised first; constant features are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.models.regressors import KernelMachine
from eahas.settings import number
from surrogates.models.optional import import_optional
from surrogates.settings import EnsembleSettings, fraction

Array = np.ndarray
# Bounds of the kernel's hyperparameters, for standardised features and outputs.
AMPLITUDES, LENGTHS, NOISES = (1e-2, 1e3), (0.1, 1e4), (1e-5, 1e1)


@dataclass(frozen=True)
class SupportVectorSettings(EnsembleSettings):
    """Settings of support vector regression, with the names of scikit-learn.

    `gamma` is in units of 1 / number of features.
    """

    members: int = number(3, 2)
    C: float = number(10.0, open_low=True)
    gamma: float = number(0.2, open_low=True)


@dataclass(frozen=True)
class SvrSettings(SupportVectorSettings):
    """Settings of SVR; `epsilon` is in standard deviations of an output."""

    epsilon: float = number(0.03)


@dataclass(frozen=True)
class NuSvrSettings(SupportVectorSettings):
    """Settings of NuSVR; `nu` is a lower bound on the fraction of support vectors."""

    C: float = number(5.0, open_low=True)
    nu: float = fraction(0.5)


@dataclass(frozen=True)
class GpSettings(EnsembleSettings):
    """Settings of a Gaussian process on at most `largest` configurations, sampled with the seed.

    `iterations` of L-BFGS maximise the likelihood of its hyperparameters on at most `likelihood` of
    them. The cost of both grows with the cube of these numbers.
    """

    members: int = number(3, 2)
    largest: int = number(1500, 2)
    likelihood: int = number(500, 2)
    iterations: int = number(50, 1)


def fit_svr(x: Array, y: Array, weight: Array, settings: SvrSettings, seed: int) -> KernelMachine:
    """Support vector regression (Drucker et al., 1997), one machine per output.

    The seed is not used.
    """
    svm = import_optional("sklearn.svm", "scikit-learn", "train")

    def machine(gamma: float) -> Any:
        return svm.SVR(kernel="rbf", C=settings.C, epsilon=settings.epsilon, gamma=gamma)

    return _support_vectors(x, y, weight, settings.gamma, machine)


def fit_nu_svr(
    x: Array, y: Array, weight: Array, settings: NuSvrSettings, seed: int
) -> KernelMachine:
    """Nu support vector regression (Schölkopf et al., 2000), one machine per output.

    The seed is not used.
    """
    svm = import_optional("sklearn.svm", "scikit-learn", "train")

    def machine(gamma: float) -> Any:
        return svm.NuSVR(kernel="rbf", C=settings.C, nu=settings.nu, gamma=gamma)

    return _support_vectors(x, y, weight, settings.gamma, machine)


def _support_vectors(
    x: Array, y: Array, weight: Array, gamma: float, machine: Callable[[float], Any]
) -> KernelMachine:
    """The machines of all outputs as one; it keeps the rows that are support vectors of any."""
    center, rate = _feature_scale(x)
    z = (x - center) * rate
    kernel_gamma = gamma / max(1, int((rate > 0).sum()))
    mean, std = _output_scale(y, weight)
    coefficient, intercept = np.zeros(y.shape), np.zeros(y.shape[1])
    for k, column in enumerate(((y - mean) / std).T):
        fitted = machine(kernel_gamma).fit(z, column, sample_weight=weight)
        coefficient[fitted.support_, k] = fitted.dual_coef_[0]
        intercept[k] = fitted.intercept_[0]
    used = np.flatnonzero(coefficient.any(axis=1))
    used = used if len(used) else np.array([0])  # if all outputs are constant
    root = np.sqrt(kernel_gamma)
    return KernelMachine(
        center, root * rate, root * z[used], coefficient[used] * std, mean + std * intercept
    )


def fit_gp(x: Array, y: Array, weight: Array, settings: GpSettings, seed: int) -> KernelMachine:
    """The mean of a Gaussian process with kernel amplitude * RBF + white noise.

    Each feature has its own length scale. The runs of one configuration are averaged into one
    observation. All outputs share one kernel, whose hyperparameters maximise the joint marginal
    likelihood (Rasmussen and Williams, 2006, equation 5.9).
    """
    x, y = _average_duplicates(x, y)
    kept = np.random.default_rng(seed).permutation(len(x))[: settings.largest]
    x, y = x[kept], y[kept]
    center, rate = _feature_scale(x)
    mean, std = _output_scale(y, np.ones(len(y)))
    varying = rate > 0
    if not varying.any():
        no_support = np.zeros((1, x.shape[1]))
        return KernelMachine(center, rate, no_support, np.zeros((1, y.shape[1])), mean)
    z, standardised = ((x - center) * rate)[:, varying], (y - mean) / std
    subset = slice(settings.likelihood)
    logs = _maximise_likelihood(z[subset], standardised[subset], settings.iterations)
    root = np.zeros(len(rate))
    root[varying] = np.sqrt(0.5) * np.exp(-logs[1:-1])
    support = (x - center) * rate * root
    kernel, noise = _rbf(support, np.exp(logs[0])), np.exp(logs[-1])
    linalg = import_optional("scipy.linalg", "scipy", "train")
    solved = linalg.solve(kernel + noise * np.eye(len(kernel)), standardised, assume_a="pos")
    return KernelMachine(center, root * rate, support, np.exp(logs[0]) * solved * std, mean)


def _maximise_likelihood(z: Array, y: Array, iterations: int) -> Array:
    """Logarithms of the amplitude, the length scales (F,) and the noise, found by L-BFGS."""
    optimize = import_optional("scipy.optimize", "scipy", "train")
    width = z.shape[1]
    start = np.log([1.0, *[2.0 * np.sqrt(width)] * width, 0.1])
    bounds = np.log([AMPLITUDES, *[LENGTHS] * width, NOISES])
    optimum = optimize.minimize(
        negative_log_likelihood,
        np.array(start),
        (z, y),
        "L-BFGS-B",
        jac=True,
        bounds=bounds,
        options={"maxiter": iterations},
    )
    return optimum.x


def negative_log_likelihood(logs: Array, z: Array, y: Array) -> tuple[float, Array]:
    """The negative log marginal likelihood of y (n, K) up to a constant, and its gradient.

    The gradient is with respect to `logs` (F + 2,): the logarithms of the amplitude, the length
    scales and the noise.
    """
    linalg = import_optional("scipy.linalg", "scipy", "train")
    count, outputs = y.shape
    scaled = z * np.exp(-logs[1:-1])
    kernel, noise = _rbf(np.sqrt(0.5) * scaled, np.exp(logs[0])), np.exp(logs[-1])
    root = linalg.cholesky(kernel + noise * np.eye(count), lower=True)
    inverse = linalg.cho_solve((root, True), np.eye(count))
    solved = inverse @ y
    value = 0.5 * (y * solved).sum() + outputs * np.log(np.diag(root)).sum()
    slope = 0.5 * (outputs * inverse - solved @ solved.T)  # derivative by the covariance matrix
    pairs = slope * kernel
    lengths = 2.0 * (pairs.sum(axis=1) @ scaled**2 - (scaled * (pairs @ scaled)).sum(axis=0))
    return value, np.array([pairs.sum(), *lengths, noise * np.trace(slope)])


def _rbf(support: Array, amplitude: float) -> Array:
    """amplitude * exp(-|a - b|^2) for every pair of rows: (n, n)."""
    squares = (support**2).sum(axis=1)
    distance = squares[:, None] + squares - 2.0 * support @ support.T
    kernel: Array = amplitude * np.exp(-np.maximum(distance, 0.0))
    return kernel


def _feature_scale(x: Array) -> tuple[Array, Array]:
    """The mean of each feature and 1 / its standard deviation, 0 for a constant feature."""
    std = x.std(axis=0)
    return x.mean(axis=0), np.where(std > 1e-9, 1.0 / np.maximum(std, 1e-9), 0.0)


def _output_scale(y: Array, weight: Array) -> tuple[Array, Array]:
    """The weighted mean and standard deviation of each output; 1 for a constant output."""
    mean = weight @ y / weight.sum()
    std = np.sqrt(weight @ (y - mean) ** 2 / weight.sum())
    return mean, np.where(std > 1e-9 * np.maximum(np.abs(mean), 1e-9), std, 1.0)


def _average_duplicates(x: Array, y: Array) -> tuple[Array, Array]:
    """The distinct rows of features, each with the mean of its outputs."""
    rows, index = np.unique(x, axis=0, return_inverse=True)
    index = index.reshape(-1)
    counts = np.bincount(index)[:, None]
    sums = np.stack([np.bincount(index, column) for column in y.T], axis=1)
    return rows, sums / counts
