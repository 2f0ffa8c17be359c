"""Feature blocks: what a surrogate computes from the architecture of a configuration.

A block belongs to an architecture family and has its name. BLOCKS is the whole list of those that
come with eahas. An installed package adds its own by an entry point of the group
`eahas.feature_blocks` (see `eahas.plugins`) whose name is the family's name and whose object takes
a space and returns a `FeatureBlock`.
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
        """What each feature is, in order."""

    @property
    def of_costs(self) -> np.ndarray:
        """Which features matter to time and energy alone: bool, (len(names),)."""

    @property
    def replaces(self) -> Sequence[str]:
        """Parameters whose encoding is left out, because the block encodes them itself."""

    def one(self, flat: Mapping[str, Any]) -> Sequence[float]:
        """The features of one flat canonical configuration."""

    def many(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The features of canonical columns: shape (n, len(names))."""


# Classes whose method `of` takes a space and returns its block; it raises SpecError where the space
# has no such architectures. A class is imported at its first use.
BLOCKS = {
    "regnet": "eahas.models.features.regnet:RegNetBlock",
    "mnasnet": "eahas.models.features.mnasnet:MnasNetBlock",
    "nasbench101": "eahas.models.features.nasbench101:NasBench101Block",
    "nasbench201": "eahas.models.features.nasbench201:NasBench201Block",
}


def block_maker(family: str) -> Callable[[Space], FeatureBlock] | None:
    """What makes the feature block of an architecture family, or None if it has no block."""
    made: Callable[[Space], FeatureBlock] | None
    made = load_attribute(BLOCKS[family]).of if family in BLOCKS else load_plugin(GROUP, family)
    return made


def make_block(family: str, space: Space) -> FeatureBlock:
    """The feature block of an architecture family in a space.

    Raises SpecError for an unknown family, and where the space has no such architectures.
    """
    maker = block_maker(family)
    if maker is None:
        names = dict.fromkeys((*BLOCKS, *plugin_names(GROUP)))
        raise SpecError(unknown("family", family, names))
    return maker(space)
