"""The default constraint of architecture families: valid architectures of limited complexity.

In a spec: `{kind: nasbench101, flops: [0, 1e9], params: [0, 5e6]}`; the ranges are optional.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.space.architectures.family import ArchitectureFamily, Columns, Flat
from eahas.space.architectures.limits import Range, exceeded, inside, read_limits
from eahas.space.fields import known_fields


@dataclass(frozen=True)
class ArchitectureConstraint:
    """The parameters define a valid architecture, and its complexity is in the given ranges."""

    architecture: ArchitectureFamily
    network: Any
    ranges: tuple[tuple[str, Range], ...] = ()

    @property
    def family(self) -> str:
        return self.architecture.name

    @cached_property
    def limits(self) -> dict[str, Range]:
        return dict(self.ranges)

    def violation(self, config: Flat) -> str | None:
        """Why the architecture is excluded, or None."""
        validity = self.architecture.validity
        why = None if validity is None else validity.violation(config)
        if why is None and self.limits:
            why = exceeded(self.limits, self.architecture.complexity(config, self.network))
            why = why and f"this architecture of {self.family} {why}"
        return why

    def mask(self, columns: Columns) -> np.ndarray:
        """Which rows are allowed: bool, shape (n,)."""
        validity = self.architecture.validity
        allowed = np.ones(len(columns[self.architecture.parameters[0]]), dtype=bool)
        if validity is not None:
            allowed &= validity.mask(columns)
        if self.limits and allowed.any():  # only valid architectures have a complexity
            kept = {name: columns[name][allowed] for name in self.architecture.parameters}
            complexity = self.architecture.complexity_columns(kept, self.network)
            allowed[allowed] = inside(self.limits, complexity)
        return allowed


def read_architecture_constraint(
    family: ArchitectureFamily, fields: Mapping[str, Any], network: Any
) -> ArchitectureConstraint:
    """Parse the fields of the constraint in a spec; SpecError for an unknown or malformed field."""
    known_fields(f"constraints: {family.name}", fields, family.quantities)
    limits = read_limits(fields, family.quantities)
    return ArchitectureConstraint(family, network, tuple(limits.items()))
