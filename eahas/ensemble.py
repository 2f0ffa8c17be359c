"""One fitted surrogate: features, an ensemble of networks, a head. Loaded from a folder, numpy alone.

Shapes: M members, n configurations, C curves, E epochs, T scalars. Every ensemble predicts with the
member axis first; locations and deviations are derived from it in one place, `Belief`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from eahas.checkpoint import ENSEMBLE, read_manifest, read_tensors, save_folder, tensor_bytes
from eahas.distribution import Distribution, on_log_scale
from eahas.errors import CheckpointError, ConfigError, EahasError, unknown
from eahas.features import Features
from eahas.heads import CurveHead, Head, ScalarHead
from eahas.mlp import MlpEnsemble, mlp_from_tensors
from eahas.space import Space
from eahas.spec import Spec, Target, spec_from_dict

WEIGHTS = "weights.safetensors"
Array = np.ndarray


@dataclass(frozen=True)
class Ensemble:
    """A surrogate for some targets of a spec. `primary` is the one that `predict` returns.

    `calibration` multiplies the predicted deviation of each target, in the head's order, so that
    intervals on the validation runs hold what they promise.
    """

    spec: Spec
    name: str
    features: Features
    mlp: MlpEnsemble
    head: Head
    calibration: tuple[float, ...]
    primary: str
    manifest: Mapping[str, Any]

    @property
    def space(self) -> Space:
        return self.spec.space

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.head.targets

    @property
    def members(self) -> int:
        return self.mlp.members

    def select(self, target: str) -> Ensemble:
        """The same ensemble with another of its targets as the one that `predict` returns."""
        names = [t.name for t in self.targets]
        if target not in names:
            raise EahasError(unknown(f"target of {self.name}", target, names))
        return replace(self, primary=target)

    # What a user asks

    def predict(
        self,
        config: Any,
        representation: str | None = None,
        *,
        search_space: str | None = None,
        with_noise: bool = False,
        encoded: bool = False,
        noise_seed: int | None = None,
    ) -> Any:
        """The primary target of one configuration, or of a list of them.

        A curve is (MAX_EPOCH,) or, of a list, (n, longest) padded with NaN; a scalar is a float or
        (n,). With `encoded` a configuration is its code (see `Space.encode`). `with_noise` returns
        one plausible run instead of the prediction, drawn with `noise_seed`. `representation` and
        `search_space` exist so that EA-HAS-Bench's search code runs unchanged; both are only
        checked. Raises ConfigError for a configuration outside the space.
        """
        self._check_interface(representation, search_space)
        single, configs = self._configs(config, encoded)
        distribution = self.distribution(configs)[self.primary]
        values = distribution.value
        if with_noise:
            rng = np.random.default_rng(noise_seed)
            # one number a run: neighbouring epochs of one run err together
            shape = (len(configs),) + (1,) * (values.ndim - 1)
            values = distribution.draw(np.broadcast_to(rng.standard_normal(shape), values.shape))
        if not single:
            return values
        return values[0] if values.ndim > 1 else float(values[0])

    def distribution(self, configs: Sequence[Mapping[str, Any]]) -> dict[str, Distribution]:
        """What the ensemble believes about each target of a list: (n, longest) or (n,) each."""
        columns = self.space.columns(configs)
        out = self.mlp.many(self.features.many(columns))
        belief = self.belief_many(out, self._epochs(columns, len(configs)))
        axis = -2 if isinstance(self.head, CurveHead) else -1
        return {
            t.name: self.wrap(t, belief.location.take(k, axis), belief.scale.take(k, axis))
            for k, t in enumerate(self.targets)
        }

    def predict_members(self, config: Any) -> dict[str, Array]:
        """Each member's own prediction, (M, MAX_EPOCH) a curve and (M,) a scalar.

        Of a list: (M, n, longest), padded with NaN, and (M, n).
        """
        single, configs = self._configs(config, encoded=False)
        columns = self.space.columns(configs)
        out = self.mlp.many(self.features.many(columns))
        members = self.belief_many(out, self._epochs(columns, len(configs))).members
        if isinstance(self.head, CurveHead):
            named = {t.name: members[:, :, k] for k, t in enumerate(self.targets)}
        else:
            named = {
                t.name: np.exp(members[..., k]) if on_log_scale(t) else members[..., k]
                for k, t in enumerate(self.targets)
            }
        return {name: values[:, 0] for name, values in named.items()} if single else named

    # From outputs to beliefs; the benchmark calls these with outputs that it already has

    def belief_one(self, out: Array, epochs: int) -> Belief:
        """The belief from the outputs (M, outputs) of one configuration: (C, E) or (T,)."""
        head = self.head
        if isinstance(head, CurveHead):
            return Belief(
                head.locations(out, epochs),
                lambda: head.noise(out, epochs),
                self._calibration[:, None],
            )
        members = head.locations(out)
        if epochs > 1:
            members = members + head.per_epoch * math.log(epochs)
        return Belief(members, lambda: head.noise(out), self._calibration)

    def belief_many(self, out: Array, epochs: Array) -> Belief:
        """The belief from outputs (M, n, outputs) and epochs (n,): (n, C, longest) or (n, T)."""
        head = self.head
        if isinstance(head, CurveHead):
            return Belief(
                self._by_length(head.locations, out, epochs),
                lambda: self._by_length(head.noise, out, epochs),
                self._calibration[:, None],
            )
        members = head.locations(out) + np.log(epochs)[:, None] * head.per_epoch
        return Belief(members, lambda: head.noise(out), self._calibration)

    def wrap(self, target: Target, location: Any, scale: Any) -> Distribution:
        return Distribution(location, scale, on_log_scale(target), target.low, target.high)

    def _by_length(self, decode: Callable[..., Array], out: Array, epochs: Array) -> Array:
        """Curves of outputs (M, n, outputs), decoded length by length: (M, n, C, longest), NaN past."""
        values = np.full((*out.shape[:2], len(self.targets), int(epochs.max())), np.nan)
        for length in np.unique(epochs):
            rows = np.flatnonzero(epochs == length)
            values[:, rows, :, :length] = decode(out[:, rows], int(length))
        return values

    @cached_property
    def _calibration(self) -> Array:
        return np.array(self.calibration)

    def _epochs(self, columns: Mapping[str, Array], n: int) -> Array:
        if self.space.fidelity is None:
            return np.ones(n, dtype=int)
        return columns[self.space.fidelity].astype(int)

    # The edges of `predict`

    def _configs(self, config: Any, encoded: bool) -> tuple[bool, list[Any]]:
        """Whether one configuration was given, and the list of all."""
        if encoded:
            codes = np.asarray(config, dtype=float)
            if codes.ndim not in (1, 2) or not codes.size:
                raise ConfigError(f"encoded: one code or rows of codes, got shape {codes.shape}")
            rows = codes[None] if codes.ndim == 1 else codes
            return codes.ndim == 1, [self.space.decode(row) for row in rows]
        if isinstance(config, Mapping):
            return True, [config]
        if isinstance(config, (list, tuple)):
            return False, list(config)
        raise ConfigError(
            f"a configuration is a mapping, or a list of mappings; got {type(config).__name__}"
        )

    def _check_interface(self, representation: str | None, search_space: str | None) -> None:
        if representation is not None and representation not in REPRESENTATIONS:
            raise EahasError(unknown("representation", representation, REPRESENTATIONS))
        known = (*SEARCH_SPACES, self.spec.name)
        if search_space is not None and search_space not in known:
            raise EahasError(unknown("search_space", search_space, known))


REPRESENTATIONS = ("arch_str", "dict", "config", "encoded")  # all name the dictionary of a config
SEARCH_SPACES = ("nbgreen", "nbgreen_tiny", "nbtoy", "regnet")  # EA-HAS-Bench's own names for its space


@dataclass(frozen=True)
class Belief:
    """What the members say together, on the linked scale; the deviation is computed when asked for.

    `members` is (M, ...); `noise` gives the deviation of the run-to-run noise in the same shape.
    """

    members: Array
    noise: Callable[[], Array]
    calibration: Array

    @cached_property
    def location(self) -> Array:
        """The members' mean."""
        mean: Array = np.add.reduce(self.members, axis=0) / len(self.members)
        return mean

    @cached_property
    def scale(self) -> Array:
        """The deviation of members and noise together, calibrated."""
        spread, noise = self.members - self.location, self.noise()
        variance = np.add.reduce(spread * spread + noise * noise, axis=0) / len(self.members)
        calibrated: Array = np.sqrt(variance) * self.calibration
        return calibrated


