"""A search space as data: everything about it is derived from its parameters and constraints.

A configuration is a mapping from parameter names to values. Dotted names nest: `REGNET.DEPTH`
stands at `config["REGNET"]["DEPTH"]`. Both forms are accepted wherever a configuration is; flat
canonical dictionaries are what the functions here pass among themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eahas.constraints import Constraint, require
from eahas.errors import ConfigError, EahasError, SpecError, suggest
from eahas.parameters import Choice, Numeric, Parameter

Config = Mapping[str, Any]
MOST_REJECTIONS = 100_000


@dataclass(frozen=True)
class Space:
    """Parameters in encoding order, the constraints over them, and the name of the fidelity.

    `fidelity` names the parameter that holds the number of training epochs (MAX_EPOCH), or is None
    for a space without learning curves.
    """

    name: str
    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()
    fidelity: str | None = None

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for parameter in self.parameters:
            if parameter.name in seen:
                raise SpecError(f"parameter {parameter.name} stands twice in space {self.name}")
            condition = parameter.condition
            if condition is not None and condition.parent not in seen:
                raise SpecError(
                    f"{parameter.name}: its condition names {condition.parent!r}, which is not a "
                    "parameter listed before it"
                )
            seen.add(parameter.name)
        if self.fidelity is not None and self.fidelity not in seen:
            raise SpecError(f"fidelity {self.fidelity!r} is not a parameter of space {self.name}")

    # Names and forms

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.parameters}

    def __getitem__(self, name: str) -> Parameter:
        return self._by_name[name]

    def flatten(self, config: Config) -> dict[str, Any]:
        """The flat form of a nested, flat or mixed configuration. Values are not checked."""
        if not isinstance(config, Mapping):
            raise ConfigError(
                f"a configuration is a mapping with {', '.join(self.names)}, "
                f"got {type(config).__name__}"
            )
        flat: dict[str, Any] = {}
        for name, value in _walk(config, ""):
            if name in flat:
                raise ConfigError(f"{name} is given twice, nested and flat")
            flat[name] = value
        return flat

    def nest(self, flat: Config) -> dict[str, Any]:
        """The nested form of a flat configuration, sections in the order of the spec."""
        nested: dict[str, Any] = {}
        for name in self.names:
            if name not in flat:
                continue
            *sections, leaf = name.split(".")
            at = nested
            for section in sections:
                at = at.setdefault(section, {})
            at[leaf] = flat[name]
        return nested

    # Validation

    def check(self, config: Config) -> dict[str, Any]:
        """The flat canonical form of a configuration.

        Raises ConfigError for a missing, extra or misspelled parameter, a wrong type, a value out
        of range or off its grid, and a violated constraint; the message says what is allowed.
        """
        given = self.flatten(config)
        for name in given:
            if name not in self._by_name:
                raise ConfigError(
                    f"{name!r} is no parameter of space {self.name}{suggest(name, self.names)}; "
                    f"allowed: {', '.join(self.names)}"
                )
        checked: dict[str, Any] = {}
        for parameter in self.parameters:
            name = parameter.name
            if self._active(parameter, checked):
                if name not in given:
                    raise ConfigError(f"{name} is missing; allowed: {parameter.allowed()}")
                checked[name] = parameter.check(given[name])
            elif name in given:
                assert parameter.condition is not None
                raise ConfigError(
                    f"{name}={given[name]!r} is given, but it exists only where "
                    f"{parameter.condition.parent} is one of {list(parameter.condition.values)}"
                )
        require(self.constraints, checked)
        return checked

    def check_list(self, configs: Sequence[Config]) -> list[dict[str, Any]]:
        """`check` on each; the message of a ConfigError names the position in the list."""
        if len(configs) == 0:
            raise ConfigError("an empty list of configurations; give at least one")
        checked = []
        for position, config in enumerate(configs):
            try:
                checked.append(self.check(config))
            except ConfigError as error:
                raise ConfigError(f"configs[{position}]: {error}") from None
        return checked

    def contains(self, config: Config) -> bool:
        try:
            self.check(config)
        except EahasError:
            return False
        return True

    @staticmethod
    def _active(parameter: Parameter, flat: Config) -> bool:
        condition = parameter.condition
        return condition is None or flat.get(condition.parent) in condition.values

    # Drawing

    def sample(
        self, n: int | None = None, *, seed: int = 0, distinct: bool = True
    ) -> Any:
        """A random nested configuration, or a list of `n` (all different unless told otherwise).

        Parameters are drawn independently and rejected as a whole on the constraints. Raises
        SpecError where the constraints leave (almost) nothing.
        """
        rng = np.random.default_rng(seed)
        if n is None:
            return self.nest(self.draw(rng))
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ConfigError(f"n={n!r}: allowed are whole numbers from 1")
        drawn: dict[tuple[Any, ...], dict[str, Any]] = {}
        for _ in range(MOST_REJECTIONS + 100 * n):
            flat = self.draw(rng)
            drawn.setdefault(tuple(flat.items()) if distinct else (len(drawn),), flat)
            if len(drawn) == n:
                return [self.nest(flat) for flat in drawn.values()]
        raise SpecError(f"space {self.name} has fewer than n={n} different configurations")

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """One flat configuration that satisfies the constraints."""
        for _ in range(MOST_REJECTIONS):
            flat: dict[str, Any] = {}
            for parameter in self.parameters:
                if self._active(parameter, flat):
                    flat[parameter.name] = parameter.sample(rng)
            if all(c.violation(flat) is None for c in self.constraints):
                return flat
        raise SpecError(
            f"space {self.name}: {MOST_REJECTIONS} draws in a row violated its constraints; "
            "widen the bounds or the constraints"
        )

    # Moving

    def neighbours(self, config: Config) -> list[dict[str, Any]]:
        """Every nested configuration one step away that the constraints allow.

        A step changes one parameter: to a neighbouring grid value, or to any other choice. A
        parameter that the step brings to life takes the middle of its grid.
        """
        flat = self.check(config)
        found = []
        for parameter in self.parameters:
            if parameter.name not in flat:
                continue
            for value in parameter.neighbours(flat[parameter.name]):
                moved = self._repaired({**flat, parameter.name: value})
                if all(c.violation(moved) is None for c in self.constraints):
                    found.append(self.nest(moved))
        return found

    def mutate(self, config: Config, *, seed: int) -> dict[str, Any]:
        """A copy with one randomly chosen parameter drawn anew, constraints respected."""
        flat = self.check(config)
        rng = np.random.default_rng(seed)
        movable = [p for p in self.parameters if p.name in flat and p.cardinality() > 1]
        for _ in range(MOST_REJECTIONS):
            parameter = movable[int(rng.integers(len(movable)))]
            value = parameter.sample(rng)
            if value == flat[parameter.name]:
                continue
            moved = self._repaired({**flat, parameter.name: value})
            if all(c.violation(moved) is None for c in self.constraints):
                return self.nest(moved)
        raise SpecError(f"space {self.name}: no single change of this configuration is allowed")

    def _repaired(self, flat: dict[str, Any]) -> dict[str, Any]:
        """Conditional parameters dropped where inactive, and set to their middle where new."""
        repaired: dict[str, Any] = {}
        for parameter in self.parameters:
            if self._active(parameter, repaired):
                repaired[parameter.name] = flat.get(parameter.name, _middle(parameter))
        return repaired

    def cardinality(self) -> float:
        """The number of configurations before the constraints; infinite with a continuous one."""
        count = 1.0
        for parameter in self.parameters:
            condition = parameter.condition
            share = 1.0
            if condition is not None:
                parent = self._by_name[condition.parent]
                share = len(condition.values) / parent.cardinality()
            count *= 1 + share * (parameter.cardinality() - 1)
        return count

    def acceptance(self, *, draws: int = 2000, seed: int = 0) -> float:
        """The share of independent draws that the constraints keep."""
        rng = np.random.default_rng(seed)
        free = replace(self, constraints=())
        kept = sum(
            all(c.violation(flat) is None for c in self.constraints)
            for flat in (free.draw(rng) for _ in range(draws))
        )
        return kept / draws

    # Codes

    @cached_property
    def encoding_width(self) -> int:
        return sum(p.width for p in self.parameters)

    @cached_property
    def encoding_names(self) -> tuple[str, ...]:
        """What each number of an encoding stands for, `NAME` or `NAME=choice`."""
        names: list[str] = []
        for p in self.parameters:
            names += [f"{p.name}={c}" for c in p.choices] if isinstance(p, Choice) else [p.name]
        return tuple(names)

    def encode(self, config: Config) -> np.ndarray:
        """The code of one configuration, shape (encoding_width,), float64.

        Numeric parameters are min-max scaled, choices are one-hot, in the order of the spec
        (EA-HAS-Bench's 26 numbers for its CIFAR-10 space); an inactive parameter is all zeros.
        """
        return self.encode_checked(self.check(config))

    def encode_checked(self, flat: Config) -> np.ndarray:
        code: list[float] = []
        for p in self.parameters:
            code += p.encode(flat[p.name]) if p.name in flat else [0.0] * p.width
        return np.array(code)

    def decode(self, code: Sequence[float] | np.ndarray) -> dict[str, Any]:
        """The nested configuration nearest to a code; ConfigError if a constraint excludes it."""
        vector = np.asarray(code, dtype=float)
        if vector.shape != (self.encoding_width,) or not np.isfinite(vector).all():
            raise ConfigError(
                f"a code of space {self.name} is {self.encoding_width} finite numbers, "
                f"got an array of shape {vector.shape}"
            )
        flat: dict[str, Any] = {}
        at = 0
        for p in self.parameters:
            if self._active(p, flat):
                flat[p.name] = p.decode(vector[at : at + p.width])
            at += p.width
        require(self.constraints, flat)
        return self.nest(flat)

    def to_configspace(self) -> Any:
        """The same parameters and conditions as a `ConfigSpace.ConfigurationSpace`.

        Constraints over several parameters cannot be expressed there: check a drawn configuration
        with `contains`. Needs the extra `configspace`.
        """
        from eahas.export import to_configspace

        return to_configspace(self)


def _walk(config: Config, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _walk(value, name + ".")
        else:
            yield name, value


def _middle(parameter: Parameter) -> Any:
    if isinstance(parameter, Numeric) and parameter.step is None:
        return parameter.decode([0.5])
    grid = parameter.grid()
    return grid[len(grid) // 2]
