"""The network of a configuration, whatever its family: complexity, graph and hash."""

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
    """The architecture family of a space; SpecError where it has none."""
    if space.architecture is None:
        raise SpecError(
            f"space {space.name} has no architecture family; allowed: {', '.join(family_names())}"
        )
    return space.architecture


def complexity(space: Space, config: Mapping[str, Any]) -> dict[str, int]:
    """What the network of a configuration costs, by name.

    "flops" are the multiply-adds of one image in convolutions and linear layers, "params" the
    trainable parameters, "acts" (where the family knows them) the output elements of convolutions
    and linear layers. Raises ConfigError for what `space.check` refuses, SpecError where the space
    has no architecture family or its family needs the spec's network section.
    """
    family = require_family(space)
    return dict(family.complexity(space.check(config), network_of(space)))


def complexity_columns(space: Space, columns: Columns) -> dict[str, np.ndarray]:
    """`complexity` of what `space.columns` returns: each of shape (n,)."""
    family = require_family(space)
    return dict(family.complexity_columns(columns, network_of(space)))


def graph_form(space: Space) -> GraphForm:
    """How the architectures of a space are graphs; SpecError where they have no such form."""
    family = require_family(space)
    if family.graph is None:
        raise SpecError(f"the architectures of {family.name} have no graph form")
    return family.graph


def architecture_hash(space: Space, config: Mapping[str, Any]) -> str:
    """A hash of the architecture alone, equal for isomorphic ones: 32 hexadecimal digits.

    For NAS-Bench-101 this is the published `module_hash`. Raises SpecError where the space has no
    architecture family, or one in which no two configurations are isomorphic;
    `space.canonical_hash` covers those too, and the parameters beside the architecture.
    """
    family = require_family(space)
    if family.architecture_hash is None:
        raise SpecError(f"no two configurations of {family.name} are isomorphic; there is no hash")
    return family.architecture_hash(space.check(config))


def network_of(space: Space) -> Any:
    """The network around the architectures of a space: the spec's, or the family's default.

    None where the family has nothing around the architecture. Raises SpecError where the space has
    no architecture family, or its family needs the spec's network section.
    """
    family = require_family(space)
    network = family.default_network if space.network is None else space.network
    if family.read_network is not None and network is None:
        raise SpecError(f"space {space.name}: {family.name} needs the spec's network section")
    return network
