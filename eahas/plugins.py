"""Plug-ins: objects that installed packages add to registries of eahas by entry points.

A package declares its plug-ins in its `pyproject.toml`, in the group of the registry:

    [project.entry-points."eahas.architectures"]
    my_family = "my_package.family:FAMILY"

A plug-in is imported when its name is first used. There is no registration at run time, so the
result depends only on the installed packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from eahas.errors import PluginError


def load_attribute(location: str) -> Any:
    """Import the object at a location `module:name`, the notation of entry points."""
    module, _, name = location.partition(":")
    return getattr(import_module(module), name)


def plugin_names(group: str) -> tuple[str, ...]:
    """The names that installed packages add to a group, in alphabetical order."""
    from importlib.metadata import entry_points  # slow to import, and rarely needed

    return tuple(sorted(entry_points(group=group).names))


def load_plugin(group: str, name: str) -> Any:
    """The object that an installed package adds to a group under a name; None if there is none.

    Raises PluginError if two packages add different objects under that name, or if the object
    cannot be imported.
    """
    from importlib.metadata import entry_points

    points = set(entry_points(group=group, name=name))
    locations = sorted({point.value for point in points})
    if len(locations) > 1:
        raise PluginError(f"plug-in {name!r} of {group} is defined by {' and by '.join(locations)}")
    for point in points:
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            raise PluginError(
                f"plug-in {name!r} of {group} cannot be loaded from {point.value}: {error}"
            ) from error
    return None
