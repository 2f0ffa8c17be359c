"""The network of a configuration of any family: complexity, graph and hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eahas.errors import SpecError
from eahas.space.architectures.family import ArchitectureFamily, Columns, GraphForm
from eahas.space.architectures.registry import family_names

if TYPE_CHECKING:
    from eahas.space.space import Space


def require_family(space: Space) -> ArchitectureFamily:
    """The architecture family of a space; SpecError if it has none."""
    if space.architecture is None:
        raise SpecError(
            f"space {space.name} has no architecture family; allowed: {', '.join(family_names())}"
        )
    return space.architecture


def complexity(space: Space, config: Mapping[str, Any]) -> dict[str, int]:
    """The complexity of the network of a configuration: "flops", "params" and "acts".

    "flops" are the multiply-adds of one image in convolutions and linear layers, "params" the
    trainable parameters, and "acts" the output elements of convolutions and linear layers (not for
    all families).

    Raises ConfigError if the configuration is not in the space, and SpecError if the space has no
    architecture family, or lacks the network section that the family needs.
    """
    family = require_family(space)
    return dict(family.complexity(space.check(config), network_of(space)))


def complexity_columns(space: Space, columns: Columns) -> dict[str, np.ndarray]:
    """`complexity` for columns from `space.columns`; the values have shape (n,)."""
    family = require_family(space)
    return dict(family.complexity_columns(columns, network_of(space)))


def graph_form(space: Space) -> GraphForm:
    """The graph form of the architectures of a space; SpecError if they have none."""
    family = require_family(space)
    if family.graph is None:
        raise SpecError(f"the architectures of {family.name} have no graph form")
    return family.graph


def architecture_hash(space: Space, config: Mapping[str, Any]) -> str:
    """A hash of 32 hexadecimal digits that isomorphic architectures share.

    It depends only on the architecture. For NAS-Bench-101 it is the published `module_hash`. Raises
    SpecError if the space has no architecture family, or a family without isomorphic
    configurations. `space.canonical_hash` exists for all spaces and covers all parameters.
    """
    family = require_family(space)
    if family.architecture_hash is None:
        raise SpecError(f"no two configurations of {family.name} are isomorphic; there is no hash")
    return family.architecture_hash(space.check(config))


def network_of(space: Space) -> Any:
    """The network around the architectures of a space: from the spec, or the default of the family.

    It is None if the family has no such settings. Raises SpecError if the space has no architecture
    family, or lacks the network section that the family needs.
    """
    family = require_family(space)
    network = family.default_network if space.network is None else space.network
    if family.read_network is not None and network is None:
        raise SpecError(f"space {space.name}: {family.name} needs the spec's network section")
    return network
