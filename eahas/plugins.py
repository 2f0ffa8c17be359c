"""What installed packages add to the open sets of eahas, found by their entry points.

A package states in its own `pyproject.toml` what it adds, under the group of the set:

    [project.entry-points."eahas.architectures"]
    my_family = "my_package.family:FAMILY"

Nothing is imported until somebody asks for the name, and nothing is registered at run time, so
the result depends only on which packages are installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from eahas.errors import PluginError


def load_attribute(location: str) -> Any:
    """The object at a location, `module:name`, as in an entry point."""
    module, _, name = location.partition(":")
    return getattr(import_module(module), name)


def plugin_names(group: str) -> tuple[str, ...]:
    """The names that installed packages add to a group, in alphabetical order."""
    from importlib.metadata import entry_points  # slow to import, and rarely needed

    return tuple(sorted(entry_points(group=group).names))


def load_plugin(group: str, name: str) -> Any:
    """The object that an installed package adds to a group under a name; None if there is none.

    Raises PluginError where two packages add different objects under that name, and where the
    object cannot be imported.
    """
    from importlib.metadata import entry_points

    named = set(entry_points(group=group, name=name))
    places = sorted({point.value for point in named})
    if len(places) > 1:
        raise PluginError(f"plug-in {name!r} of {group} is defined by {' and by '.join(places)}")
    for point in named:
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            raise PluginError(
                f"plug-in {name!r} of {group} cannot be loaded from {point.value}: {error}"
            ) from error
    return None
