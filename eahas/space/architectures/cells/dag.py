"""Labelled directed acyclic graphs: pruning, hash and canonical order.

The adjacency matrix is a sequence of rows of 0 and 1 and strictly upper triangular: `matrix[i][j]`
is the edge from vertex i to vertex j. Vertex 0 is the input; the last vertex is the output.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

Matrix = Sequence[Sequence[int]]


def live_vertices(matrix: Matrix) -> list[int]:
    """The vertices on a path from input to output, in order; empty if there is no path."""
    size = len(matrix)
    reached, reaching = {0}, {size - 1}
    for v in range(1, size):
        if any(matrix[u][v] for u in reached):
            reached.add(v)
    for v in range(size - 2, -1, -1):
        if any(matrix[v][w] for w in reaching):
            reaching.add(v)
    live = sorted(reached & reaching)
    return live if len(live) >= 2 else []


def reordered(matrix: Matrix, order: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The adjacency matrix of the vertices in `order`; other vertices are left out."""
    return tuple(tuple(int(matrix[i][j]) for j in order) for i in order)


def graph_hash(matrix: Matrix, labels: Sequence[int]) -> str:
    """A hash that isomorphic labelled graphs share: 32 hexadecimal digits.

    Ying et al., "NAS-Bench-101", ICML 2019, and Ying, "Enumerating Unique Computational Graphs via
    an Iterative Graph Invariant", 2019. The first hash of a vertex is the MD5 of its out-degree,
    in-degree and label. Then each vertex hash is updated as many times as there are vertices: the
    new hash is the MD5 of the sorted hashes of its predecessors, the sorted hashes of its
    successors, and its own hash. The hash of the graph is the MD5 of the sorted hashes of all
    vertices. Graphs of NAS-Bench-101 with equal hashes are isomorphic; hashes of larger graphs can
    collide.
    """
    size = len(matrix)
    vertices = range(size)
    before = [[u for u in vertices if matrix[u][v]] for v in vertices]
    after = [[w for w in vertices if matrix[v][w]] for v in vertices]
    hashes = [_md5(f"({len(after[v])}, {len(before[v])}, {labels[v]})") for v in vertices]
    for _ in vertices:
        hashes = [
            _md5("|".join((_joined(hashes, before[v]), _joined(hashes, after[v]), hashes[v])))
            for v in vertices
        ]
    return _md5(str(sorted(hashes)))


def _joined(hashes: Sequence[str], vertices: Sequence[int]) -> str:
    return "".join(sorted(hashes[v] for v in vertices))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def canonical_order(matrix: Matrix, labels: Sequence[int]) -> tuple[int, ...]:
    """The vertex order that turns isomorphic graphs into one graph: that of NAS-Bench-101.

    NAS-Bench-101 enumerates the matrices of a size by the number whose bit x + y (y - 1) / 2 is the
    edge from x to y, and then the labels in lexicographic order. Of isomorphic graphs it keeps the
    first. Input and output keep their positions. Every vertex must be on a path from input to
    output.
    """
    last = len(matrix) - 1

    def rank(order: tuple[int, ...]) -> tuple[int, list[int]]:
        edges = (
            matrix[x][order[b]] << (a + b * (b - 1) // 2)
            for b in range(1, last + 1)
            for a, x in enumerate(order[:b])
        )
        return sum(edges), [labels[v] for v in order]

    return min(((0, *inner, last) for inner in _topological_orders(matrix)), key=rank)


def _topological_orders(matrix: Matrix) -> Iterator[tuple[int, ...]]:
    """All topological orders of the inner vertices."""

    def extended(done: tuple[int, ...], left: frozenset[int]) -> Iterator[tuple[int, ...]]:
        if not left:
            yield done
        for v in sorted(left):
            if not any(matrix[u][v] for u in left):
                yield from extended((*done, v), left - {v})

    return extended((), frozenset(range(1, len(matrix) - 1)))
