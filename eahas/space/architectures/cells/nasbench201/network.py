"""The complexity (multiply-adds and parameters) of the network of a NAS-Bench-201 cell.

Dong and Yang, "NAS-Bench-201", ICLR 2020, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eahas.errors import SpecError
from eahas.space.architectures.cells.layers import (
    Complexity,
    check_positive,
    convolution,
    linear,
    positions,
    times,
    total,
)
from eahas.space.architectures.cells.nasbench201.cell import OPERATIONS, PARAMETERS, Cell


@dataclass(frozen=True)
class Network:
    """The fixed settings around the cell; the defaults are those of NAS-Bench-201 on CIFAR-10.

    CIFAR-100 has 100 classes; ImageNet16-120 has 120 classes and images of 16 x 16 pixels. The
    network has three stages of `cells_per_stage` cells; `channels` are those of the first stage.
    Raises SpecError for a value that is not a whole number from 1, and for an image whose side
    (pixels) is not a multiple of 4.
    """

    image_size: int = 32
    in_channels: int = 3
    classes: int = 10
    channels: int = 16
    cells_per_stage: int = 5

    def __post_init__(self) -> None:
        check_positive(self, "image_size", "in_channels", "classes", "channels", "cells_per_stage")
        if self.image_size % 4:
            raise SpecError(f"network: image_size is a multiple of 4, got {self.image_size}")


CIFAR10 = Network()
CIFAR100 = Network(classes=100)
IMAGENET16_120 = Network(image_size=16, classes=120)


def complexity(cell: Cell, network: Network = CIFAR10) -> Complexity:
    """Multiply-adds (of one image) and parameters of the whole network.

    As in NAS-Bench-201, all convolutions count, even if their output is not used. So isomorphic
    cells can differ.
    """
    return _network(cell.ops.count("nor_conv_1x1"), cell.ops.count("nor_conv_3x3"), network)


def complexity_columns(
    columns: Mapping[str, np.ndarray], network: Network = CIFAR10
) -> tuple[np.ndarray, np.ndarray]:
    """`complexity` of columns of PARAMETERS: int64, each of shape (n,)."""
    ops = np.stack([positions(columns[name], OPERATIONS) for name in PARAMETERS])
    ones, threes = (
        (ops == OPERATIONS.index(f"nor_conv_{k}x{k}")).sum(axis=0, dtype=np.int64) for k in (1, 3)
    )
    return _network(ones, threes, network)


def _network(ones: Any, threes: Any, network: Network) -> Complexity:
    """The complexity for `ones` 1x1 and `threes` 3x3 convolutions in a cell, numbers or (n,).

    The stem is a 3x3 convolution. Between the three stages, a residual block halves the image and
    doubles the channels; it has two 3x3 convolutions, and an average pool and a 1x1 convolution
    without batch norm on the shortcut. The head is batch norm, global average pool and a linear
    layer.
    """
    side, width = network.image_size, network.channels
    parts = [convolution(3, network.in_channels, width, side * side)]
    for stage in range(3):
        if stage > 0:
            side, before, width = side // 2, width, 2 * width
            area = side * side
            parts.append(convolution(3, before, width, area))
            parts.append(convolution(3, width, width, area))
            parts.append(convolution(1, before, width, area, norm=False))
        for count, kernel in ((ones, 1), (threes, 3)):
            layer = convolution(kernel, width, width, side * side)
            parts.append(times(network.cells_per_stage * count, layer))
    parts += [Complexity(0, 2 * width), linear(width, network.classes)]
    return total(parts)
