"""Fitted regressors as arrays, evaluated with numpy alone.

A regressor is an ensemble of M members that maps features to outputs. `one` evaluates a single row,
`many` a list of rows. Networks, trees, kernel machines and compositions of several regressors
(`parts`) have this form, independent of the library that fitted them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from eahas.errors import CheckpointError, shown, unknown
from eahas.models.regressors.components import JOINED as JOINED
from eahas.models.regressors.components import POOLED as POOLED
from eahas.models.regressors.components import Joined as Joined
from eahas.models.regressors.components import Pooled as Pooled
from eahas.models.regressors.components import joined, pooled, tensors_of_parts
from eahas.models.regressors.kernel import KERNEL as KERNEL
from eahas.models.regressors.kernel import KernelMachine as KernelMachine
from eahas.models.regressors.kernel import kernel_from_tensors
from eahas.models.regressors.mlp import MLP as MLP
from eahas.models.regressors.mlp import MlpEnsemble as MlpEnsemble
from eahas.models.regressors.mlp import mlp_from_tensors as mlp_from_tensors
from eahas.models.regressors.trees import TREES as TREES
from eahas.models.regressors.trees import TreeEnsemble as TreeEnsemble
from eahas.models.regressors.trees import trees_from_tensors

MAX_DEPTH = 4  # of nested compositions


class Regressor(Protocol):
    """A fitted ensemble of M members that maps features to outputs."""

    @property
    def members(self) -> int: ...
    @property
    def inputs(self) -> int: ...
    @property
    def outputs(self) -> int: ...
    def one(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for one row of features (F,): shape (M, outputs)."""

    def many(self, x: np.ndarray) -> np.ndarray:
        """Outputs of every member for n rows of features (n, F): shape (M, n, outputs)."""

    def described(self) -> dict[str, Any]:
        """The entry in a manifest: the `kind`, and for a composition the entries of its parts."""

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays by their names in a checkpoint."""


_SINGLE: dict[str, Callable[..., Regressor]] = {
    MLP: mlp_from_tensors,
    TREES: trees_from_tensors,
    KERNEL: kernel_from_tensors,
}
_PARTS: dict[str, Callable[[tuple[Regressor, ...]], Regressor]] = {JOINED: joined, POOLED: pooled}


def regressor_from_tensors(
    described: Any, tensors: Mapping[str, np.ndarray], depth: int = 0, prefix: str = ""
) -> Regressor:
    """The regressor with the description of a manifest and the arrays of a checkpoint.

    `depth` is the number of compositions that contain the regressor. In the file, `prefix` precedes
    the names of the arrays. Raises CheckpointError if the description and the arrays do not match.
    """
    if not isinstance(described, Mapping) or depth > MAX_DEPTH:
        raise CheckpointError(
            f"the manifest describes no regressor: {shown(described)}; allowed: an object with a "
            f"`kind`, and compositions of regressors at most {MAX_DEPTH} deep"
        )
    kind = described.get("kind")
    if isinstance(kind, str) and kind in _SINGLE:
        return _SINGLE[kind](tensors, prefix=prefix)
    if not isinstance(kind, str) or kind not in _PARTS:
        raise CheckpointError(unknown("regressor", kind, (*_SINGLE, *_PARTS)))
    parts = described.get("parts")
    if not isinstance(parts, list) or not parts:
        raise CheckpointError(
            f"the parts of a {kind} regressor are {shown(parts)}; allowed: a list of regressors"
        )
    arrays_of_parts = tensors_of_parts(tensors, len(parts), prefix)
    return _PARTS[kind](
        tuple(
            regressor_from_tensors(part, arrays, depth + 1, f"{prefix}{number}.")
            for number, (part, arrays) in enumerate(zip(parts, arrays_of_parts, strict=True))
        )
    )
