"""The architecture family NAS-Bench-101. A space needs a constraint of this kind to have it.

The constraint excludes configurations that are not valid cells (no path from input to output, or
more than 9 edges). Complexity, hash and neighbours are those of the canonical cell, so isomorphic
configurations share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eahas.space.architectures.cells.layers import network_from_dict
from eahas.space.architectures.cells.nasbench101.cell import (
    LABELS,
    MAX_VERTICES,
    OPERATIONS,
    canonical,
    canonical_hash,
)
from eahas.space.architectures.cells.nasbench101.encoding import (
    EDGE_PARAMETERS,
    OP_PARAMETERS,
    canonical_columns,
    from_config,
    graph,
    graph_columns,
    mask,
    to_config,
    violation,
)
from eahas.space.architectures.cells.nasbench101.moves import neighbours
from eahas.space.architectures.cells.nasbench101.network import (
    CIFAR10,
    Network,
    complexity,
    complexity_columns,
)
from eahas.space.architectures.family import (
    ArchitectureFamily,
    Columns,
    Flat,
    GraphForm,
    Validity,
    Values,
)


def _read_network(given: Mapping[str, Any]) -> Network:
    return network_from_dict(Network, given)


def _complexity(flat: Flat, network: Network) -> dict[str, int]:
    return complexity(canonical(from_config(flat)), network)._asdict()


def _complexity_columns(columns: Columns, network: Network) -> dict[str, np.ndarray]:
    flops, params = complexity_columns(canonical_columns(columns), network)
    return {"flops": flops, "params": params}


def _graph(flat: Flat) -> tuple[np.ndarray, np.ndarray]:
    return graph(from_config(flat))


def _hash(flat: Flat) -> str:
    return canonical_hash(from_config(flat))


def _neighbours(flat: Flat) -> list[dict[str, Any]]:
    return [to_config(cell) for cell in neighbours(from_config(flat))]


NASBENCH101 = ArchitectureFamily(
    name="nasbench101",
    domains={
        **dict.fromkeys(OP_PARAMETERS, Values(OPERATIONS)),
        **dict.fromkeys(EDGE_PARAMETERS, Values((False, True))),
    },
    quantities=("flops", "params"),
    complexity=_complexity,
    complexity_columns=_complexity_columns,
    read_network=_read_network,
    default_network=CIFAR10,
    needs_constraint=True,  # without it, a space has configurations that are not valid cells
    validity=Validity(violation, mask),
    graph=GraphForm(MAX_VERTICES, LABELS, _graph, graph_columns),
    architecture_hash=_hash,
    neighbours=_neighbours,
)
