"""The architecture family NAS-Bench-201. A space with its six parameters has the family.

A constraint of the kind `nasbench201` is needed only to limit the complexity. The hash follows the
paper. Isomorphic cells can differ in complexity (see `network`). Neighbours differ in one
parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eahas.space.architectures.cells.layers import network_from_dict
from eahas.space.architectures.cells.nasbench201.cell import (
    EDGES,
    LABELS,
    OPERATIONS,
    PARAMETERS,
    canonical_hash,
)
from eahas.space.architectures.cells.nasbench201.encoding import from_config, graph, graph_columns
from eahas.space.architectures.cells.nasbench201.network import (
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
    Values,
)


def _read_network(given: Mapping[str, Any]) -> Network:
    return network_from_dict(Network, given)


def _complexity(flat: Flat, network: Network) -> dict[str, int]:
    return complexity(from_config(flat), network)._asdict()


def _complexity_columns(columns: Columns, network: Network) -> dict[str, np.ndarray]:
    flops, params = complexity_columns(columns, network)
    return {"flops": flops, "params": params}


def _graph(flat: Flat) -> tuple[np.ndarray, np.ndarray]:
    return graph(from_config(flat))


def _hash(flat: Flat) -> str:
    return canonical_hash(from_config(flat))


NASBENCH201 = ArchitectureFamily(
    name="nasbench201",
    domains=dict.fromkeys(PARAMETERS, Values(OPERATIONS)),
    quantities=("flops", "params"),
    complexity=_complexity,
    complexity_columns=_complexity_columns,
    read_network=_read_network,
    default_network=CIFAR10,
    graph=GraphForm(len(EDGES) + 2, LABELS, _graph, graph_columns),
    architecture_hash=_hash,
)
