"""Targets: the quantities that a benchmark predicts, as its spec defines them."""

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
    """One predicted quantity: a curve over epochs or a scalar for the whole run.

    If `quantity` is empty, it is inferred from the unit. `device` is the device of the measurement,
    if the spec states it. `energy` has the facts about an energy that the spec states; None if it
    states none.
    """

    name: str
    kind: Kind
    unit: str
    direction: Direction
    low: float | None = None
    high: float | None = None
    cumulative: bool = False  # a scalar that is a total over the epochs; a curve of partial sums
    optional: bool = False  # it may be missing in a successful run
    quantity: str = ""  # one of QUANTITIES
    schedule: Schedule = EVERY_EPOCH  # the epochs at which a curve has values
    total: str | None = None  # the scalar at which a cumulative curve ends
    # Facts about the measurement, which do not distinguish targets.
    device: str | None = field(default=None, compare=False)
    energy: EnergyFacts | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.quantity:
            inferred = infer_quantity(self.name, self.unit, self.direction)
            object.__setattr__(self, "quantity", inferred)

    @property
    def is_energy(self) -> bool:
        """Whether it is an energy, in any unit; an energy is displayed with its source."""
        return self.quantity == ENERGY

    @property
    def si_factor(self) -> float | None:
        """The factor from a value to `si_unit`; None if it is not known."""
        return si_factor(self.quantity, self.unit)

    @property
    def si_unit(self) -> str:
        """The SI unit: J for kWh, J/token for mJ/token; the unit itself if none is known."""
        return si_unit(self.quantity, self.unit)


def minimised(target: Target, values: Any) -> Any:
    """The values of a target, negated if larger values are better, so that smaller is better."""
    return values if target.direction == "minimize" else -values


MAIN_CURVES = ("valid_ema", "valid")  # the first of these is the learning curve
# Fields that a spec may set for a known target without redefining it.
STATED_FIELDS = ("quantity", "device", *ENERGY_FIELDS)
# Other attributes of a prediction, and other keys in the results of `query` and `trajectory`.
RESERVED = (
    *("aleatoric_std", "benchmark", "configs", "curves", "epistemic_std", "epoch", "epochs"),
    *("interval", "learning_curve", "noise_seed", "plot", "question", "single", "std", "support"),
    "to_dict",
)
# The known targets, which a spec can list by name; it must define all others.
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
    """The learning curve among some curves; None without curves.

    It is the first of MAIN_CURVES, else the first curve that is not cumulative, else the first.
    """
    by_name = {target.name: target for target in curves}
    main_curves = [by_name[name] for name in MAIN_CURVES if name in by_name]
    return next(iter([*main_curves, *(t for t in curves if not t.cumulative), *curves]), None)


def curve_groups(curves: Sequence[Target]) -> tuple[tuple[Target, ...], ...]:
    """The curves in groups that one model predicts; the group of the learning curve is the first.

    The curves of a group have the same schedule, and either all or none of them are cumulative.
    """
    groups: dict[tuple[Schedule, bool], list[Target]] = {}
    main = main_curve(curves)
    for target in sorted(curves, key=lambda t: _group_of(t) != (main and _group_of(main))):
        groups.setdefault(_group_of(target), []).append(target)
    return tuple(map(tuple, groups.values()))


def _group_of(target: Target) -> tuple[Schedule, bool]:
    return target.schedule, target.cumulative


def targets_from_dict(given: Any) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """Parse the section `targets` of a spec into curves and scalars; SpecError if malformed."""
    if given is None:
        return (), ()
    if not isinstance(given, Mapping):
        raise SpecError(f"targets: a mapping with curves and scalars, got {shown(given)}")
    known_fields("targets", given, ("curves", "scalars"))
    curves = _target_list("curve", given.get("curves"))
    scalars = _target_list("scalar", given.get("scalars"))
    declared_sources(target.energy for target in curves + scalars)  # raises if two differ
    return curves, scalars


def _target_list(kind: Kind, given: Any) -> tuple[Target, ...]:
    """Targets from a list of known names or a mapping name -> {unit, quantity, direction, ...}."""
    if given is None:
        return ()
    if not isinstance(given, (list, Mapping)):
        raise SpecError(f"targets: {kind}s is a list or a mapping, got {shown(given)}")
    described = given if isinstance(given, Mapping) else dict.fromkeys(_names(kind, given))
    return tuple(_target(kind, name, described[name]) for name in described)


def _names(kind: Kind, given: list[Any]) -> list[str]:
    names = [text(f"targets: a {kind}", name) for name in given]
    if len(set(names)) < len(names):
        raise SpecError(f"targets: a {kind} occurs twice in {shown(names)}")
    return names


def _target(kind: Kind, name: str, given: Any) -> Target:
    if given is None:
        known = KNOWN_TARGETS.get(name)
        if known is None or known.kind != kind:
            allowed = [t.name for t in KNOWN_TARGETS.values() if t.kind == kind]
            raise SpecError(
                f"targets: {unknown(kind, name, allowed)}; define another target as "
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
        raise SpecError(f"{where}: only a cumulative curve has a total; add cumulative: true")
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
    """The target with the quantity that the spec states; without one, with the inferred quantity.

    Raises SpecError if the unit does not fit the quantity, or if the target has facts about an
    energy but another quantity.
    """
    if quantity is not None:
        if not isinstance(quantity, str) or quantity not in QUANTITIES:
            raise SpecError(f"{where}: {unknown('quantity', quantity, QUANTITIES)}")
        conflict = check_quantity(quantity, target.name, target.unit, target.direction)
        if conflict is not None:
            raise SpecError(f"{where}: {conflict}; got unit {shown(target.unit)}")
        target = replace(target, quantity=quantity)
    if target.energy is not None and not target.is_energy:
        raise SpecError(
            f"{where}: only an energy has {', '.join(ENERGY_FIELDS)}, but its quantity is "
            f"{target.quantity}"
        )
    return target
