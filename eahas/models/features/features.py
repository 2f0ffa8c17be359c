"""The features of a configuration: its encoding, and quantities derived from it.

`one` serves a single query in plain Python, `many` a list of them in columns; a test holds them to
each other. Nothing is scaled here: a fit folds its scaling into the first layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from eahas.errors import SpecError
from eahas.models.features.blocks import FeatureBlock, block_maker, make_block
from eahas.space.parameters import Choice, Numeric, Parameter
from eahas.space.space import Space


@dataclass(frozen=True)
class Features:
    """The features of a space: encoding, `logs` (log10 of numbers), `crosses`, feature blocks.

    A cross of a number with a choice is the number's logarithm where the choice has each of its
    values and 0 elsewhere: the learning rate of each optimiser, say. `families` names architecture
    families whose feature blocks follow (see `eahas.models.features.blocks`).

    Raises SpecError where a logarithm is not that of an always present, positive number, a cross
    not with an always present choice, a family has no feature block, or the space has no such
    architectures.
    """

    space: Space
    logs: tuple[str, ...] = ()
    crosses: tuple[tuple[str, str], ...] = ()
    families: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*self.logs, *(number for number, _ in self.crosses)):
            if not _is_positive_number(self.space[name]):
                raise SpecError(f"{name} is not always a positive number: it has no logarithm")
        for _, name in self.crosses:
            if not isinstance(self.space[name], Choice) or self.space[name].condition is not None:
                raise SpecError(f"{name} is not always one of some choices: it cannot be crossed")
        _ = self._blocks  # raises SpecError now, not with the first query

    @cached_property
    def _blocks(self) -> tuple[FeatureBlock, ...]:
        return tuple(make_block(family, self.space) for family in self.families)

    @cached_property
    def _kept(self) -> np.ndarray | None:
        """The positions in the encoding that no block replaces; None for the whole encoding."""
        replaced = {name for block in self._blocks for name in block.replaces}
        if not replaced:
            return None
        parts = self.space.parameters
        return np.flatnonzero(np.concatenate([[p.name not in replaced] * p.width for p in parts]))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each feature is, in order."""
        names = list(self.space.encoding_names)
        if self._kept is not None:
            names = [names[at] for at in self._kept]
        names += [f"log10 {name}" for name in self.logs]
        for number, choice, positions in self._crosses:
            names += [f"log10 {number} where {choice}={value}" for value in positions]
        for block in self._blocks:
            names += block.names
        return tuple(names)

    @cached_property
    def of_costs(self) -> np.ndarray:
        """Which features matter to time and energy alone, (F,): a curve is fitted without them."""
        marks = [block.of_costs for block in self._blocks]
        before = len(self.names) - sum(map(len, marks))
        return np.concatenate([np.zeros(before, dtype=bool), *marks])

    @cached_property
    def _crosses(self) -> tuple[tuple[str, str, dict[Any, int]], ...]:
        """Each cross with the position of every value of its choice."""
        values = {name: self.space[name].grid() for _, name in self.crosses}
        return tuple(
            (number, name, {value: at for at, value in enumerate(values[name])})
            for number, name in self.crosses
        )

    @cached_property
    def _one_hots(self) -> dict[str, slice]:
        """Where the encoding of each choice stands in an encoding: its values in order."""
        ends = np.cumsum([p.width for p in self.space.parameters]).tolist()
        return {
            p.name: slice(end - p.width, end)
            for p, end in zip(self.space.parameters, ends, strict=True)
        }

    def one(self, flat: Mapping[str, Any]) -> np.ndarray:
        """The features of one checked configuration, shape (F,), float64."""
        encoding = self.space.encode_checked(flat)
        if self._kept is not None:
            encoding = encoding[self._kept]
        code: list[float] = encoding.tolist()
        code += [math.log10(flat[name]) for name in self.logs]
        for number, choice, positions in self._crosses:
            block = [0.0] * len(positions)
            block[positions[flat[choice]]] = math.log10(flat[number])
            code += block
        for derived in self._blocks:
            code += derived.one(flat)
        return np.array(code)

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The features of checked columns, shape (n, F), float64."""
        encoding = self.space.encode_columns(columns)
        parts = [encoding if self._kept is None else encoding[:, self._kept]]
        parts += [np.log10(columns[name].astype(float))[:, None] for name in self.logs]
        for number, choice, _ in self._crosses:
            log = np.log10(columns[number].astype(float))
            parts.append(log[:, None] * encoding[:, self._one_hots[choice]])
        parts += [block.many(columns) for block in self._blocks]
        return np.concatenate(parts, axis=1)


def default_features(space: Space) -> Features:
    """What the fits use unless told otherwise.

    Every positive numeric choice and every log-scaled number on a log scale, each crossed with
    every choice among words, and the feature block of the space's architecture family. The family's
    own parameters get neither logarithms nor crosses: its block says more about them.
    """
    family = space.architecture
    if family is not None and block_maker(family.name) is None:
        family = None
    own = () if family is None else family.parameters
    others = [p for p in space.parameters if p.condition is None and p.name not in own]
    choices = [p for p in others if isinstance(p, Choice)]
    words = [p.name for p in choices if all(isinstance(c, str) for c in p.choices)]
    logs = [p.name for p in choices if _is_positive_number(p)]
    logs += [p.name for p in others if isinstance(p, Numeric) and p.log]
    crosses = [(number, choice) for number in logs for choice in words]
    families = () if family is None else (family.name,)
    return Features(space, tuple(logs), tuple(crosses), families)


def _is_positive_number(parameter: Parameter) -> bool:
    """Whether every value is a positive number, and there always is one."""
    values = parameter.choices if isinstance(parameter, Choice) else (parameter.low,)
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return numbers and parameter.condition is None and min(values) > 0
