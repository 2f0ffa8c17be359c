"""An architecture family of another package: a stack of convolutions, and its feature block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from eahas.space.architectures.family import ArchitectureFamily, Numbers

DEPTH, WIDTH = "STACK.DEPTH", "STACK.WIDTH"


def _costs(depth, width):
    weights = 27 * width + (depth - 1) * 9 * width * width
    return {"flops": 1024 * weights, "params": weights}


def complexity(flat, network):
    return _costs(flat[DEPTH], flat[WIDTH])


def complexity_columns(columns, network):
    return _costs(columns[DEPTH], columns[WIDTH])


FAMILY = ArchitectureFamily(
    name="stack",
    domains={DEPTH: Numbers(1, 50, integer=True), WIDTH: Numbers(1, 512, integer=True)},
    quantities=("flops", "params"),
    complexity=complexity,
    complexity_columns=complexity_columns,
)


@dataclass(frozen=True)
class StackBlock:
    """log10 of multiply-adds; it matters to time and energy alone."""

    names: ClassVar[tuple[str, ...]] = ("log10 multiply-adds",)
    replaces: ClassVar[tuple[str, ...]] = ()

    @property
    def of_costs(self):
        return np.array([True])

    def one(self, flat):
        return [math.log10(complexity(flat, None)["flops"])]

    def many(self, columns):
        return np.log10(complexity_columns(columns, None)["flops"])[:, None]


def block(space):
    return StackBlock()


NO_FAMILY = "a text"
