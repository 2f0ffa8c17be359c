"""What a space excludes beyond its bounds: RegNet's constraints and forbidden combinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from eahas.errors import ConfigError, SpecError, shown, unknown
from eahas.space.architectures.regnet import (
    NetworkFacts,
    Stages,
    complexity,
    complexity_columns,
    generate_regnet,
    generate_regnet_columns,
)
from eahas.space.parameters import Choice, Parameter

REGNET_PARAMETERS = ("REGNET.DEPTH", "REGNET.W0", "REGNET.WA", "REGNET.WM", "REGNET.GROUP_W")
# What the arithmetic of a RegNet can take: least, most, and whether only whole numbers.
REGNET_DOMAIN = {
    "REGNET.DEPTH": (1, 1_000, True),
    "REGNET.W0": (1, 10_000, True),
    "REGNET.WA": (0, 10_000, False),
    "REGNET.WM": (1.001, 10, False),
    "REGNET.GROUP_W": (1, 10_000, True),
}
COMPLEXITIES = ("flops", "params", "acts")
Range = tuple[float, float]


class Constraint(Protocol):
    """One rule over a whole (flat, canonical) configuration."""

    def violation(self, config: Mapping[str, Any]) -> str | None:
        """Why the configuration is excluded, or None."""

    def mask(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which rows are allowed: bool, shape (n,)."""


