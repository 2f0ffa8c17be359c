"""The registry of architecture families, and the family of a space.

FAMILIES lists the built-in families; each is imported at its first use. An installed package adds a
family by an entry point in the group `eahas.architectures` (see `eahas.plugins`). The name of the
entry point is the name of the family, and its object is an `ArchitectureFamily`.
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
    """The names of all families; those of installed packages are last."""
    return tuple(dict.fromkeys((*FAMILIES, *plugin_names(GROUP))))


def find_family(name: str) -> ArchitectureFamily | None:
    """The family with a name, or None. Raises PluginError for a plug-in that is not a family."""
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
    """Iterate over all families: the built-in ones, then those of installed packages."""
    yield from filter(None, map(find_family, FAMILIES))
    for name in plugin_names(GROUP):
        family = None if name in FAMILIES else find_family(name)
        if family is not None:
            yield family


def family_of(
    parameters: Mapping[str, Parameter], constraints: Iterable[Constraint]
) -> ArchitectureFamily | None:
    """The architecture family of a space, or None.

    It is the family of the first constraint with a family, else the first family that the
    parameters define.
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
    """Parse the constraint of a family from the fields in a spec, without `kind`.

    Raises SpecError for an unknown or malformed field, a missing section `network`, and parameters
    that do not define an architecture of the family.
    """
    network = family.default_network if network is None else network
    if family.read_network is not None and network is None:
        raise SpecError(f"constraints: kind {family.name} needs the spec's network section")
    family.check_parameters(parameters)
    if family.read_constraint is not None:
        return family.read_constraint(fields, network)
    return read_architecture_constraint(family, fields, network)


def read_network(given: Any, kinds: Iterable[Any], parameters: Mapping[str, Parameter]) -> Network:
    """Parse the section `network` of a spec with constraints of these kinds.

    The family of the first kind that is a family parses it, else the first family that the
    parameters define. Without a family it is parsed as the section of a RegNet, for compatibility
    with older specs. Raises SpecError if the section is malformed.
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
