"""The costs of NAS-Bench-101 networks against published counts and against a torch twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from eahas.errors import SpecError
from eahas.space.architectures.cells import nasbench101 as nb
from eahas.space.architectures.cells.nasbench101.encoding import graph
from eahas.space.architectures.cells.nasbench101.network import _vertex_channels

from .conftest import public_table
from .test_nasbench101 import ANSWERED, CONV1, CONV3, POOL, square

# EC-NAS-Bench's tables (Bakhtiarifard et al., 2024, MIT): flattened matrix, inner operations,
# parameters of the CIFAR-10 network.
PUBLISHED = [
    ("0110001000010000", (POOL, POOL), 1_756_298),
    ("0110001100010000", (POOL, CONV1), 1_143_306),
    ("0111001100010000", (POOL, CONV3), 4_081_418),
    ("0111100111000100000100000", (POOL, CONV3, CONV3), 6_843_402),
    ("0101000101000010000100000", (POOL, CONV3, POOL), 1_627_283),
    ("0110000111000110000100000", (POOL, CONV1, POOL), 709_399),
    (
        "0110100001000000010100000100000001000000010000000",
        (CONV3, CONV1, CONV3, CONV1, POOL),
        23_295_370,
    ),
]


@pytest.mark.parametrize(("matrix", "inner", "params"), PUBLISHED)
def test_published_parameters(matrix: str, inner: tuple[str, ...], params: int) -> None:
    cell = nb.Cell(square(matrix), ("input", *inner, "output"))
    assert nb.complexity(cell).params == params


def test_parameters_of_the_notebook() -> None:
    """NASBench.ipynb of google-research/nasbench prints `trainable_parameters: 2694282`."""
    assert nb.complexity(ANSWERED).params == 2_694_282


@pytest.mark.parametrize(
    ("table", "count"),
    [("energy/ecnas_measured_runs.parquet", 2_532), ("energy/ecnas_7v_energy.parquet", 4_310)],
)
def test_every_published_parameter_count_of_ec_nas(table: str, count: int) -> None:
    read_table = pytest.importorskip("pyarrow.parquet").read_table
    found = read_table(public_table(table), columns=["adjacency", "ops", "params"]).to_pylist()
    rows = {(r["adjacency"], r["ops"], r["params"]) for r in found}
    assert len(rows) == count
    cells = [nb.Cell(square(matrix), ops.split(",")) for matrix, ops, _ in rows]
    assert nb.complexity_columns(nb.to_columns(cells))[1].tolist() == [p for *_, p in rows]


@pytest.mark.parametrize(
    ("edges", "c_out", "channels"),
    [  # of NAS-Bench-101's model_builder_test.py
        ([(0, 1), (0, 2), (1, 3), (2, 3)], 15, [8, 7]),
        ([(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)], 8, [3, 3, 2]),
        ([(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)], 9, [5, 5, 4]),
        ([(0, 1), (0, 3), (1, 2), (1, 4), (2, 3), (3, 4)], 15, [8, 7, 7]),
        ([(0, 1), (1, 2), (2, 3)], 16, [16, 16]),
    ],
)
def test_published_vertex_channels(
    edges: list[tuple[int, int]], c_out: int, channels: list[int]
) -> None:
    size = 1 + max(j for _, j in edges)
    matrix = np.zeros((size, size), dtype=int)
    matrix[tuple(zip(*edges, strict=True))] = 1
    cell = nb.Cell(matrix, ["input", *[CONV3] * (size - 2), "output"])
    found = _vertex_channels(graph(cell)[0].astype(int).tolist(), c_out, max)
    assert found[1 : size - 1] == channels
    assert found[-1] == c_out


class Unit(nn.Sequential):
    """A convolution with batch norm."""

    def __init__(self, kernel: int, c_in: int, c_out: int) -> None:
        conv = nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(c_out), nn.ReLU())


class TorchCell(nn.Module):
    """A cell as a torch module, built vertex by vertex from the paper's words."""

    def __init__(self, cell: nb.Cell, c_in: int, c_out: int) -> None:
        super().__init__()
        self.cell, out = cell, len(cell.ops) - 1
        self.giving = [v for v in range(1, out) if cell.matrix[v][out]]
        self.widths = {}
        if self.giving:
            shares = np.array_split(np.arange(c_out), len(self.giving))
            self.widths = {v: len(s) for v, s in zip(self.giving, shares, strict=True)}
        for v in reversed(range(1, out)):
            if v not in self.widths:
                self.widths[v] = max(self.widths[w] for w in range(out) if cell.matrix[v][w])
        self.widths[out] = c_out
        self.projections = nn.ModuleDict(
            {str(v): Unit(1, c_in, w) for v, w in self.widths.items() if cell.matrix[0][v]}
        )
        kinds = {CONV3: 3, CONV1: 1}
        self.operations = nn.ModuleDict()
        for v in range(1, out):
            pool, width = nn.MaxPool2d(3, stride=1, padding=1), self.widths[v]
            kernel = kinds.get(cell.ops[v])
            self.operations[str(v)] = Unit(kernel, width, width) if kernel else pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        matrix, out = self.cell.matrix, len(self.cell.ops) - 1
        values: dict[int, torch.Tensor] = {}
        for v in range(1, out):
            parts = [values[u][:, : self.widths[v]] for u in range(1, v) if matrix[u][v]]
            if matrix[0][v]:
                parts.append(self.projections[str(v)](x))
            values[v] = self.operations[str(v)](sum(parts))
        given = [values[v] for v in self.giving]
        joined = [torch.cat(given, dim=1)] if given else []
        if matrix[0][out]:
            joined.append(self.projections[str(out)](x))
        return sum(joined)  # type: ignore[return-value]


