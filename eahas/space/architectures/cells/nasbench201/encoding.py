"""Encodings of NAS-Bench-201 cells as graphs, vectors, and parameters of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eahas.space.architectures.cells.layers import one_hot, positions, required
from eahas.space.architectures.cells.nasbench201.cell import (
    EDGES,
    LABELS,
    OPERATIONS,
    PARAMETERS,
    Cell,
)

NAMES = tuple(f"edge {i} to {j} is {op}" for i, j in EDGES for op in OPERATIONS)


def encode(cell: Cell) -> np.ndarray:
    """One-hot operations of the six edges, in the order of NAMES: float64, shape (30,)."""
    return one_hot(np.array([OPERATIONS.index(op) for op in cell.ops]), len(OPERATIONS)).ravel()


def graph(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """The cell with operations on vertices: adjacency (8, 8), one-hot LABELS (8, 7), float64.

    Vertex 0 is the input, 1..6 are the edges of the cell in the order of EDGES, 7 is the output.
    There is an adjacency from an edge of the cell to each edge that starts at its end node. The
    adjacency is the same for every cell; edges with `none` are vertices with that label.
    """
    labels = [0, *(1 + OPERATIONS.index(op) for op in cell.ops), len(LABELS) - 1]
    return _adjacency(), one_hot(np.array(labels), len(LABELS))


def _adjacency() -> np.ndarray:
    ends = [(-1, 0), *EDGES, (3, 4)]  # input and output as edges into node 0 and out of node 3
    return np.array([[float(a[1] == b[0]) for b in ends] for a in ends])


# Configurations


def from_config(flat: Mapping[str, Any]) -> Cell:
    """The cell of a flat configuration with (at least) PARAMETERS.

    Raises ConfigError for a missing parameter or an unknown operation.
    """
    allowed = ", ".join(OPERATIONS)
    return Cell(tuple(required(flat, name, allowed) for name in PARAMETERS))


def to_config(cell: Cell) -> dict[str, Any]:
    """The flat configuration of a cell, in the order of PARAMETERS."""
    return dict(zip(PARAMETERS, cell.ops, strict=True))


def to_columns(cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """`to_config` of n cells, column by column: object (strings), each of shape (n,)."""
    return {
        name: np.array([cell.ops[at] for cell in cells], dtype=object)
        for at, name in enumerate(PARAMETERS)
    }


def encode_columns(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """`encode` of columns of PARAMETERS: float64, shape (n, 30)."""
    codes = [one_hot(positions(columns[name], OPERATIONS), len(OPERATIONS)) for name in PARAMETERS]
    return np.concatenate(codes, axis=1)


def graph_columns(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`graph` of columns of PARAMETERS: float64, (n, 8, 8), read-only, and (n, 8, 7)."""
    n = len(columns[PARAMETERS[0]])
    labels = np.zeros((n, len(EDGES) + 2), dtype=np.int64)
    labels[:, -1] = len(LABELS) - 1
    for at, name in enumerate(PARAMETERS, start=1):
        labels[:, at] = 1 + positions(columns[name], OPERATIONS)
    adjacency = np.broadcast_to(_adjacency(), (n, len(EDGES) + 2, len(EDGES) + 2))
    return adjacency, one_hot(labels, len(LABELS))
