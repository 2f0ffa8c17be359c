"""Encodings of NAS-Bench-101 cells as graphs, vectors, and parameters of a space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eahas.errors import ConfigError, shown
from eahas.space.architectures.cells.dag import live_vertices, reordered
from eahas.space.architectures.cells.layers import checked_operation, one_hot, positions, required
from eahas.space.architectures.cells.nasbench101.cell import (
    INPUT,
    LABELS,
    MAX_EDGES,
    MAX_VERTICES,
    OPERATIONS,
    OUTPUT,
    Cell,
    canonical,
    cell_or_none,
)

LAST = MAX_VERTICES - 1  # index of the output vertex
PAIRS = tuple((i, j) for i in range(LAST) for j in range(i + 1, MAX_VERTICES))
OP_PARAMETERS = tuple(f"CELL.OP_{v}" for v in range(1, LAST))
EDGE_PARAMETERS = tuple(f"CELL.EDGE_{i}_{j}" for i, j in PAIRS)
PARAMETERS = (*OP_PARAMETERS, *EDGE_PARAMETERS)
NAMES = (
    *(f"edge {i} to {j}" for i, j in PAIRS),
    *(f"vertex {v} is {operation}" for v in range(1, LAST) for operation in OPERATIONS),
)
_ROWS, _COLUMNS = (np.array(ends) for ends in zip(*PAIRS, strict=True))


def graph(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Adjacency (7, 7) and one-hot LABELS of the vertices (7, 5), float64.

    The output is always vertex 6; vertices that the cell does not have are rows of zeros.
    """
    adjacency = np.zeros((MAX_VERTICES, MAX_VERTICES))
    labels = np.full(MAX_VERTICES, -1)
    indices = np.array(_vertex_indices(cell))
    adjacency[np.ix_(indices, indices)] = cell.matrix
    labels[indices] = [LABELS.index(op) for op in cell.ops]
    return adjacency, one_hot(labels, len(LABELS))


def _vertex_indices(cell: Cell) -> list[int]:
    """The index of each vertex of a cell among 7 vertices: 0, 1, ... and 6 for the output."""
    return [*range(len(cell.ops) - 1), LAST]


def encode(cell: Cell) -> np.ndarray:
    """The upper triangle of `graph`'s adjacency and its inner one-hots: float64, shape (36,).

    The features have the order of NAMES. The encoding depends on the order of the vertices; use
    `canonical` to encode isomorphic cells equally.
    """
    return _encoded(*(part[None] for part in graph(cell)))[0]


def _encoded(adjacency: np.ndarray, labels: np.ndarray) -> np.ndarray:
    inner = labels[:, 1:LAST, 1 : 1 + len(OPERATIONS)]
    return np.concatenate([adjacency[:, _ROWS, _COLUMNS], inner.reshape(len(inner), -1)], axis=1)


# Configurations


def from_config(flat: Mapping[str, Any]) -> Cell:
    """The pruned cell of a flat configuration with (at least) PARAMETERS.

    Raises ConfigError for a missing parameter, an edge that is not a boolean, an unknown operation,
    no path from input to output, and more than 9 edges after pruning.
    """
    cell = cell_or_none(*_unpruned(flat))
    if cell is None:
        raise ConfigError(violation(flat))
    return cell


def _unpruned(flat: Mapping[str, Any]) -> tuple[list[list[int]], tuple[str, ...]]:
    """Matrix and ops of a flat configuration on 7 vertices, before pruning."""
    matrix = [[0] * MAX_VERTICES for _ in range(MAX_VERTICES)]
    for (i, j), name in zip(PAIRS, EDGE_PARAMETERS, strict=True):
        edge = required(flat, name, "true or false")
        if not isinstance(edge, (bool, np.bool_)):
            raise ConfigError(f"{name}={shown(edge)} is not a boolean; allowed: true or false")
        matrix[i][j] = int(edge)
    allowed = ", ".join(OPERATIONS)
    ops = [
        checked_operation(name, required(flat, name, allowed), OPERATIONS) for name in OP_PARAMETERS
    ]
    return matrix, (INPUT, *ops, OUTPUT)


