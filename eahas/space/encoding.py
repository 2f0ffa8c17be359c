"""The encoding of configurations as vectors of numbers: min-max scaled and one-hot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import getitem
from typing import Any

import numpy as np

from eahas.space.parameters import Choice, Parameter, is_active

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Encoding:
    """The encoding of flat canonical configurations over parameters, in their order.

    Numeric parameters are min-max scaled and choices are one-hot. An inactive parameter is all
    zeros.
    """

    parameters: tuple[Parameter, ...]

    @cached_property
    def width(self) -> int:
        """The number of numbers in a code."""
        return sum(p.width for p in self.parameters)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The name of each number of a code: `NAME` or `NAME=choice`."""
        names: list[str] = []
        for p in self.parameters:
            names += [f"{p.name}={c}" for c in p.choices] if isinstance(p, Choice) else [p.name]
        return tuple(names)

    @cached_property
    def _parameter_names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @cached_property
    def _codes(self) -> tuple[Any, ...]:
        return tuple(p.codes for p in self.parameters)

    def encode(self, flat: Config) -> np.ndarray:
        """The code of a configuration, (width,), float64."""
        if len(flat) == len(self.parameters):
            codes = list(map(getitem, self._codes, map(flat.__getitem__, self._parameter_names)))
        else:
            codes = [
                p.codes[flat[p.name]] if p.name in flat else [0.0] * p.width
                for p in self.parameters
            ]
        return np.array([*chain.from_iterable(codes)])

    def encode_columns(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The codes of canonical columns, (n, width), float64."""
        code = np.zeros((len(columns[self._parameter_names[0]]), self.width))
        start = 0
        for p in self.parameters:
            column, block = columns[p.name], code[:, start : start + p.width]
            if p.condition is None:
                block[:] = p.encode_column(column)
            else:
                active = np.array([value is not None for value in column])
                block[active] = p.encode_column(column[active].astype(p.dtype))
            start += p.width
        return code

    def decode(self, code: np.ndarray) -> dict[str, Any]:
        """The flat configuration that is nearest to a code (width,) of finite numbers."""
        flat: dict[str, Any] = {}
        start = 0
        for p in self.parameters:
            if is_active(p, flat):
                flat[p.name] = p.decode(code[start : start + p.width])
            start += p.width
        return flat
