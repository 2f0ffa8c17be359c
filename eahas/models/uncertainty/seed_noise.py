"""Seed noise: the size and the correlation of the variation between runs of one configuration.

A run differs from the mean of its configuration by deviation x noise. The noise has variance 1 at
every epoch of every curve and for every scalar. One part of it comes from a few factors that all
targets of a run share; it correlates targets and neighbouring epochs. The other part is sampled
independently at each epoch, jointly for the curves of a run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from eahas.arrays import ArraySpec, Bounds, Dim, check_arrays
from eahas.checks import is_whole
from eahas.errors import EahasError, shown
from eahas.models.blocks import product
from eahas.models.curves.codecs import ALL_CURVES, POSITIONS, interpolation_matrix
from eahas.models.regressors import MlpEnsemble, mlp_from_tensors

MAX_LOG = 10.0  # largest log deviation
MAX_INPUT = 1e20  # largest input of the network; larger ones are clipped, so that no sum overflows
MAX_SEED = 2**63 - 1  # the largest integer that JSON readers in other languages support
MAX_FACTORS = 32
NETWORK = "network."  # prefix of the names of the arrays of the network
SHARE = Bounds(-1.0, 1.0, slack=1e-6)
SINGLE_POSITION = ArraySpec(
    "positions", "float64", (1,), "for scalars: a single position", Bounds(0.0, 0.0)
)
ARRAYS = (
    POSITIONS,  # for scalars: SINGLE_POSITION
    ArraySpec(
        "loadings",
        "float64",
        ("targets", "positions", Dim("factors", 0, MAX_FACTORS)),
        "the loadings of the factors that all targets of a run share",
        SHARE,
    ),
    ArraySpec(
        "own",
        "float64",
        ("targets", "positions", "targets"),
        "the loadings of the noise components that are independent between epochs",
        SHARE,
    ),
)
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """The seed noise of S series: curves with P positions from 0 to 1, or scalars with one.

    Attributes:
        network: one member. It maps the noise outputs of a head (U) and the locations of every
            series at the positions (S * P), on the transformed scale, to S * P log deviations.
        positions (P,): from 0 (first epoch) to 1 (last epoch); the single position 0 for scalars.
        loadings (S, P, K): the loadings of the K shared factors.
        own (S, P, S): the loadings of the S noise components that are independent between epochs.
    """

    network: MlpEnsemble
    positions: Array
    loadings: Array
    own: Array

    @property
    def series(self) -> int:
        return len(self.loadings)

    @property
    def factors(self) -> int:
        return self.loadings.shape[2]

    def deviation(
        self, noise_outputs: Array, location: Array, selected: slice = ALL_CURVES
    ) -> Array:
        """Standard deviations (..., S, E) from noise outputs (..., U) and locations (..., S, E).

        `selected` selects some of the series.
        """
        epochs = location.shape[-1]
        scalar = epochs == len(self.positions) == 1  # scalars need no interpolation
        at_nodes = location if scalar else location[..., nearest(self._position_tuple, epochs)]
        x = np.concatenate([noise_outputs, at_nodes.reshape(*location.shape[:-2], -1)], axis=-1)
        x = np.minimum(np.maximum(x, -MAX_INPUT), MAX_INPUT)
        logs = self.network.many(x.reshape(-1, x.shape[-1]))[0].astype(float)
        logs = logs.reshape(*x.shape[:-1], self.series, -1)[..., selected, :]
        if not scalar:
            rows = product(logs.reshape(-1, logs.shape[-1]), self._interpolation(epochs))
            logs = rows.reshape(*logs.shape[:-1], epochs)
        deviation: Array = np.exp(np.minimum(np.maximum(logs, -2 * MAX_LOG), MAX_LOG))
        return deviation

    def sample(self, shared: Array, independent: Array) -> Array:
        """Noise (S, E) with variance 1, from standard normal numbers (K,) and (S, E).

        `shared` are the values of the shared factors, `independent` those of the other components.
        """
        weights = self._interpolation(independent.shape[-1])
        # The interpolated loadings of an epoch are a vector; dividing by its length restores
        # variance 1.
        loadings = np.einsum("spk,pe->ske", self.loadings, weights)
        own = np.einsum("spj,pe->sje", self.own, weights)
        length = np.sqrt((loadings**2).sum(axis=1) + (own**2).sum(axis=1))
        from_shared = np.einsum("ske,k->se", loadings, shared)
        from_own = np.einsum("sje,je->se", own, independent)
        noise: Array = (from_shared + from_own) / np.maximum(length, 1e-12)
        return noise

    def _interpolation(self, epochs: int) -> Array:
        if len(self.positions) == 1:
            return np.ones((1, epochs))
        return interpolation_matrix(self._position_tuple, epochs)

    @cached_property
    def _position_tuple(self) -> tuple[float, ...]:
        return tuple(self.positions.tolist())

    def tensors(self) -> dict[str, Array]:
        network = {f"{NETWORK}{name}": array for name, array in self.network.tensors().items()}
        return network | {
            "positions": self.positions,
            "loadings": self.loadings,
            "own": self.own,
        }


def at_positions(values: Array, positions: Array) -> Array:
    """The values (..., P) at the epochs nearest to positions (P,) in 0..1, from values (..., E)."""
    return values[..., nearest(tuple(positions.tolist()), values.shape[-1])]


@lru_cache(maxsize=64)
def nearest(positions: tuple[float, ...], epochs: int) -> Array:
    """The indices (P,), from 0, of the epochs that are nearest to positions (P,) in 0..1."""
    indices = np.rint(np.array(positions) * (epochs - 1)).astype(int)
    indices.flags.writeable = False
    return indices


def head_seed_noise(series: int, *, curves: bool) -> SeedNoise:
    """The seed noise whose deviations are the noise outputs of a head.

    A head outputs two log deviations for a curve, at the first and the last epoch, and one for a
    scalar. The noise of a series is the same at all epochs of a run.
    """
    positions = np.array([0.0, 1.0] if curves else [0.0])
    size = series * len(positions)
    weights = np.concatenate([np.eye(size), np.zeros((size, size))]).astype(np.float32)
    network = MlpEnsemble((weights[None],), (np.zeros((1, size), dtype=np.float32),))
    loadings = np.repeat(np.eye(series)[:, None], len(positions), axis=1)
    return SeedNoise(network, positions, loadings, np.zeros_like(loadings))


def seed_noise_from_tensors(
    arrays: Mapping[str, Array],
    num_noise_outputs: int,
    series: int,
    *,
    curves: bool,
    prefix: str = "",
) -> SeedNoise:
    """The seed noise with the arrays of a checkpoint, for a head with `series` targets.

    In the file, `prefix` precedes the names of the arrays. Raises CheckpointError if the arrays do
    not match `ARRAYS`, the head, or each other.
    """
    network_arrays = {n[len(NETWORK) :]: a for n, a in arrays.items() if n.startswith(NETWORK)}
    own = {n: a for n, a in arrays.items() if not n.startswith(NETWORK)}
    dims = {"targets": series} if curves else {"targets": series, "positions": 1}
    specs = ARRAYS if curves else (SINGLE_POSITION, *ARRAYS[1:])
    size = series * check_arrays(own, specs, dims, prefix)["positions"]
    needed = {"members": 1, "inputs": num_noise_outputs + size, "outputs": size}
    network = mlp_from_tensors(network_arrays, MAX_INPUT, dims=needed, prefix=prefix + NETWORK)
    return SeedNoise(network, **own)


def generators(
    noise_seed: int, config: Mapping[str, Any], *names: str
) -> list[np.random.Generator]:
    """One random generator per name, for one run of a flat canonical configuration.

    A generator depends only on the seed, the configuration and the name; it is the same on every
    machine.
    """
    import hashlib
    import json

    text = json.dumps([[name, config[name]] for name in sorted(config)])
    rngs = []
    for name in names:
        digest = hashlib.sha256(f"{noise_seed} {name} {text}".encode()).digest()
        rngs.append(np.random.default_rng(int.from_bytes(digest[:16], "little")))
    return rngs


def check_seed(seed: Any) -> None:
    """Raise EahasError unless `seed` is a whole number in 0..MAX_SEED, or None."""
    if seed is not None and not (is_whole(seed) and 0 <= seed <= MAX_SEED):
        raise EahasError(
            f"noise_seed={shown(seed)}; allowed: whole numbers in 0..{MAX_SEED}, or None"
        )