# To and from a folder


def load(folder: Path) -> Ensemble:
    """The ensemble of a folder. Raises CheckpointError for anything that is not whole and right."""
    manifest = read_manifest(folder, ENSEMBLE)
    try:
        spec = spec_from_dict(manifest["spec"])
        features = Features(
            spec.space,
            tuple(manifest["features"]["logs"]),
            tuple((number, choice) for number, choice in manifest["features"]["crosses"]),
            bool(manifest["features"]["regnet"]),
        )
        head = _head(manifest["head"], spec)
        name, primary = manifest["name"], manifest["primary"]
        calibration = tuple(float(c) for c in manifest["calibration"])
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{folder / 'manifest.json'}: {error!r} is not as it should be") from None
    mlp = mlp_from_tensors(read_tensors(folder, WEIGHTS, manifest))
    if mlp.inputs != len(features.names) or mlp.outputs != head.outputs:
        raise CheckpointError(
            f"{folder / WEIGHTS} maps {mlp.inputs} features to {mlp.outputs} outputs; the manifest "
            f"needs {len(features.names)} and {head.outputs}"
        )
    if len(calibration) != len(head.targets) or primary not in [t.name for t in head.targets]:
        raise CheckpointError(f"{folder / 'manifest.json'}: calibration or primary do not fit")
    return Ensemble(spec, name, features, mlp, head, calibration, primary, manifest)


