"""Constraints of a search space: forbidden combinations, and constraints of architectures.

The kinds of constraints are `forbidden` and the names of the architecture families.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from eahas.errors import ConfigError, SpecError, shown, unknown
from eahas.space.architectures.family import Network
from eahas.space.architectures.registry import family_names, find_family, read_constraint
from eahas.space.fields import known_fields
from eahas.space.parameters import Parameter

FORBIDDEN = "forbidden"


class Constraint(Protocol):
    """One constraint on a flat canonical configuration."""

    @property
    def family(self) -> str | None:
        """The architecture family of the constraint, or None."""

    def violation(self, config: Mapping[str, Any]) -> str | None:
        """Why the configuration is excluded, or None."""

    def mask(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Which rows are allowed: bool, shape (n,)."""


@dataclass(frozen=True)
class Forbidden:
    """One forbidden combination of values."""

    family: ClassVar[None] = None

    values: tuple[tuple[str, Any], ...]

    def violation(self, config: Mapping[str, Any]) -> str | None:
        if all(config.get(name) == value for name, value in self.values):
            given = ", ".join(f"{name}={value!r}" for name, value in self.values)
            return f"{given} together are forbidden in this space; change one of them"
        return None

    def mask(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        matches = [columns[name] == value for name, value in self.values]
        return ~np.logical_and.reduce(matches)


def constraint_from_dict(
    given: Any, network: Network | None, parameters: Sequence[Parameter]
) -> Constraint:
    """Parse a constraint: `{kind: forbidden, values: {...}}` or `{kind: FAMILY, ...}`.

    Raises SpecError for an unknown kind or field, a name that is not a parameter, a value that the
    parameter does not allow, and parameters that do not define an architecture of the family.
    """
    if not isinstance(given, Mapping):
        raise SpecError(f"constraints: each is a mapping with a kind, got {shown(given)}")
    by_name = {p.name: p for p in parameters}
    fields = {key: value for key, value in given.items() if key != "kind"}
    kind = given.get("kind")
    if kind == FORBIDDEN:
        return _read_forbidden(fields, by_name)
    family = find_family(kind) if isinstance(kind, str) else None
    if family is None:
        raise SpecError("constraints: " + unknown("kind", kind, (*family_names(), FORBIDDEN)))
    return read_constraint(family, fields, network, by_name)


def _read_forbidden(fields: Mapping[str, Any], by_name: Mapping[str, Parameter]) -> Forbidden:
    known_fields(f"constraints: {FORBIDDEN}", fields, ("values",))
    values = fields.get("values")
    if not isinstance(values, Mapping) or not values:
        raise SpecError(f"constraints: forbidden needs values: {{NAME: value}}: {shown(values)}")
    return Forbidden(tuple(_forbidden(name, v, by_name) for name, v in values.items()))


def _forbidden(name: Any, value: Any, by_name: Mapping[str, Parameter]) -> tuple[str, Any]:
    if name not in by_name:
        raise SpecError("constraints: " + unknown("parameter", name, by_name))
    try:
        return name, by_name[name].check(value)
    except ConfigError as error:
        raise SpecError(f"constraints: forbidden: {error}") from None


def require(constraints: Sequence[Constraint], config: Mapping[str, Any]) -> None:
    """Raise ConfigError for the first constraint that the configuration violates."""
    for constraint in constraints:
        why = constraint.violation(config)
        if why is not None:
            raise ConfigError(why)
