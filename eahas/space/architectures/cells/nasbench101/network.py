"""The complexity (multiply-adds and parameters) of the network of a NAS-Bench-101 cell.

Ying et al., "NAS-Bench-101", ICML 2019, section 2 and appendix. The stem is a 3x3 convolution. It
is followed by stacks of cells; before each stack except the first, a 2x2 max-pool halves the image
and the channels double. The head is a global average pool and a linear layer. Every convolution has
batch norm and no bias.

A cell divides its output channels evenly among the vertices with an edge to the output; if there is
a remainder, each of the first vertices has one more channel. The outputs of these vertices are
concatenated. Any other vertex has the channels of its widest successor. The input of a vertex is
the sum of the outputs of its predecessors; the output of the input vertex first passes a 1x1
convolution to the channels of the vertex. An edge from input to output is such a projection, too,
and is added to the concatenation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from eahas.space.architectures.cells.layers import (
    Complexity,
    check_positive,
    convolution,
    linear,
    times,
    total,
)
from eahas.space.architectures.cells.nasbench101.cell import MAX_VERTICES, OPERATIONS, Cell
from eahas.space.architectures.cells.nasbench101.encoding import LAST, graph, graph_columns

KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}


@dataclass(frozen=True)
class Network:
    """The fixed settings around the cell; the defaults are those of NAS-Bench-101 on CIFAR-10.

    `image_size` is the side of an image in pixels. Raises SpecError for a value that is not a whole
    number from 1.
    """

    image_size: int = 32
    in_channels: int = 3
    classes: int = 10
    stem_channels: int = 128
    stacks: int = 3
    cells_per_stack: int = 3

    def __post_init__(self) -> None:
        check_positive(self, "image_size", "in_channels", "classes", "stem_channels")
        check_positive(self, "stacks", "cells_per_stack")


CIFAR10 = Network()


@lru_cache(maxsize=4096)
def complexity(cell: Cell, network: Network = CIFAR10) -> Complexity:
    """Multiply-adds (of one image) and parameters of the network of a cell.

    If channels do not divide evenly, isomorphic cells can differ by about one per mille. The
    published counts are those of `canonical(cell)`.
    """
    adjacency, labels = graph(cell)
    kinds = labels[:, 1 : 1 + len(OPERATIONS)].astype(int).T.tolist()
    return _network(adjacency.astype(int).tolist(), kinds, network, max)


def complexity_columns(
    columns: Mapping[str, np.ndarray], network: Network = CIFAR10
) -> tuple[np.ndarray, np.ndarray]:
    """`complexity` of the cells in columns of PARAMETERS: int64, each of shape (n,)."""
    adjacency, labels = graph_columns(columns)
    edges = np.moveaxis(adjacency.astype(np.int64), 0, -1)
    kinds = np.moveaxis(labels[:, :, 1 : 1 + len(OPERATIONS)].astype(np.int64), 0, -1)
    return _network(edges, np.swapaxes(kinds, 0, 1), network, np.maximum)


# The functions below accept numbers or arrays: `edges[i][j]` and `kinds[operation][vertex]` are 0
# or 1, or arrays (n,) of 0 and 1, and `larger` is `max` or `np.maximum`.


def _network(
    edges: Any, kinds: Any, network: Network, larger: Callable[[Any, Any], Any]
) -> Complexity:
    side, width = network.image_size, network.stem_channels
    parts = [convolution(3, network.in_channels, width, side * side)]
    before = width
    for stack in range(network.stacks):
        if stack > 0:
            side, width = -(-side // 2), 2 * width
        channels = _vertex_channels(edges, width, larger)
        later = _cell(edges, kinds, channels, width, side * side)
        parts.append(_cell(edges, kinds, channels, before, side * side))
        parts.append(times(network.cells_per_stack - 1, later))
        before = width
    return total([*parts, linear(width, network.classes)])


def _vertex_channels(edges: Any, c_out: int, larger: Callable[[Any, Any], Any]) -> list[Any]:
    """The output channels of each vertex: `c_out` for the output vertex, 0 for the input vertex."""
    inner = range(1, LAST)
    concatenated = sum(edges[v][LAST] for v in inner)
    share, remainder = divmod(c_out, larger(concatenated, 1))
    channels: list[Any] = [0] * LAST + [c_out]
    count: Any = 0
    for v in inner:
        channels[v] = edges[v][LAST] * (share + (count < remainder))
        count = count + edges[v][LAST]
    for v in reversed(inner):
        widest: Any = 0
        for w in range(v + 1, LAST):
            widest = larger(widest, edges[v][w] * channels[w])
        channels[v] = channels[v] + (1 - edges[v][LAST]) * widest
    return channels


def _cell(edges: Any, kinds: Any, channels: Sequence[Any], c_in: int, area: int) -> Complexity:
    parts = [
        times(edges[0][v], convolution(1, c_in, channels[v], area)) for v in range(1, MAX_VERTICES)
    ]
    for at, operation in enumerate(OPERATIONS):
        if operation in KERNELS:
            parts += [
                times(kinds[at][v], convolution(KERNELS[operation], channels[v], channels[v], area))
                for v in range(1, LAST)
            ]
    return total(parts)
