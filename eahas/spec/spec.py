"""The spec of a benchmark: its search space, its targets, and the settings of the training.

A `Spec` is parsed from a plain dictionary: from a YAML file for a sweep or a fit, from JSON in a
manifest. docs/space-format.md documents the format.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eahas.checks import is_number, is_whole
from eahas.errors import SpecError, shown, unknown
from eahas.frozen import frozen
from eahas.space.architectures.family import Network
from eahas.space.architectures.registry import read_network
from eahas.space.constraints import constraint_from_dict
from eahas.space.fields import known_fields, text
from eahas.space.parameters import MAX_INTEGER, Choice, Condition, Numeric, Parameter
from eahas.space.space import Space
from eahas.spec.fidelities import (
    DATA_SHARE,
    Fidelity,
    epochs_parameter,
    fidelities_from_dict,
    watched_epochs,
)
from eahas.spec.targets import RESERVED, Target, main_curve, targets_from_dict

MAX_DEPTH, MAX_VALUES = 20, 100_000  # nesting levels and number of values of a spec
SECTIONS = (
    "name",
    "version",
    "description",
    "parameters",
    "constraints",
    "fidelity",
    "fidelities",
    "targets",
    "network",
    "data",
    "training",
    "measurement",
    "sweep",
)


@dataclass(frozen=True)
class Spec:
    """A parsed spec; `source` is the dictionary that it was parsed from, for manifests."""

    name: str
    version: int
    description: str
    space: Space
    curves: tuple[Target, ...]
    scalars: tuple[Target, ...]
    network: Network | None
    data: Mapping[str, Any] | None
    training: Mapping[str, Any]
    measurement: Mapping[str, Any]
    sweep: Mapping[str, Any]
    source: Mapping[str, Any] = field(repr=False, compare=False)
    fidelities: tuple[Fidelity, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets: the curves, then the scalars."""
        return self.curves + self.scalars

    @property
    def energies(self) -> tuple[Target, ...]:
        """The targets that are energies."""
        return tuple(target for target in self.targets if target.is_energy)

    @property
    def main_curve(self) -> Target | None:
        """The learning curve: see `eahas.spec.targets.main_curve`; None without curves."""
        return main_curve(self.curves)


def spec_from_dict(given: Any) -> Spec:
    """Parse the spec in a dictionary.

    Raises:
        SpecError: a section is missing, unknown or not valid. The message contains the section, the
            value and what is allowed.
    """
    if not isinstance(given, Mapping):
        raise SpecError(f"a spec is a mapping of sections, got {shown(given)}")
    given = frozen(_plain(given))
    for section in given:
        if section not in SECTIONS:
            raise SpecError(unknown("section", section, SECTIONS))
    for section in ("name", "parameters"):
        if section not in given:
            raise SpecError(f"a spec needs the section {section}")
    name = text("name", given["name"])
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise SpecError(f"name: letters, digits, '.', '_' and '-' only, got {shown(name)}")
    version = given.get("version", 1)
    if not is_whole(version) or version < 1:
        raise SpecError(f"version: a whole number from 1, got {shown(version)}")
    described = _section(given, "parameters")
    if not described:
        raise SpecError("parameters: at least one is needed")
    parameters = tuple(parameter_from_dict(n, p) for n, p in described.items())
    constraints = [] if given.get("constraints") is None else given["constraints"]
    if not isinstance(constraints, list):
        raise SpecError(f"constraints: a list, got {shown(constraints)}")
    fidelity = None if given.get("fidelity") is None else text("fidelity", given["fidelity"])
    fidelities = fidelities_from_dict(given.get("fidelities"), fidelity)
    network = None
    if given.get("network") is not None:
        kinds = [c.get("kind") for c in constraints if isinstance(c, Mapping)]
        network = read_network(given["network"], kinds, {p.name: p for p in parameters})
    space = Space(
        name=name,
        parameters=parameters,
        constraints=tuple(constraint_from_dict(c, network, parameters) for c in constraints),
        fidelity=epochs_parameter(fidelities),
        fidelities=tuple((f.role, f.parameter) for f in fidelities if f.parameter is not None),
        network=network,
    )
    _check_fidelity(space)
    _check_watched(fidelities, space)
    _check_data_share(fidelities, space)
    curves, scalars = targets_from_dict(given.get("targets"))
    _check_targets(curves, scalars, space)
    return Spec(
        name=name,
        version=version,
        description=text("description", given.get("description"), default=""),
        space=space,
        curves=curves,
        scalars=scalars,
        network=network,
        data=None if given.get("data") is None else _section(given, "data"),
        training=_section(given, "training"),
        measurement=_section(given, "measurement"),
        sweep=_section(given, "sweep"),
        source=given,
        fidelities=fidelities,
    )


