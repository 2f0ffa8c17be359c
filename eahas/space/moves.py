"""Moves in a space: the neighbours of a configuration, and random mutations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from eahas.space.architectures.family import ArchitectureFamily
from eahas.space.constraints import Constraint
from eahas.space.parameters import Parameter, is_active

Flat = dict[str, Any]
MAX_REJECTIONS = 100_000


@dataclass(frozen=True)
class Moves:
    """The moves between flat canonical configurations.

    A step changes one parameter: to a neighbouring grid value (by a twentieth of the range without
    a grid), or to any other choice. A parameter that the step activates gets the middle of its
    grid. If the architecture family has its own moves (NAS-Bench-101: a change of one operation,
    edge or vertex), they replace the steps of its parameters; each leads to another architecture,
    no two of them isomorphic.

    Attributes:
        architecture: the family of the space; None without one.
        contains: whether the space contains a configuration; a space may have fewer values than
            the architecture family.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...]
    architecture: ArchitectureFamily | None
    contains: Callable[[Mapping[str, Any]], bool]

    def neighbours(self, flat: Flat) -> Iterator[Flat]:
        """Every configuration one step away that satisfies the constraints."""
        steps = (
            self._update_active({**flat, parameter.name: value})
            for parameter in self.parameters
            if parameter.name in flat and parameter.name not in self._moved_parameters
            for value in parameter.neighbours(flat[parameter.name])
        )
        return chain(self._architecture_moves(flat), filter(self._is_allowed, steps))

    def mutate(self, flat: Flat, rng: np.random.Generator) -> Flat | None:
        """A copy with a new random value of one random parameter; None if no change is allowed."""
        moves = self._architecture_moves(flat)
        moved = self._moved_parameters
        mutable = [
            p
            for p in self.parameters
            if p.name in flat and p.cardinality() > 1 and (moves or p.name not in moved)
        ]
        for _ in range(MAX_REJECTIONS if mutable else 0):
            parameter = mutable[int(rng.integers(len(mutable)))]
            if parameter.name in moved:
                return moves[int(rng.integers(len(moves)))]
            value = parameter.sample(rng)
            if value == flat[parameter.name]:
                continue
            changed = self._update_active({**flat, parameter.name: value})
            if self._is_allowed(changed):
                return changed
        return None

    @cached_property
    def _moved_parameters(self) -> tuple[str, ...]:
        """The parameters that the moves of the architecture family change; () if it has none."""
        family = self.architecture
        return () if family is None or family.neighbours is None else family.parameters

    def _architecture_moves(self, flat: Flat) -> list[Flat]:
        """The configurations after one move of the architecture family."""
        family = self.architecture
        if family is None or family.neighbours is None:
            return []
        moves = (
            self._update_active({**flat, **architecture})
            for architecture in family.neighbours(flat)
        )
        return [move for move in moves if self.contains(move)]

    def _is_allowed(self, flat: Flat) -> bool:
        return all(constraint.violation(flat) is None for constraint in self.constraints)

    def _update_active(self, flat: Flat) -> Flat:
        """Drop parameters that are inactive, and set newly active ones to their middle value."""
        updated: Flat = {}
        for parameter in self.parameters:
            if is_active(parameter, updated):
                name = parameter.name
                updated[name] = flat[name] if name in flat else parameter.middle()
        return updated
