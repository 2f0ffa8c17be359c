"""Features of MnasNets: fifteen for each of the seven blocks, and nine for the whole network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np

from eahas.errors import SpecError
from eahas.space.architectures.mnasnet import (
    MAX_LAYERS,
    MNASNET,
    PARAMETERS,
    WIDTHS,
    block_costs,
    block_of,
    distinct_blocks,
    stem_and_head,
)
from eahas.space.space import Space

OF_BLOCK = (
    *("log10 multiply-adds", "log10 parameters", "log10 activations"),
    *("multiply-adds / 1e8", "activations / 1e6", "e l", "e k^2 l / 100", "l se", "e l se"),
    *("log10 e l", "log10 e k^2 l"),
    *(f"{count} layers" for count in range(1, MAX_LAYERS + 1)),
)
OF_ALL = (
    *("log10 multiply-adds", "log10 parameters", "log10 activations"),
    *("multiply-adds / 1e8", "parameters / 1e6", "activations / 1e6"),
    *("layers with squeeze-excite", "layers", "any squeeze-excite"),
)
NAMES = (
    *(f"block{block} {name}" for block in range(len(WIDTHS)) for name in OF_BLOCK),
    *(f"network {name}" for name in OF_ALL),
)
Row = tuple[float, ...]


@dataclass(frozen=True)
class MnasNetBlock:
    """The features of MnasNets; they do not depend on the space."""

    names: ClassVar[tuple[str, ...]] = NAMES
    replaces: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def from_space(cls, space: Space) -> MnasNetBlock:
        """The block of a space. Raises SpecError unless it has the parameters of MnasNets."""
        if not MNASNET.describes({p.name: p for p in space.parameters}):
            raise SpecError(f"space {space.name} does not have the parameters of MnasNets")
        return cls()

    @cached_property
    def of_costs(self) -> np.ndarray:
        return np.zeros(len(NAMES), dtype=bool)

    def one(self, flat: Mapping[str, Any]) -> list[float]:
        features: list[float] = []
        sums = [*stem_and_head(), 0.0, 0.0]
        for b in range(len(WIDTHS)):
            of_block, costs = _block_features(b, *block_of(flat, b))
            features += of_block
            sums = [total + cost for total, cost in zip(sums, costs, strict=True)]
        macs, parameters, acts, squeezed, layers = sums
        features += [math.log10(macs), math.log10(parameters), math.log10(acts)]
        features += [macs / 1e8, parameters / 1e6, acts / 1e6]
        features += [squeezed, layers, float(squeezed > 0)]
        return features

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        n = len(columns[PARAMETERS[0]])
        features = np.empty((n, len(NAMES)))
        sums = np.tile(np.array([*stem_and_head(), 0.0, 0.0]), (n, 1))
        for b in range(len(WIDTHS)):
            blocks, inverse = distinct_blocks(columns, b)
            of_blocks, costs = zip(*(_block_features(b, *block) for block in blocks), strict=True)
            features[:, b * len(OF_BLOCK) : (b + 1) * len(OF_BLOCK)] = np.array(of_blocks)[inverse]
            sums += np.array(costs)[inverse]
        macs, parameters, acts, squeezed, layers = sums.T
        logs = [np.log10(macs), np.log10(parameters), np.log10(acts)]
        plain = [macs / 1e8, parameters / 1e6, acts / 1e6, squeezed, layers, squeezed > 0]
        features[:, -len(OF_ALL) :] = np.stack([*logs, *plain], axis=1)
        return features


@cache
def _block_features(b: int, e: int, k: int, count: int, se: bool) -> tuple[Row, Row]:
    """The features of a block, and its `block_costs`."""
    costs = block_costs(b, e, k, count, se)
    macs, parameters, acts = costs[:3]
    features = (
        *(math.log10(macs), math.log10(parameters), math.log10(acts)),
        *(macs / 1e8, acts / 1e6, e * count, e * k * k * count / 100, count * se, e * count * se),
        *(math.log10(e * count), math.log10(e * k * k * count)),
        *(float(count == layers) for layers in range(1, MAX_LAYERS + 1)),
    )
    return tuple(map(float, features)), costs
