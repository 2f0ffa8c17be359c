"""What a surrogate sees of a configuration: its code, and quantities derived from it.

`one` serves a single query in plain Python, `many` a list of them in columns; a test holds the two
to each other. Nothing is scaled here: a fit folds its scaling into the first layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from eahas.errors import SpecError
from eahas.space.architectures import mnasnet
from eahas.space.architectures.regnet import (
    complexity,
    complexity_columns,
    generate_regnet_columns,
    stages_of,
)
from eahas.space.constraints import REGNET_PARAMETERS, RegNetConstraint
from eahas.space.parameters import Choice, Numeric, Parameter
from eahas.space.space import Space

MAX_STAGES = 1000
COMPLEXITIES = ("flops", "params", "acts")
# What kernels are written for: time and energy jump where a convolution meets one of these.
GROUP_WIDTHS, WIDTH_MULTIPLES = (1, 2, 4, 8, 16), (16, 32)
PER_STAGE = 3 + len(GROUP_WIDTHS) + len(WIDTH_MULTIPLES)


@dataclass(frozen=True)
class Features:
    """The features of a space: its encoding, `logs` (log10 of numbers), `crosses`, its network's.

    A cross of a number with a choice is the number's logarithm where the choice has each of its
    values and 0 elsewhere: the learning rate of each optimiser, say. RegNet's are, for each stage
    up to the most that the space allows, log2 of the width, the depth and log2 of the group width;
    whether the group width is 1, 2, 4, 8 or 16 and the width a multiple of 16 and of 32; and then
    log10 of multiply-adds, parameters and activations. MnasNet's are those of
    `eahas.space.architectures.mnasnet`.

    Raises SpecError where a logarithm is not that of an always present, positive number, a cross
    not with an always present choice, or the space has no (or an absurdly deep) RegNet, or other
    blocks than MnasNet's.
    """

    space: Space
    logs: tuple[str, ...] = ()
    crosses: tuple[tuple[str, str], ...] = ()
    regnet: bool = False
    mnasnet: bool = False

    def __post_init__(self) -> None:
        for name in (*self.logs, *(number for number, _ in self.crosses)):
            if not _is_positive_number(self.space[name]):
                raise SpecError(f"{name} is not always a positive number: it has no logarithm")
        for _, name in self.crosses:
            if not isinstance(self.space[name], Choice) or self.space[name].condition is not None:
                raise SpecError(f"{name} is not always one of some choices: it cannot be crossed")
        if self.regnet and self._max_stages > MAX_STAGES:
            raise SpecError(f"a RegNet of {self._max_stages} stages; allowed: {MAX_STAGES}")
        if self.mnasnet and not mnasnet.varies(self.space):
            raise SpecError(f"space {self.space.name} does not choose MnasNet's blocks")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What each feature is, in order."""
        names = list(self.space.encoding_names) + [f"log10 {name}" for name in self.logs]
        for number, choice, positions in self._crosses:
            names += [f"log10 {number} where {choice}={value}" for value in positions]
        if self.regnet:
            for k in range(1, self._max_stages + 1):
                names += [f"log2 width {k}", f"depth {k}", f"log2 group width {k}"]
                names += [f"group width {k} is {g}" for g in GROUP_WIDTHS]
                names += [f"width {k} is a multiple of {m}" for m in WIDTH_MULTIPLES]
            names += [f"log10 {name}" for name in COMPLEXITIES]
        if self.mnasnet:
            names += mnasnet.NAMES
        return tuple(names)

    @cached_property
    def of_costs(self) -> np.ndarray:
        """Which features matter to time and energy alone, (F,): a curve is fitted without them."""
        found = np.zeros(len(self.names), dtype=bool)
        if self.regnet:
            per_stage = np.arange(PER_STAGE) >= 3
            end = len(found) - len(COMPLEXITIES) - self.mnasnet * len(mnasnet.NAMES)
            found[end - PER_STAGE * self._max_stages : end] = np.tile(per_stage, self._max_stages)
        return found

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

    @cached_property
    def _constraint(self) -> RegNetConstraint:
        for constraint in self.space.constraints:
            if isinstance(constraint, RegNetConstraint):
                return constraint
        raise SpecError(f"space {self.space.name} has no regnet constraint to derive features from")

    @cached_property
    def _max_stages(self) -> int:
        return self._constraint.num_stages[1]

    def one(self, flat: Mapping[str, Any]) -> np.ndarray:
        """The features of one checked configuration, shape (F,), float64."""
        code: list[float] = self.space.encode_checked(flat).tolist()
        code += [math.log10(flat[name]) for name in self.logs]
        for number, choice, positions in self._crosses:
            block = [0.0] * len(positions)
            block[positions[flat[choice]]] = math.log10(flat[number])
            code += block
        if self.regnet:
            facts = self._constraint.facts
            stages = stages_of(flat, facts)
            for width, depth, group in zip(
                stages.widths, stages.depths, stages.group_widths, strict=True
            ):
                code += _of_stage(width, depth, group)
            code += [0.0] * (PER_STAGE * (self._max_stages - stages.count))
            code += map(math.log10, complexity(stages, facts))
        if self.mnasnet:
            code += mnasnet.one(flat)
        return np.array(code)

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The features of checked columns, shape (n, F), float64."""
        parts = [self.space.encode_columns(columns)]
        parts += [np.log10(columns[name].astype(float))[:, None] for name in self.logs]
        for number, choice, _ in self._crosses:
            log = np.log10(columns[number].astype(float))
            parts.append(log[:, None] * parts[0][:, self._one_hots[choice]])
        if self.regnet:
            facts = self._constraint.facts
            depth, w0, wa, wm, group_w = (columns[name] for name in REGNET_PARAMETERS)
            stages = generate_regnet_columns(
                depth, w0, wa, wm, group_w, facts.bottleneck_multiplier
            )
            present = stages.depths > 0
            width = np.where(present, stages.widths, 1.0)
            group = np.where(present, stages.group_widths, 1.0)
            seen = [np.log2(width), stages.depths, np.log2(group)]
            seen += [present & (group == g) for g in GROUP_WIDTHS]
            seen += [present & (width % m == 0) for m in WIDTH_MULTIPLES]
            per_stage = np.zeros((len(width), PER_STAGE * self._max_stages))
            used = PER_STAGE * width.shape[1]
            per_stage[:, :used] = np.stack(seen, axis=2).reshape(len(width), used)
            parts += [per_stage, np.log10(np.stack(complexity_columns(stages, facts), axis=1))]
        if self.mnasnet:
            parts.append(mnasnet.many(columns))
        return np.concatenate(parts, axis=1)


@lru_cache(maxsize=4096)  # widths are multiples of 8, so the same stages come again and again
def _of_stage(width: int, depth: int, group: int) -> tuple[float, ...]:
    """The features of one stage of a RegNet."""
    return (
        *(math.log2(width), float(depth), math.log2(group)),
        *(float(group == g) for g in GROUP_WIDTHS),
        *(float(width % m == 0) for m in WIDTH_MULTIPLES),
    )


def default_features(space: Space) -> Features:
    """What the fits use unless told otherwise.

    Every positive numeric choice and every log-scaled number on a log scale, each crossed with
    every choice among words, and the features of RegNet's stages or MnasNet's blocks where the
    space has them.
    """
    if mnasnet.varies(space):
        return Features(space, mnasnet=True)
    always = [p for p in space.parameters if p.condition is None]
    choices = [p for p in always if isinstance(p, Choice)]
    words = [p.name for p in choices if all(isinstance(c, str) for c in p.choices)]
    logs = [p.name for p in choices if _is_positive_number(p)]
    regnet = any(isinstance(c, RegNetConstraint) for c in space.constraints)
    logs += [
        p.name
        for p in always
        if isinstance(p, Numeric) and p.log and not (regnet and p.name in REGNET_PARAMETERS)
    ]
    crosses = [(number, choice) for number in logs for choice in words]
    return Features(space, tuple(logs), tuple(crosses), regnet)


def _is_positive_number(parameter: Parameter) -> bool:
    """Whether every value is a positive number, and there always is one."""
    values = parameter.choices if isinstance(parameter, Choice) else (parameter.low,)
    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return numbers and parameter.condition is None and min(values) > 0
