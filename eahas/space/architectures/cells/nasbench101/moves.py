"""Sampling and neighbours of NAS-Bench-101 cells."""

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
    """Sample a cell with the distribution of NAS-Bench-101's random search.

    Each of the 21 edges is present with probability 1/2, and each operation is uniform. The graph
    is pruned; sampling is repeated until it has a path and at most 9 edges. The distribution is far
    from uniform over cells: most samples have 3 to 5 vertices and about one in 400 has 7 vertices,
    whereas 85 % of the 423,624 cells have 7 vertices.
    """
    while True:
        matrix = np.triu(rng.integers(0, 2, size=(MAX_VERTICES, MAX_VERTICES)), 1)
        names = [OPERATIONS[k] for k in rng.integers(0, len(OPERATIONS), size=MAX_VERTICES - 2)]
        cell = cell_or_none(matrix.tolist(), (INPUT, *names, OUTPUT))
        if cell is not None:
            return cell


def neighbours(cell: Cell) -> list[Cell]:
    """The cells that differ by one move; no two of them, nor one and `cell`, are isomorphic.

    A move changes one operation, adds or removes one edge and prunes the graph, or adds one vertex
    with one incoming and one outgoing edge. Without the last move a local search could not increase
    the number of vertices, because all vertices of a cell are on a path.
    """
    distinct = {canonical_hash(cell): cell}
    for matrix, ops in _moves(cell):
        neighbour = cell_or_none(matrix, ops)
        if neighbour is not None:
            distinct.setdefault(canonical_hash(neighbour), neighbour)
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
