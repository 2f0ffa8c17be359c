"""Targets: what a benchmark predicts, as a spec describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from eahas.energy.energy_facts import EnergyFacts
from eahas.errors import SpecError, shown, unknown
from eahas.space.fields import known_fields, number, text
from eahas.spec.energies import ENERGY_FIELDS, declared_sources, energy_from_dict
from eahas.spec.quantities import (
    ENERGY,
    QUANTITIES,
    check_quantity,
    infer_quantity,
    si_factor,
    si_unit,
)
from eahas.spec.schedule import EVERY_EPOCH, Schedule, schedule_from_json

Kind = Literal["curve", "scalar"]
Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Target:
    """One predicted quantity: a curve over epochs or a scalar of the whole run.

    Without a `quantity` it is inferred from the unit. `device` is the one that it is measured on,
    where the spec says so. `energy` holds what the spec states of an energy; None where it states
    nothing.
    """

    name: str
    kind: Kind
    unit: str
    direction: Direction
    low: float | None = None
    high: float | None = None
    cumulative: bool = False  # of a scalar: a total over the epochs; of a curve: what it is so far
    optional: bool = False  # a run that ended well may lack it
    quantity: str = ""  # one of QUANTITIES
    schedule: Schedule = EVERY_EPOCH  # the epochs at which a curve has values
    total: str | None = None  # the scalar at which a cumulative curve ends
    # Facts of a measurement: a target that is measured in another way is the same target.
    device: str | None = field(default=None, compare=False)
    energy: EnergyFacts | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.quantity:
            inferred = infer_quantity(self.name, self.unit, self.direction)
            object.__setattr__(self, "quantity", inferred)

    @property
    def is_energy(self) -> bool:
        """Whether it is an energy, in any unit; its source must then stand beside it."""
        return self.quantity == ENERGY

    @property
    def si_factor(self) -> float | None:
        """What a value is multiplied with to be in `si_unit`; None where that is not known."""
        return si_factor(self.quantity, self.unit)

    @property
    def si_unit(self) -> str:
        """The SI unit: J of a kWh, J/token of mJ/token; the unit itself where none is known."""
        return si_unit(self.quantity, self.unit)


def minimised(target: Target, values: Any) -> Any:
    """Values of a target with the sign that makes smaller ones better."""
    return values if target.direction == "minimize" else -values


MAIN_CURVES = ("valid_ema", "valid")  # the first of these is called the learning curve
# What a spec may say of a target that ships without describing it anew.
STATED_FIELDS = ("quantity", "device", *ENERGY_FIELDS)
# What a prediction has beside its targets, and `query` beside theirs.
RESERVED = (
    *("aleatoric_std", "benchmark", "configs", "curves", "epistemic_std", "epoch", "epochs"),
    *("interval", "learning_curve", "noise_seed", "plot", "question", "single", "std", "support"),
    "to_dict",
)
# What the names that ship mean; a spec may define any other in full.
KNOWN_TARGETS = {
    **{
        name: Target(name, "curve", "percent", "maximize", 0.0, 100.0)
        for name in ("train", "valid", "test", "valid_ema", "test_ema")
    },
    "runtime_s": Target("runtime_s", "scalar", "s", "minimize", 0.0, cumulative=True),
    "train_energy_j": Target("train_energy_j", "scalar", "J", "minimize", 0.0, cumulative=True),
    "test_energy_j": Target("test_energy_j", "scalar", "J", "minimize", 0.0),
}


def main_curve(curves: Sequence[Target]) -> Target | None:
    """The curve among these that is called the learning curve; without any, None.

    The first of MAIN_CURVES, else the first that is not cumulative, else the first.
    """
    named = {target.name: target for target in curves}
    chosen = [named[name] for name in MAIN_CURVES if name in named]
    return next(iter([*chosen, *(t for t in curves if not t.cumulative), *curves]), None)


def curve_groups(curves: Sequence[Target]) -> tuple[tuple[Target, ...], ...]:
    """The curves that one model predicts together, the group of the learning curve first.

    The curves of a group have one schedule, and all of them are cumulative or none is.
    """
    groups: dict[tuple[Schedule, bool], list[Target]] = {}
    main = main_curve(curves)
    for target in sorted(curves, key=lambda t: _group_of(t) != (main and _group_of(main))):
        groups.setdefault(_group_of(target), []).append(target)
    return tuple(map(tuple, groups.values()))


def _group_of(target: Target) -> tuple[Schedule, bool]:
    return target.schedule, target.cumulative


def targets_from_dict(given: Any) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    if given is None:
        return (), ()
    if not isinstance(given, Mapping):
        raise SpecError(f"targets: a mapping with curves and scalars, got {shown(given)}")
    known_fields("targets", given, ("curves", "scalars"))
    curves = _target_list("curve", given.get("curves"))
    scalars = _target_list("scalar", given.get("scalars"))
    declared_sources(target.energy for target in curves + scalars)  # raises where two differ
    return curves, scalars


def _target_list(kind: Kind, given: Any) -> tuple[Target, ...]:
    """Targets by name (the known ones) or as a mapping name -> {unit, quantity, direction, ...}."""
    if given is None:
        return ()
    if not isinstance(given, (list, Mapping)):
        raise SpecError(f"targets: {kind}s is a list or a mapping, got {shown(given)}")
    described = given if isinstance(given, Mapping) else dict.fromkeys(_names(kind, given))
    return tuple(_target(kind, name, described[name]) for name in described)


def _names(kind: Kind, given: list[Any]) -> list[str]:
    names = [text(f"targets: a {kind}", name) for name in given]
    if len(set(names)) < len(names):
        raise SpecError(f"targets: a {kind} stands twice in {shown(names)}")
    return names


def _target(kind: Kind, name: str, given: Any) -> Target:
    if given is None:
        known = KNOWN_TARGETS.get(name)
        if known is None or known.kind != kind:
            allowed = [t.name for t in KNOWN_TARGETS.values() if t.kind == kind]
            raise SpecError(
                f"targets: {unknown(kind, name, allowed)}; describe another as "
                f"{name}: {{unit: ..., direction: maximize|minimize}}"
            )
        return known
    where = f"targets: {name}"
    if not isinstance(given, Mapping):
        raise SpecError(f"{where} is described by a mapping, got {shown(given)}")
    own = {"scalar": ("cumulative", "optional"), "curve": ("cumulative", "epochs", "total")}[kind]
    known_fields(where, given, ("unit", "direction", "low", "high", *own, *STATED_FIELDS))
    schedule = schedule_from_json(f"{where}: epochs", given.get("epochs"))
    device = None if given.get("device") is None else text(f"{where}: device", given["device"])
    energy = energy_from_dict(where, given, device)
    shipped = KNOWN_TARGETS.get(name)
    stated = {*STATED_FIELDS, *(("epochs",) if kind == "curve" else ())}
    if shipped is not None and shipped.kind == kind and given and {*given} <= stated:
        described = replace(shipped, device=device, energy=energy, schedule=schedule)
        return _with_quantity(where, described, given.get("quantity"))
    direction = given.get("direction", "minimize")
    if direction not in ("maximize", "minimize"):
        raise SpecError(f"{where}: direction is maximize or minimize, got {shown(direction)}")
    low, high = (number(f"{where}: {end}", given.get(end)) for end in ("low", "high"))
    if low is not None and high is not None and not low < high:
        raise SpecError(f"{where}: low < high is needed, got low={low!r}, high={high!r}")
    cumulative, optional = given.get("cumulative", False), given.get("optional", False)
    for field_name, value in (("cumulative", cumulative), ("optional", optional)):
        if not isinstance(value, bool):
            raise SpecError(f"{where}: {field_name} is true or false, got {shown(value)}")
    unit = text(f"{where}: unit", given.get("unit"), default="")
    total = given.get("total")
    if kind == "curve" and cumulative:
        if high is not None or low not in (None, 0):
            raise SpecError(f"{where}: a cumulative curve has low: 0 and no high")
        low = 0.0
    elif total is not None:
        raise SpecError(f"{where}: total is for a cumulative curve; add cumulative: true")
    described = Target(
        name=text("target", name),
        kind=kind,
        unit=unit,
        direction=direction,
        low=low,
        high=high,
        cumulative=cumulative,
        optional=optional,
        schedule=schedule,
        total=None if total is None else text(f"{where}: total", total),
        device=device,
        energy=energy,
    )
    return _with_quantity(where, described, given.get("quantity"))


def _with_quantity(where: str, target: Target, quantity: Any) -> Target:
    """The target with the quantity that the spec states, or the inferred one.

    Raises SpecError where the unit is none of that quantity, and where facts of an energy are
    stated of something else.
    """
    if quantity is not None:
        if not isinstance(quantity, str) or quantity not in QUANTITIES:
            raise SpecError(f"{where}: {unknown('quantity', quantity, QUANTITIES)}")
        wrong = check_quantity(quantity, target.name, target.unit, target.direction)
        if wrong is not None:
            raise SpecError(f"{where}: {wrong}; got unit {shown(target.unit)}")
        target = replace(target, quantity=quantity)
    if target.energy is not None and not target.is_energy:
        raise SpecError(
            f"{where}: {', '.join(ENERGY_FIELDS)} are of an energy, and its quantity is "
            f"{target.quantity}"
        )
    return target
