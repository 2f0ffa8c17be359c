"""An architecture family: everything that eahas needs to know about one kind of network.

A family is one `ArchitectureFamily`, listed in `eahas.space.architectures.registry` or added by an
installed package. Spaces, specs and constraints use it through this one type; what a surrogate
computes from an architecture is the family's feature block (`eahas.models.features.blocks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from eahas.errors import SpecError
from eahas.space.parameters import Choice, Parameter

if TYPE_CHECKING:
    from eahas.space.constraints import Constraint

Flat = Mapping[str, Any]  # a flat canonical configuration
Columns = Mapping[str, np.ndarray]  # n of them, column by column


class Network(Protocol):
    """What a spec fixes about the network around the architecture; families add fields."""

    @property
    def image_size(self) -> int:
        """The side of an image in pixels."""

    @property
    def in_channels(self) -> int: ...

    @property
    def classes(self) -> int: ...


class Numbers(NamedTuple):
    """The numbers that a parameter may take: both ends included, integers only where it says so."""

    low: float
    high: float
    integer: bool

    def admits(self, parameter: Parameter) -> bool:
        if isinstance(parameter, Choice):
            kinds = (int,) if self.integer else (int, float)
            return all(type(c) in kinds and self.low <= c <= self.high for c in parameter.choices)
        inside = self.low <= parameter.low and parameter.high <= self.high
        return inside and (parameter.integer or not self.integer)

    def __str__(self) -> str:
        return f"{'integer' if self.integer else 'number'}s in {self.low}..{self.high}"


class Values(NamedTuple):
    """The strings or booleans that a parameter may take; a space may offer some of them."""

    values: tuple[str | bool, ...]

    def admits(self, parameter: Parameter) -> bool:
        if not isinstance(parameter, Choice):
            return False
        allowed = {(type(value), value) for value in self.values}
        return all((type(choice), choice) in allowed for choice in parameter.choices)

    def __str__(self) -> str:
        return "choices among " + ", ".join(map(repr, self.values))


Domain = Numbers | Values


@dataclass(frozen=True)
class GraphForm:
    """Architectures as graphs of equal size, for graph networks.

    `labels` are the operations that a vertex can have. `one` takes a flat configuration and returns
    the adjacency (vertices, vertices) and one-hot labels (vertices, len(labels)), both float64;
    `many` takes columns and returns the same with a first axis of length n. A vertex that an
    architecture does not have is a row of zeros.
    """

    vertices: int
    labels: tuple[str, ...]
    one: Callable[[Flat], tuple[np.ndarray, np.ndarray]]
    many: Callable[[Columns], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Validity:
    """Which configurations of the parameters are architectures at all.

    `violation` says why a flat configuration is none, or None; `mask` does so for columns: bool
    (n,), True where it is one.
    """

    violation: Callable[[Flat], str | None]
    mask: Callable[[Columns], np.ndarray]


ConstraintReader = Callable[[Mapping[str, Any], Any], "Constraint"]


@dataclass(frozen=True, eq=False)
class ArchitectureFamily:
    """One kind of network. The functions take flat canonical configurations or columns of them.

    They are functions of modules, so that a space can be sent to another process. A family is
    identified by its name.

    name: in manifests, and the kind of the family's constraint in a spec.
    domains: the parameters that an architecture consists of, and which values each may take.
    quantities: what `complexity` computes, among "flops" (multiply-adds of one image), "params" and
        "acts" (output elements of convolutions and linear layers).
    complexity, complexity_columns: the quantities by name, of the whole network: integers, or
        arrays of shape (n,). The second argument is the network around the architecture.
    read_network: the spec's section `network`, a mapping, as a `Network`; SpecError where it is
        malformed. None where nothing around the architecture can be set.
    default_network: where a spec has no such section; None if the family needs one.
    needs_constraint: a space has the family only with a constraint of its kind, not by its
        parameters alone.
    read_constraint: the constraint of the fields of a spec (without `kind`) and a network. None:
        the constraint is that of `eahas.space.architectures.constraint`.
    validity: None where every combination of parameters is an architecture.
    graph: None where the family has no graph form.
    architecture_hash: equal for isomorphic architectures; None where no two configurations are.
    neighbours: flat configurations of the architectures one move away. None: the moves are those of
        single parameters.
    """

    name: str
    domains: Mapping[str, Domain]
    quantities: tuple[str, ...]
    complexity: Callable[[Flat, Any], Mapping[str, int]]
    complexity_columns: Callable[[Columns, Any], Mapping[str, np.ndarray]]
    read_network: Callable[[Mapping[str, Any]], Network] | None = None
    default_network: Network | None = None
    needs_constraint: bool = False
    read_constraint: ConstraintReader | None = None
    validity: Validity | None = None
    graph: GraphForm | None = None
    architecture_hash: Callable[[Flat], str] | None = None
    neighbours: Callable[[Flat], list[dict[str, Any]]] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArchitectureFamily) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that an architecture consists of."""
        return tuple(self.domains)

    def check_parameters(self, parameters: Mapping[str, Parameter]) -> None:
        """Raise SpecError unless the parameters, by name, hold an architecture of this family.

        There may be others beside them.
        """
        missing = [name for name in self.domains if name not in parameters]
        if missing:
            raise SpecError(
                f"constraints: kind {self.name} needs the parameters {', '.join(missing)}"
            )
        for name, domain in self.domains.items():
            parameter = parameters[name]
            if parameter.condition is not None:
                raise SpecError(
                    f"{name}: a parameter of kind {self.name} must not have a condition (when)"
                )
            if not domain.admits(parameter):
                raise SpecError(
                    f"{name}: kind {self.name} needs {domain}, got {parameter.allowed()}"
                )

    def describes(self, parameters: Mapping[str, Parameter]) -> bool:
        """Whether `check_parameters` accepts the parameters."""
        try:
            self.check_parameters(parameters)
        except SpecError:
            return False
        return True
