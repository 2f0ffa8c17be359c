"""Compute the stages and the complexity of a RegNet from (DEPTH, W0, WA, WM, GROUP_W).

Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, equations 2 to 4. The functions
for one configuration use pure Python, because the call overhead of numpy would be larger than the
computation. The `_columns` functions compute the same for n configurations. Tests compare both with
each other and with published figures.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import log
from typing import Any, NamedTuple

import numpy as np

WIDTH_QUANTUM = 8
STEM_STRIDES = {"res_stem_cifar": 1, "simple_stem_in": 2}


@dataclass(frozen=True)
class Stages:
    """The stages of one RegNet: compatible widths, depths and group widths.

    `possible` is the number of stages that the quantised widths allow. If `count` differs from it,
    the network skips a width, and `RegNetConstraint` excludes it.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    group_widths: tuple[int, ...]
    possible: int

    @property
    def count(self) -> int:
        return len(self.widths)


@dataclass(frozen=True)
class NetworkFacts:
    """The fixed settings of the network around the RegNet parameters, from the spec."""

    image_size: int
    in_channels: int
    classes: int
    stem_width: int
    stem: str = "res_stem_cifar"
    se_ratio: float = 0.25
    stride: int = 2
    bottleneck_multiplier: float = 1.0


class Complexity(NamedTuple):
    """Multiply-adds, parameters and activations (output elements of convolutions and linears)."""

    flops: int
    params: int
    acts: int


@lru_cache(maxsize=1024)
def generate_regnet(
    depth: int, w0: int, wa: float, wm: float, group_w: int, bottleneck_multiplier: float = 1.0
) -> Stages:
    """The stages of a RegNet (wm > 1). Rounding is half to even, as in numpy and pycls.

    The result is cached, because a query needs it for the validation and for the features.
    """
    exponent = partial(_exponent, w0, wa, math.log(wm))
    largest = exponent(depth - 1)
    widths: list[int] = []
    depths: list[int] = []
    start = s = 0
    while start < depth:  # exponents rise from 0, so bisection finds the last block of each one
        end = depth
        if s < largest:
            end = bisect_right(range(depth - 1), s, start + 1, key=exponent)
        width = _quantised(w0, wm, s)
        if widths and widths[-1] == width:
            depths[-1] += end - start
        else:
            widths.append(width)
            depths.append(end - start)
        start = end
        s = exponent(end) if s + 1 < largest else largest
    compatible = [_compatible(width, group_w, bottleneck_multiplier) for width in widths]
    final_widths, group_widths = zip(*compatible, strict=True)
    return Stages(final_widths, tuple(depths), group_widths, largest + 1)


def _exponent(w0: float, wa: float, log_wm: float, block: int) -> int:
    """The exponent s_j: the power of wm that is nearest to the width of block j on a log scale."""
    return round(log((w0 + wa * block) / w0) / log_wm)


def _quantised(w0: float, wm: float, s: int) -> int:
    return round(w0 * wm**s / WIDTH_QUANTUM) * WIDTH_QUANTUM


def stages_of(config: Mapping[str, float], facts: NetworkFacts) -> Stages:
    """`generate_regnet` for a flat configuration."""
    return generate_regnet(
        int(config["REGNET.DEPTH"]),
        int(config["REGNET.W0"]),
        float(config["REGNET.WA"]),
        float(config["REGNET.WM"]),
        int(config["REGNET.GROUP_W"]),
        facts.bottleneck_multiplier,
    )


def _compatible(width: int, group_w: int, multiplier: float) -> tuple[int, int]:
    """The width and group width of a stage, adjusted so that one divides the other."""
    inner = int(width * multiplier) or 1
    group = group_w if group_w < inner else inner
    unit = math.lcm(group, int(multiplier)) if multiplier > 1 else group
    if inner % unit:
        inner = max(unit, round(inner / unit) * unit)
    return int(inner / multiplier), group


def complexity(stages: Stages, facts: NetworkFacts) -> Complexity:
    """Complexity of the whole network: stem, stages of residual bottlenecks with SE, linear head.

    It follows pycls: batch norm has parameters but no multiply-adds; each bias counts as one
    parameter and one multiply-add.
    """
    count, size, w_in = _stem(facts)
    for width, depth, group in zip(stages.widths, stages.depths, stages.group_widths, strict=True):
        out = _strided(size, facts.stride)
        count = _add(count, _stage(w_in, width, depth, group, size, out, facts, round))
        w_in, size = width, out
    return Complexity(*_add(count, _head(w_in, facts)))


@dataclass(frozen=True)
class StageColumns:
    """The stages of n RegNets: arrays of shape (n, most stages); a missing stage has depth 0."""

    widths: np.ndarray
    depths: np.ndarray
    group_widths: np.ndarray
    count: np.ndarray
    possible: np.ndarray


