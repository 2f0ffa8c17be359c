"""An architecture family: the parameters, validity and complexity of one kind of network.

A family is one `ArchitectureFamily`, listed in `eahas.space.architectures.registry` or added by an
installed package. Spaces, specs and constraints use families through this type. The features that a
surrogate computes from an architecture are in the feature block of the family
(`eahas.models.features.blocks`).
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
Columns = Mapping[str, np.ndarray]  # n flat configurations as columns of shape (n,)


class Network(Protocol):
    """The fixed settings of the network around the architecture; families add fields."""

    @property
    def image_size(self) -> int:
        """The side of an image in pixels."""

    @property
    def in_channels(self) -> int: ...

    @property
    def classes(self) -> int: ...


class Numbers(NamedTuple):
    """The numbers that a parameter may have: from `low` to `high` inclusive, or only integers."""

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
    """The strings or booleans that a parameter may have; a space may allow a subset of them."""

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
    """Architectures as graphs with the same number of vertices, for graph neural networks.

    `labels` are the operations that a vertex can have. `one` takes a flat configuration and returns
    the adjacency (vertices, vertices) and one-hot labels (vertices, len(labels)), both float64.
    `many` takes columns and returns the same with a first axis of length n. Vertices that an
    architecture does not have are rows of zeros.
    """

    vertices: int
    labels: tuple[str, ...]
    one: Callable[[Flat], tuple[np.ndarray, np.ndarray]]
    many: Callable[[Columns], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Validity:
    """Which configurations of the parameters are valid architectures.

    `violation` returns the reason why a flat configuration is not valid, or None. `mask` takes
    columns and returns bool (n,): True for valid architectures.
    """

    violation: Callable[[Flat], str | None]
    mask: Callable[[Columns], np.ndarray]


ConstraintReader = Callable[[Mapping[str, Any], Any], "Constraint"]


@dataclass(frozen=True, eq=False)
class ArchitectureFamily:
    """One kind of network. Its functions take flat canonical configurations or columns of them.

    The functions are module-level functions, so that a space can be pickled for another process.
    Families with the same name are equal.

    Attributes:
        name: the name in manifests, and the kind of the family's constraint in a spec.
        domains: the parameters that define an architecture, and the values that each may have.
        quantities: the quantities that `complexity` computes, among "flops" (multiply-adds of one
            image), "params" and "acts" (output elements of convolutions and linear layers).
        complexity, complexity_columns: functions that return these quantities of the whole network
            by name, as integers or as arrays of shape (n,). The second argument is the network
            around the architecture.
        read_network: parses the section `network` of a spec into a `Network`; it raises SpecError
            if the section is malformed. None if the family has no such settings.
        default_network: the network if a spec has no such section; None if the family needs one.
        needs_constraint: whether a space needs a constraint of this kind to have the family. If
            False, the parameters suffice.
        read_constraint: makes the constraint from the fields in a spec (without `kind`) and a
            network. None stands for the constraint of `eahas.space.architectures.constraint`.
        validity: None if every combination of parameters is a valid architecture.
        graph: None if the family has no graph form.
        architecture_hash: a hash that is equal for isomorphic architectures; None if no two
            configurations are isomorphic.
        neighbours: the flat configurations of the neighbouring architectures. None if neighbours
            differ in one parameter.
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
        """The names of the parameters that define an architecture."""
        return tuple(self.domains)

    def check_parameters(self, parameters: Mapping[str, Parameter]) -> None:
        """Raise SpecError unless the parameters, by name, define an architecture of this family.

        Further parameters are allowed.
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
