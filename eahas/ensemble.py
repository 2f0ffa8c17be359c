"""One fitted surrogate: features, an ensemble of networks, a head. Read from a folder by numpy.

Every ensemble predicts with the member axis first; mean, deviation and intervals are derived from
it in `eahas.belief` and `eahas.distribution`, for one configuration and for a list of them alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from eahas import bezier
from eahas.belief import Belief, BeliefOfCurves, believe
from eahas.checkpoint import read_tensors, save_folder, tensor_bytes
from eahas.checks import is_whole
from eahas.distribution import Distribution, unlinked
from eahas.errors import CheckpointError, EahasError, shown, unknown
from eahas.features import Features
from eahas.heads import CurveHead, Head, ScalarHead
from eahas.manifest import ENSEMBLE, Manifest, read_manifest
from eahas.mlp import MlpEnsemble, mlp_from_tensors
from eahas.parameters import Choice
from eahas.question import Question, ask
from eahas.space import Space
from eahas.spec import Spec, Target

WEIGHTS = "weights.safetensors"
MOST_EPOCHS = 100_000  # of a curve; more is a mistake, and would not fit into memory
LARGEST_BOUND = 1e30  # of y control points
LARGEST_FACTOR = 1e6  # of calibration
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A surrogate for some targets of a spec. `primary` is the one that `predict` returns.

    `calibration` multiplies the predicted deviation of each target, in the head's order, so that
    intervals on the validation runs hold what they promise. What else `manifest` says goes along
    when the ensemble is saved.
    """

    spec: Spec = field(repr=False)
    name: str
    features: Features = field(repr=False)
    mlp: MlpEnsemble = field(repr=False)
    head: Head = field(repr=False)
    calibration: tuple[float, ...]
    primary: str
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def space(self) -> Space:
        return self.spec.space

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.head.targets

    @property
    def members(self) -> int:
        return self.mlp.members

    @cached_property
    def places(self) -> dict[str, tuple[int, Target]]:
        """Each target by its name, with its place on the head's axis of targets."""
        return {target.name: (k, target) for k, target in enumerate(self.targets)}

    def select(self, target: str) -> Ensemble:
        """The same ensemble with another of its targets as the one that `predict` returns."""
        if not isinstance(target, str) or target not in self.places:
            raise EahasError(f"{self.name}: {unknown('target', target, self.places)}")
        return replace(self, primary=target)

    # What a user asks

    def predict(
        self,
        config: Any,
        representation: str | None = None,
        with_noise: bool = False,
        search_space: str | None = None,
        *,
        encoded: bool = False,
        noise_seed: int | None = None,
    ) -> Any:
        """The primary target of one configuration, or of a list of them.

        A curve is (MAX_EPOCH,) or, of a list, (n, longest) padded with NaN; a scalar is a float or
        (n,). With `encoded` a configuration is its code (see `Space.encode`). `with_noise` returns
        one plausible run instead of the prediction, drawn with `noise_seed`; without a seed each
        call draws anew. `representation` and `search_space` exist so that EA-HAS-Bench's search
        code runs unchanged; both are only checked. Raises ConfigError for a configuration outside
        the space.
        """
        self._check_interface(representation, search_space)
        question = ask(self.space, config, encoded=encoded)
        belief = self.believe(question)
        if not with_noise:
            return self.value(belief, self.primary)
        shape = () if question.single else (len(question.epochs),)
        normal = _generator(noise_seed).standard_normal(shape)
        if not question.single and isinstance(self.head, CurveHead):
            normal = normal[:, None]  # one number a run: its neighbouring epochs err together
        return self.distribution_of(belief, self.primary).draw(normal)

    def distribution(self, config: Any) -> dict[str, Distribution]:
        """What the ensemble believes about each target, in the shapes of `predict`."""
        belief = self.believe(ask(self.space, config))
        return {name: self.distribution_of(belief, name) for name in self.places}

    def predict_members(self, config: Any) -> dict[str, Array]:
        """Each member's own prediction, (M, MAX_EPOCH) a curve and (M,) a scalar.

        Of a list: (M, n, longest), padded with NaN, and (M, n).
        """
        members = self.believe(ask(self.space, config)).members
        return {
            target.name: unlinked(target, self.head.of_target(members, k))
            for k, target in enumerate(self.targets)
        }

    def epochs_of(self, config: Any, *, encoded: bool = False) -> Any:
        """The epochs that a configuration trains for, an int, or those of a list, (n,)."""
        return ask(self.space, config, encoded=encoded).epochs

    # From a question to an answer, in the steps that a benchmark takes one by one

    def believe(self, question: Question) -> Belief | BeliefOfCurves:
        """What the members say about the configurations that are asked for."""
        network = self.mlp.one if question.single else self.mlp.many
        out = network(question.seen_by(self.features))
        return believe(self.head, self._factors, out, question.epochs)

    def value(self, belief: Belief | BeliefOfCurves, name: str) -> Any:
        """The prediction of a target, without its deviation, which costs more."""
        k, target = self.places[name]
        location = self.head.of_target(belief.location, k)
        return location.copy() if target.kind == "curve" else unlinked(target, location)

    def distribution_of(self, belief: Belief | BeliefOfCurves, name: str) -> Distribution:
        """What is believed about a target."""
        (k, target), of_target = self.places[name], self.head.of_target
        return Distribution(target, of_target(belief.location, k), of_target(belief.scale, k))

    @cached_property
    def _factors(self) -> Array:
        factors = np.array(self.calibration)
        return factors[:, None] if isinstance(self.head, CurveHead) else factors

    def _check_interface(self, representation: str | None, search_space: str | None) -> None:
        for what, given, known in (
            ("representation", representation, REPRESENTATIONS),
            ("search_space", search_space, (*SEARCH_SPACES, self.spec.name)),
        ):
            if given is not None and not (isinstance(given, str) and given in known):
                raise EahasError(unknown(what, given, known))


