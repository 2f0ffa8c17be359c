"""NAS-Bench-201 cells: operations on the six edges between four nodes.

Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
ICLR 2020. Node 0 is the input, node 3 the output. Every edge from an earlier to a later node has
one of five operations, and the value of a node is the sum over its incoming edges. There are 5^6 =
15,625 cells.

The parameters of a space are one choice for each edge:

    CELL.EDGE_0_1: {type: choice,
                    choices: [none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3]}
    ...        # CELL.EDGE_0_2, 1_2, 0_3, 1_3 and 2_3, in the order of PARAMETERS

Every combination is a cell, so no constraint is needed. `canonical_hash(from_config(flat))` is
equal for cells that NAS-Bench-201 counts as one.
"""

from eahas.space.architectures.cells.nasbench201.cell import (
    COUNT,
    EDGES,
    LABELS,
    OPERATIONS,
    PARAMETERS,
    Cell,
    canonical_hash,
    cell_at,
    dataflow_hash,
    index,
    neighbours,
    parse,
    sample,
)
from eahas.space.architectures.cells.nasbench201.encoding import (
    NAMES,
    encode,
    encode_columns,
    from_config,
    graph,
    graph_columns,
    to_columns,
    to_config,
)
from eahas.space.architectures.cells.nasbench201.family import NASBENCH201
from eahas.space.architectures.cells.nasbench201.network import (
    CIFAR10,
    CIFAR100,
    IMAGENET16_120,
    Network,
    complexity,
    complexity_columns,
)

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "COUNT",
    "EDGES",
    "IMAGENET16_120",
    "LABELS",
    "NAMES",
    "NASBENCH201",
    "OPERATIONS",
    "PARAMETERS",
    "Cell",
    "Network",
    "canonical_hash",
    "cell_at",
    "complexity",
    "complexity_columns",
    "dataflow_hash",
    "encode",
    "encode_columns",
    "from_config",
    "graph",
    "graph_columns",
    "index",
    "neighbours",
    "parse",
    "sample",
    "to_columns",
    "to_config",
]
