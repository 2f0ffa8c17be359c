"""What a space excludes beyond its bounds: RegNet's constraints and forbidden combinations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from eahas.errors import ConfigError, SpecError, unknown
from eahas.regnet import (
    NetworkFacts,
    complexity,
    complexity_columns,
    generate_regnet_columns,
    stages_of,
)

REGNET_PARAMETERS = ("REGNET.DEPTH", "REGNET.W0", "REGNET.WA", "REGNET.WM", "REGNET.GROUP_W")


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
    flops: tuple[float, float] | None = None
    params: tuple[float, float] | None = None
    acts: tuple[float, float] | None = None

    @property
    def limits(self) -> dict[str, tuple[float, float]]:
        """The complexity ranges that this space has."""
        named = {"flops": self.flops, "params": self.params, "acts": self.acts}
        return {name: limit for name, limit in named.items() if limit is not None}

    def violation(self, config: Mapping[str, Any]) -> str | None:
        stages = stages_of(config, self.facts)
        low, high = self.num_stages
        given = ", ".join(f"{name}={config[name]!r}" for name in REGNET_PARAMETERS)
        if stages.count != stages.possible:
            return (
                f"{given}: this RegNet uses {stages.count} of {stages.possible} possible stages; "
                "allowed: all of them"
            )
        if not low <= stages.count <= high:
            return f"{given}: this RegNet has {stages.count} stages; allowed: {low}..{high}"
        if self.limits:
            found = complexity(stages, self.facts)
            for name, (least, most) in self.limits.items():
                value = getattr(found, name)
                if not least <= value <= most:
                    return f"{given}: this RegNet has {value:,} {name}; allowed: {least:,.0f}..{most:,.0f}"
        return None

    def mask(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        stages = generate_regnet_columns(
            *(columns[name] for name in REGNET_PARAMETERS), self.facts.bottleneck_multiplier
        )
        low, high = self.num_stages
        allowed = (stages.count == stages.possible) & (stages.count >= low) & (stages.count <= high)
        if self.limits:
            found = dict(zip(("flops", "params", "acts"), complexity_columns(stages, self.facts)))
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


def constraint_from_dict(given: Any, facts: NetworkFacts | None, names: Sequence[str]) -> Constraint:
    """A constraint from its spec: `{kind: regnet, ...}` or `{kind: forbidden, values: {...}}`.

    Raises SpecError for an unknown kind or field, or a name that is no parameter.
    """
    if not isinstance(given, Mapping):
        raise SpecError(f"constraints: each is a mapping with a kind, got {given!r}")
    fields = dict(given)
    kind = fields.pop("kind", None)
    if kind == "regnet":
        if facts is None:
            raise SpecError("constraints: kind regnet needs the spec's network section")
        missing = [name for name in REGNET_PARAMETERS if name not in names]
        if missing:
            raise SpecError(f"constraints: kind regnet needs the parameters {', '.join(missing)}")
        num_stages = _range("num_stages", fields.pop("num_stages", None), required=True)
        limits = {name: _range(name, fields.pop(name, None)) for name in ("flops", "params", "acts")}
        _nothing_left("regnet", fields)
        assert num_stages is not None
        return RegNetConstraint(facts, (int(num_stages[0]), int(num_stages[1])), **limits)
    if kind == "forbidden":
        values = fields.pop("values", None)
        _nothing_left("forbidden", fields)
        if not isinstance(values, Mapping) or not values:
            raise SpecError(f"constraints: forbidden needs values: {{NAME: value}}, got {values!r}")
        for name in values:
            if name not in names:
                raise SpecError("constraints: " + unknown("parameter", name, names))
        return Forbidden(tuple(values.items()))
    raise SpecError("constraints: " + unknown("kind", kind, ("regnet", "forbidden")))


def _range(name: str, given: Any, required: bool = False) -> tuple[float, float] | None:
    if given is None and not required:
        return None
    numbers = isinstance(given, (list, tuple)) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in given
    )
    if not numbers or len(given) != 2 or not given[0] <= given[1]:
        raise SpecError(f"constraints: {name} is a range [low, high], got {given!r}")
    return float(given[0]), float(given[1])


def _nothing_left(kind: str, fields: Mapping[str, Any]) -> None:
    if fields:
        raise SpecError(f"constraints: kind {kind} has no field {', '.join(map(str, fields))}")


def require(constraints: Sequence[Constraint], config: Mapping[str, Any]) -> None:
    """ConfigError for the first constraint that the configuration violates."""
    for constraint in constraints:
        why = constraint.violation(config)
        if why is not None:
            raise ConfigError(why)
