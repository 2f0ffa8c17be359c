"""NAS-Bench-101 cells: operations on the vertices of a graph of variable size.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019: a directed
acyclic graph of at most 7 vertices and 9 edges between an input and an output vertex; each inner
vertex is a 3x3 convolution, a 1x1 convolution or a 3x3 max-pool; 423,624 different graphs.

The parameters of a space describe a graph with 7 vertices (vertex 0 is the input, 6 the output):

    CELL.OP_1: {type: choice, choices: [conv3x3-bn-relu, conv1x1-bn-relu, maxpool3x3]}
    ...        # to CELL.OP_5
    CELL.EDGE_0_1: {type: boolean}
    ...        # to CELL.EDGE_5_6, 21 in all, in the order of PARAMETERS

A vertex that is not on a path from input to output is not part of the cell, and its operation is
ignored. So a cell can have fewer than 7 vertices, and several configurations describe the same
cell. They have equal `canonical_hash(from_config(flat))`, and their canonical configuration is
`to_config(canonical(cell))`. A configuration is a valid cell if it has a path from input to output
and at most 9 edges after pruning; `violation` and `mask` check this.
"""

from eahas.space.architectures.cells.nasbench101.cell import (
    INPUT,
    LABELS,
    MAX_EDGES,
    MAX_VERTICES,
    OPERATIONS,
    OUTPUT,
    Cell,
    canonical,
    canonical_hash,
    prune,
)
from eahas.space.architectures.cells.nasbench101.encoding import (
    EDGE_PARAMETERS,
    NAMES,
    OP_PARAMETERS,
    PARAMETERS,
    canonical_columns,
    encode,
    encode_columns,
    from_config,
    graph,
    graph_columns,
    mask,
    to_columns,
    to_config,
    violation,
)
from eahas.space.architectures.cells.nasbench101.family import NASBENCH101
from eahas.space.architectures.cells.nasbench101.moves import (
    neighbours,
    sample,
)
from eahas.space.architectures.cells.nasbench101.network import (
    CIFAR10,
    Network,
    complexity,
    complexity_columns,
)

__all__ = [
    "CIFAR10",
    "EDGE_PARAMETERS",
    "INPUT",
    "LABELS",
    "MAX_EDGES",
    "MAX_VERTICES",
    "NAMES",
    "NASBENCH101",
    "OPERATIONS",
    "OP_PARAMETERS",
    "OUTPUT",
    "PARAMETERS",
    "Cell",
    "Network",
    "canonical",
    "canonical_columns",
    "canonical_hash",
    "complexity",
    "complexity_columns",
    "encode",
    "encode_columns",
    "from_config",
    "graph",
    "graph_columns",
    "mask",
    "neighbours",
    "prune",
    "sample",
    "to_columns",
    "to_config",
    "violation",
]