def generate_regnet_columns(
    depth: np.ndarray,
    w0: np.ndarray,
    wa: np.ndarray,
    wm: np.ndarray,
    group_w: np.ndarray,
    bottleneck_multiplier: float = 1.0,
) -> StageColumns:
    """`generate_regnet` for n networks, given as columns of shape (n,)."""
    blocks = np.arange(int(depth.max()))
    inside = blocks < depth[:, None]
    s, width = _widths_by_block(np.minimum(blocks, depth[:, None] - 1), w0, wa, wm)
    stage = np.zeros(width.shape, dtype=np.intp)
    np.cumsum(width[:, 1:] != width[:, :-1], axis=1, out=stage[:, 1:])
    n, most = len(stage), int(stage[:, -1].max()) + 1
    row = np.arange(n)[:, None]
    depths = np.bincount((row * most + stage)[inside], minlength=n * most).reshape(n, most)
    widths = np.zeros((n, most))
    widths[row, stage] = width
    inner = np.maximum(1, np.floor(widths * bottleneck_multiplier))
    group = np.minimum(group_w[:, None], inner)
    unit = group
    if bottleneck_multiplier > 1:
        unit = np.lcm(group.astype(np.int64), int(bottleneck_multiplier))
    inner = np.maximum(unit, np.rint(inner / unit) * unit)
    return StageColumns(
        widths=np.floor(inner / bottleneck_multiplier) * (depths > 0),
        depths=depths,
        group_widths=group,
        count=stage[:, -1] + 1,
        possible=s[:, -1] + 1,
    )


def _widths_by_block(
    block: np.ndarray, w0: np.ndarray, wa: np.ndarray, wm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Exponent s_j and quantised width of every block, both of shape (n, blocks).

    Logarithm and power of numpy may differ from those of the C library in the last bit. This
    matters only for ties in the rounding, so blocks with a tie use the scalar functions. Then the
    results equal those of `generate_regnet` on every machine.
    """
    ratio = np.log((w0[:, None] + wa[:, None] * block) / w0[:, None]) / np.log(wm)[:, None]
    s = np.rint(ratio)
    for i, j in np.argwhere(_on_tie(ratio)):
        s[i, j] = _exponent(float(w0[i]), float(wa[i]), math.log(wm[i]), int(block[i, j]))
    quanta = w0[:, None] * wm[:, None] ** s / WIDTH_QUANTUM
    width = np.rint(quanta) * WIDTH_QUANTUM
    for i, j in np.argwhere(_on_tie(quanta) & (s > 1)):  # a power of 0 or 1 is exact
        width[i, j] = _quantised(float(w0[i]), float(wm[i]), int(s[i, j]))
    return s, width


def _on_tie(number: np.ndarray) -> np.ndarray:
    return np.abs(number - np.floor(number) - 0.5) < 1e-9


def complexity_columns(
    stages: StageColumns, facts: NetworkFacts
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`complexity` for columns: multiply-adds, parameters and activations, each of shape (n,)."""
    n, most = stages.widths.shape
    count, size, stem_width = _stem(facts)
    w_in: np.ndarray = np.full(n, float(stem_width))
    for k in range(most):
        width, depth, group = (
            stages.widths[:, k],
            stages.depths[:, k],
            stages.group_widths[:, k],
        )
        present, out = depth > 0, _strided(size, facts.stride)
        added = _stage(w_in, width, depth, group, size, out, facts, np.rint)
        count = _add(count, tuple(present * part for part in added))
        w_in, size = np.where(present, width, w_in), out
    flops, params, acts = _add(count, _head(w_in, facts))
    return flops, params, acts


# The functions below accept numbers or arrays of shape (n,); `rint` is `round` or `np.rint`. A
# count is (multiply-adds, parameters, activations).

Count = tuple[Any, Any, Any]


def _stem(facts: NetworkFacts) -> tuple[Count, int, int]:
    """The stem's count, the image size after it and its width: a 3x3 convolution with BN."""
    assert facts.stem in STEM_STRIDES, facts.stem
    size = _strided(facts.image_size, STEM_STRIDES[facts.stem])
    weights, outputs = 9 * facts.in_channels * facts.stem_width, facts.stem_width * size * size
    count = (weights * size * size, weights + 2 * facts.stem_width, outputs)
    return count, size, facts.stem_width


def _stage(
    w_in: Any,
    width: Any,
    depth: Any,
    group: Any,
    size: int,
    out: int,
    facts: NetworkFacts,
    rint: Any,
) -> Count:
    """The count of `depth` bottlenecks: 1x1, grouped 3x3, SE and 1x1 convolutions.

    The first bottleneck reduces images from `size` to `out` pixels a side; its shortcut is a 1x1
    convolution if the shape changes.
    """
    area, out_area = size * size, out * out
    inner = rint(width * facts.bottleneck_multiplier)
    more = depth - 1
    projected = 1 if facts.stride != 1 else (w_in != width) * 1
    shortcut = projected * w_in * width
    first, later = w_in * inner, more * width * inner  # the 1x1 convolutions that open a block
    rest = depth * inner * (9 * group + width) + shortcut
    flops = first * area + (later + rest) * out_area
    params = first + later + rest + depth * (4 * inner + 2 * width) + 2 * projected * width
    acts = inner * area + (more * inner + depth * (inner + width) + projected * width) * out_area
    if facts.se_ratio:
        w_se, w_se_later = rint(w_in * facts.se_ratio), rint(width * facts.se_ratio)
        squeezed = w_se + more * w_se_later
        biased = squeezed + inner * ((w_se > 0) + more * (w_se_later > 0))
        squeeze = 2 * inner * squeezed + biased
        return flops + squeeze, params + squeeze, acts + biased
    return flops, params, acts


def _head(w_in: Any, facts: NetworkFacts) -> Count:
    """The count of the head: global average pool and one linear layer with a bias."""
    weights = w_in * facts.classes + facts.classes
    return weights, weights, facts.classes


def _add(a: Count, b: Any) -> Count:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _strided(size: int, stride: int) -> int:
    return (size - 1) // stride + 1
