"""Feature blocks: the features that are computed from the architecture of a configuration.

Each block belongs to one architecture family. BLOCKS contains the blocks of eahas, by the names of
their families. An installed package can add blocks with entry points of the group
`eahas.feature_blocks` (see `eahas.plugins`). The name of an entry point is the name of the family;
its object is a function that takes a space and returns a `FeatureBlock`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from eahas.errors import SpecError, unknown
from eahas.plugins import load_attribute, load_plugin, plugin_names
from eahas.space.space import Space

GROUP = "eahas.feature_blocks"


class FeatureBlock(Protocol):
    """The features of one architecture family in one space. `one` and `many` agree."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the features, in order."""

    @property
    def of_costs(self) -> np.ndarray:
        """Which features are used only for time and energy: bool, (len(names),)."""

    @property
    def replaces(self) -> Sequence[str]:
        """The parameters whose encoding the block replaces; their encoding is not a feature."""

    def one(self, flat: Mapping[str, Any]) -> Sequence[float]:
        """The features of one canonical flat configuration."""

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The features of configurations in canonical columns: shape (n, len(names))."""


# The class method `from_space` of each class takes a space and returns its block. It raises
# SpecError if the space does not have such architectures. A class is imported at its first use.
BLOCKS = {
    "regnet": "eahas.models.features.regnet:RegNetBlock",
    "mnasnet": "eahas.models.features.mnasnet:MnasNetBlock",
    "nasbench101": "eahas.models.features.nasbench101:NasBench101Block",
    "nasbench201": "eahas.models.features.nasbench201:NasBench201Block",
}


def block_maker(family: str) -> Callable[[Space], FeatureBlock] | None:
    """The function that makes the block of an architecture family; None if there is no block."""
    if family in BLOCKS:
        built_in: Callable[[Space], FeatureBlock] = load_attribute(BLOCKS[family]).from_space
        return built_in
    plugin: Callable[[Space], FeatureBlock] | None = load_plugin(GROUP, family)
    return plugin


def make_block(family: str, space: Space) -> FeatureBlock:
    """The feature block of an architecture family in a space.

    Raises SpecError for an unknown family, or if the space does not have such architectures.
    """
    maker = block_maker(family)
    if maker is None:
        names = dict.fromkeys((*BLOCKS, *plugin_names(GROUP)))
        raise SpecError(unknown("family", family, names))
    return maker(space)