def counted(cell: nb.Cell, network: nb.Network) -> tuple[int, int]:
    """Multiply-adds and parameters, counted by hooks while torch builds and runs the network."""
    layers: list[nn.Module] = [Unit(3, network.in_channels, network.stem_channels)]
    before = width = network.stem_channels
    for stack in range(network.stacks):
        if stack:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            width *= 2
        for _ in range(network.cells_per_stack):
            layers.append(TorchCell(cell, before, width))
            before = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, network.classes)]
    flops = 0

    def count(layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        nonlocal flops
        if isinstance(layer, nn.Conv2d):
            flops += output.numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            flops += layer.weight.numel() + layer.bias.numel()

    with torch.device("meta"):
        model = nn.Sequential(*layers).eval()
        for layer in model.modules():
            layer.register_forward_hook(count)
        model.to("meta")(torch.empty(1, network.in_channels, *[network.image_size] * 2))
    return flops, sum(p.numel() for p in model.parameters())


SMALL = nb.Network(
    image_size=9, in_channels=2, classes=7, stem_channels=11, stacks=4, cells_per_stack=2
)


@pytest.mark.parametrize("network", [SMALL, nb.CIFAR10], ids=["small", "cifar10"])
def test_torch_counts_the_same(network: nb.Network) -> None:
    rng = np.random.default_rng(3)
    cells = [nb.sample(rng) for _ in range(6)] + [ANSWERED]
    assert {len(cell.ops) for cell in cells} >= {2, 5, 7}
    for cell in cells:
        assert tuple(nb.complexity(cell, network)) == counted(cell, network)


@pytest.mark.parametrize("network", [SMALL, nb.CIFAR10], ids=["small", "cifar10"])
def test_columns_agree_with_one_by_one(network: nb.Network) -> None:
    rng = np.random.default_rng(4)
    cells = [nb.sample(rng) for _ in range(300)]
    found = nb.complexity_columns(nb.to_columns(cells), network)
    assert all(column.dtype == np.int64 for column in found)
    assert np.array_equal(np.stack(found, axis=1), [nb.complexity(c, network) for c in cells])


@pytest.mark.parametrize("field", ["image_size", "classes", "stacks", "cells_per_stack"])
@pytest.mark.parametrize("value", [0, 1.5, True, "3"])
def test_a_wrong_network_is_named(field: str, value: Any) -> None:
    with pytest.raises(SpecError, match=f"network: {field} is a whole number from 1, got"):
        nb.Network(**{field: value})
