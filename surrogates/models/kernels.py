"""Kernel machines as arrays: scikit-learn's support vectors, and Gaussian processes.

Each `fit_*` fits y (n, K) from x (n, F) with weights (n,): one ensemble member. Features and
outputs are standardised first; a feature that never varies is not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.models.regressors import KernelMachine
from eahas.settings import number
from surrogates.models.optional import imported
from surrogates.settings import EnsembleSettings, fraction

Array = np.ndarray
AMPLITUDES, LENGTHS, NOISES = (1e-2, 1e3), (0.1, 1e4), (1e-5, 1e1)  # in deviations


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
    """Support vector regression (Drucker et al., 1997), a machine an output; no use of the seed."""
    svm = imported("sklearn.svm", "scikit-learn", "train")

    def machine(gamma: float) -> Any:
        return svm.SVR(kernel="rbf", C=settings.C, epsilon=settings.epsilon, gamma=gamma)

    return _support_vectors(x, y, weight, settings.gamma, machine)


def fit_nu_svr(
    x: Array, y: Array, weight: Array, settings: NuSvrSettings, seed: int
) -> KernelMachine:
    """Nu support vector regression (Schölkopf et al., 2000), a machine an output."""
    svm = imported("sklearn.svm", "scikit-learn", "train")

    def machine(gamma: float) -> Any:
        return svm.NuSVR(kernel="rbf", C=settings.C, nu=settings.nu, gamma=gamma)

    return _support_vectors(x, y, weight, settings.gamma, machine)


def _support_vectors(
    x: Array, y: Array, weight: Array, gamma: float, machine: Callable[[float], Any]
) -> KernelMachine:
    """The machines of all outputs as one, over the runs that support any of them."""
    center, rate = _standard(x)
    z = (x - center) * rate
    rate_of_kernel = gamma / max(1, int((rate > 0).sum()))
    mean, spread = _scale_of(y, weight)
    coefficient, intercept = np.zeros(y.shape), np.zeros(y.shape[1])
    for k, column in enumerate(((y - mean) / spread).T):
        fitted = machine(rate_of_kernel).fit(z, column, sample_weight=weight)
        coefficient[fitted.support_, k] = fitted.dual_coef_[0]
        intercept[k] = fitted.intercept_[0]
    used = np.flatnonzero(coefficient.any(axis=1))
    used = used if len(used) else np.array([0])  # where all outputs are constants
    root = np.sqrt(rate_of_kernel)
    return KernelMachine(
        center, root * rate, root * z[used], coefficient[used] * spread, mean + spread * intercept
    )


def fit_gp(x: Array, y: Array, weight: Array, settings: GpSettings, seed: int) -> KernelMachine:
    """The mean of a Gaussian process: amplitude * RBF with a length scale a feature, white noise.

    The runs of one configuration are one observation, their mean. All outputs share a kernel, the
    likeliest for them together (Rasmussen and Williams, 2006, equation 5.9).
    """
    x, y = _distinct(x, y)
    kept = np.random.default_rng(seed).permutation(len(x))[: settings.largest]
    x, y = x[kept], y[kept]
    center, rate = _standard(x)
    mean, spread = _scale_of(y, np.ones(len(y)))
    seen = rate > 0
    if not seen.any():
        nowhere = np.zeros((1, x.shape[1]))
        return KernelMachine(center, rate, nowhere, np.zeros((1, y.shape[1])), mean)
    z, wanted = ((x - center) * rate)[:, seen], (y - mean) / spread
    few = slice(settings.likelihood)
    logs = _likeliest(z[few], wanted[few], settings.iterations)
    root = np.zeros(len(rate))
    root[seen] = np.sqrt(0.5) * np.exp(-logs[1:-1])
    support = (x - center) * rate * root
    near, noise = _near(support, np.exp(logs[0])), np.exp(logs[-1])
    linalg = imported("scipy.linalg", "scipy", "train")
    solved = linalg.solve(near + noise * np.eye(len(near)), wanted, assume_a="pos")
    return KernelMachine(center, root * rate, support, np.exp(logs[0]) * solved * spread, mean)


def _likeliest(z: Array, y: Array, iterations: int) -> Array:
    """Logarithms of the amplitude, the length scales (F,) and the noise, by L-BFGS."""
    optimize = imported("scipy.optimize", "scipy", "train")
    width = z.shape[1]
    start = np.log([1.0, *[2.0 * np.sqrt(width)] * width, 0.1])
    bounds = np.log([AMPLITUDES, *[LENGTHS] * width, NOISES])
    found = optimize.minimize(
        unlikelihood,
        np.array(start),
        (z, y),
        "L-BFGS-B",
        jac=True,
        bounds=bounds,
        options={"maxiter": iterations},
    )
    return found.x


def unlikelihood(logs: Array, z: Array, y: Array) -> tuple[float, Array]:
    """The negative log marginal likelihood of y (n, K), up to a constant, and its gradient."""
    linalg = imported("scipy.linalg", "scipy", "train")
    count, outputs = y.shape
    scaled = z * np.exp(-logs[1:-1])
    near, noise = _near(np.sqrt(0.5) * scaled, np.exp(logs[0])), np.exp(logs[-1])
    root = linalg.cholesky(near + noise * np.eye(count), lower=True)
    inverse = linalg.cho_solve((root, True), np.eye(count))
    solved = inverse @ y
    value = 0.5 * (y * solved).sum() + outputs * np.log(np.diag(root)).sum()
    slope = 0.5 * (outputs * inverse - solved @ solved.T)  # by the covariance
    pairs = slope * near
    of_lengths = 2.0 * (pairs.sum(axis=1) @ scaled**2 - (scaled * (pairs @ scaled)).sum(axis=0))
    return value, np.array([pairs.sum(), *of_lengths, noise * np.trace(slope)])


def _near(support: Array, amplitude: float) -> Array:
    """amplitude * exp(-|a - b|^2) of every pair of rows: (n, n)."""
    squares = (support**2).sum(axis=1)
    distance = squares[:, None] + squares - 2.0 * support @ support.T
    near: Array = amplitude * np.exp(-np.maximum(distance, 0.0))
    return near


def _standard(x: Array) -> tuple[Array, Array]:
    """The centre of each feature and one over its deviation, 0 where it never varies."""
    std = x.std(axis=0)
    return x.mean(axis=0), np.where(std > 1e-9, 1.0 / np.maximum(std, 1e-9), 0.0)


def _scale_of(y: Array, weight: Array) -> tuple[Array, Array]:
    """The weighted mean of each output and its deviation, 1 where it never varies."""
    mean = weight @ y / weight.sum()
    spread = np.sqrt(weight @ (y - mean) ** 2 / weight.sum())
    return mean, np.where(spread > 1e-9 * np.maximum(np.abs(mean), 1e-9), spread, 1.0)


def _distinct(x: Array, y: Array) -> tuple[Array, Array]:
    """Every row of features once, with the mean of its outputs."""
    rows, which = np.unique(x, axis=0, return_inverse=True)
    which = which.reshape(-1)
    counts = np.bincount(which)[:, None]
    sums = np.stack([np.bincount(which, column) for column in y.T], axis=1)
    return rows, sums / counts
