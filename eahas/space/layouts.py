"""The layouts of a configuration: nested by the dots in the names, flat, or mixed.

`flatten` reads any layout. A `Layout` reads one or many plain dictionaries that contain exactly the
parameters of a space. It uses C-level functions for speed, and returns None for any other input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any

from eahas.errors import ConfigError, shown


def flatten(config: Mapping[str, Any], max_dots: int) -> dict[str, Any]:
    """The flat layout of a nested, flat or mixed configuration. Values are not checked.

    Args:
        config: the configuration.
        max_dots: maximum number of dots in a name; deeper mappings are values.

    Raises:
        ConfigError: a name is not a string or is given twice.
    """
    flat: dict[str, Any] = {}
    for name, value in _walk(config, "", max_dots):
        if name in flat:
            raise ConfigError(f"{name} is given twice, nested and flat")
        flat[name] = value
    return flat


def _walk(config: Mapping[Any, Any], prefix: str, max_dots: int) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if not isinstance(key, str):
            where = f" in {prefix[:-1]}" if prefix else ""
            raise ConfigError(f"the name of a parameter is a string, got {shown(key)}{where}")
        name = prefix + key
        if isinstance(value, Mapping) and name.count(".") < max_dots:
            yield from _walk(value, name + ".", max_dots)
        else:
            yield name, value


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The nested layout of a flat configuration, in the same order."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *sections, leaf = name.split(".")
        inner = nested
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[leaf] = value
    return nested


@dataclass(frozen=True)
class Section:
    """One dictionary of a nested configuration: its path, its parameters and its size."""

    path: tuple[str, ...]
    leaves: tuple[str, ...]
    size: int  # number of parameters and of sections inside


@dataclass(frozen=True)
class Layout:
    """One layout of a complete configuration.

    Attributes:
        sections: the dictionaries that it consists of.
        order: for each parameter, its position among the values of all sections.
    """

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
        """The values in the order of the names; None for anything but plain, complete dicts."""
        values: list[Any] = []
        for section in self.sections:
            inner = config
            for key in section.path:
                inner = inner.get(key)
            if type(inner) is not dict or len(inner) != section.size:
                return None
            try:
                values += map(inner.__getitem__, section.leaves)
            except KeyError:
                return None
        return self._ordered(values)

    @cached_property
    def _ordered(self) -> Callable[[list[Any]], Sequence[Any]]:
        return itemgetter(*self.order) if len(self.order) > 1 else tuple

    def columns(self, configs: Sequence[Any]) -> Sequence[list[Any]] | None:
        """`values` of many configurations, as one list per parameter."""
        columns: list[list[Any]] = []
        for section in self.sections:
            inner = configs
            try:
                for key in section.path:
                    inner = list(map(itemgetter(key), inner))
                if {*map(type, inner)} != {dict} or {*map(len, inner)} != {section.size}:
                    return None
                columns += [list(map(itemgetter(leaf), inner)) for leaf in section.leaves]
            except KeyError:
                return None
        return self._ordered(columns)