def to_config(cell: Cell) -> dict[str, Any]:
    """The flat configuration of a cell, in the order of PARAMETERS; the inverse of `from_config`.

    Vertices that the cell does not have are without edges and have the first operation.
    """
    ops = [*cell.ops[1:-1], *[OPERATIONS[0]] * (MAX_VERTICES - len(cell.ops))]
    adjacency = graph(cell)[0]
    return dict(zip(OP_PARAMETERS, ops, strict=True)) | {
        name: bool(adjacency[pair]) for name, pair in zip(EDGE_PARAMETERS, PAIRS, strict=True)
    }


def violation(flat: Mapping[str, Any]) -> str | None:
    """Why a flat configuration is not a valid cell, or None.

    Raises ConfigError for a missing or malformed parameter, as `from_config` does.
    """
    matrix, _ = _unpruned(flat)
    live = live_vertices(matrix)
    if not live:
        return "CELL.EDGE_0_1 to CELL.EDGE_5_6: no path from vertex 0 to 6; allowed: one or more"
    edges = sum(map(sum, reordered(matrix, live)))
    if edges > MAX_EDGES:
        return (
            f"CELL.EDGE_0_1 to CELL.EDGE_5_6: {edges} edges are on a path from vertex 0 to 6; "
            f"allowed: 1..{MAX_EDGES}"
        )
    return None


def to_columns(cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    """`to_config` of n cells, column by column: each of shape (n,), bool or object (strings)."""
    configs = [to_config(cell) for cell in cells]
    return {
        name: np.array(
            [config[name] for config in configs], dtype=bool if name in EDGE_PARAMETERS else object
        )
        for name in PARAMETERS
    }


def _live_columns(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The adjacency of live vertices, bool (n, 7, 7), and which vertices are live, bool (n, 7)."""
    n = len(columns[EDGE_PARAMETERS[0]])
    adjacency = np.zeros((n, MAX_VERTICES, MAX_VERTICES), dtype=bool)
    for (i, j), name in zip(PAIRS, EDGE_PARAMETERS, strict=True):
        adjacency[:, i, j] = columns[name]
    reached = np.zeros((n, MAX_VERTICES), dtype=bool)
    reaching = reached.copy()
    reached[:, 0] = reaching[:, LAST] = True
    for v in range(1, MAX_VERTICES):
        reached[:, v] = (reached & adjacency[:, :, v]).any(axis=1)
    for v in range(LAST - 1, -1, -1):
        reaching[:, v] = (reaching & adjacency[:, v, :]).any(axis=1)
    live = reached & reaching
    return adjacency & live[:, :, None] & live[:, None, :], live


def mask(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which rows of columns of PARAMETERS are valid cells: bool, shape (n,)."""
    adjacency, live = _live_columns(columns)
    return live[:, 0] & (adjacency.sum(axis=(1, 2)) <= MAX_EDGES)


def graph_columns(columns: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`graph` of the cells in columns of PARAMETERS: float64, (n, 7, 7) and (n, 7, 5)."""
    adjacency, live = _live_columns(columns)
    n = len(live)
    labels = np.full((n, MAX_VERTICES), LABELS.index(OUTPUT))
    labels[:, 0] = LABELS.index(INPUT)
    for v, name in enumerate(OP_PARAMETERS, start=1):
        labels[:, v] = 1 + positions(columns[name], OPERATIONS)
    live[:, LAST] = True
    labels = np.where(live, labels, -1)
    # Put the live vertices first and keep their order; the output remains the last vertex.
    order = np.argsort(~live[:, :LAST], axis=1, kind="stable")
    order = np.concatenate([order, np.full((n, 1), LAST)], axis=1)
    rows = np.arange(n)[:, None]
    adjacency = adjacency[rows[:, :, None], order[:, :, None], order[:, None, :]]
    return adjacency.astype(np.float64), one_hot(labels[rows, order], len(LABELS))


def encode_columns(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """`encode` of the cells in columns of PARAMETERS: float64, shape (n, 36)."""
    return _encoded(*graph_columns(columns))


def canonical_columns(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`to_config(canonical(cell))` of the cells in columns of PARAMETERS: each of shape (n,).

    Isomorphic cells have equal rows. `canonical` is called once for every distinct cell.
    """
    bits = encode_columns(columns).astype(np.int64)
    key = bits @ (1 << np.arange(bits.shape[1], dtype=np.int64))
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rows = zip(*(columns[name][first].tolist() for name in PARAMETERS), strict=True)
    cells = [canonical(from_config(dict(zip(PARAMETERS, row, strict=True)))) for row in rows]
    return {name: column[inverse] for name, column in to_columns(cells).items()}
