"""The features of a configuration: its encoding, and quantities derived from it.

`one` computes the features of a single configuration in plain Python, `many` those of a list with
numpy. A test checks that both agree. Features are not scaled; a fit includes its scaling in the
weights of the first layer.
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
    """The features of the configurations of a space.

    The features are the encoding, then the logarithms, the crosses and the feature blocks. A cross
    of a numerical parameter and a choice has one feature for each value of the choice: log10 of the
    number if the choice has this value, else 0. An example is the learning rate per optimiser.

    Attributes:
        space: the space.
        logs: the parameters whose log10 is a feature.
        crosses: pairs of a numerical parameter and a choice.
        families: the architecture families whose feature blocks are used (see
            `eahas.models.features.blocks`).

    Raises SpecError if a parameter in `logs` or a number in `crosses` is conditional or not always
    positive, if the second parameter of a cross is not an unconditional choice, if a family has no
    feature block, or if the space does not have its architectures.
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
                raise SpecError(f"{name} is not an unconditional choice: it cannot be crossed")
        _ = self._blocks  # raises SpecError here and not at the first query

    @cached_property
    def _blocks(self) -> tuple[FeatureBlock, ...]:
        return tuple(make_block(family, self.space) for family in self.families)

    @cached_property
    def _kept(self) -> np.ndarray | None:
        """The positions in the encoding that no block replaces; None if it is used completely."""
        replaced = {name for block in self._blocks for name in block.replaces}
        if not replaced:
            return None
        kept = [[p.name not in replaced] * p.width for p in self.space.parameters]
        return np.flatnonzero(np.concatenate(kept))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        names = list(self.space.encoding_names)
        if self._kept is not None:
            names = [names[position] for position in self._kept]
        names += [f"log10 {name}" for name in self.logs]
        for number, choice, positions in self._crosses:
            names += [f"log10 {number} where {choice}={value}" for value in positions]
        for block in self._blocks:
            names += block.names
        return tuple(names)

    @cached_property
    def of_costs(self) -> np.ndarray:
        """Which features are used only for time and energy, (F,); a fit of curves omits them."""
        of_blocks = [block.of_costs for block in self._blocks]
        before = len(self.names) - sum(map(len, of_blocks))
        return np.concatenate([np.zeros(before, dtype=bool), *of_blocks])

    @cached_property
    def _crosses(self) -> tuple[tuple[str, str, dict[Any, int]], ...]:
        """Each cross, with the position of every value of its choice."""
        values = {name: self.space[name].grid() for _, name in self.crosses}
        return tuple(
            (number, name, {value: position for position, value in enumerate(values[name])})
            for number, name in self.crosses
        )

    @cached_property
    def _one_hots(self) -> dict[str, slice]:
        """The slice of the encoding that belongs to each parameter."""
        ends = np.cumsum([p.width for p in self.space.parameters]).tolist()
        return {
            p.name: slice(end - p.width, end)
            for p, end in zip(self.space.parameters, ends, strict=True)
        }

    def one(self, flat: Mapping[str, Any]) -> np.ndarray:
        """The features of one checked flat configuration: shape (F,), float64."""
        encoding = self.space.encode_checked(flat)
        if self._kept is not None:
            encoding = encoding[self._kept]
        features: list[float] = encoding.tolist()
        features += [math.log10(flat[name]) for name in self.logs]
        for number, choice, positions in self._crosses:
            cross = [0.0] * len(positions)
            cross[positions[flat[choice]]] = math.log10(flat[number])
            features += cross
        for block in self._blocks:
            features += block.one(flat)
        return np.array(features)

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The features of configurations in checked columns: shape (n, F), float64."""
        encoding = self.space.encode_columns(columns)
        parts = [encoding if self._kept is None else encoding[:, self._kept]]
        parts += [np.log10(columns[name].astype(float))[:, None] for name in self.logs]
        for number, choice, _ in self._crosses:
            log = np.log10(columns[number].astype(float))
            parts.append(log[:, None] * encoding[:, self._one_hots[choice]])
        parts += [block.many(columns) for block in self._blocks]
        return np.concatenate(parts, axis=1)


def default_features(space: Space) -> Features:
    """The default features of a fit.

    They include the logarithm of every positive numeric choice and of every log-scaled number, a
    cross of each of them with every choice of strings, and the feature block of the architecture
    family of the space. The parameters of the family have no logarithms and no crosses, because the
    block describes them better.
    """
    family = space.architecture
    if family is not None and block_maker(family.name) is None:
        family = None
    of_family = () if family is None else family.parameters
    others = [p for p in space.parameters if p.condition is None and p.name not in of_family]
    choices = [p for p in others if isinstance(p, Choice)]
    categories = [p.name for p in choices if all(isinstance(c, str) for c in p.choices)]
    logs = [p.name for p in choices if _is_positive_number(p)]
    logs += [p.name for p in others if isinstance(p, Numeric) and p.log]
    crosses = [(number, choice) for number in logs for choice in categories]
    families = () if family is None else (family.name,)
    return Features(space, tuple(logs), tuple(crosses), families)


def _is_positive_number(parameter: Parameter) -> bool:
    """Whether the parameter is unconditional and all its values are positive numbers."""
    values = parameter.choices if isinstance(parameter, Choice) else (parameter.low,)
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return numbers and parameter.condition is None and min(values) > 0
