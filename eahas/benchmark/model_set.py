"""The models of a benchmark over one space, and the facts that a prediction displays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from eahas.benchmark.energies import read_energies
from eahas.benchmark.storage.benchmark_folder import read_support
from eahas.benchmark.storage.manifest import MANIFEST, Manifest, name_of
from eahas.energy.energy_facts import EnergyFacts
from eahas.energy.reading import ESTIMATED
from eahas.errors import EahasError, warn_estimated, warn_not_measured
from eahas.models.protocol import Model
from eahas.models.support import Everywhere, JointSupport, Support
from eahas.models.table import Table
from eahas.space.space import Space
from eahas.spec.fidelities import described
from eahas.spec.spec import Spec
from eahas.spec.targets import Target, main_curve


@dataclass(frozen=True, eq=False, repr=False)
class ModelSet:
    """The models of a benchmark folder; at most one of them predicts a given target.

    Attributes:
        loader: the function that reloads it from folder, name, fingerprint, task and device.
        task, device: the selected task and device; None if the benchmark is not divided by task or
            by device.
        tasks, devices: all tasks and devices of the benchmark.
        parts: the parts for the selected task and device; empty for a benchmark without parts.
    """

    folder: Path
    manifest: Mapping[str, Any] = field(repr=False)
    spec: Spec = field(repr=False)
    models: tuple[Model, ...] = field(repr=False)
    loader: Callable[..., Any] = field(repr=False)
    task: str | None = None
    device: str | None = None
    tasks: tuple[str, ...] = field(default=(), repr=False)
    devices: tuple[str, ...] = field(default=(), repr=False)
    parts: tuple[ModelSet, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        shown = {"folder": self.folder, "task": self.task, "device": self.device}
        given = [f"{name}={value!r}" for name, value in shown.items() if value is not None]
        return f"{type(self).__name__}({', '.join(given)})"

    def __copy__(self) -> ModelSet:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelSet:
        return self  # nothing in it changes

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle a reference: folder, name, and the fingerprint that is checked at unpickling."""
        given = (str(self.folder), self.id, self.fingerprint, self.task, self.device)
        return self.loader, given

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the manifest, which holds the SHA-256 of every other file."""
        content = json.dumps(self.manifest, sort_keys=True).encode()
        return hashlib.sha256(content).hexdigest()

    @property
    def name(self) -> str:
        """The name of the benchmark, which may differ from the name of its space."""
        return name_of(self.manifest)

    @property
    def id(self) -> str:
        """Name and version, as `regnet-digits@1`."""
        return f"{self.name}@{self.manifest['version']}"

    @property
    def space(self) -> Space:
        return self.spec.space

    @property
    def fidelities(self) -> tuple[dict[str, Any], ...]:
        """The fidelities as plain data: `role`, `name`, and `choices`, `low`, `high` or `epochs`.

        See `eahas.spec.fidelities`. Each fidelity is a parameter of the configuration, except the
        watched epochs, which are the argument `at` of `query`.
        """
        return described(self.spec.fidelities, self.space)

    @property
    def energy_source(self) -> str:
        """The source of the energies: one name, or `mixed` for several (see `energies`)."""
        return str(self.manifest["energy"]["source"])

    @cached_property
    def energies(self) -> Mapping[str, EnergyFacts]:
        """Source, boundary and so on of each energy, by the name of its target."""
        if not self.parts:
            return read_energies(Manifest(self.folder / MANIFEST, self.manifest), self.spec)
        return {
            name: replace(facts, device=facts.device or self.device)
            for part in self.parts
            for name, facts in part.energies.items()
            if name in part.model_of
        }

    def energy_source_of(self, target: Target | str) -> str | None:
        """The label of an energy's source, as displayed with values; None for other quantities."""
        facts = self.energies.get(target if isinstance(target, str) else target.name)
        return None if facts is None else facts.label

    def warn_not_measured(self, targets: Iterable[Target]) -> None:
        """Warn (EstimatedEnergyWarning) if one of the targets is an energy that is not measured."""
        labels = {
            f"{target.name} {facts.label}": facts.label
            for target in targets
            if (facts := self.energies.get(target.name)) is not None and not facts.measured
        }
        if {*labels.values()} == {ESTIMATED}:
            warn_estimated(self.id, str(self.manifest["energy"]["formula"]), stacklevel=4)
        elif labels:
            warn_not_measured(self.id, "; ".join(labels), stacklevel=4)

    @cached_property
    def model_of(self) -> Mapping[str, Model]:
        """The model of each predicted target, by the target's name."""
        return {target.name: model for model in self.models for target in model.targets}

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """The predicted targets, in the order of the spec."""
        return tuple(target for target in self.spec.targets if target.name in self.model_of)

    @cached_property
    def curves(self) -> tuple[Target, ...]:
        """The predicted curves."""
        return tuple(t for t in self.targets if t.kind == "curve")

    @cached_property
    def scalars(self) -> tuple[Target, ...]:
        """The predicted scalars."""
        return tuple(t for t in self.targets if t.kind == "scalar")

    @cached_property
    def curve_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.curves)

    @cached_property
    def scalar_names(self) -> tuple[str, ...]:
        return tuple(t.name for t in self.scalars)

    @cached_property
    def target_names(self) -> tuple[str, ...]:
        return self.curve_names + self.scalar_names

    @cached_property
    def main_curve(self) -> str:
        """The name of the learning curve; EahasError if the benchmark has no curves."""
        main = main_curve(self.curves)
        if main is None:
            raise EahasError(f"benchmark {self.id} has no curves")
        return main.name

    @cached_property
    def table(self) -> Table | None:
        """The first table among the models; None if there is none."""
        return next((model for model in self.models if isinstance(model, Table)), None)

    @cached_property
    def support(self) -> Support | Everywhere | JointSupport:
        """The support of the training configurations, which scores how close a query is to them.

        Raises CheckpointError if the file is missing or damaged.
        """
        if self.parts:
            return JointSupport(tuple(part.support for part in self.parts))
        if self.table is not None:
            return Everywhere()
        return read_support(self.folder, self.manifest, self.space)
