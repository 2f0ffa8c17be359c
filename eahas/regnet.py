"""RegNet as arithmetic: from (DEPTH, W0, WA, WM, GROUP_W) to stages and their complexity.

Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, equations 2 to 4. Pure Python on
one configuration, where numpy's call overhead would cost more than the sum; the `_columns` twins do the same for
whole columns. Both are held to each other and to published figures by tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

WIDTH_QUANTUM = 8
STEM_STRIDES = {"res_stem_cifar": 1, "simple_stem_in": 2}


@dataclass(frozen=True)
class Stages:
    """The stages of one RegNet: widths, depths and group widths, made compatible.

    `possible` is the number of stages that the quantised widths allow; a network whose `count`
    differs from it skips a width and is not kept by the sweeps.
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
    """What a spec fixes about the network around the RegNet parameters."""

    image_size: int
    in_channels: int
    classes: int
    stem_width: int
    stem: str = "res_stem_cifar"
    se_ratio: float = 0.25
    stride: int = 2
    bottleneck_multiplier: float = 1.0


@dataclass(frozen=True)
class Complexity:
    """Multiply-adds, parameters and activations (output elements of convolutions and linears)."""

    flops: int
    params: int
    acts: int


def generate_regnet(
    depth: int, w0: int, wa: float, wm: float, group_w: int, bottleneck_multiplier: float = 1.0
) -> Stages:
    """The stages of a RegNet. Rounding is half to even, as in numpy and pycls."""
    log_wm = math.log(wm)
    widths: list[int] = []
    depths: list[int] = []
    largest = 0
    for j in range(depth):
        s = round(math.log((w0 + wa * j) / w0) / log_wm)
        width = round(w0 * wm**s / WIDTH_QUANTUM) * WIDTH_QUANTUM
        largest = max(largest, s)
        if widths and widths[-1] == width:
            depths[-1] += 1
        else:
            widths.append(width)
            depths.append(1)
    compatible = [_compatible(w, group_w, bottleneck_multiplier) for w in widths]
    return Stages(
        widths=tuple(w for w, _ in compatible),
        depths=tuple(depths),
        group_widths=tuple(g for _, g in compatible),
        possible=largest + 1,
    )


def stages_of(config: Mapping[str, float], facts: NetworkFacts) -> Stages:
    """`generate_regnet` on a flat configuration."""
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
    inner = int(max(1, width * multiplier))
    group = min(group_w, inner)
    unit = math.lcm(group, int(multiplier)) if multiplier > 1 else group
    inner = max(unit, round(inner / unit) * unit)
    return int(inner / multiplier), group


def complexity(stages: Stages, facts: NetworkFacts) -> Complexity:
    """Complexity of the whole network: stem, stages of residual bottlenecks with SE, linear head.

    Counts as pycls does: batch norm has parameters but no multiply-adds; a bias costs one each.
    """
    count, size, w_in = _stem(facts)
    for width, depth, group in zip(stages.widths, stages.depths, stages.group_widths, strict=True):
        count = _add(count, _stage(w_in, width, depth, group, size, facts, round))
        w_in, size = width, _strided(size, facts.stride)
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
    """`generate_regnet` on columns of shape (n,), one row a network."""
    block = np.arange(int(depth.max()))
    inside = block < depth[:, None]
    block = np.minimum(block, depth[:, None] - 1)
    s = np.rint(np.log((w0[:, None] + wa[:, None] * block) / w0[:, None]) / np.log(wm)[:, None])
    quantised = np.rint(w0[:, None] * wm[:, None] ** s / WIDTH_QUANTUM) * WIDTH_QUANTUM
    stage = np.zeros(quantised.shape, dtype=np.intp)
    stage[:, 1:] = np.cumsum(quantised[:, 1:] != quantised[:, :-1], axis=1)
    count = stage[:, -1] + 1
    members = (stage[:, None, :] == np.arange(int(count.max()))[None, :, None]) & inside[:, None, :]
    depths = members.sum(axis=2)
    widths = (members * quantised[:, None, :]).max(axis=2)
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
        count=count,
        possible=s.max(axis=1) + 1,
    )


def complexity_columns(
    stages: StageColumns, facts: NetworkFacts
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`complexity` on columns: multiply-adds, parameters and activations, each of shape (n,)."""
    n, most = stages.widths.shape
    count, size, stem_width = _stem(facts)
    w_in: np.ndarray = np.full(n, float(stem_width))
    for k in range(most):
        width, depth, group = (
            stages.widths[:, k],
            stages.depths[:, k],
            stages.group_widths[:, k],
        )
        present = depth > 0
        added = _stage(w_in, width, depth, group, size, facts, np.rint)
        count = _add(count, tuple(present * part for part in added))
        w_in = np.where(present, width, w_in)
        size = _strided(size, facts.stride)
    flops, params, acts = _add(count, _head(w_in, facts))
    return flops, params, acts


# The formulas below are plain arithmetic: they take numbers or arrays of shape (n,) alike, and
# `rint` is `round` or `np.rint`. A count is (multiply-adds, parameters, activations).

Count = tuple[Any, Any, Any]


def _stem(facts: NetworkFacts) -> tuple[Count, int, int]:
    """The stem's count, the image size after it and its width: a 3x3 convolution with BN."""
    assert facts.stem in STEM_STRIDES, facts.stem
    size = _strided(facts.image_size, STEM_STRIDES[facts.stem])
    weights, outputs = 9 * facts.in_channels * facts.stem_width, facts.stem_width * size * size
    count = (weights * size * size, weights + 2 * facts.stem_width, outputs)
    return count, size, facts.stem_width


def _stage(
    w_in: Any, width: Any, depth: Any, group: Any, size: int, facts: NetworkFacts, rint: Any
) -> Count:
    out = _strided(size, facts.stride)
    projected = 1 if facts.stride != 1 else (w_in != width) * 1
    first = _block(w_in, width, group, size, out, projected, facts, rint)
    other = _block(width, width, group, out, out, 0, facts, rint)
    return _add(first, tuple((depth - 1) * part for part in other))


def _block(
    w_in: Any,
    width: Any,
    group: Any,
    size: int,
    out: int,
    projected: Any,
    facts: NetworkFacts,
    rint: Any,
) -> Count:
    """1x1, grouped 3x3, SE and 1x1, with a projected shortcut where the shape changes."""
    inner = rint(width * facts.bottleneck_multiplier)
    w_se = rint(w_in * facts.se_ratio)
    squeeze = 2 * inner * w_se + w_se + inner * (w_se > 0)
    shortcut = projected * w_in * width
    a, b, c = w_in * inner, 9 * inner * group, inner * width
    area, out_area = size * size, out * out
    flops = a * area + (b + c + shortcut) * out_area + squeeze
    params = a + b + c + shortcut + squeeze + 4 * inner + 2 * width * (1 + projected)
    acts = inner * area + (inner + width + projected * width) * out_area
    return flops, params, acts + w_se + inner * (w_se > 0)


def _head(w_in: Any, facts: NetworkFacts) -> Count:
    """Global average pool and one linear layer with a bias."""
    weights = w_in * facts.classes + facts.classes
    return weights, weights, facts.classes


def _add(a: Count, b: Any) -> Count:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def _strided(size: int, stride: int) -> int:
    return (size - 1) // stride + 1
