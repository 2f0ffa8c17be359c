"""What the network of a NAS-Bench-101 cell costs: multiply-adds and parameters.

Ying et al., "NAS-Bench-101", ICML 2019, section 2 and appendix: a 3x3 convolution as stem, then
stacks of cells; a 2x2 max-pool halves the image and the channels double before each stack but the
first; global average pool and a linear layer. Every convolution has batch norm and no bias.

A cell divides its output channels evenly among the vertices that lead to the output, and gives one
more to each of the first ones where that leaves a remainder; these outputs are concatenated. Any
other vertex has as many channels as the widest vertex that it leads to. What leads to a vertex is
added up; from the input it goes through a 1x1 convolution to the vertex's channels. An edge from
input to output is such a projection too, and is added to the concatenation.
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
    """What is fixed around the cell; the defaults are NAS-Bench-101's on CIFAR-10.

    `image_size` in pixels a side. Raises SpecError for what is not a whole number from 1.
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
    """Multiply-adds (of one image) and parameters of the network that this cell builds.

    Where channels do not divide evenly, isomorphic cells can differ in the last per mille; the
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


# The formulas below take numbers or arrays alike: `edges[i][j]` and `kinds[operation][vertex]` are
# 0 or 1, or arrays of those of shape (n,), and `larger` is `max` or `np.maximum`.


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
    """The output channels of each vertex, `c_out` for the output; those of the input are left 0."""
    inner = range(1, LAST)
    sharing = sum(edges[v][LAST] for v in inner)
    share, rest = divmod(c_out, larger(sharing, 1))
    channels: list[Any] = [0] * LAST + [c_out]
    served: Any = 0
    for v in inner:
        channels[v] = edges[v][LAST] * (share + (served < rest))
        served = served + edges[v][LAST]
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
