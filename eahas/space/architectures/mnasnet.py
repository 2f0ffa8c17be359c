"""The MnasNet networks of Accel-NASBench: their blocks and complexity.

A network has seven blocks of inverted residual layers between a stem and a head (Tan et al.,
"MnasNet", 2019), with the widths and strides of EfficientNet-B0 at 224 x 224 pixels. The parameters
of a block are the expansion `e`, the kernel size `k`, the number of layers `l`, and squeeze-excite
`se`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from eahas.space.architectures.family import (
    ArchitectureFamily,
    Columns,
    Domain,
    Flat,
    Numbers,
    Values,
)

WIDTHS, STRIDES = (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1)
SIDE, STEM, HEAD, CLASSES = 224, 32, 1280, 1000
MAX_LAYERS, MAX_VALUE = 4, 100
DOMAINS: dict[str, Domain] = {
    "e": Numbers(1, MAX_VALUE, integer=True),
    "k": Numbers(1, MAX_VALUE, integer=True),
    "l": Numbers(1, MAX_LAYERS, integer=True),
    "se": Values((False, True)),
}
WHAT = tuple(DOMAINS)
PARAMETERS = tuple(f"block{block}_{what}" for block in range(len(WIDTHS)) for what in WHAT)
QUANTITIES = ("flops", "params", "acts")
Costs = tuple[float, float, float]
Block = tuple[int, int, int, bool]  # e, k, l, se


def block_of(flat: Mapping[str, Any], b: int) -> Block:
    """The choices (e, k, l, se) of a flat configuration for block b, from 0."""
    e, k, layers, se = (flat[f"block{b}_{what}"] for what in WHAT)
    return e, k, layers, se


def distinct_blocks(columns: Columns, b: int) -> tuple[list[Block], np.ndarray]:
    """The distinct choices for block b in columns, and for each row their index (n,)."""
    # Every choice is below 128, so four of them fit into one integer.
    key = np.zeros(len(columns[PARAMETERS[0]]), dtype=np.int64)
    for what in WHAT:
        key = key * 128 + columns[f"block{b}_{what}"].astype(np.int64)
    distinct, inverse = np.unique(key, return_inverse=True)
    blocks = [(k >> 21, (k >> 14) & 127, (k >> 7) & 127, bool(k & 127)) for k in distinct.tolist()]
    return blocks, inverse


def complexity(flat: Mapping[str, Any]) -> Costs:
    """Multiply-adds of convolutions and linear layers, parameters, and output elements."""
    blocks = [block_costs(b, *block_of(flat, b)) for b in range(len(WIDTHS))]
    macs, parameters, acts = (
        sum(part) for part in zip(stem_and_head(), *(b[:3] for b in blocks), strict=True)
    )
    return macs, parameters, acts


@cache
def block_costs(b: int, e: int, k: int, count: int, se: bool) -> tuple[float, ...]:
    """The costs of block b: multiply-adds, parameters, activations, SE layers, layers."""
    side = SIDE // 2
    for stride in STRIDES[:b]:
        side = -(-side // stride)
    before, width = (STEM, *WIDTHS)[b], WIDTHS[b]
    macs = parameters = acts = 0.0
    for layer in range(count):
        inner = before * e
        after = -(-side // (STRIDES[b] if layer == 0 else 1))
        if e != 1:
            macs += side * side * before * inner
            parameters += before * inner + 2 * inner
            acts += side * side * inner
        macs += after * after * (k * k * inner + inner * width)
        parameters += k * k * inner + 2 * inner + inner * width + 2 * width
        acts += after * after * (inner + width)
        if se:
            squeezed = max(1, before // 4)
            macs += 2 * inner * squeezed
            parameters += 2 * inner * squeezed + squeezed + inner
            acts += squeezed + inner
        before, side = width, after
    return macs, parameters, acts, float(count * se), float(count)


@cache
def stem_and_head() -> Costs:
    """Multiply-adds, parameters and output elements of the stem and the head."""
    stem = (SIDE // 2) ** 2
    last = SIDE // 2
    for stride in STRIDES:
        last = -(-last // stride)
    macs = stem * 27 * STEM + last * last * WIDTHS[-1] * HEAD + HEAD * CLASSES
    parameters = 27 * STEM + 2 * STEM + WIDTHS[-1] * HEAD + 2 * HEAD + HEAD * CLASSES + CLASSES
    return float(macs), float(parameters), float(stem * STEM + last * last * HEAD + CLASSES)


def _complexity(flat: Flat, network: None) -> dict[str, int]:
    return {name: int(cost) for name, cost in zip(QUANTITIES, complexity(flat), strict=True)}


def _complexity_columns(columns: Columns, network: None) -> dict[str, np.ndarray]:
    total = np.tile(np.array(stem_and_head()), (len(columns[PARAMETERS[0]]), 1))
    for b in range(len(WIDTHS)):
        blocks, where = distinct_blocks(columns, b)
        total += np.array([block_costs(b, *block)[:3] for block in blocks])[where]
    return dict(zip(QUANTITIES, total.T.astype(np.int64), strict=True))


MNASNET = ArchitectureFamily(
    name="mnasnet",
    domains={name: DOMAINS[name.rpartition("_")[2]] for name in PARAMETERS},
    quantities=QUANTITIES,
    complexity=_complexity,
    complexity_columns=_complexity_columns,
)
