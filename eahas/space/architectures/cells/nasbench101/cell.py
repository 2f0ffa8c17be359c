"""NAS-Bench-101 cells: validity, pruning, and isomorphism."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, shown
from eahas.space.architectures.cells.dag import (
    canonical_order,
    graph_hash,
    live_vertices,
    reordered,
)
from eahas.space.architectures.cells.layers import checked_operation

INPUT, OUTPUT = "input", "output"
OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
LABELS = (INPUT, *OPERATIONS, OUTPUT)
MAX_VERTICES, MAX_EDGES = 7, 9


@dataclass(frozen=True)
class Cell:
    """A pruned cell: `matrix[i][j]` is 1 for an edge from vertex i to j, `ops[i]` is i's operation.

    The matrix has shape (vertices, vertices) and is strictly upper triangular. `ops` starts with
    "input" and ends with "output". Lists and arrays are converted to tuples. Raises ConfigError
    otherwise, for more than 7 vertices or 9 edges, and for a vertex that is not on a path from
    input to output (`prune` removes such vertices).
    """

    matrix: tuple[tuple[int, ...], ...]
    ops: tuple[str, ...]

    def __post_init__(self) -> None:
        matrix, ops = _checked(self.matrix, self.ops)
        if len(ops) > MAX_VERTICES:
            raise ConfigError(f"matrix has {len(ops)} vertices; allowed: 2..{MAX_VERTICES}")
        if len(live_vertices(matrix)) < len(ops):
            raise ConfigError(
                f"matrix {shown(matrix)} has a vertex that is not on a path from input to output; "
                "allowed: none (prune removes them)"
            )
        edges = sum(map(sum, matrix))
        if edges > MAX_EDGES:
            raise ConfigError(f"matrix has {edges} edges; allowed: 1..{MAX_EDGES}")
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "ops", ops)


def _checked(matrix: Any, ops: Any) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """Matrix and ops as tuples; ConfigError if they do not describe a labelled graph."""
    try:
        rows, names = [list(row) for row in matrix], list(ops)
    except TypeError:
        raise ConfigError(
            f"a cell is a square matrix and a list of ops, got {shown(matrix)} and {shown(ops)}"
        ) from None
    size = len(rows)
    if size < 2 or any(len(row) != size for row in rows):
        raise ConfigError(
            f"matrix has rows of {shown([len(row) for row in rows])} entries; allowed: a square "
            f"matrix of 2..{MAX_VERTICES} vertices"
        )
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            allowed = (0, 1) if i < j else (0,)
            number = is_whole(entry) or isinstance(entry, (bool, np.bool_))
            if not number or entry not in allowed:
                raise ConfigError(
                    f"matrix[{i}][{j}]={shown(entry)} is not an edge to a later vertex; "
                    f"allowed: {' or '.join(map(str, allowed))}"
                )
    if len(names) != size or names[0] != INPUT or names[-1] != OUTPUT:
        raise ConfigError(
            f"ops={shown(names)}; allowed: {size} names, one for each vertex, from {INPUT!r} to "
            f"{OUTPUT!r}"
        )
    inner = [checked_operation(f"ops[{v}]", names[v], OPERATIONS) for v in range(1, size - 1)]
    return tuple(tuple(map(int, row)) for row in rows), (INPUT, *inner, OUTPUT)


def prune(matrix: Any, ops: Any) -> Cell:
    """The cell of a matrix of any size, without vertices that are not on a path to the output.

    Raises ConfigError if there is no path from input to output, or if the pruned graph has too many
    vertices or edges.
    """
    matrix, ops = _checked(matrix, ops)
    live = live_vertices(matrix)
    if not live:
        raise ConfigError(
            f"matrix {shown(matrix)} has no path from input to output; allowed: one or more"
        )
    return Cell(reordered(matrix, live), tuple(ops[v] for v in live))


def cell_or_none(matrix: Sequence[Sequence[int]], ops: Sequence[str]) -> Cell | None:
    """`prune` for a well-formed graph; None if it is not a valid cell."""
    live = live_vertices(matrix)
    kept = reordered(matrix, live)
    if not live or len(live) > MAX_VERTICES or sum(map(sum, kept)) > MAX_EDGES:
        return None
    return Cell(kept, tuple(ops[v] for v in live))


# Isomorphic cells


def _graph_labels(cell: Cell) -> list[int]:
    """The vertex labels of NAS-Bench-101: -1, the position of each operation, -2."""
    return [-1, *map(OPERATIONS.index, cell.ops[1:-1]), -2]


@lru_cache(maxsize=65536)  # a search often evaluates the same cells
def canonical_hash(cell: Cell) -> str:
    """The `module_hash` of NAS-Bench-101, 32 hexadecimal digits, equal iff cells are isomorphic."""
    return graph_hash(cell.matrix, _graph_labels(cell))


@lru_cache(maxsize=65536)
def canonical(cell: Cell) -> Cell:
    """The isomorphic cell with the vertex order of NAS-Bench-101 (`module_adjacency`).

    The published parameter counts are those of this cell. They depend on the order of the vertices
    if the channels of the cell do not divide evenly.
    """
    order = canonical_order(cell.matrix, _graph_labels(cell))
    return Cell(reordered(cell.matrix, order), tuple(cell.ops[v] for v in order))
