"""RegNet: stages and complexity from (DEPTH, W0, WA, WM, GROUP_W), and the architecture family."""

from eahas.space.architectures.regnet.arithmetic import (
    STEM_STRIDES,
    WIDTH_QUANTUM,
    Complexity,
    NetworkFacts,
    StageColumns,
    Stages,
    complexity,
    complexity_columns,
    generate_regnet,
    generate_regnet_columns,
    stages_of,
)
from eahas.space.architectures.regnet.family import (
    REGNET,
    REGNET_DOMAIN,
    REGNET_PARAMETERS,
    RegNetConstraint,
    facts_from_dict,
    stage_columns,
)

__all__ = [
    "REGNET",
    "REGNET_DOMAIN",
    "REGNET_PARAMETERS",
    "STEM_STRIDES",
    "WIDTH_QUANTUM",
    "Complexity",
    "NetworkFacts",
    "RegNetConstraint",
    "StageColumns",
    "Stages",
    "complexity",
    "complexity_columns",
    "facts_from_dict",
    "generate_regnet",
    "generate_regnet_columns",
    "stage_columns",
    "stages_of",
]
