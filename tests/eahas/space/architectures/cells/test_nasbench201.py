"""NAS-Bench-201 cells: strings, classes of equal cells, encodings, published costs."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from eahas.errors import ConfigError, SpecError
from eahas.space.architectures.cells import nasbench201 as nb

from .conftest import public_table

NONE, SKIP, CONV1, CONV3, POOL = nb.OPERATIONS
ALL = [nb.cell_at(k) for k in range(nb.COUNT)]
NETWORKS = {"cifar10": nb.CIFAR10, "cifar100": nb.CIFAR100, "imagenet16": nb.IMAGENET16_120}
# Multiply-adds in millions and parameters in millions as NAS-Bench-201's API gives them, rounded as
# printed, of CIFAR-10, CIFAR-100 and ImageNet16-120. In the discussions of D-X-Y/NATS-Bench (18, 24
# and 36), and in a comment of a search code (9930).
PUBLISHED = [
    (
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
        ["15.64737", "15.65322", "3.91948"],
        [],
    ),
    (
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|",
        ["113.95", "113.96", "28.50"],
        ["0.802", "0.808", "0.810"],
    ),
    (
        "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        ["113.95137"],
        ["0.802426"],
    ),
    (
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        ["184.73", "184.74", "46.19"],
        ["1.289", "1.294", "1.296"],
    ),
]


def rounded(value: int, published: str) -> str:
    return f"{value / 1e6:.{len(published.partition('.')[2])}f}"


@pytest.mark.parametrize(("text", "flops", "params"), PUBLISHED)
def test_published_complexity(text: str, flops: list[str], params: list[str]) -> None:
    costs = [nb.complexity(nb.parse(text), network) for network in NETWORKS.values()]
    assert [rounded(c.flops, p) for c, p in zip(costs, flops, strict=False)] == flops
    assert [rounded(c.params, p) for c, p in zip(costs, params, strict=False)] == params


def test_every_published_parameter_count() -> None:
    """All but 150 of 15,625 on each data set; those 150 have the count of an equal cell.

    That the API gives other counts for some cells is known (D-X-Y/NATS-Bench, discussion 36).
    """
    read_table = pytest.importorskip("pyarrow.parquet").read_table
    path = public_table("tables/nasbench201_valid.parquet")
    columns = ["arch", *(f"{name}_model_size" for name in NETWORKS)]
    table = read_table(path, columns=columns).to_pydict()
    cells = [nb.parse(text) for text in table["arch"]]
    assert [str(cell) for cell in cells] == table["arch"]
    assert set(cells) == set(ALL)
    for name, network in NETWORKS.items():
        published = np.rint(np.array(table[f"{name}_model_size"]) * 1e6).astype(int)
        params = nb.complexity_columns(nb.to_columns(cells), network)[1]
        different = np.flatnonzero(params != published)
        assert len(different) == 150
        of_equal = defaultdict(set)
        for cell, count in zip(cells, params.tolist(), strict=True):
            of_equal[nb.dataflow_hash(cell)].add(count)
        assert all(published[k] in of_equal[nb.dataflow_hash(cells[k])] for k in different)


def test_the_string_and_back() -> None:
    assert len({str(cell) for cell in ALL}) == nb.COUNT == 15_625
    assert all(nb.parse(str(cell)) == cell for cell in ALL[::7])
    cell = nb.Cell((CONV3, NONE, CONV1, SKIP, POOL, CONV3))
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    assert str(cell) == text
    assert nb.parse(text) == cell
    assert nb.to_config(cell)["CELL.EDGE_1_2"] == CONV1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", r"cell ''; allowed: \|op~0\|\+"),
        (None, r"cell None; allowed: \|op~0\|\+"),
        ("|none~0|+|none~1|none~0|+|none~0|none~1|none~2|", "allowed: .*none, skip_connect"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|\n", "allowed: "),
        ("|none~0|+|none~0|skip~1|+|none~0|none~1|none~2|", r"CELL\.EDGE_1_2: operation 'skip'"),
    ],
)
def test_a_wrong_string_is_named(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        nb.parse(given)


@pytest.mark.parametrize("ops", [(NONE,) * 5, (NONE,) * 7, "nonono", 6, None])
def test_six_operations_are_needed(ops: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"ops=.*; allowed: 6 operations, one for each edge, of none"
    ):
        nb.Cell(ops)


def test_the_index_goes_through_all_cells_in_order() -> None:
    assert [nb.index(cell) for cell in ALL] == list(range(nb.COUNT))
    assert ALL[0].ops == (NONE,) * 6
    assert ALL[1].ops == (*[NONE] * 5, SKIP)
    for position in (-1, nb.COUNT, 1.0, "1", True):
        with pytest.raises(ConfigError, match=r"index=.*allowed: an integer in 0\.\.15624"):
            nb.cell_at(position)  # type: ignore[arg-type]


def value(cell: nb.Cell, weights: np.ndarray) -> bytes:
    """The output of a cell whose operations are random and nonlinear and keep zero at zero."""
    nodes = [np.array([0.3, -0.7, 0.5])]
    ops = iter(cell.ops)
    for j in range(1, 4):
        total = np.zeros(3)
        for node in nodes[:j]:
            op = next(ops)
            if op == SKIP:
                total = total + node
            elif op != NONE:
                total = total + np.tanh(weights[nb.OPERATIONS.index(op)] @ node)
        nodes.append(total)
    return (np.round(nodes[-1], 9) + 0.0).tobytes()  # + 0.0: no negative zero


def test_the_published_number_of_different_cells() -> None:
    """6,466 hashes; cells that share one compute the same; 4,930 different computations."""
    weights = np.random.default_rng(0).standard_normal((5, 3, 3))
    values = {cell: value(cell, weights) for cell in ALL}
    of_canonical, of_dataflow = defaultdict(set), defaultdict(set)
    for cell, output in values.items():
        of_canonical[nb.canonical_hash(cell)].add(output)
        of_dataflow[nb.dataflow_hash(cell)].add(output)
    assert len(of_canonical) == 6_466
    assert all(len(outputs) == 1 for outputs in of_canonical.values())
    assert len(of_dataflow) == len(set(values.values())) == 4_930
    assert all(len(outputs) == 1 for outputs in of_dataflow.values())


def test_inner_nodes_without_an_edge_can_change_places() -> None:
    """The data flow is the same; the published rule sees the zero term and tells some apart."""
    apart = 0
    for cell in ALL:
        a, b, between, skip, c, d = cell.ops
        if between == NONE:
            swapped = nb.Cell((b, a, between, skip, d, c))
            assert nb.dataflow_hash(swapped) == nb.dataflow_hash(cell)
            apart += nb.canonical_hash(swapped) != nb.canonical_hash(cell)
    assert 0 < apart < 5**5


def test_neighbours() -> None:
    for cell in ALL[::500]:
        found = nb.neighbours(cell)
        assert len(set(found)) == 24
        differences = [
            sum(a != b for a, b in zip(cell.ops, other.ops, strict=True)) for other in found
        ]
        assert differences == [1] * 24


def test_sampling() -> None:
    assert nb.sample(np.random.default_rng(5)) == nb.sample(np.random.default_rng(5))
    rng = np.random.default_rng(0)
    drawn = [nb.sample(rng) for _ in range(2_000)]
    for edge in zip(*(cell.ops for cell in drawn), strict=True):
        counts = [edge.count(op) for op in nb.OPERATIONS]
        assert sum(counts) == 2_000
        assert all(320 < count < 480 for count in counts)  # 400 on average, 18 a deviation


def test_the_encoding() -> None:
    cell = nb.Cell((CONV3, NONE, CONV1, SKIP, POOL, CONV3))
    ones = [nb.NAMES[k] for k in np.flatnonzero(nb.encode(cell))]
    ends = ["0 to 1", "0 to 2", "1 to 2", "0 to 3", "1 to 3", "2 to 3"]
    assert ones == [f"edge {e} is {op}" for e, op in zip(ends, cell.ops, strict=True)]
    codes = nb.encode_columns(nb.to_columns(ALL))
    assert codes.shape == (nb.COUNT, len(nb.NAMES)) == (15_625, 30)
    assert len(np.unique(codes, axis=0)) == nb.COUNT
    assert np.array_equal(codes[::97], [nb.encode(c) for c in ALL[::97]])


def test_the_graph_with_operations_on_vertices() -> None:
    """Its paths from input to output are the cell's: 0-3, 0-1-3, 0-2-3 and 0-1-2-3."""
    cell = nb.Cell((CONV3, NONE, CONV1, SKIP, POOL, CONV3))
    adjacency, labels = nb.graph(cell)
    assert [nb.LABELS[k] for k in labels.argmax(axis=1)] == ["input", *cell.ops, "output"]
    assert (labels.sum(axis=1) == 1).all()

    def paths(v: int) -> list[list[int]]:
        if v == 7:
            return [[]]
        return [[int(w), *rest] for w in np.flatnonzero(adjacency[v]) for rest in paths(int(w))]

    found = [[nb.EDGES[v - 1] for v in path[:-1]] for path in paths(0)]
    expected = [[(0, 3)], [(0, 1), (1, 3)], [(0, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)]]
    assert sorted(found) == sorted(expected)
    some = ALL[::311]
    many = nb.graph_columns(nb.to_columns(some))
    for k, other in enumerate(some):
        assert all(np.array_equal(m[k], o) for m, o in zip(many, nb.graph(other), strict=True))


