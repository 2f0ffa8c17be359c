"""NAS-Bench-101 cells at random, and the cells one move away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eahas.space.architectures.cells.nasbench101.cell import (
    INPUT,
    MAX_VERTICES,
    OPERATIONS,
    OUTPUT,
    Cell,
    canonical_hash,
    cell_or_none,
)


def sample(rng: np.random.Generator) -> Cell:
    """A random cell, drawn as NAS-Bench-101's random search does.

    Each of the 21 edges is present with probability 1/2 and each operation is uniform; the graph
    is pruned, and drawn again until it has a path and at most 9 edges. This is far from uniform
    over cells: most draws have 3 to 5 vertices and about one in 400 has 7, as have 85 % of the
    423,624 cells.
    """
    while True:
        matrix = np.triu(rng.integers(0, 2, size=(MAX_VERTICES, MAX_VERTICES)), 1)
        names = [OPERATIONS[k] for k in rng.integers(0, len(OPERATIONS), size=MAX_VERTICES - 2)]
        found = cell_or_none(matrix.tolist(), (INPUT, *names, OUTPUT))
        if found is not None:
            return found


def neighbours(cell: Cell) -> list[Cell]:
    """The cells one move away, none of them isomorphic to another one or to `cell`.

    A move changes one operation, adds or removes one edge (what this leaves on no path is pruned),
    or adds one vertex with an edge to it and an edge from it. Without the last move a search could
    never return to more vertices, as the vertices of a cell are all on a path.
    """
    distinct = {canonical_hash(cell): cell}
    for matrix, ops in _moves(cell):
        found = cell_or_none(matrix, ops)
        if found is not None:
            distinct.setdefault(canonical_hash(found), found)
    return list(distinct.values())[1:]


def _moves(cell: Cell) -> Iterator[tuple[Sequence[Sequence[int]], tuple[str, ...]]]:
    size = len(cell.ops)
    for v in range(1, size - 1):
        for operation in OPERATIONS:
            yield cell.matrix, (*cell.ops[:v], operation, *cell.ops[v + 1 :])
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    for i, j in pairs:
        flipped = [list(row) for row in cell.matrix]
        flipped[i][j] = 1 - flipped[i][j]
        yield flipped, cell.ops
    for i, j in pairs:  # a new vertex just before j, between i and j
        larger = [[*row[:j], int(v == i), *row[j:]] for v, row in enumerate(cell.matrix)]
        larger.insert(j, [0] * (j + 1) + [1] + [0] * (size - j - 1))
        for operation in OPERATIONS:
            yield larger, (*cell.ops[:j], operation, *cell.ops[j:])
