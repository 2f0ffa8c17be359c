"""Regressors composed of others: outputs side by side, or members pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from eahas.errors import CheckpointError
from eahas.models.regressors.single_row import SingleRowMixin

if TYPE_CHECKING:
    from eahas.models.regressors import Regressor

JOINED, POOLED = "joined", "pooled"


@dataclass(frozen=True, eq=False)
class _Parts(SingleRowMixin):
    """The common part of both compositions."""

    parts: tuple[Regressor, ...]
    kind: ClassVar[str]

    @property
    def inputs(self) -> int:
        return self.parts[0].inputs

    def described(self) -> dict[str, Any]:
        return {"kind": self.kind, "parts": [part.described() for part in self.parts]}

    def tensors(self) -> dict[str, np.ndarray]:
        return {
            f"{number}.{name}": array
            for number, part in enumerate(self.parts)
            for name, array in part.tensors().items()
        }


class Joined(_Parts):
    """Outputs side by side. A part of one member serves every member of the others."""

    kind = JOINED

    @property
    def members(self) -> int:
        return max(part.members for part in self.parts)

    @property
    def outputs(self) -> int:
        return sum(part.outputs for part in self.parts)

    def many(self, x: np.ndarray) -> np.ndarray:
        outputs = [part.many(x) for part in self.parts]
        shape = (self.members, len(x))
        return np.concatenate(
            [np.broadcast_to(out, (*shape, out.shape[-1])) for out in outputs], axis=-1
        )


class Pooled(_Parts):
    """Members together: regressors of the same outputs as one ensemble."""

    kind = POOLED

    @property
    def members(self) -> int:
        return sum(part.members for part in self.parts)

    @property
    def outputs(self) -> int:
        return self.parts[0].outputs

    def many(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([part.many(x) for part in self.parts])


def joined(parts: tuple[Regressor, ...]) -> Joined:
    """CheckpointError where the members of the parts do not fit together."""
    whole = Joined(parts)
    if any(part.members not in (1, whole.members) for part in parts):
        raise _differing(parts, "members", f"1 or {whole.members} of them")
    _check_inputs(parts)
    return whole


def pooled(parts: tuple[Regressor, ...]) -> Pooled:
    """CheckpointError where the outputs of the parts differ."""
    if len({part.outputs for part in parts}) > 1:
        raise _differing(parts, "outputs", "the same number of them")
    _check_inputs(parts)
    return Pooled(parts)


def tensors_of_parts(
    tensors: Mapping[str, np.ndarray], count: int, prefix: str = ""
) -> list[dict[str, np.ndarray]]:
    """Each part's own arrays, by their names without the part's number."""
    shares: list[dict[str, np.ndarray]] = [{} for _ in range(count)]
    for name, array in tensors.items():
        number, dot, own = name.partition(".")
        if not dot or not number.isdecimal() or int(number) >= count:
            raise CheckpointError(
                f"array {prefix + name!r} belongs to no part; allowed: names that start with "
                f"{prefix}0. to {prefix}{count - 1}."
            )
        shares[int(number)][own] = array
    return shares


def _check_inputs(parts: Sequence[Regressor]) -> None:
    if len({part.inputs for part in parts}) > 1:
        raise _differing(parts, "inputs", "the same number of them")


def _differing(parts: Sequence[Regressor], size: str, allowed: str) -> CheckpointError:
    given = ", ".join(str(getattr(part, size)) for part in parts)
    return CheckpointError(f"the parts of the regressor have {given} {size}; allowed: {allowed}")
