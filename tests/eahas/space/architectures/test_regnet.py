"""RegNet's arithmetic against published figures, against the equations, and twin against twin."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eahas.space.architectures.regnet import (
    STEM_STRIDES,
    NetworkFacts,
    Stages,
    complexity,
    complexity_columns,
    generate_regnet,
    generate_regnet_columns,
    stages_of,
)

PUBLISHED = json.loads((Path(__file__).parent / "regnet_published.json").read_text("utf-8"))
CIFAR = NetworkFacts(image_size=32, in_channels=3, classes=10, stem_width=16)

# EA-HAS-Bench's three spaces together, and a fine grid on which ties between stages are common.
SHAPES = st.tuples(
    st.integers(1, 30),
    st.integers(1, 20).map(lambda k: 8 * k),
    st.integers(0, 500).map(lambda k: k / 10),
    st.integers(1100, 4000).map(lambda k: k / 1000) | st.sampled_from([1.44, 2.25, 2.56, 2.89]),
    st.sampled_from([1, 2, 3, 4, 8, 16, 24, 32, 48]),
)
MULTIPLIERS = st.sampled_from([0.125, 0.25, 0.5, 1.0, 2.0, 3.0])


@st.composite
def networks(draw: st.DrawFn) -> NetworkFacts:
    return NetworkFacts(
        image_size=draw(st.integers(1, 65)),
        in_channels=draw(st.integers(1, 4)),
        classes=draw(st.integers(1, 200)),
        stem_width=draw(st.integers(1, 5)) * 8,
        stem=draw(st.sampled_from(sorted(STEM_STRIDES))),
        se_ratio=draw(st.sampled_from([0.0, 0.01, 0.25, 1.0])),
        stride=draw(st.integers(1, 3)),
        bottleneck_multiplier=draw(MULTIPLIERS),
    )


@pytest.mark.parametrize("row", PUBLISHED["rows"], ids=lambda row: row[0])
def test_published_complexity(row: list[Any]) -> None:
    *shape, se_ratio, flops, params, acts = row[1:]
    facts = NetworkFacts(**PUBLISHED["network"], se_ratio=se_ratio)
    stages = generate_regnet(*shape)
    assert stages.count == stages.possible == 4
    assert complexity(stages, facts) == (flops, params, acts)


def test_published_stages() -> None:
    """RegNetX-200MF: widths 24, 56, 152, 368 and depths 1, 1, 4, 7, as the paper prints them."""
    stages = generate_regnet(13, 24, 36.44, 2.49, 8)
    assert stages == Stages((24, 56, 152, 368), (1, 1, 4, 7), (8, 8, 8, 8), 4)


def by_the_equations(depth: int, w0: int, wa: float, wm: float) -> tuple[list[int], list[int], int]:
    """Equations 2 to 4 block by block: u_j, s_j, w_j; then runs of equal widths."""
    u = [w0 + wa * j for j in range(depth)]
    s = [round(math.log(u_j / w0) / math.log(wm)) for u_j in u]
    w = [round(w0 * wm**s_j / 8) * 8 for s_j in s]
    widths = sorted(set(w))
    return widths, [w.count(width) for width in widths], max(s) + 1


@settings(max_examples=400)
@given(SHAPES)
def test_stages_follow_the_equations(shape: tuple[int, int, float, float, int]) -> None:
    widths, depths, possible = by_the_equations(*shape[:4])
    stages = generate_regnet(*shape[:4], group_w=8)
    assert list(stages.widths) == widths  # a group width of 8 leaves the widths as they are
    assert list(stages.depths) == depths
    assert stages.possible == possible


@settings(max_examples=200)
@given(SHAPES, MULTIPLIERS)
def test_widths_and_group_widths_are_compatible(
    shape: tuple[int, int, float, float, int], multiplier: float
) -> None:
    stages = generate_regnet(*shape, multiplier)
    assert sum(stages.depths) == shape[0]
    for width, group in zip(stages.widths, stages.group_widths, strict=True):
        inner = width * multiplier
        assert inner % group == 0
        assert 1 <= group <= min(shape[4], inner)


@settings(max_examples=60)
@given(st.lists(SHAPES, min_size=1, max_size=12), networks())
def test_the_columns_are_the_same_arithmetic(
    shapes: list[tuple[int, int, float, float, int]], facts: NetworkFacts
) -> None:
    multiplier = facts.bottleneck_multiplier
    columns = generate_regnet_columns(*(np.array(c) for c in zip(*shapes, strict=True)), multiplier)
    counts = complexity_columns(columns, facts)
    for row, shape in enumerate(shapes):
        stages = generate_regnet(*shape, multiplier)
        present = slice(0, stages.count)
        assert columns.count[row] == stages.count
        assert columns.possible[row] == stages.possible
        assert columns.widths[row, present].tolist() == list(stages.widths)
        assert columns.depths[row].sum() == columns.depths[row, present].sum() == shape[0]
        assert columns.depths[row, present].tolist() == list(stages.depths)
        assert columns.group_widths[row, present].tolist() == list(stages.group_widths)
        assert tuple(int(c[row]) for c in counts) == complexity(stages, facts)


def test_on_a_tie_the_columns_take_the_scalar_answer() -> None:
    """Every tie log(u_j / W0) / log(WM) = k + 1/2 of TinyImageNet's space, where WM is a square."""
    shapes = [
        (depth, w0, wa / 10, wm, 8)
        for wm in (1.69, 1.96, 2.25, 2.56, 2.89)
        for w0 in range(48, 129, 16)
        for wa in range(80, 321, 4)
        for depth in (6, 15)
    ]
    columns = generate_regnet_columns(*(np.array(c) for c in zip(*shapes, strict=True)))
    scalar = [generate_regnet(*shape) for shape in shapes]
    assert columns.count.tolist() == [stages.count for stages in scalar]
    assert columns.possible.tolist() == [stages.possible for stages in scalar]
    assert [tuple(d[d > 0]) for d in columns.depths] == [stages.depths for stages in scalar]


def test_stages_of_a_configuration() -> None:
    config = {
        "REGNET.DEPTH": 13,
        "REGNET.W0": 24,
        "REGNET.WA": 36.44,
        "REGNET.WM": 2.49,
        "REGNET.GROUP_W": 8,
        "OPTIM.BASE_LR": 0.1,
    }
    assert stages_of(config, CIFAR) == generate_regnet(13, 24, 36.44, 2.49, 8)


def test_the_cost_of_the_smallest_network_by_hand() -> None:
    """Stem 1->8, one block 8->8 with stride 2 on 4x4 images, group width 4, no SE, 3 classes."""
    facts = NetworkFacts(4, 1, 3, 8, se_ratio=0.0)
    stages = generate_regnet(1, 8, 0.0, 2.0, 4)
    stem, one, grouped, three, shortcut = 9 * 8, 8 * 8, 8 * 4 * 9, 8 * 8, 8 * 8
    flops = 16 * (stem + one) + 4 * (grouped + three + shortcut) + 8 * 3 + 3
    params = stem + one + grouped + three + shortcut + 2 * 8 * 5 + 8 * 3 + 3
    acts = 16 * (8 + 8) + 4 * (8 + 8 + 8) + 3
    assert complexity(stages, facts) == (flops, params, acts)
