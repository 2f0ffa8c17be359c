"""Features of NAS-Bench-101 cells. Isomorphic cells have equal features.

They replace the encoding of the 26 parameters of a cell. That encoding differs between isomorphic
configurations, and it includes vertices that are not part of the cell. The features are the
encoding of the canonical cell, its numbers of vertices and edges, the count of each operation, the
lengths of paths, and log10 of multiply-adds and of parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from eahas.errors import SpecError
from eahas.space.architectures.cells.nasbench101 import (
    NAMES,
    NASBENCH101,
    OPERATIONS,
    PARAMETERS,
    Cell,
    Network,
    canonical,
    canonical_columns,
    complexity,
    complexity_columns,
    encode,
    encode_columns,
    from_config,
    graph_columns,
)
from eahas.space.architectures.networks import network_of
from eahas.space.space import Space

MORE = (
    *("vertices", "edges"),
    *(f"vertices with {op}" for op in OPERATIONS),
    *("vertices on the longest path", "convolutions on the path with most"),
    *("log10 multiply-adds", "log10 parameters"),
)


@dataclass(frozen=True)
class NasBench101Block:
    """The features of the cells of one network."""

    names: ClassVar[tuple[str, ...]] = (*(f"canonical {name}" for name in NAMES), *MORE)
    replaces: ClassVar[tuple[str, ...]] = PARAMETERS

    network: Network

    @classmethod
    def from_space(cls, space: Space) -> NasBench101Block:
        """The block of a space. Raises SpecError unless it has a nasbench101 constraint."""
        if space.architecture != NASBENCH101:
            raise SpecError(f"space {space.name} has no nasbench101 constraint")
        return cls(network_of(space))

    @cached_property
    def of_costs(self) -> np.ndarray:
        return np.zeros(len(self.names), dtype=bool)

    def one(self, flat: Mapping[str, Any]) -> list[float]:
        cell = canonical(from_config(flat))
        costs = map(math.log10, complexity(cell, self.network))
        return [*encode(cell).tolist(), *_sizes(cell), *costs]

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        cells = canonical_columns(columns)
        costs = np.log10(np.stack(complexity_columns(cells, self.network), axis=1))
        return np.concatenate([encode_columns(cells), _sizes_columns(cells), costs], axis=1)


def _sizes(cell: Cell) -> list[float]:
    """The features of one cell other than the encoding and the complexity."""
    longest, most = [1] * len(cell.ops), [0] * len(cell.ops)
    for v in range(1, len(cell.ops)):
        predecessors = [u for u in range(v) if cell.matrix[u][v]]
        longest[v] += max(longest[u] for u in predecessors)
        most[v] = cell.ops[v].startswith("conv") + max(most[u] for u in predecessors)
    counts = [cell.ops.count(op) for op in OPERATIONS]
    edges = sum(map(sum, cell.matrix))
    return list(map(float, (len(cell.ops), edges, *counts, longest[-1], most[-1])))


def _sizes_columns(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """`_sizes` of n cells in columns: (n, 7)."""
    adjacency, labels = graph_columns(columns)
    present = labels.sum(axis=2)
    counts = labels[:, :, 1 : 1 + len(OPERATIONS)].sum(axis=1)
    convolution = [op.startswith("conv") for op in OPERATIONS]
    convolutions = labels[:, :, 1 : 1 + len(OPERATIONS)][:, :, convolution].sum(axis=2)
    longest, most = present.copy(), np.zeros_like(present)
    for v in range(1, present.shape[1]):
        longest[:, v] += (longest[:, :v] * adjacency[:, :v, v]).max(axis=1)
        most[:, v] = convolutions[:, v] + (most[:, :v] * adjacency[:, :v, v]).max(axis=1)
    size = [present.sum(axis=1), adjacency.sum(axis=(1, 2))]
    return np.stack([*size, *counts.T, longest[:, -1], most[:, -1]], axis=1)
