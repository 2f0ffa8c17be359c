"""The spec of a benchmark: its space, its targets, and the facts of the training behind it.

One plain dictionary (YAML while a sweep or a fit is set up, JSON inside a manifest) becomes one
frozen `Spec`. The format is documented in docs/space-format.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from eahas.constraints import constraint_from_dict
from eahas.errors import SpecError, unknown
from eahas.parameters import Choice, Condition, Numeric, Parameter
from eahas.regnet import STEM_STRIDES, NetworkFacts
from eahas.space import Space

SECTIONS = (
    "name",
    "version",
    "description",
    "parameters",
    "constraints",
    "fidelity",
    "targets",
    "network",
    "data",
    "training",
    "measurement",
)


@dataclass(frozen=True)
class Target:
    """One predicted quantity: a curve over epochs or a scalar of the whole run."""

    name: str
    kind: str  # "curve" or "scalar"
    unit: str
    direction: str  # "maximize" or "minimize"
    low: float | None = None
    high: float | None = None


# What the names that ship mean; a spec may define any other in full.
KNOWN_TARGETS = {
    **{
        name: Target(name, "curve", "percent", "maximize", 0.0, 100.0)
        for name in ("train", "valid", "test")
    },
    "runtime_s": Target("runtime_s", "scalar", "s", "minimize", 0.0),
    "train_energy_j": Target("train_energy_j", "scalar", "J", "minimize", 0.0),
    "test_energy_j": Target("test_energy_j", "scalar", "J", "minimize", 0.0),
}


@dataclass(frozen=True)
class Spec:
    """A parsed spec. `source` is the dictionary it came from, as it goes into a manifest."""

    name: str
    version: int
    description: str
    space: Space
    curves: tuple[Target, ...]
    scalars: tuple[Target, ...]
    network: NetworkFacts | None
    data: Mapping[str, Any] | None
    training: Mapping[str, Any]
    measurement: Mapping[str, Any]
    source: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.curves + self.scalars


def spec_from_dict(given: Any) -> Spec:
    """The spec of a dictionary. Raises SpecError naming the section, the value and what is allowed."""
    if not isinstance(given, Mapping):
        raise SpecError(f"a spec is a mapping of sections, got {type(given).__name__}")
    for section in given:
        if section not in SECTIONS:
            raise SpecError(unknown("section", section, SECTIONS))
    for section in ("name", "parameters"):
        if section not in given:
            raise SpecError(f"a spec needs the section {section}")
    name = _text("name", given["name"])
    version = given.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SpecError(f"version: a whole number from 1, got {version!r}")
    parameters = _section(given, "parameters")
    if not parameters:
        raise SpecError("parameters: at least one is needed")
    parsed = tuple(parameter_from_dict(_text("parameter", n), p) for n, p in parameters.items())
    network = _network(given["network"]) if given.get("network") is not None else None
    constraints = given.get("constraints") or []
    if not isinstance(constraints, (list, tuple)):
        raise SpecError(f"constraints: a list, got {constraints!r}")
    names = [p.name for p in parsed]
    space = Space(
        name=name,
        parameters=parsed,
        constraints=tuple(constraint_from_dict(c, network, names) for c in constraints),
        fidelity=given.get("fidelity"),
    )
    curves, scalars = _targets(given.get("targets"))
    if curves and space.fidelity is None:
        raise SpecError("targets: curves need a fidelity, the parameter that holds the epochs")
    _check_fidelity(space)
    return Spec(
        name=name,
        version=version,
        description=str(given.get("description", "")),
        space=space,
        curves=curves,
        scalars=scalars,
        network=network,
        data=given.get("data"),
        training=_section(given, "training"),
        measurement=_section(given, "measurement"),
        source=dict(given),
    )


def parameter_from_dict(name: str, given: Any) -> Parameter:
    """A parameter from `{type: integer|float|choice|boolean, ...}`; SpecError where malformed."""
    if not isinstance(given, Mapping):
        raise SpecError(f"{name}: a mapping with a type, got {given!r}")
    rest = dict(given)
    kind = rest.pop("type", None)
    when = rest.pop("when", None)
    condition = None if when is None else _condition(name, when)
    if kind in ("integer", "float"):
        low, high = (_number(name, end, rest.pop(end, None)) for end in ("low", "high"))
        quantum = rest.pop("quantum", None)
        base = rest.pop("power_of_two_below", None)
        log = rest.pop("log", False)
        _nothing_left(name, kind, rest)
        if base is not None and (isinstance(base, bool) or not isinstance(base, int) or base < 1):
            raise SpecError(f"{name}: power_of_two_below is a whole number, got {base!r}")
        if not isinstance(log, bool):
            raise SpecError(f"{name}: log is true or false, got {log!r}")
        return Numeric(
            name=name,
            low=low,
            high=high,
            integer=kind == "integer",
            log=log,
            quantum=None if quantum is None else _number(name, "quantum", quantum),
            power_of_two_below=base,
            condition=condition,
        )
    if kind in ("choice", "boolean"):
        choices = rest.pop("choices", [False, True] if kind == "boolean" else None)
        _nothing_left(name, kind, rest)
        if not isinstance(choices, (list, tuple)):
            raise SpecError(f"{name}: choices is a list, got {choices!r}")
        return Choice(name, tuple(choices), condition)
    raise SpecError(f"{name}: " + unknown("type", kind, ("integer", "float", "choice", "boolean")))


def _condition(name: str, when: Any) -> Condition:
    if not isinstance(when, Mapping) or len(when) != 1:
        raise SpecError(f"{name}: when is {{PARENT: [values]}}, got {when!r}")
    ((parent, values),) = when.items()
    if not isinstance(values, (list, tuple)) or not values:
        raise SpecError(f"{name}: when needs a list of values of {parent}, got {values!r}")
    return Condition(str(parent), tuple(values))


def _targets(given: Any) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    if given is None:
        return (), ()
    if not isinstance(given, Mapping) or set(given) - {"curves", "scalars"}:
        raise SpecError(f"targets: a mapping with curves and scalars, got {given!r}")
    return (
        _target_list("curve", given.get("curves") or ()),
        _target_list("scalar", given.get("scalars") or ()),
    )


def _target_list(kind: str, given: Any) -> tuple[Target, ...]:
    """Targets by name (the known ones) or as a mapping name -> {unit, direction, low, high}."""
    items = given.items() if isinstance(given, Mapping) else [(name, None) for name in given]
    targets = []
    for name, described in items:
        if described is None:
            known = KNOWN_TARGETS.get(name)
            if known is None or known.kind != kind:
                allowed = [t.name for t in KNOWN_TARGETS.values() if t.kind == kind]
                raise SpecError(
                    f"targets: {unknown(kind, name, allowed)}; describe another as "
                    f"{name}: {{unit: ..., direction: maximize|minimize}}"
                )
            targets.append(known)
            continue
        if not isinstance(described, Mapping):
            raise SpecError(f"targets: {name} is described by a mapping, got {described!r}")
        allowed_fields = [f.name for f in fields(Target) if f.name not in ("name", "kind")]
        for key in described:
            if key not in allowed_fields:
                raise SpecError(f"targets: {name}: " + unknown("field", key, allowed_fields))
        direction = described.get("direction", "minimize")
        if direction not in ("maximize", "minimize"):
            raise SpecError(f"targets: {name}: direction is maximize or minimize: {direction!r}")
        low, high = (
            None if described.get(end) is None else _number(name, end, described[end])
            for end in ("low", "high")
        )
        unit = str(described.get("unit", ""))
        targets.append(Target(_text("target", name), kind, unit, direction, low, high))
    return tuple(targets)


def _network(given: Any) -> NetworkFacts:
    if not isinstance(given, Mapping):
        raise SpecError(f"network: a mapping, got {given!r}")
    allowed = [f.name for f in fields(NetworkFacts)]
    for key in given:
        if key not in allowed:
            raise SpecError("network: " + unknown("field", key, allowed))
    required = ("image_size", "in_channels", "classes", "stem_width")
    missing = [key for key in required if key not in given]
    if missing:
        raise SpecError(f"network: {', '.join(missing)} missing")
    if given.get("stem", "res_stem_cifar") not in STEM_STRIDES:
        raise SpecError("network: " + unknown("stem", given["stem"], STEM_STRIDES))
    return NetworkFacts(**given)


def _check_fidelity(space: Space) -> None:
    """Epoch counts must be whole numbers from 1, whatever kind of parameter holds them."""
    if space.fidelity is None:
        return
    parameter = space[space.fidelity]
    if isinstance(parameter, Choice):
        counts: list[Any] = list(parameter.choices)
    else:
        counts = [parameter.low] if parameter.integer else [0.5]
    for count in counts:
        whole = isinstance(count, (int, float)) and not isinstance(count, bool)
        if not whole or count < 1 or count % 1:
            raise SpecError(f"fidelity {space.fidelity}: epochs are whole numbers from 1")


def _section(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = given.get(name) or {}
    if not isinstance(section, Mapping):
        raise SpecError(f"{name}: a mapping, got {section!r}")
    return section


def _text(what: str, given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise SpecError(f"{what}: a name, got {given!r}")
    return given


def _number(name: str, end: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise SpecError(f"{name}: {end} is a number, got {given!r}")
    return given


def _nothing_left(name: str, kind: Any, rest: Mapping[str, Any]) -> None:
    if rest:
        raise SpecError(f"{name}: type {kind} has no field {', '.join(map(str, rest))}")
