"""What the cells of NAS-Bench-101 and NAS-Bench-201 share: layer costs and checks of a config.

The formulas are plain arithmetic: they take numbers or integer arrays of shape (n,) alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple, TypeVar

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, SpecError, shown, unknown
from eahas.space.fields import known_fields

N = TypeVar("N")


class Complexity(NamedTuple):
    """Multiply-adds and trainable parameters: integers, or int64 arrays of shape (n,).

    Multiply-adds count convolutions and linear layers; a bias costs one each (as pycls and
    NAS-Bench-201 count). Batch norm has parameters (scale and shift) but no multiply-adds; pooling,
    additions and activations cost nothing.
    """

    flops: Any
    params: Any


def convolution(kernel: int, c_in: Any, c_out: Any, area: int, *, norm: bool = True) -> Complexity:
    """A convolution without bias that writes `area` pixels, with batch norm unless told otherwise.

    `c_in` and `c_out` are channels; numbers or arrays of shape (n,).
    """
    weights = kernel * kernel * c_in * c_out
    return Complexity(weights * area, weights + 2 * c_out * norm)


def linear(c_in: int, c_out: int) -> Complexity:
    """A linear layer with a bias."""
    weights = c_in * c_out + c_out
    return Complexity(weights, weights)


def total(parts: Iterable[Complexity]) -> Complexity:
    """The sum of some layers or cells."""
    flops, params = zip(*parts, strict=True)
    return Complexity(sum(flops), sum(params))


def times(count: Any, part: Complexity) -> Complexity:
    """`count` copies of a layer or cell."""
    return Complexity(count * part.flops, count * part.params)


def one_hot(positions: np.ndarray, width: int) -> np.ndarray:
    """Rows of the identity, float64: shape (..., width). A negative position gives zeros."""
    return (positions[..., None] == np.arange(width)).astype(np.float64)


def positions(column: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The position of each value of a column of shape (n,) among `names`, int64; -1 elsewhere."""
    found = np.full(len(column), -1, dtype=np.int64)
    for at, name in enumerate(names):
        found[column == name] = at
    return found


def checked_operation(field: str, given: Any, allowed: Sequence[str]) -> str:
    """The name of an operation; ConfigError, which names the field, for anything else."""
    if not isinstance(given, str) or given not in allowed:
        raise ConfigError(f"{field}: " + unknown("operation", given, allowed))
    return str(given)


def required(flat: Mapping[str, Any], name: str, allowed: str) -> Any:
    """The value of a parameter of a flat configuration; ConfigError where it is missing."""
    if name not in flat:
        raise ConfigError(f"{name} is missing; allowed: {allowed}")
    return flat[name]


def check_positive(network: object, *fields: str) -> None:
    """SpecError for a field of a network that is not a whole number from 1."""
    for field in fields:
        value = getattr(network, field)
        if not is_whole(value) or value < 1:
            raise SpecError(f"network: {field} is a whole number from 1, got {shown(value)}")


def network_from_dict(kind: Callable[..., N], given: Mapping[str, Any]) -> N:
    """A network of dataclass `kind` from the section `network` of a spec.

    Fields that are left out have their defaults. Raises SpecError for an unknown field and for what
    the dataclass refuses.
    """
    known_fields("network", given, [field.name for field in fields(kind)])  # type: ignore[arg-type]
    return kind(**given)
