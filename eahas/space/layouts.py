"""The forms of a configuration: nested by the dots of the names, flat, or mixed.

`flatten` reads any of them. A `Layout` reads plain dictionaries that hold every parameter of a
space and nothing else, one or many at a time, at the speed of C; it turns down whatever is unusual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from eahas.errors import ConfigError, shown


def flatten(config: Mapping[str, Any], deepest: int) -> dict[str, Any]:
    """The flat form of a nested, flat or mixed configuration, `deepest` dots at most.

    Values are not checked. Raises ConfigError for a name that is no string or is given twice.
    """
    flat: dict[str, Any] = {}
    for name, value in _walk(config, "", deepest):
        if name in flat:
            raise ConfigError(f"{name} is given twice, nested and flat")
        flat[name] = value
    return flat


def _walk(config: Mapping[Any, Any], prefix: str, deepest: int) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if not isinstance(key, str):
            where = f" in {prefix[:-1]}" if prefix else ""
            raise ConfigError(f"the name of a parameter is a string, got {shown(key)}{where}")
        name = prefix + key
        if isinstance(value, Mapping) and name.count(".") < deepest:
            yield from _walk(value, name + ".", deepest)
        else:
            yield name, value


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested form of a flat configuration, in the same order."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *sections, leaf = name.split(".")
        at = nested
        for section in sections:
            at = at.setdefault(section, {})
        at[leaf] = value
    return nested


@dataclass(frozen=True)
class Section:
    """One dictionary of a nested configuration: where it is, its parameters, its size."""

    path: tuple[str, ...]
    leaves: tuple[str, ...]
    size: int  # parameters and the sections inside


@dataclass(frozen=True)
class Layout:
    """One way of writing down all parameters; `order` puts the sections' values in their order."""

    sections: tuple[Section, ...]
    order: tuple[int, ...]

    @classmethod
    def flat(cls, names: Sequence[str]) -> Layout:
        return cls((Section((), tuple(names), len(names)),), tuple(range(len(names))))

    @classmethod
    def nested(cls, names: Sequence[str]) -> Layout:
        parts = [tuple(name.split(".")) for name in names]
        paths = dict.fromkeys(p[:depth] for p in parts for depth in range(len(p)))
        sections = []
        for path in paths:
            leaves = tuple(p[-1] for p in parts if p[:-1] == path)
            inside = [p for p in paths if p[:-1] == path and p]
            sections.append(Section(path, leaves, len(leaves) + len(inside)))
        read = [(*section.path, leaf) for section in sections for leaf in section.leaves]
        return cls(tuple(sections), tuple(read.index(p) for p in parts))

    def values(self, config: Any) -> Sequence[Any] | None:
        """The values in the order of the names, or None for anything but plain, complete dicts."""
        found: list[Any] = []
        for section in self.sections:
            at = config
            for key in section.path:
                at = at.get(key)
            if type(at) is not dict or len(at) != section.size:
                return None
            try:
                found += map(at.__getitem__, section.leaves)
            except KeyError:
                return None
        return self._ordered(found)

    @cached_property
    def _ordered(self) -> Callable[[list[Any]], Sequence[Any]]:
        return itemgetter(*self.order) if len(self.order) > 1 else tuple

    def columns(self, configs: Sequence[Any]) -> Sequence[list[Any]] | None:
        """`values` of many configurations: one list a parameter."""
        found: list[list[Any]] = []
        for section in self.sections:
            at = configs
            try:
                for key in section.path:
                    at = list(map(itemgetter(key), at))
                if {*map(type, at)} != {dict} or {*map(len, at)} != {section.size}:
                    return None
                found += [list(map(itemgetter(leaf), at)) for leaf in section.leaves]
            except KeyError:
                return None
        return self._ordered(found)
