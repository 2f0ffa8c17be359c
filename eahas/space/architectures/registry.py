"""The architecture families that there are, and which of them a space has.

FAMILIES is the whole list of those that come with eahas; a family is imported at its first use. An
installed package adds its own by an entry point of the group `eahas.architectures` (see
`eahas.plugins`) whose name is the family's name and whose object is an `ArchitectureFamily`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eahas.errors import PluginError, SpecError, shown
from eahas.plugins import load_attribute, load_plugin, plugin_names
from eahas.space.architectures.constraint import read_architecture_constraint
from eahas.space.architectures.family import ArchitectureFamily, Network
from eahas.space.parameters import Parameter

if TYPE_CHECKING:
    from eahas.space.constraints import Constraint

FAMILIES = {
    "regnet": "eahas.space.architectures.regnet.family:REGNET",
    "mnasnet": "eahas.space.architectures.mnasnet:MNASNET",
    "nasbench101": "eahas.space.architectures.cells.nasbench101.family:NASBENCH101",
    "nasbench201": "eahas.space.architectures.cells.nasbench201.family:NASBENCH201",
}
GROUP = "eahas.architectures"


def family_names() -> tuple[str, ...]:
    """The names of all families, those of installed packages last."""
    return tuple(dict.fromkeys((*FAMILIES, *plugin_names(GROUP))))


def find_family(name: str) -> ArchitectureFamily | None:
    """The family of a name, or None. Raises PluginError for a plug-in that is no family."""
    if name in FAMILIES:
        built_in: ArchitectureFamily = load_attribute(FAMILIES[name])
        return built_in
    family = load_plugin(GROUP, name)
    if family is None:
        return None
    if not isinstance(family, ArchitectureFamily) or family.name != name:
        raise PluginError(
            f"plug-in {name!r} of {GROUP} must be an ArchitectureFamily of that name, "
            f"got {shown(family)}"
        )
    return family


def all_families() -> Iterator[ArchitectureFamily]:
    """Every family, one after the other; packages are searched when the built-in ones are done."""
    yield from filter(None, map(find_family, FAMILIES))
    for name in plugin_names(GROUP):
        family = None if name in FAMILIES else find_family(name)
        if family is not None:
            yield family


def family_of(
    parameters: Mapping[str, Parameter], constraints: Iterable[Constraint]
) -> ArchitectureFamily | None:
    """The family that a space has: that of its first constraint that has one, else the first one
    that its parameters describe; None if there is none.
    """
    for constraint in constraints:
        if constraint.family is not None:
            return find_family(constraint.family)
    for family in all_families():
        if not family.needs_constraint and family.describes(parameters):
            return family
    return None


def read_constraint(
    family: ArchitectureFamily,
    fields: Mapping[str, Any],
    network: Network | None,
    parameters: Mapping[str, Parameter],
) -> Constraint:
    """The constraint of a family from the fields of a spec, `kind` left out.

    Raises SpecError for an unknown or malformed field, a missing section `network`, and parameters
    that do not make an architecture of the family.
    """
    network = family.default_network if network is None else network
    if family.read_network is not None and network is None:
        raise SpecError(f"constraints: kind {family.name} needs the spec's network section")
    family.check_parameters(parameters)
    if family.read_constraint is not None:
        return family.read_constraint(fields, network)
    return read_architecture_constraint(family, fields, network)


def read_network(given: Any, kinds: Iterable[Any], parameters: Mapping[str, Parameter]) -> Network:
    """The section `network` of a spec with constraints of these kinds.

    It is read by the family of the first kind that names one, else by the first family that the
    parameters describe. A spec without a family can have the section too: it is then read as that
    of a RegNet, which was the only network when the section was defined. Raises SpecError where it
    is malformed.
    """
    if not isinstance(given, Mapping):
        raise SpecError(f"network: a mapping, got {shown(given)}")
    named = (find_family(kind) for kind in kinds if isinstance(kind, str))
    described = (family for family in all_families() if family.describes(parameters))
    family = next((f for f in named if f is not None), None) or next(described, None)
    if family is None or family.read_network is None:
        family = find_family("regnet")
    assert family is not None and family.read_network is not None
    return family.read_network(given)
