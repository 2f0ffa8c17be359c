"""Features of RegNets: the properties of the stages, and the complexity of the network.

There are ten features for each stage, up to the largest number of stages of the space: log2 of the
width, the depth, log2 of the group width, whether the group width is 1, 2, 4, 8 or 16, and whether
the width is a multiple of 16 and of 32. They are 0 for a stage that a network does not have. The
last three features are log10 of multiply-adds, parameters and activations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import numpy as np

from eahas.errors import SpecError
from eahas.space.architectures.regnet import (
    NetworkFacts,
    RegNetConstraint,
    complexity,
    complexity_columns,
    stage_columns,
    stages_of,
)
from eahas.space.space import Space

MAX_STAGES = 1000
COMPLEXITIES = ("flops", "params", "acts")
# GPU kernels are optimised for these widths, so time and energy change abruptly there.
GROUP_WIDTHS, WIDTH_MULTIPLES = (1, 2, 4, 8, 16), (16, 32)
PER_STAGE = 3 + len(GROUP_WIDTHS) + len(WIDTH_MULTIPLES)


@dataclass(frozen=True)
class RegNetBlock:
    """The features of RegNets with at most `max_stages` stages."""

    replaces: ClassVar[tuple[str, ...]] = ()

    facts: NetworkFacts
    max_stages: int

    @classmethod
    def from_space(cls, space: Space) -> RegNetBlock:
        """The block of a space.

        Raises SpecError if it has no regnet constraint, or one with more than MAX_STAGES stages.
        """
        for constraint in space.constraints:
            if isinstance(constraint, RegNetConstraint):
                max_stages = constraint.num_stages[1]
                if max_stages > MAX_STAGES:
                    raise SpecError(f"a RegNet of {max_stages} stages; allowed: {MAX_STAGES}")
                return cls(constraint.facts, max_stages)
        raise SpecError(f"space {space.name} has no regnet constraint")

    @cached_property
    def names(self) -> tuple[str, ...]:
        names: list[str] = []
        for k in range(1, self.max_stages + 1):
            names += [f"log2 width {k}", f"depth {k}", f"log2 group width {k}"]
            names += [f"group width {k} is {g}" for g in GROUP_WIDTHS]
            names += [f"width {k} is a multiple of {m}" for m in WIDTH_MULTIPLES]
        return (*names, *(f"log10 {name}" for name in COMPLEXITIES))

    @cached_property
    def of_costs(self) -> np.ndarray:
        per_stage = np.arange(PER_STAGE) >= 3
        whole = np.zeros(len(COMPLEXITIES), dtype=bool)
        return np.concatenate([np.tile(per_stage, self.max_stages), whole])

    def one(self, flat: Mapping[str, Any]) -> list[float]:
        stages = stages_of(flat, self.facts)
        features: list[float] = []
        for width, depth, group in zip(
            stages.widths, stages.depths, stages.group_widths, strict=True
        ):
            features += _stage_features(width, depth, group)
        features += [0.0] * (PER_STAGE * (self.max_stages - stages.count))
        features += map(math.log10, complexity(stages, self.facts))
        return features

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        stages = stage_columns(columns, self.facts)
        present = stages.depths > 0
        width = np.where(present, stages.widths, 1.0)
        group = np.where(present, stages.group_widths, 1.0)
        properties = [np.log2(width), stages.depths, np.log2(group)]
        properties += [present & (group == g) for g in GROUP_WIDTHS]
        properties += [present & (width % m == 0) for m in WIDTH_MULTIPLES]
        per_stage = np.zeros((len(width), PER_STAGE * self.max_stages))
        used = PER_STAGE * width.shape[1]
        per_stage[:, :used] = np.stack(properties, axis=2).reshape(len(width), used)
        whole = np.log10(np.stack(complexity_columns(stages, self.facts), axis=1))
        return np.concatenate([per_stage, whole], axis=1)


@lru_cache(maxsize=4096)  # widths are multiples of 8, so the same stages often recur
def _stage_features(width: int, depth: int, group: int) -> tuple[float, ...]:
    """The features of one stage of a RegNet."""
    return (
        *(math.log2(width), float(depth), math.log2(group)),
        *(float(group == g) for g in GROUP_WIDTHS),
        *(float(width % m == 0) for m in WIDTH_MULTIPLES),
    )