def test_a_configuration_and_back() -> None:
    for cell in ALL[::131]:
        flat = nb.to_config(cell)
        assert tuple(flat) == nb.PARAMETERS
        assert nb.from_config({**flat, "OPTIM.BASE_LR": 0.1}) == cell
    with pytest.raises(ConfigError, match=r"CELL\.EDGE_0_3 is missing; allowed: none, skip_conn"):
        nb.from_config({name: NONE for name in nb.PARAMETERS if name != "CELL.EDGE_0_3"})
    with pytest.raises(ConfigError, match=r"CELL\.EDGE_0_3: operation 'nonee' .*did you mean"):
        nb.from_config({**nb.to_config(ALL[0]), "CELL.EDGE_0_3": "nonee"})


@pytest.mark.parametrize(
    "network", [nb.IMAGENET16_120, nb.Network(8, 1, 3, channels=4, cells_per_stage=2)]
)
def test_columns_agree_with_one_by_one(network: nb.Network) -> None:
    found = nb.complexity_columns(nb.to_columns(ALL), network)
    assert all(column.dtype == np.int64 for column in found)
    one_by_one = [nb.complexity(cell, network) for cell in ALL]
    assert np.array_equal(np.stack(found, axis=1), one_by_one)


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(SpecError, match="image_size is a multiple of 4, got 30"):
        nb.Network(image_size=30)
    with pytest.raises(SpecError, match="classes is a whole number from 1, got 0"):
        nb.Network(classes=0)
