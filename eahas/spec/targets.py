"""Targets: what a benchmark predicts, as a spec describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from eahas.errors import SpecError, shown, unknown
from eahas.spec.fields import known_fields, number, text
from eahas.spec.schedule import EVERY_EPOCH, Schedule, schedule_from_json

Kind = Literal["curve", "scalar"]
Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Target:
    """One predicted quantity: a curve over epochs or a scalar of the whole run."""

    name: str
    kind: Kind
    unit: str
    direction: Direction
    low: float | None = None
    high: float | None = None
    cumulative: bool = False  # of a scalar: a total over the epochs; of a curve: what it is so far
    optional: bool = False  # a run that ended well may lack it
    schedule: Schedule = EVERY_EPOCH  # the epochs at which a curve has values
    total: str | None = None  # the scalar at which a cumulative curve ends

    @property
    def is_energy(self) -> bool:
        """Whether it is joules, whose source must stand beside them."""
        return self.unit == "J"


def minimised(target: Target, values: Any) -> Any:
    """Values of a target with the sign that makes smaller ones better."""
    return values if target.direction == "minimize" else -values


MAIN_CURVES = ("valid_ema", "valid")  # the first of these is called the learning curve
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
    return _target_list("curve", given.get("curves")), _target_list("scalar", given.get("scalars"))


def _target_list(kind: Kind, given: Any) -> tuple[Target, ...]:
    """Targets by name (the known ones) or as a mapping name -> {unit, direction, ...}."""
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
    known_fields(where, given, ("unit", "direction", "low", "high", *own))
    schedule = schedule_from_json(f"{where}: epochs", given.get("epochs"))
    if kind == "curve" and name in KNOWN_TARGETS and set(given) <= {"epochs"}:
        return replace(_target(kind, name, None), schedule=schedule)
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
    return Target(
        text("target", name),
        kind,
        unit,
        direction,
        low,
        high,
        cumulative,
        optional,
        schedule,
        None if total is None else text(f"{where}: total", total),
    )
