"""The architecture family RegNet: its parameters, network section and constraint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from eahas.checks import is_whole
from eahas.errors import SpecError, shown, unknown
from eahas.space.architectures.family import ArchitectureFamily, Columns, Flat, Numbers
from eahas.space.architectures.limits import Range, exceeded, inside, read_limits, read_range
from eahas.space.architectures.regnet.arithmetic import (
    STEM_STRIDES,
    NetworkFacts,
    StageColumns,
    Stages,
    complexity,
    complexity_columns,
    generate_regnet,
    generate_regnet_columns,
    stages_of,
)
from eahas.space.fields import known_fields, number

NAME = "regnet"
QUANTITIES = ("flops", "params", "acts")
# The values that the arithmetic of a RegNet accepts.
REGNET_DOMAIN = {
    "REGNET.DEPTH": Numbers(1, 1_000, integer=True),
    "REGNET.W0": Numbers(1, 10_000, integer=True),
    "REGNET.WA": Numbers(0, 10_000, integer=False),
    "REGNET.WM": Numbers(1.001, 10, integer=False),
    "REGNET.GROUP_W": Numbers(1, 10_000, integer=True),
}
REGNET_PARAMETERS = tuple(REGNET_DOMAIN)


def stage_columns(columns: Columns, facts: NetworkFacts) -> StageColumns:
    """`stages_of` for columns of REGNET_PARAMETERS, each of shape (n,)."""
    depth, w0, wa, wm, group_w = (columns[name] for name in REGNET_PARAMETERS)
    return generate_regnet_columns(depth, w0, wa, wm, group_w, facts.bottleneck_multiplier)


@dataclass(frozen=True)
class RegNetConstraint:
    """All possible stages are used; the number of stages and the complexity are in given ranges."""

    family: ClassVar[str] = NAME

    facts: NetworkFacts
    num_stages: tuple[int, int]
    flops: Range | None = None
    params: Range | None = None
    acts: Range | None = None

    @cached_property
    def limits(self) -> dict[str, Range]:
        """The ranges of complexity of this constraint, by the name of the quantity."""
        named = {"flops": self.flops, "params": self.params, "acts": self.acts}
        return {name: limit for name, limit in named.items() if limit is not None}

    def violation(self, config: Flat) -> str | None:
        """Why the RegNet is excluded, or None."""
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
            return exceeded(self.limits, complexity(stages, self.facts)._asdict())
        return None

    def mask(self, columns: Columns) -> np.ndarray:
        """Which rows are allowed: bool, shape (n,)."""
        stages = stage_columns(columns, self.facts)
        low, high = self.num_stages
        allowed = (stages.count == stages.possible) & (stages.count >= low) & (stages.count <= high)
        if self.limits:
            counts = complexity_columns(stages, self.facts)
            allowed &= inside(self.limits, dict(zip(QUANTITIES, counts, strict=True)))
        return allowed


def _read_constraint(given: Mapping[str, Any], facts: NetworkFacts) -> RegNetConstraint:
    known_fields(f"constraints: {NAME}", given, ("num_stages", *QUANTITIES))
    limits = read_limits(given, QUANTITIES)
    return RegNetConstraint(facts, _stage_counts(given.get("num_stages")), **limits)


def _stage_counts(given: Any) -> tuple[int, int]:
    low, high = read_range("num_stages", given)
    if low % 1 or high % 1 or low < 1:
        raise SpecError(f"constraints: num_stages are whole numbers from 1, got {shown(given)}")
    return int(low), int(high)


def facts_from_dict(given: Mapping[str, Any]) -> NetworkFacts:
    """Parse the section `network` of a spec with RegNets; SpecError for a malformed field."""
    known_fields("network", given, [f.name for f in fields(NetworkFacts)])
    required = ("image_size", "in_channels", "classes", "stem_width")
    missing = [key for key in required if given.get(key) is None]
    if missing:
        raise SpecError(f"network: {', '.join(missing)} missing")
    facts = NetworkFacts(**given)
    for name in (*required, "stride"):
        value = getattr(facts, name)
        if not is_whole(value) or not 1 <= value <= 1_000_000:
            raise SpecError(f"network: {name} is a whole number in 1..1000000, got {shown(value)}")
    if not isinstance(facts.stem, str) or facts.stem not in STEM_STRIDES:
        raise SpecError("network: " + unknown("stem", facts.stem, STEM_STRIDES))
    se_ratio = number("network: se_ratio", facts.se_ratio)
    if se_ratio is None or not 0 <= se_ratio <= 1:
        raise SpecError(f"network: se_ratio is a number in 0..1, got {shown(se_ratio)}")
    multiplier = number("network: bottleneck_multiplier", facts.bottleneck_multiplier)
    whole = multiplier is not None and 1 <= multiplier <= 1_000 and multiplier % 1 == 0
    if not whole and multiplier not in (0.5, 0.25, 0.125):
        raise SpecError(
            f"network: bottleneck_multiplier is 1/8, 1/4, 1/2 or a whole number in 1..1000, "
            f"got {shown(multiplier)}"
        )
    return facts


def _complexity(flat: Flat, facts: NetworkFacts) -> dict[str, int]:
    return complexity(stages_of(flat, facts), facts)._asdict()


def _complexity_columns(columns: Columns, facts: NetworkFacts) -> dict[str, np.ndarray]:
    counts = complexity_columns(stage_columns(columns, facts), facts)
    whole = (np.rint(count).astype(np.int64) for count in counts)
    return dict(zip(QUANTITIES, whole, strict=True))


REGNET = ArchitectureFamily(
    name=NAME,
    domains=REGNET_DOMAIN,
    quantities=QUANTITIES,
    complexity=_complexity,
    complexity_columns=_complexity_columns,
    read_network=facts_from_dict,
    needs_constraint=True,  # it limits the number of stages, which the features depend on
    read_constraint=_read_constraint,
)
