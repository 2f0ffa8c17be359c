"""Features of NAS-Bench-201 cells, in addition to the encoding with its one-hot operations.

A path from input to output is live if none of its operations is `none`, and an edge is live if it
is on a live path. The features are the count of each operation, the number of live edges, in total
and for each operation, the number of live paths, the largest and the smallest number of
convolutions on a live path, and log10 of multiply-adds and of parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

import numpy as np

from eahas.errors import SpecError
from eahas.space.architectures.cells.layers import positions
from eahas.space.architectures.cells.nasbench201 import (
    EDGES,
    NASBENCH201,
    OPERATIONS,
    PARAMETERS,
    Network,
    complexity_columns,
)
from eahas.space.architectures.networks import network_of
from eahas.space.space import Space

PATHS = (((0, 3),), ((0, 1), (1, 3)), ((0, 2), (2, 3)), ((0, 1), (1, 2), (2, 3)))
CONVOLUTIONS = tuple(OPERATIONS.index(op) for op in ("nor_conv_1x1", "nor_conv_3x3"))
NONE = OPERATIONS.index("none")
NAMES = (
    *(f"edges with {op}" for op in OPERATIONS),
    "live edges",
    *(f"live edges with {op}" for op in OPERATIONS if op != OPERATIONS[NONE]),
    *("live paths", "most convolutions on a path", "fewest convolutions on a path"),
    *("log10 multiply-adds", "log10 parameters"),
)
_WEIGHTS = len(OPERATIONS) ** np.arange(len(EDGES))[::-1]


@dataclass(frozen=True)
class NasBench201Block:
    """The features of the cells of one network; those of all 15,625 cells are computed once."""

    names: ClassVar[tuple[str, ...]] = NAMES
    replaces: ClassVar[tuple[str, ...]] = ()

    network: Network

    @classmethod
    def from_space(cls, space: Space) -> NasBench201Block:
        """The block of a space. Raises SpecError unless it has the six edges as parameters."""
        if not NASBENCH201.describes({p.name: p for p in space.parameters}):
            raise SpecError(f"space {space.name} does not have the edges of NAS-Bench-201")
        return cls(network_of(space))

    @cached_property
    def of_costs(self) -> np.ndarray:
        return np.zeros(len(NAMES), dtype=bool)

    @cached_property
    def _rows(self) -> np.ndarray:
        """The features of every cell, in the order of `nasbench201.index`: (15625, len(NAMES))."""
        ops = np.array(list(product(range(len(OPERATIONS)), repeat=len(EDGES))))
        names = np.array(OPERATIONS, dtype=object)
        columns = {name: names[ops[:, edge]] for edge, name in enumerate(PARAMETERS)}
        costs = np.log10(np.stack(complexity_columns(columns, self.network), axis=1))
        return np.concatenate([_counts(ops), costs], axis=1)

    def one(self, flat: Mapping[str, Any]) -> list[float]:
        index = 0
        for name in PARAMETERS:
            index = index * len(OPERATIONS) + OPERATIONS.index(flat[name])
        row: list[float] = self._rows[index].tolist()
        return row

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        ops = np.stack([positions(columns[name], OPERATIONS) for name in PARAMETERS], axis=1)
        return self._rows[ops @ _WEIGHTS]


def _counts(ops: np.ndarray) -> np.ndarray:
    """The features (n, 13) other than the complexity, from indices of operations (n, 6)."""
    on_path = np.array([[edge in path for edge in EDGES] for path in PATHS])
    path_live = ~((ops == NONE)[:, None] & on_path).any(axis=2)  # (n, paths)
    live = (path_live[:, :, None] & on_path).any(axis=1)  # (n, edges)
    convolutions = (np.isin(ops, CONVOLUTIONS)[:, None] & on_path).sum(axis=2)
    most = np.where(path_live, convolutions, 0).max(axis=1)
    fewest = np.where(path_live, convolutions, len(EDGES)).min(axis=1)
    columns = [(ops == k).sum(axis=1) for k in range(len(OPERATIONS))]
    columns.append(live.sum(axis=1))
    columns += [((ops == k) & live).sum(axis=1) for k in range(len(OPERATIONS)) if k != NONE]
    columns += [path_live.sum(axis=1), most, np.where(path_live.any(axis=1), fewest, 0)]
    return np.stack(columns, axis=1).astype(np.float64)
