"""Layer complexity and configuration checks for NAS-Bench-101 and NAS-Bench-201.

The functions of the complexity accept numbers or integer arrays of shape (n,).
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

    The multiply-adds are those of convolutions and linear layers; each bias counts as one, as in
    pycls and NAS-Bench-201. Batch norm has parameters (scale and shift) but no multiply-adds.
    Pooling, additions and activations are not counted.
    """

    flops: Any
    params: Any


def convolution(kernel: int, c_in: Any, c_out: Any, area: int, *, norm: bool = True) -> Complexity:
    """The complexity of a convolution without bias, followed by batch norm if `norm`.

    `c_in` and `c_out` are channels, numbers or arrays of shape (n,); `area` is the number of output
    pixels.
    """
    weights = kernel * kernel * c_in * c_out
    return Complexity(weights * area, weights + 2 * c_out * norm)


def linear(c_in: int, c_out: int) -> Complexity:
    """The complexity of a linear layer with a bias."""
    weights = c_in * c_out + c_out
    return Complexity(weights, weights)


def total(parts: Iterable[Complexity]) -> Complexity:
    """The total complexity of some layers or cells."""
    flops, params = zip(*parts, strict=True)
    return Complexity(sum(flops), sum(params))


def times(count: Any, part: Complexity) -> Complexity:
    """The complexity of `count` copies of a layer or cell."""
    return Complexity(count * part.flops, count * part.params)


def one_hot(positions: np.ndarray, width: int) -> np.ndarray:
    """One-hot vectors, float64 (..., width), of positions (...); zeros for a negative position."""
    return (positions[..., None] == np.arange(width)).astype(np.float64)


def positions(column: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The index in `names` of each value of a column (n,), int64; -1 for other values."""
    indices = np.full(len(column), -1, dtype=np.int64)
    for index, name in enumerate(names):
        indices[column == name] = index
    return indices


def checked_operation(field: str, given: Any, allowed: Sequence[str]) -> str:
    """The name of an operation; ConfigError, which names the field, for anything else."""
    if not isinstance(given, str) or given not in allowed:
        raise ConfigError(f"{field}: " + unknown("operation", given, allowed))
    return str(given)


def required(flat: Mapping[str, Any], name: str, allowed: str) -> Any:
    """The value of a parameter of a flat configuration; ConfigError if it is missing."""
    if name not in flat:
        raise ConfigError(f"{name} is missing; allowed: {allowed}")
    return flat[name]


def check_positive(network: object, *fields: str) -> None:
    """Raise SpecError for a field of a network that is not a whole number from 1."""
    for field in fields:
        value = getattr(network, field)
        if not is_whole(value) or value < 1:
            raise SpecError(f"network: {field} is a whole number from 1, got {shown(value)}")


def network_from_dict(kind: Callable[..., N], given: Mapping[str, Any]) -> N:
    """Parse the section `network` of a spec into a network of the dataclass `kind`.

    Missing fields have their defaults. Raises SpecError for an unknown field or an invalid value.
    """
    known_fields("network", given, [field.name for field in fields(kind)])  # type: ignore[arg-type]
    return kind(**given)