def save(ensemble: Ensemble, folder: Path) -> None:
    """Write an ensemble as a folder, atomically."""
    manifest, files = contents(ensemble)
    save_folder(folder, manifest, files)


def contents(ensemble: Ensemble) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest and the files of an ensemble's folder."""
    head = ensemble.head
    described: dict[str, Any] = {"targets": [t.name for t in head.targets]}
    if isinstance(head, CurveHead):
        described |= {
            "kind": "curves",
            "codec": "bezier",
            "degree": head.degree,
            "low": list(head.low),
            "high": list(head.high),
        }
    else:
        described |= {"kind": "scalars"}
    manifest = {
        "format": ENSEMBLE,
        "name": ensemble.name,
        "primary": ensemble.primary,
        "members": ensemble.members,
        **{k: v for k, v in ensemble.manifest.items() if k not in ("files", "format_version")},
        "features": {
            "logs": list(ensemble.features.logs),
            "crosses": [list(cross) for cross in ensemble.features.crosses],
            "regnet": ensemble.features.regnet,
        },
        "head": described,
        "calibration": list(ensemble.calibration),
        "spec": dict(ensemble.spec.source),
    }
    return manifest, {WEIGHTS: tensor_bytes(ensemble.mlp.tensors())}


def _head(described: Mapping[str, Any], spec: Spec) -> Head:
    targets = {t.name: t for t in spec.targets}
    chosen = tuple(targets[name] for name in described["targets"])
    if described["kind"] == "curves":
        low, high = (tuple(float(v) for v in described[end]) for end in ("low", "high"))
        return CurveHead(chosen, int(described["degree"]), low, high)
    if described["kind"] == "scalars":
        return ScalarHead(chosen)
    raise CheckpointError(unknown("head kind", described["kind"], ("curves", "scalars")))


class EstimatedEnergyWarning(UserWarning):
    """Joules that are a formula of CPU time were used to rank or to budget."""


def warn_estimated(what: str, formula: str) -> None:
    """Say once a process that an energy is estimated, not measured."""
    warnings.warn(
        f"{what}: the energy is estimated ({formula}), not measured; rankings by it repeat the "
        "rankings by time",
        EstimatedEnergyWarning,
        stacklevel=3,
    )
