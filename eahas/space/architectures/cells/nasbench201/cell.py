"""NAS-Bench-201 cells: string form, index, isomorphism hashes and neighbours."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, shown
from eahas.space.architectures.cells.layers import checked_operation

NONE, SKIP = "none", "skip_connect"
OPERATIONS = (NONE, SKIP, "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
LABELS = ("input", *OPERATIONS, "output")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))  # in the order of the string
PARAMETERS = tuple(f"CELL.EDGE_{i}_{j}" for i, j in EDGES)
COUNT: int = len(OPERATIONS) ** len(EDGES)
FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
_PATTERN = re.compile(re.escape(FORM).replace("op", "([a-z0-9_]+)"))


@dataclass(frozen=True)
class Cell:
    """The operation of each edge, in the order of EDGES. Raises ConfigError for anything else."""

    ops: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.ops, (tuple, list)) or len(self.ops) != len(EDGES):
            raise ConfigError(
                f"ops={shown(self.ops)}; allowed: {len(EDGES)} operations, one for each edge, "
                f"of {', '.join(OPERATIONS)}"
            )
        fields = zip(PARAMETERS, self.ops, strict=True)
        ops = tuple(checked_operation(name, op, OPERATIONS) for name, op in fields)
        object.__setattr__(self, "ops", ops)

    def __str__(self) -> str:
        """The string form of NAS-Bench-201, `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
        parts = iter(FORM.split("op"))
        return next(parts) + "".join(op + part for op, part in zip(self.ops, parts, strict=True))


def parse(text: str) -> Cell:
    """Parse the string form of a cell; ConfigError for a wrong form or operation."""
    matched = _PATTERN.fullmatch(text) if isinstance(text, str) else None
    if matched is None:
        raise ConfigError(f"cell {shown(text)}; allowed: {FORM} with op of {', '.join(OPERATIONS)}")
    return Cell(matched.groups())


def index(cell: Cell) -> int:
    """The index of a cell, in 0..15624, in the lexicographic order of OPERATIONS.

    The first edge is the most significant. It differs from the `arch-index` in the files of
    NAS-Bench-201, which number a shuffled list.
    """
    number = 0
    for op in cell.ops:
        number = number * len(OPERATIONS) + OPERATIONS.index(op)
    return number


def cell_at(position: int) -> Cell:
    """The inverse of `index`; ConfigError outside 0..15624."""
    if not is_whole(position) or not 0 <= position < COUNT:
        raise ConfigError(f"index={shown(position)}; allowed: an integer in 0..{COUNT - 1}")
    ops = []
    for _ in EDGES:
        position, k = divmod(int(position), len(OPERATIONS))
        ops.append(OPERATIONS[k])
    return Cell(tuple(reversed(ops)))


# Isomorphic cells


@lru_cache(maxsize=COUNT)
def canonical_hash(cell: Cell) -> str:
    """A hash of 32 hexadecimal digits with 6,466 distinct values, the published number.

    It follows NAS-Bench-201 (section 2 of the paper; `to_unique_str` in its code). The text of a
    node consists of the sorted terms of its incoming edges, joined by "+". The term is zero for
    `none` and for any operation on a node whose text is zero. For `skip_connect` it is the text of
    the node at its start. For any other operation it is that text in brackets and the operation.
    The hash is that of the text of the output node. Without the rules for `none` there are 12,751
    distinct texts.

    The rules do not detect all equal cells: a node with two zero terms is not zero, and a text
    inserted by `skip_connect` is not sorted again. `dataflow_hash` detects these, too.
    """
    nodes = ["0"]
    for ops in _by_node(cell):
        terms = [_term(op, text) for op, text in zip(ops, nodes, strict=True)]
        nodes.append("+".join(sorted(terms)))
    return _md5(nodes[-1])


def _term(op: str, text: str) -> str:
    """The term of one edge. They sort as the published texts: zero, brackets, input."""
    if op == NONE or text == "#":
        return "#"
    return text if op == SKIP else f"({text})@{op}"


@lru_cache(maxsize=COUNT)
def dataflow_hash(cell: Cell) -> str:
    """A hash of 32 hexadecimal digits with 4,930 distinct values, of the terms of the output node.

    Zero terms are left out, a node without terms is zero, an operation on zero is zero, and
    `skip_connect` adds the terms of the node at its start. Cells with equal `canonical_hash` also
    have equal `dataflow_hash`. Pooling and convolutions of sums are not expanded.
    """
    nodes: list[tuple[Any, ...]] = [("input",)]
    for ops in _by_node(cell):
        terms: list[Any] = []
        for op, node in zip(ops, nodes, strict=True):
            if op == SKIP:
                terms += node
            elif op != NONE and node:
                terms.append(f"{op}({','.join(node)})")
        nodes.append(tuple(sorted(terms)))
    return _md5("+".join(nodes[-1]))


def _by_node(cell: Cell) -> tuple[tuple[str, ...], ...]:
    """The operations on the edges into nodes 1, 2 and 3, in the order of their start nodes."""
    return cell.ops[:1], cell.ops[1:3], cell.ops[3:]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


# Moves


def sample(rng: np.random.Generator) -> Cell:
    """Sample a cell uniformly from the 15,625 cells."""
    return cell_at(int(rng.integers(COUNT)))


def neighbours(cell: Cell) -> list[Cell]:
    """The 24 cells that differ in the operation of one edge, in the order of EDGES."""
    return [
        Cell((*cell.ops[:at], op, *cell.ops[at + 1 :]))
        for at in range(len(EDGES))
        for op in OPERATIONS
        if op != cell.ops[at]
    ]
