"""Pruning, hash and canonical order of labelled graphs, against brute force."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from eahas.space.architectures.cells.dag import (
    canonical_order,
    graph_hash,
    live_vertices,
    reordered,
)

Rows = tuple[tuple[int, ...], ...]
# How many graphs of at most 9 edges and 3 operations there are: up to 4 and 5 vertices in EC-NAS
# (Bakhtiarifard et al., 2024), up to 7 in NAS-Bench-101 (Ying et al., 2019).
PUBLISHED = {4: 91, 5: 2_532, 7: 423_624}


def full_graphs(size: int, most_edges: int = 9) -> Iterator[Rows]:
    """Every matrix in which each vertex is on a path from input to output: none is a dead end."""
    pairs = [(i, j) for j in range(1, size) for i in range(j)]
    bits = np.arange(2 ** len(pairs), dtype=np.int32)
    out, into = np.zeros((2, size, len(bits)), dtype=np.int8)
    for k, (i, j) in enumerate(pairs):
        out[i] += (bits >> k & 1).astype(np.int8)
        into[j] += (bits >> k & 1).astype(np.int8)
    kept = out[:-1].all(axis=0) & into[1:].all(axis=0) & (out.sum(axis=0) <= most_edges)
    for number in bits[kept].tolist():
        matrix = [[0] * size for _ in range(size)]
        for k, (i, j) in enumerate(pairs):
            matrix[i][j] = number >> k & 1
        yield tuple(map(tuple, matrix))


def labelled(size: int) -> Iterator[tuple[Rows, tuple[int, ...]]]:
    for matrix in full_graphs(size):
        for inner in itertools.product(range(3), repeat=size - 2):
            yield matrix, (-1, *inner, -2)


def smallest_permutation(matrix: Rows, labels: tuple[int, ...]) -> tuple[Rows, tuple[int, ...]]:
    """The smallest of all ways to number the inner vertices: equal exactly for isomorphic ones."""
    size = len(labels)
    return min(
        (reordered(matrix, order), tuple(labels[v] for v in order))
        for inner in itertools.permutations(range(1, size - 1))
        for order in [(0, *inner, size - 1)]
    )


def test_hash_and_canonical_order_tell_isomorphic_graphs() -> None:
    """Up to 5 vertices, both divide all graphs exactly as brute force over permutations does."""
    classes = set()
    of_hash, of_canonical = defaultdict(set), defaultdict(set)
    for size in range(2, 6):
        for matrix, labels in labelled(size):
            by_force = smallest_permutation(matrix, labels)
            order = canonical_order(matrix, labels)
            form = reordered(matrix, order), tuple(labels[v] for v in order)
            of_hash[graph_hash(matrix, labels)].add(by_force)
            of_canonical[form].add(by_force)
            classes.add(by_force)
        if size in PUBLISHED:
            assert len(classes) == len(of_hash) == len(of_canonical) == PUBLISHED[size]
    assert all(len(forms) == 1 for forms in (*of_hash.values(), *of_canonical.values()))


def test_canonical_order_is_the_first_of_the_enumeration() -> None:
    """The canonical form is the first isomorphic graph by matrix number and then by labels."""
    first: dict[object, object] = {}
    for matrix, labels in labelled(5):  # full_graphs rises by the number, product by the labels
        first.setdefault(smallest_permutation(matrix, labels), (matrix, labels))
    for matrix, labels in itertools.islice(labelled(5), 0, None, 7):
        order = canonical_order(matrix, labels)
        form = reordered(matrix, order), tuple(labels[v] for v in order)
        assert form == first[smallest_permutation(matrix, labels)]


def cycles(order: tuple[int, ...]) -> int:
    """The number of cycles that a permutation has on the inner vertices."""
    seen: set[int] = set()
    count = 0
    for start in range(1, len(order) - 1):
        count += start not in seen
        at = start
        while at not in seen:
            seen.add(at)
            at = order[at]
    return count


def test_the_published_number_of_cells() -> None:
    """423,624: canonical matrices, each with 3^cycles labels averaged over its automorphisms."""
    count = 0
    for size in range(2, 8):
        labels = (-1, *[0] * (size - 2), -2)
        for matrix in {reordered(m, canonical_order(m, labels)) for m in full_graphs(size)}:
            orders = [(0, *p, size - 1) for p in itertools.permutations(range(1, size - 1))]
            same = [order for order in orders if reordered(matrix, order) == matrix]
            count += sum(3 ** cycles(order) for order in same) // len(same)
        assert count == PUBLISHED.get(size, count)
    assert count == 423_624


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_live_vertices_by_paths(size: int) -> None:
    """Against a walk over every increasing path."""
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    for bits in itertools.product((0, 1), repeat=len(pairs)):
        matrix = [[0] * size for _ in range(size)]
        for (i, j), bit in zip(pairs, bits, strict=True):
            matrix[i][j] = bit
        on_paths: set[int] = set()
        for count in range(size - 1):
            for inner in itertools.combinations(range(1, size - 1), count):
                path = (0, *inner, size - 1)
                if all(matrix[i][j] for i, j in itertools.pairwise(path)):
                    on_paths |= set(path)
        assert live_vertices(matrix) == sorted(on_paths)