def parameter_from_dict(name: str, given: Any) -> Parameter:
    """Parse a parameter: `{type: integer|float|choice|boolean, ...}`.

    Raises:
        SpecError: the description is not valid.
    """
    if not isinstance(given, Mapping):
        raise SpecError(f"{name}: a mapping with a type, got {shown(given)}")
    kind = given.get("type")
    allowed = {
        "integer": ("low", "high", "log", "quantum", "power_of_two_below"),
        "float": ("low", "high", "log", "quantum"),
        "choice": ("choices",),
        "boolean": (),
    }
    if not isinstance(kind, str) or kind not in allowed:
        raise SpecError(f"{name}: " + unknown("type", kind, allowed))
    known_fields(name, given, ("type", "when", *allowed[kind]))
    condition = None if given.get("when") is None else _condition(name, given["when"])
    if kind in ("integer", "float"):
        return Numeric(
            name=name,
            low=given.get("low"),  # type: ignore[arg-type]  # Numeric checks it
            high=given.get("high"),  # type: ignore[arg-type]
            integer=kind == "integer",
            log=given.get("log", False),
            quantum=given.get("quantum"),
            power_of_two_below=given.get("power_of_two_below"),
            condition=condition,
        )
    choices = [False, True] if kind == "boolean" else given.get("choices")
    if not isinstance(choices, (list, tuple)):
        raise SpecError(f"{name}: choices is a list, got {shown(choices)}")
    return Choice(name, tuple(choices), condition)


def _condition(name: str, when: Any) -> Condition:
    if not isinstance(when, Mapping) or len(when) != 1:
        raise SpecError(f"{name}: when is {{PARENT: [values]}}, got {shown(when)}")
    ((parent, values),) = when.items()
    if not isinstance(values, (list, tuple)) or not values:
        raise SpecError(f"{name}: when needs a list of values of {parent}, got {shown(values)}")
    return Condition(parent, tuple(values))


def _check_targets(curves: tuple[Target, ...], scalars: tuple[Target, ...], space: Space) -> None:
    if curves and space.fidelity is None:
        raise SpecError(
            "targets: curves need a fidelity, the number of epochs of a run; for example, "
            "if all runs have 12: max_epoch: {type: choice, choices: [12]}"
        )
    used_names = set(space.names)
    for target in curves + scalars:
        if target.name in used_names:
            raise SpecError(f"targets: {target.name} is also another target or a parameter")
        if target.name in RESERVED:
            raise SpecError(
                f"targets: {target.name} is already an attribute of a prediction; rename it"
            )
        used_names.add(target.name)
    for curve in curves:
        check_curve(curve, scalars, space)


def check_curve(curve: Target, scalars: tuple[Target, ...], space: Space) -> None:
    """Check that a curve has a value in runs of any length, and that it can end at its total.

    Raises SpecError otherwise.
    """
    lengths, where = run_lengths(space), f"targets: {curve.name}"
    if curve.schedule.counts(lengths[0]) == 0:
        raise SpecError(
            f"{where}: it has no value in a run of {lengths[0]} epochs; it has values at "
            f"{curve.schedule}; schedule an earlier epoch, or add last: true"
        )
    if curve.total is None:
        return
    total = next((scalar for scalar in scalars if scalar.name == curve.total), None)
    if total is None:
        raise SpecError(f"{where}: {unknown('total', curve.total, [s.name for s in scalars])}")
    if total.unit != curve.unit or total.low != 0 or total.high is not None:
        raise SpecError(
            f"{where}: its total {total.name} needs the unit {curve.unit!r}, low: 0 and no high"
        )
    schedule = curve.schedule
    has_last = schedule.last or schedule.is_every_epoch
    if not (has_last or all(schedule.includes(length, length) for length in lengths)):
        raise SpecError(
            f"{where}: it has values at {schedule}, so it does not always end at its total "
            f"{total.name}; add last: true to its epochs"
        )


