"""NAS-Bench-101 cells: validity, published hashes, moves, encodings, configurations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eahas.errors import ConfigError
from eahas.space.architectures.cells import nasbench101 as nb

from .conftest import public_table

CONV3, CONV1, POOL = nb.OPERATIONS
# Four cells of EC-NAS-Bench's tables (Bakhtiarifard et al., 2024, MIT), whose hashes are
# NAS-Bench-101's: hash, flattened matrix, inner operations.
PUBLISHED = [
    ("001a6fcc8b38cbc515be788a86bdc804", "0110001000010000", (POOL, POOL)),
    ("fcc1e77f36eb12f3fbecee43a084cd65", "0111001100010000", (POOL, CONV3)),
    ("2b709df297a0292c94cc533572bf7d4f", "0110100100000100000100000", (CONV3, CONV1, POOL)),
    ("7f34b023146d26db7a9cce0e041f859e", "0101000101000010000100000", (POOL, CONV3, POOL)),
]
# The Inception-like cell of NAS-Bench-101's README and notebook, as asked and as answered.
INCEPTION = nb.Cell(
    [
        [0, 1, 1, 1, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", CONV1, CONV3, CONV3, CONV3, POOL, "output"],
)
ANSWERED = nb.Cell(
    [
        [0, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ["input", CONV3, CONV1, POOL, CONV3, CONV3, "output"],
)

cells = st.integers(0, 2**32 - 1).map(lambda seed: nb.sample(np.random.default_rng(seed)))


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Any values of the parameters, cells or not; edges of every density."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.2, 0.4, 0.6, 0.9]))
    flat: dict[str, Any] = {name: nb.OPERATIONS[rng.integers(3)] for name in nb.OP_PARAMETERS}
    return flat | {name: bool(rng.random() < density) for name in nb.EDGE_PARAMETERS}


def square(text: str) -> list[list[int]]:
    size = int(len(text) ** 0.5)
    return np.array(list(map(int, text))).reshape(size, size).tolist()


@pytest.mark.parametrize(("published", "matrix", "inner"), PUBLISHED)
def test_published_hash(published: str, matrix: str, inner: tuple[str, ...]) -> None:
    cell = nb.Cell(square(matrix), ("input", *inner, "output"))
    assert nb.canonical_hash(cell) == published
    assert nb.canonical(cell) == cell


def test_every_hash_of_ec_nas() -> None:
    """All 2,532 cells of up to 5 vertices: the same hash, and the same order of vertices."""
    read_table = pytest.importorskip("pyarrow.parquet").read_table
    path = public_table("energy/ecnas_measured_runs.parquet")
    table = read_table(path, columns=["hash", "adjacency", "ops"])
    rows = {(r["hash"], r["adjacency"], r["ops"]) for r in table.to_pylist()}
    assert len(rows) == 2_532
    for published, matrix, ops in rows:
        cell = nb.Cell(square(matrix), ops.split(","))
        assert nb.canonical_hash(cell) == published
        assert nb.canonical(cell) == cell


def test_the_published_order_of_vertices() -> None:
    """NAS-Bench-101 answers a query with the isomorphic cell that it trained."""
    assert nb.canonical(INCEPTION) == ANSWERED
    assert nb.canonical_hash(INCEPTION) == nb.canonical_hash(ANSWERED)


def test_a_larger_matrix_is_pruned_to_the_same_cell() -> None:
    """Vertices 1 (a dead end), 2 (no way in) and 4 (both) of 9 are left out."""
    kept, size = [0, 3, 5, 6, 7, 8], 9
    matrix = np.zeros((size, size), dtype=int)
    edges = [(0, 3), (3, 5), (5, 8), (0, 6), (6, 7), (7, 8), (0, 8)]
    for i, j in [*edges, (0, 1), (2, 8)]:
        matrix[i, j] = 1
    ops = ["input", POOL, POOL, CONV3, POOL, CONV1, CONV3, POOL, "output"]
    cell = nb.prune(matrix, ops)
    assert cell.ops == ("input", CONV3, CONV1, CONV3, POOL, "output")
    assert {(kept[i], kept[j]) for i, j in np.argwhere(cell.matrix)} == set(edges)


IDENTITY = [[0, 1], [0, 0]]
CHAIN = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
TEN = np.triu(np.ones((5, 5), dtype=int), 1)


@pytest.mark.parametrize(
    ("matrix", "ops", "message"),
    [
        (7, ["input", "output"], "a cell is a square matrix and a list of ops, got 7"),
        ([[0, 1]], ["input", "output"], "rows of .2. entries; allowed: a square matrix of 2..7"),
        ([[0, 2], [0, 0]], ["input", "output"], r"matrix\[0\]\[1\]=2 .*allowed: 0 or 1"),
        ([[0, 0.5], [0, 0]], ["input", "output"], r"matrix\[0\]\[1\]=0.5 .*allowed: 0 or 1"),
        ([[0, 1], [1, 0]], ["input", "output"], r"matrix\[1\]\[0\]=1 .*allowed: 0$"),
        (
            IDENTITY,
            ["input", POOL, "output"],
            "allowed: 2 names, one for each vertex, from 'input' to",
        ),
        (IDENTITY, ["output", "input"], "from 'input' to 'output'"),
        (CHAIN, ["input", "maxpool", "output"], r"ops\[1\]: operation 'maxpool' .*did you mean"),
        (
            CHAIN,
            ["input", None, "output"],
            r"ops\[1\]: operation None is unknown; allowed: conv",
        ),
        (np.eye(3, k=2, dtype=int), ["input", POOL, "output"], "is not on a path .*allowed: none"),
        (TEN, ["input", POOL, POOL, POOL, "output"], "10 edges; allowed: 1..9"),
        (np.eye(8, k=1, dtype=int), ["input", *[POOL] * 6, "output"], "8 vertices; allowed: 2..7"),
    ],
)
def test_what_is_no_cell(matrix: Any, ops: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        nb.Cell(matrix, ops)


def test_no_path_is_no_cell() -> None:
    with pytest.raises(ConfigError, match="no path from input to output; allowed: one or more"):
        nb.prune(np.zeros((4, 4), dtype=int), ["input", POOL, POOL, "output"])


@given(cells)
def test_a_new_numbering_is_the_same_cell(cell: nb.Cell) -> None:
    """Vertices in the order of a depth-first search, which is another topological order."""
    order: list[int] = []
    size = len(cell.ops)

    def visit(v: int) -> None:
        if v not in order:
            for w in range(size):
                if cell.matrix[v][w]:
                    visit(w)
            order.insert(0, v)

    visit(0)
    matrix = np.array(cell.matrix)[np.ix_(order, order)]
    other = nb.Cell(matrix, [cell.ops[v] for v in order])
    assert nb.canonical_hash(other) == nb.canonical_hash(cell)
    assert nb.canonical(other) == nb.canonical(cell)


def test_sampling() -> None:
    drawn = [nb.sample(np.random.default_rng(7)) for _ in range(2)]
    assert drawn[0] == drawn[1]
    rng = np.random.default_rng(0)
    many = [nb.sample(rng) for _ in range(300)]
    assert {len(cell.ops) for cell in many} >= {2, 3, 4, 5, 6}
    assert max(sum(map(sum, cell.matrix)) for cell in many) == nb.MAX_EDGES
    assert {op for cell in many for op in cell.ops} == set(nb.LABELS)


@settings(max_examples=20)
@given(cells)
def test_neighbours(cell: nb.Cell) -> None:
    found = {nb.canonical_hash(other): other for other in nb.neighbours(cell)}
    assert len(found) == len(nb.neighbours(cell))
    own = nb.canonical_hash(cell)
    assert own not in found
    size = len(cell.ops)
    changed = set()
    for v in range(1, size - 1):
        for op in nb.OPERATIONS:
            changed.add(nb.Cell(cell.matrix, (*cell.ops[:v], op, *cell.ops[v + 1 :])))
    for i in range(size):
        for j in range(i + 1, size):
            matrix = np.array(cell.matrix)
            matrix[i, j] ^= 1
            try:
                changed.add(nb.prune(matrix, cell.ops))
            except ConfigError:
                continue
    expected = {nb.canonical_hash(other) for other in changed} - {own}
    grown = {key for key, other in found.items() if len(other.ops) > size}
    assert set(found) - grown == expected
    for other in found.values():  # a move that prunes nothing can be taken back
        if len(other.ops) >= size:
            assert own in map(nb.canonical_hash, nb.neighbours(other))


def test_the_smallest_cell_can_grow() -> None:
    """From the bare edge: one operation beside it, of three kinds."""
    found = nb.neighbours(nb.Cell(IDENTITY, ["input", "output"]))
    assert {cell.ops[1] for cell in found} == set(nb.OPERATIONS)
    assert all(np.array_equal(cell.matrix, [[0, 1, 1], [0, 0, 1], [0, 0, 0]]) for cell in found)


def test_the_largest_cells_do_not_grow() -> None:
    assert len(INCEPTION.ops) == nb.MAX_VERTICES
    assert all(len(cell.ops) <= nb.MAX_VERTICES for cell in nb.neighbours(INCEPTION))


def test_graph_and_encoding_of_a_small_cell() -> None:
    cell = nb.Cell(CHAIN, ["input", POOL, "output"])
    adjacency, labels = nb.graph(cell)
    assert np.argwhere(adjacency).tolist() == [[0, 1], [1, 6]]
    assert np.argwhere(labels).tolist() == [[0, 0], [1, 3], [6, 4]]
    ones = [nb.NAMES[k] for k in np.flatnonzero(nb.encode(cell))]
    assert ones == ["edge 0 to 1", "edge 1 to 6", f"vertex 1 is {POOL}"]


@given(st.lists(cells, min_size=2, max_size=10))
def test_the_encoding_tells_cells_apart(some: list[nb.Cell]) -> None:
    codes = {nb.encode(cell).tobytes() for cell in some}
    assert len(codes) == len(set(some))
    assert all(nb.encode(cell).shape == (len(nb.NAMES),) for cell in some)


@given(cells)
def test_a_configuration_and_back(cell: nb.Cell) -> None:
    flat = nb.to_config(cell)
    assert tuple(flat) == nb.PARAMETERS
    assert nb.from_config(flat) == cell
    assert nb.from_config({**flat, "OPTIM.BASE_LR": 0.1}) == cell
    assert nb.violation(flat) is None


@given(st.lists(configs(), min_size=1, max_size=20))
def test_columns_are_cells_side_by_side(some: list[dict[str, Any]]) -> None:
    """Of configurations with dead vertices too: masks, graphs and codes agree with one by one."""
    columns = {name: np.array([flat[name] for flat in some]) for name in nb.PARAMETERS}
    allowed = nb.mask(columns)
    assert allowed.tolist() == [nb.violation(flat) is None for flat in some]
    for flat, good in zip(some, allowed, strict=True):
        if not good:
            with pytest.raises(ConfigError, match=r"CELL\.EDGE_0_1 to CELL\.EDGE_5_6: .*allowed"):
                nb.from_config(flat)
    if not allowed.any():
        return
    kept = {name: column[allowed] for name, column in columns.items()}
    one_by_one = [nb.from_config(flat) for flat, good in zip(some, allowed, strict=True) if good]
    adjacency, labels = nb.graph_columns(kept)
    for k, cell in enumerate(one_by_one):
        assert np.array_equal(adjacency[k], nb.graph(cell)[0])
        assert np.array_equal(labels[k], nb.graph(cell)[1])
    assert np.array_equal(nb.encode_columns(kept), [nb.encode(cell) for cell in one_by_one])
    again = nb.to_columns(one_by_one)
    assert np.array_equal(nb.encode_columns(again), nb.encode_columns(kept))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CELL.OP_3": "conv3x3"}, r"CELL\.OP_3: operation 'conv3x3' .*did you mean 'conv3x3-bn-"),
        ({"CELL.EDGE_1_2": 1}, r"CELL\.EDGE_1_2=1 is not a boolean; allowed: true or false"),
        ({"CELL.EDGE_1_2": "yes"}, r"CELL\.EDGE_1_2='yes' is not a boolean"),
    ],
)
def test_a_wrong_value_is_named(change: dict[str, Any], message: str) -> None:
    flat = nb.to_config(INCEPTION)
    for ask in (nb.from_config, nb.violation):
        with pytest.raises(ConfigError, match=message):
            ask({**flat, **change})


@pytest.mark.parametrize("name", ["CELL.OP_5", "CELL.EDGE_0_6"])
def test_a_missing_parameter_is_named(name: str) -> None:
    flat = nb.to_config(INCEPTION)
    del flat[name]
    with pytest.raises(ConfigError, match=f"{name} is missing; allowed: "):
        nb.from_config(flat)
