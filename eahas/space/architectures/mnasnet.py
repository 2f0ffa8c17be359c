"""MnasNet networks as Accel-NASBench varies them: their blocks, and what these cost.

Seven blocks of inverted residual layers between a stem and a head (Tan et al., "MnasNet", 2019),
with the widths and strides of EfficientNet-B0 at 224 x 224 pixels. Of each block expansion `e`,
kernel `k`, number of layers `l` and squeeze-excite `se` are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from eahas.space.parameters import Choice
from eahas.space.space import Space

WIDTHS, STRIDES = (16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 2, 1, 2, 1)
SIDE, STEM, HEAD, CLASSES = 224, 32, 1280, 1000
WHAT = ("e", "k", "l", "se")
PARAMETERS = tuple(f"block{block}_{what}" for block in range(len(WIDTHS)) for what in WHAT)
MAX_LAYERS = 4
OF_BLOCK = (
    *("log10 multiply-adds", "log10 parameters", "log10 activations"),
    *("multiply-adds / 1e8", "activations / 1e6", "e l", "e k^2 l / 100", "l se", "e l se"),
    *("log10 e l", "log10 e k^2 l"),
    *(f"{count} layers" for count in range(1, MAX_LAYERS + 1)),
)
OF_ALL = (
    *("log10 multiply-adds", "log10 parameters", "log10 activations"),
    *("multiply-adds / 1e8", "parameters / 1e6", "activations / 1e6"),
    *("layers with squeeze-excite", "layers", "any squeeze-excite"),
)
NAMES = (
    *(f"block{block} {name}" for block in range(len(WIDTHS)) for name in OF_BLOCK),
    *(f"network {name}" for name in OF_ALL),
)
Costs = tuple[float, float, float]
Row = tuple[float, ...]


def varies(space: Space) -> bool:
    """Whether a space chooses exactly these blocks, from values that can be counted."""
    if set(PARAMETERS) != set(space.names):
        return False
    for parameter in space.parameters:
        what = parameter.name.rpartition("_")[2]
        values = parameter.grid() if parameter.cardinality() < 100 else [None]
        booleans = isinstance(parameter, Choice) and all(type(v) is bool for v in values)
        numbers = all(type(v) is int and 1 <= v <= 100 for v in values)
        few = what != "l" or (numbers and max(values) <= MAX_LAYERS)
        if parameter.condition is not None or not (booleans if what == "se" else numbers and few):
            return False
    return True


def complexity(flat: Mapping[str, Any]) -> Costs:
    """Multiply-adds of convolutions and linear layers, parameters, and output elements."""
    blocks = [
        _block(b, *(flat[f"block{b}_{what}"] for what in WHAT))[1] for b in range(len(WIDTHS))
    ]
    macs, parameters, acts = (
        sum(part) for part in zip(_ends(), *(b[:3] for b in blocks), strict=True)
    )
    return macs, parameters, acts


def one(flat: Mapping[str, Any]) -> list[float]:
    """The features of a flat canonical architecture, in the order of NAMES."""
    found: list[float] = []
    sums = [*_ends(), 0.0, 0.0]
    for b in range(len(WIDTHS)):
        features, costs = _block(b, *(flat[f"block{b}_{what}"] for what in WHAT))
        found += features
        sums = [total + cost for total, cost in zip(sums, costs, strict=True)]
    macs, parameters, acts, squeezed, layers = sums
    found += [math.log10(macs), math.log10(parameters), math.log10(acts)]
    found += [macs / 1e8, parameters / 1e6, acts / 1e6, squeezed, layers, float(squeezed > 0)]
    return found


def many(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """`one` of canonical columns: shape (n, len(NAMES))."""
    n = len(columns[PARAMETERS[0]])
    found = np.empty((n, len(NAMES)))
    sums = np.tile(np.array([*_ends(), 0.0, 0.0]), (n, 1))
    for b in range(len(WIDTHS)):
        # Every choice is below 128, so that four of them are one whole number.
        key = np.zeros(n, dtype=np.int64)
        for what in WHAT:
            key = key * 128 + columns[f"block{b}_{what}"].astype(np.int64)
        different, where = np.unique(key, return_inverse=True)
        parts = [
            _block(b, k >> 21, (k >> 14) & 127, (k >> 7) & 127, bool(k & 127))
            for k in different.tolist()
        ]
        found[:, b * len(OF_BLOCK) : (b + 1) * len(OF_BLOCK)] = np.array([p[0] for p in parts])[
            where
        ]
        sums += np.array([p[1] for p in parts])[where]
    macs, parameters, acts, squeezed, layers = sums.T
    logs = [np.log10(macs), np.log10(parameters), np.log10(acts)]
    plain = [macs / 1e8, parameters / 1e6, acts / 1e6, squeezed, layers, squeezed > 0]
    found[:, -len(OF_ALL) :] = np.stack([*logs, *plain], axis=1)
    return found


@cache
def _block(b: int, e: int, k: int, count: int, se: bool) -> tuple[Row, Row]:
    """Features of a block, and its multiply-adds, parameters, activations, SE layers, layers."""
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
    features = (
        *(math.log10(macs), math.log10(parameters), math.log10(acts)),
        *(macs / 1e8, acts / 1e6, e * count, e * k * k * count / 100, count * se, e * count * se),
        *(math.log10(e * count), math.log10(e * k * k * count)),
        *(float(count == layers) for layers in range(1, MAX_LAYERS + 1)),
    )
    return tuple(map(float, features)), (macs, parameters, acts, float(count * se), float(count))


@cache
def _ends() -> Costs:
    """Multiply-adds, parameters and output elements of the stem and the head."""
    stem = (SIDE // 2) ** 2
    last = SIDE // 2
    for stride in STRIDES:
        last = -(-last // stride)
    macs = stem * 27 * STEM + last * last * WIDTHS[-1] * HEAD + HEAD * CLASSES
    parameters = 27 * STEM + 2 * STEM + WIDTHS[-1] * HEAD + 2 * HEAD + HEAD * CLASSES + CLASSES
    return float(macs), float(parameters), float(stem * STEM + last * last * HEAD + CLASSES)