@dataclass(frozen=True)
class RegNetConstraint:
    """Every possible stage is used, their number and the complexity lie in the given ranges."""

    facts: NetworkFacts
    num_stages: tuple[int, int]
    flops: Range | None = None
    params: Range | None = None
    acts: Range | None = None

    @cached_property
    def limits(self) -> dict[str, Range]:
        """The complexity ranges that this space has."""
        named = {"flops": self.flops, "params": self.params, "acts": self.acts}
        return {name: limit for name, limit in named.items() if limit is not None}

    def violation(self, config: Mapping[str, Any]) -> str | None:
        shape = map(config.__getitem__, REGNET_PARAMETERS)
        stages = generate_regnet(*shape, self.facts.bottleneck_multiplier)
        why = self._violated(stages)
        if why is None:
            return None
        given = ", ".join(f"{name}={config[name]!r}" for name in REGNET_PARAMETERS)
        return f"{given}: this RegNet {why}"

    def _violated(self, stages: Stages) -> str | None:
        low, high = self.num_stages
        count = len(stages.widths)
        if count != stages.possible:
            return f"uses {count} of {stages.possible} possible stages; allowed: all of them"
        if not low <= count <= high:
            return f"has {count} stages; allowed: {low}..{high}"
        if self.limits:
            found = complexity(stages, self.facts)
            for name, (least, most) in self.limits.items():
                value = getattr(found, name)
                if not least <= value <= most:
                    return f"has {value:,} {name}; allowed: {least:,.0f}..{most:,.0f}"
        return None

    def mask(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        depth, w0, wa, wm, group_w = (columns[name] for name in REGNET_PARAMETERS)
        stages = generate_regnet_columns(
            depth, w0, wa, wm, group_w, self.facts.bottleneck_multiplier
        )
        low, high = self.num_stages
        allowed = (stages.count == stages.possible) & (stages.count >= low) & (stages.count <= high)
        if self.limits:
            found = dict(zip(COMPLEXITIES, complexity_columns(stages, self.facts), strict=True))
            for name, (least, most) in self.limits.items():
                allowed &= (found[name] >= least) & (found[name] <= most)
        return allowed


@dataclass(frozen=True)
class Forbidden:
    """One combination of values that may not occur together."""

    values: tuple[tuple[str, Any], ...]

    def violation(self, config: Mapping[str, Any]) -> str | None:
        if all(config.get(name) == value for name, value in self.values):
            given = ", ".join(f"{name}={value!r}" for name, value in self.values)
            return f"{given} together are forbidden in this space; change one of them"
        return None

    def mask(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        together = [columns[name] == value for name, value in self.values]
        return ~np.logical_and.reduce(together)


def constraint_from_dict(
    given: Any, facts: NetworkFacts | None, parameters: Sequence[Parameter]
) -> Constraint:
    """A constraint from its spec: `{kind: regnet, ...}` or `{kind: forbidden, values: {...}}`.

    Raises SpecError for an unknown kind or field, a name that is no parameter, a value that the
    parameter cannot take, and parameters that do not make a RegNet.
    """
    if not isinstance(given, Mapping):
        raise SpecError(f"constraints: each is a mapping with a kind, got {shown(given)}")
    by_name = {p.name: p for p in parameters}
    fields = {key: value for key, value in given.items() if key != "kind"}
    kind = given.get("kind")
    if kind == "regnet":
        _known_fields(kind, fields, ("num_stages", *COMPLEXITIES))
        if facts is None:
            raise SpecError("constraints: kind regnet needs the spec's network section")
        _check_regnet(by_name)
        limits = {
            name: _range(name, fields[name])
            for name in COMPLEXITIES
            if fields.get(name) is not None
        }
        return RegNetConstraint(facts, _stage_counts(fields.get("num_stages")), **limits)
    if kind == "forbidden":
        _known_fields(kind, fields, ("values",))
        values = fields.get("values")
        if not isinstance(values, Mapping) or not values:
            raise SpecError(
                f"constraints: forbidden needs values: {{NAME: value}}: {shown(values)}"
            )
        return Forbidden(tuple(_forbidden(name, v, by_name) for name, v in values.items()))
    raise SpecError("constraints: " + unknown("kind", kind, ("regnet", "forbidden")))


def _forbidden(name: Any, value: Any, by_name: Mapping[str, Parameter]) -> tuple[str, Any]:
    if name not in by_name:
        raise SpecError("constraints: " + unknown("parameter", name, by_name))
    try:
        return name, by_name[name].check(value)
    except ConfigError as error:
        raise SpecError(f"constraints: forbidden: {error}") from None


def _check_regnet(by_name: Mapping[str, Parameter]) -> None:
    missing = [name for name in REGNET_PARAMETERS if name not in by_name]
    if missing:
        raise SpecError(f"constraints: kind regnet needs the parameters {', '.join(missing)}")
    for name, (least, most, whole) in REGNET_DOMAIN.items():
        parameter = by_name[name]
        if parameter.condition is not None:
            raise SpecError(f"{name}: a parameter of a RegNet has no condition (when)")
        if isinstance(parameter, Choice):
            kinds = (int,) if whole else (int, float)
            fits = all(type(c) in kinds and least <= c <= most for c in parameter.choices)
        else:
            fits = least <= parameter.low and parameter.high <= most
            fits = fits and (parameter.integer or not whole)
        if not fits:
            kind = "integer" if whole else "number"
            raise SpecError(
                f"{name}: kind regnet needs {kind}s in {least}..{most}, got {parameter.allowed()}"
            )


def _range(name: str, given: Any) -> Range:
    numbers = isinstance(given, (list, tuple)) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in given
    )
    if not numbers or len(given) != 2 or not given[0] <= given[1]:
        raise SpecError(f"constraints: {name} is a range [low, high], got {shown(given)}")
    return float(given[0]), float(given[1])


def _stage_counts(given: Any) -> tuple[int, int]:
    low, high = _range("num_stages", given)
    if low % 1 or high % 1 or low < 1:
        raise SpecError(f"constraints: num_stages are whole numbers from 1, got {shown(given)}")
    return int(low), int(high)


def _known_fields(kind: str, fields: Mapping[Any, Any], allowed: Sequence[str]) -> None:
    for field in fields:
        if field not in allowed:
            raise SpecError(f"constraints: {kind}: " + unknown("field", field, allowed))


def require(constraints: Sequence[Constraint], config: Mapping[str, Any]) -> None:
    """ConfigError for the first constraint that the configuration violates."""
    for constraint in constraints:
        why = constraint.violation(config)
        if why is not None:
            raise ConfigError(why)
