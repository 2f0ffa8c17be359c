"""Targets: what a benchmark predicts, as a spec describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eahas.errors import SpecError, shown, unknown
from eahas.space.fields import known_fields, number, text

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
    cumulative: bool = False  # a total over the epochs of a run
    optional: bool = False  # a run that ended well may lack it

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
    """The curve among these that is called the learning curve; without any, None."""
    named = {target.name: target for target in curves}
    return next((named[name] for name in MAIN_CURVES if name in named), next(iter(curves), None))


def targets_from_dict(given: Any) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    if given is None:
        return (), ()
    if not isinstance(given, Mapping):
        raise SpecError(f"targets: a mapping with curves and scalars, got {shown(given)}")
    known_fields("targets", given, ("curves", "scalars"))
    return _target_list("curve", given.get("curves")), _target_list("scalar", given.get("scalars"))


def _target_list(kind: Kind, given: Any) -> tuple[Target, ...]:
    """Targets by name (the known ones) or as a mapping name -> {unit, direction, low, high}."""
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
    own = ("cumulative", "optional") if kind == "scalar" else ()
    known_fields(where, given, ("unit", "direction", "low", "high", *own))
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
    return Target(text("target", name), kind, unit, direction, low, high, cumulative, optional)
