"""Compositions of regressors: they concatenate either the outputs or the members."""

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
    """The base class of both compositions."""

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
    """Concatenates outputs. A part with a single member is combined with every other member."""

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
    """Concatenates the members of regressors with the same outputs."""

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
    """The parts with concatenated outputs.

    Raises CheckpointError if the numbers of members do not match, or if the inputs differ.
    """
    composition = Joined(parts)
    if any(part.members not in (1, composition.members) for part in parts):
        raise _mismatch(parts, "members", f"1 or {composition.members} of them")
    _check_inputs(parts)
    return composition


def pooled(parts: tuple[Regressor, ...]) -> Pooled:
    """The parts with concatenated members; CheckpointError if their inputs or outputs differ."""
    if len({part.outputs for part in parts}) > 1:
        raise _mismatch(parts, "outputs", "the same number of them")
    _check_inputs(parts)
    return Pooled(parts)


def tensors_of_parts(
    tensors: Mapping[str, np.ndarray], count: int, prefix: str = ""
) -> list[dict[str, np.ndarray]]:
    """The arrays of each part, by their names without the number of the part."""
    arrays_of_parts: list[dict[str, np.ndarray]] = [{} for _ in range(count)]
    for name, array in tensors.items():
        number, dot, name_in_part = name.partition(".")
        if not dot or not number.isdecimal() or int(number) >= count:
            raise CheckpointError(
                f"array {prefix + name!r} belongs to no part; allowed: names that start with "
                f"{prefix}0. to {prefix}{count - 1}."
            )
        arrays_of_parts[int(number)][name_in_part] = array
    return arrays_of_parts


def _check_inputs(parts: Sequence[Regressor]) -> None:
    if len({part.inputs for part in parts}) > 1:
        raise _mismatch(parts, "inputs", "the same number of them")


def _mismatch(parts: Sequence[Regressor], size: str, allowed: str) -> CheckpointError:
    given = ", ".join(str(getattr(part, size)) for part in parts)
    return CheckpointError(f"the parts of the regressor have {given} {size}; allowed: {allowed}")