def run_lengths(space: Space) -> Sequence[int]:
    """The possible numbers of epochs of a run, rising; for an integer, all from `low` to `high`."""
    assert space.fidelity is not None  # a space with curves has one
    parameter = space[space.fidelity]
    if isinstance(parameter, Choice):
        return sorted(map(int, parameter.choices))
    return range(int(parameter.low), int(parameter.high) + 1)


def _check_fidelity(space: Space) -> None:
    """Raise SpecError unless the numbers of epochs are whole numbers from 1."""
    if space.fidelity is None:
        return
    parameter = space[space.fidelity]
    if isinstance(parameter, Choice):
        whole = all(is_whole(count) and count >= 1 for count in parameter.choices)
    else:
        whole = parameter.integer and parameter.low >= 1
    if not whole:
        raise SpecError(
            f"fidelity {space.fidelity}: epochs are whole numbers from 1, got {parameter.allowed()}"
        )


def _check_watched(fidelities: tuple[Fidelity, ...], space: Space) -> None:
    """Raise SpecError unless runs of any length have a watched epoch, and all are from 1."""
    watched = watched_epochs(fidelities)
    if watched is None:
        return
    shortest = run_lengths(space)[0]
    if not watched.counts(shortest) or watched.first < 1:
        raise SpecError(
            f"fidelities: watched has {watched}; allowed: epochs from 1, at least one of them in a "
            f"run of {shortest} epochs"
        )


def _check_data_share(fidelities: tuple[Fidelity, ...], space: Space) -> None:
    """Raise SpecError unless the shares of the data are numbers above 0 and at most 1."""
    for fidelity in fidelities:
        if fidelity.role != DATA_SHARE or fidelity.parameter is None:
            continue
        parameter = space[fidelity.parameter]
        values: tuple[Any, ...] = (
            parameter.choices if isinstance(parameter, Choice) else (parameter.low, parameter.high)
        )
        if not all(is_number(value) and 0 < value <= 1 for value in values):
            raise SpecError(
                f"fidelities: {DATA_SHARE} {parameter.name}: shares of the data are numbers above "
                f"0 and at most 1, got {parameter.allowed()}"
            )


def _plain(given: Mapping[Any, Any]) -> dict[str, Any]:
    """A deep copy that consists of text, finite numbers, booleans, null, lists and mappings.

    Raises SpecError for values that JSON cannot represent, and for too many levels or values, which
    includes containers that contain themselves.
    """
    remaining = iter(range(MAX_VALUES))

    def copy(value: Any, where: str, depth: int) -> Any:
        if depth > MAX_DEPTH or next(remaining, None) is None:
            raise SpecError(
                f"{where[:100]}: a spec has at most {MAX_DEPTH} levels and {MAX_VALUES} values"
            )
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    raise SpecError(f"{where}: a name is text (quoted in YAML), got {shown(key)}")
            prefix = f"{where}: " if depth else ""
            return {key: copy(v, f"{prefix}{key}", depth + 1) for key, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [copy(v, where, depth + 1) for v in value]
        if value is None or isinstance(value, (str, bool)):
            return value
        if isinstance(value, numbers.Integral) and abs(int(value)) <= MAX_INTEGER:
            return int(value)
        if isinstance(value, float) and math.isfinite(value):
            return float(value)
        raise SpecError(
            f"{where}: allowed are text, finite numbers (whole: at most 2^53), true, false, null, "
            f"lists and mappings, got {shown(value)}"
        )

    return copy(given, "spec", 0)


def _section(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = {} if given.get(name) is None else given[name]
    if not isinstance(section, Mapping):
        raise SpecError(f"{name}: a mapping, got {shown(section)}")
    return section