# EA-HAS-Bench's own names: its callers' for a configuration, and those for its space.
REPRESENTATIONS = ("arch_str", "compact", "genotype", "dict", "config")
SEARCH_SPACES = ("nbgreen", "nbgreen_c10", "nbgreen_tiny", "nbtoy", "regnet", "eahasbench")


def _generator(seed: Any) -> np.random.Generator:
    if seed is not None and not (is_whole(seed) and seed >= 0):
        raise EahasError(f"noise_seed={shown(seed)}: allowed are whole numbers from 0, or None")
    return np.random.default_rng(seed)


# To and from a folder


def load(folder: Path, manifest: Manifest | None = None) -> Ensemble:
    """The ensemble of a folder, whose manifest may have been read already.

    Raises CheckpointError for anything that is not whole and right.
    """
    manifest = manifest or read_manifest(folder, ENSEMBLE)
    spec = manifest.spec()
    with manifest.explaining("features"):
        features = _features(manifest, spec.space)
    head = _head(manifest, spec)
    names = [target.name for target in head.targets]
    primary = manifest.text("primary")
    if primary not in names:
        manifest.refuse(unknown("primary", primary, names))
    tensors = read_tensors(folder, WEIGHTS, manifest.content)
    try:
        mlp = mlp_from_tensors(tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{folder / WEIGHTS} {error}") from None
    if (mlp.inputs, mlp.outputs) != (len(features.names), head.outputs):
        raise CheckpointError(
            f"{folder / WEIGHTS} maps {mlp.inputs} features to {mlp.outputs} outputs; the manifest "
            f"needs {len(features.names)} and {head.outputs}"
        )
    if manifest.whole("members", 1) != mlp.members:
        manifest.refuse(f"members is {manifest.entry('members')}, the weights are of {mlp.members}")
    return Ensemble(
        spec=spec,
        name=manifest.text("name"),
        features=features,
        mlp=mlp,
        head=head,
        calibration=manifest.numbers("calibration", len(names), 0.0, LARGEST_FACTOR),
        primary=primary,
        manifest=manifest.content,
    )


def _features(manifest: Manifest, space: Space) -> Features:
    crosses = manifest.entry("features.crosses")
    pairs = isinstance(crosses, list) and all(
        isinstance(pair, list) and [*map(type, pair)] == [str, str] for pair in crosses
    )
    if not pairs:
        manifest.refuse(f"features.crosses is a list of pairs of names, got {shown(crosses)}")
    return Features(
        space,
        manifest.texts("features.logs"),
        tuple((number, choice) for number, choice in crosses),
        manifest.flag("features.regnet"),
    )


def _head(manifest: Manifest, spec: Spec) -> Head:
    kind, names = manifest.text("head.kind"), manifest.texts("head.targets")
    if kind not in ("curves", "scalars"):
        manifest.refuse(unknown("head.kind", kind, ("curves", "scalars")))
    known = {t.name: t for t in (spec.curves if kind == "curves" else spec.scalars)}
    for name in names:
        if name not in known:
            manifest.refuse(f"head.targets: {unknown(kind[:-1], name, known)}")
    if not names:
        manifest.refuse("head.targets is empty; at least one is needed")
    targets = tuple(known[name] for name in names)
    if kind == "scalars":
        return ScalarHead(targets)
    if manifest.text("head.codec") != "bezier":
        manifest.refuse(unknown("head.codec", manifest.text("head.codec"), ("bezier",)))
    degree = manifest.whole("head.degree", 1)
    if degree not in bezier.DEGREES:
        manifest.refuse(unknown("head.degree", degree, bezier.DEGREES))
    low, high = (
        manifest.numbers(f"head.{end}", len(names), -LARGEST_BOUND, LARGEST_BOUND)
        for end in ("low", "high")
    )
    if not all(a < b for a, b in zip(low, high, strict=True)):
        manifest.refuse(f"head.low < head.high is needed, got {shown(low)} and {shown(high)}")
    _check_epochs(manifest, spec.space)
    return CurveHead(targets, degree, low, high)


def _check_epochs(manifest: Manifest, space: Space) -> None:
    assert space.fidelity is not None  # a spec with curves has one
    parameter = space[space.fidelity]
    longest = max(parameter.choices) if isinstance(parameter, Choice) else parameter.high
    if longest > MOST_EPOCHS:
        manifest.refuse(f"spec: curves of {longest:,.0f} epochs; at most {MOST_EPOCHS:,}")


def save(ensemble: Ensemble, folder: Path) -> None:
    """Write an ensemble as a folder, atomically; see `eahas.checkpoint.save_folder`."""
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
    own = {
        "name": ensemble.name,
        "primary": ensemble.primary,
        "members": ensemble.members,
        "features": {
            "logs": list(ensemble.features.logs),
            "crosses": [list(cross) for cross in ensemble.features.crosses],
            "regnet": ensemble.features.regnet,
        },
        "head": described,
        "calibration": list(ensemble.calibration),
        "spec": dict(ensemble.spec.source),
    }
    added = ("format", "format_version", "files")
    more = {k: v for k, v in ensemble.manifest.items() if k not in (*own, *added)}
    return {"format": ENSEMBLE, **more, **own}, {WEIGHTS: tensor_bytes(ensemble.mlp.tensors())}


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
