"""A search space as data: everything about it is derived from its parameters and constraints.

A configuration is a mapping from parameter names to values. Dotted names nest: `REGNET.DEPTH`
stands at `config["REGNET"]["DEPTH"]`. Both forms are accepted wherever a configuration is; flat
canonical dictionaries are what the functions here pass among themselves.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from math import prod
from operator import getitem
from typing import Any, Literal, overload

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, EahasError, SpecError, shown, unknown
from eahas.space.architectures.family import ArchitectureFamily, Network
from eahas.space.architectures.registry import family_of
from eahas.space.constraints import Constraint, require
from eahas.space.layouts import Layout, flatten, nest
from eahas.space.parameters import Choice, Condition, Parameter, is_active, tables_by_type
from eahas.space.validation import examine

Config = Mapping[str, Any]
MAX_REJECTIONS = 100_000
MAX_POINTS = 1_000_000  # a space with more is not listed
LIST_BLOCK = 512  # configurations of a list that are read while they are in the processor's cache


@dataclass(frozen=True)
class Space:
    """Parameters in encoding order, the constraints over them, and the name of the fidelity.

    `fidelity` names the parameter that holds the number of training epochs (MAX_EPOCH), or is None
    for a space without learning curves. `network` is what the spec fixes about the network around
    the architecture, or None.
    """

    name: str
    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()
    fidelity: str | None = None
    network: Network | None = None

    def __post_init__(self) -> None:
        if not self.parameters:
            raise SpecError(f"space {self.name} has no parameters; at least one is needed")
        known: dict[str, Parameter] = {}
        for parameter in self.parameters:
            name, condition = parameter.name, parameter.condition
            if not isinstance(name, str) or not all(name.split(".")):
                raise SpecError(f"parameter {shown(name)}: a name is text, SECTION.NAME if nested")
            if name in known:
                raise SpecError(f"parameter {name} stands twice in space {self.name}")
            known[name] = (
                parameter
                if condition is None
                else replace(parameter, condition=_checked_condition(name, condition, known))
            )
        for name in known:
            if any(other.startswith(name + ".") for other in known):
                raise SpecError(f"{name} is both a parameter and a section of space {self.name}")
        if self.fidelity is not None:
            if self.fidelity not in known:
                raise SpecError(unknown("fidelity", self.fidelity, known))
            if known[self.fidelity].condition is not None:
                raise SpecError(f"fidelity {self.fidelity}: the epochs cannot have a condition")
        object.__setattr__(self, "parameters", tuple(known.values()))

    # Names and forms

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    @cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.parameters}

    def __getitem__(self, name: str) -> Parameter:
        """The parameter of a name; ConfigError for an unknown one."""
        if not isinstance(name, str) or name not in self._by_name:
            raise ConfigError(unknown(f"parameter of space {self.name}", name, self.names))
        return self._by_name[name]

    def flatten(self, config: Config) -> dict[str, Any]:
        """The flat form of a nested, flat or mixed configuration. Values are not checked."""
        if not isinstance(config, Mapping):
            raise ConfigError(
                f"a configuration is a mapping with {', '.join(self.names)}, "
                f"got {type(config).__name__}"
            )
        return flatten(config, max(name.count(".") for name in self.names))

    def nest(self, flat: Config) -> dict[str, Any]:
        """The nested form of a flat configuration, sections in the order of the spec."""
        return nest({name: flat[name] for name in self.names if name in flat})

    @cached_property
    def architecture(self) -> ArchitectureFamily | None:
        """The architecture family that is searched, by the constraints or else the parameters."""
        return family_of(self._by_name, self.constraints)

    @cached_property
    def _layouts(self) -> tuple[Layout, ...]:
        """The forms that are read quickly; none where conditions can make a parameter absent."""
        if any(p.condition is not None for p in self.parameters):
            return ()
        return tuple(dict.fromkeys((Layout.nested(self.names), Layout.flat(self.names))))

    @cached_property
    def _lookups(self) -> tuple[Any, ...]:
        return tuple(p.lookup for p in self.parameters)

    @cached_property
    def _tables(self) -> tuple[dict[type, dict[Any, Any]], ...]:
        return tuple(map(tables_by_type, self._lookups))

    # Validation

    def check(self, config: Config) -> dict[str, Any]:
        """The flat canonical form of a configuration.

        Raises ConfigError for a missing, extra or misspelled parameter, a wrong type, a value out
        of range or off its grid, and a violated constraint; the message says what is allowed.
        """
        checked = self._quickly(config)
        if checked is None:
            checked = examine(self.name, self._by_name, self.flatten(config))
        require(self.constraints, checked)
        return checked

    def _quickly(self, config: Config) -> dict[str, Any] | None:
        """The canonical form of a plain, complete configuration; None for anything unusual."""
        for form in self._layouts:
            values = form.values(config)
            if values is not None:
                try:
                    keys = zip(map(type, values), values, strict=True)
                    return dict(zip(self.names, map(getitem, self._lookups, keys), strict=True))
                except (KeyError, TypeError, ValueError):  # unknown, or cannot be hashed
                    return None
        return None

    def check_list(self, configs: Iterable[Config]) -> list[dict[str, Any]]:
        """`check` on each; the message of a ConfigError names the position in the list."""
        checked = []
        for position, config in enumerate(_listed(configs)):
            try:
                checked.append(self.check(config))
            except ConfigError as error:
                raise ConfigError(f"configs[{position}]: {error}") from None
        return checked

    def columns(self, configs: Iterable[Config]) -> dict[str, np.ndarray]:
        """`check_list`, column by column: canonical values by name, each of shape (n,).

        int64 and float64 for numbers, bool for booleans, object for strings, mixtures and
        conditional parameters (None where inactive). Raises the same errors as `check_list`.
        """
        configs = _listed(configs)
        columns = self._columns_quickly(configs)
        if columns is None or not all(c.mask(columns).all() for c in self.constraints):
            checked = self.check_list(configs)
            columns = {
                p.name: np.array([flat.get(p.name) for flat in checked], dtype=_column_type(p))
                for p in self.parameters
            }
        return columns

    def _columns_quickly(self, configs: Sequence[Any]) -> dict[str, np.ndarray] | None:
        """The columns of plain, complete configurations; None where one of them is unusual."""
        columns = {p.name: np.empty(len(configs), dtype=p.dtype) for p in self.parameters}
        for form in self._layouts:
            blocks = (slice(at, at + LIST_BLOCK) for at in range(0, len(configs), LIST_BLOCK))
            if all(self._fill(columns, block, form.columns(configs[block])) for block in blocks):
                return columns
        return None

    def _fill(
        self, columns: dict[str, np.ndarray], block: slice, given: Sequence[list[Any]] | None
    ) -> bool:
        """Write the canonical forms of one block into the columns, if all values are plain."""
        if given is None:
            return False
        try:
            for column, lookup, tables, values in zip(
                columns.values(), self._lookups, self._tables, given, strict=True
            ):
                types = {*map(type, values)}
                if tables and len(types) == 1:
                    column[block] = list(map(tables[types.pop()].__getitem__, values))
                else:
                    keys = zip(map(type, values), values, strict=True)
                    column[block] = [lookup[key] for key in keys]
        except (KeyError, TypeError, ValueError):  # unknown, or cannot be hashed
            return False
        return True

    def contains(self, config: Config) -> bool:
        """Whether `check` accepts the configuration."""
        try:
            self.check(config)
        except EahasError:
            return False
        return True

    # Drawing

    @overload
    def sample(self, n: None = None, *, seed: int = 0) -> dict[str, Any]: ...
    @overload
    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        distinct: bool | Literal["canonical"] = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> list[dict[str, Any]]: ...
    def sample(
        self,
        n: int | None = None,
        *,
        seed: int = 0,
        distinct: bool | Literal["canonical"] = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any] | list[dict[str, Any]]:
        """A random nested configuration, or a list of `n` different ones (unless not `distinct`).

        Parameters are sampled independently; a configuration that violates a constraint is rejected
        as a whole. With `distinct="canonical"` the `canonical_hash` of the configurations in a list
        is different too: no two describe the same network trained in the same way. For a list,
        `progress` is called with (sampled, n) after each one. Raises SpecError where the
        constraints leave (almost) nothing, or fewer than `n` different configurations.
        """
        rng = _generator(seed)
        if not isinstance(distinct, bool) and distinct != "canonical":
            raise ConfigError(f"distinct={shown(distinct)}: allowed are True, False, 'canonical'")
        if n is None:
            return self.nest(self.draw(rng))
        n = _whole("n", n, 1)
        if distinct and n > self.cardinality():
            raise SpecError(f"space {self.name} has fewer than n={n} different configurations")
        drawn: dict[Any, dict[str, Any]] = {}
        for _ in range(MAX_REJECTIONS + 100 * n):
            flat = self.draw(rng)
            if distinct == "canonical":
                key: Any = self._canonical_hash(flat)
            else:
                key = tuple(flat.items()) if distinct else len(drawn)
            drawn.setdefault(key, flat)
            if progress is not None:
                progress(len(drawn), n)
            if len(drawn) == n:
                return [self.nest(flat) for flat in drawn.values()]
        raise SpecError(f"space {self.name} has fewer than n={n} different configurations")

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """One flat configuration that satisfies the constraints."""
        for _ in range(MAX_REJECTIONS):
            flat: dict[str, Any] = {}
            for parameter in self.parameters:
                if is_active(parameter, flat):
                    flat[parameter.name] = parameter.sample(rng)
            if all(c.violation(flat) is None for c in self.constraints):
                return flat
        raise SpecError(
            f"space {self.name}: {MAX_REJECTIONS} draws in a row violated its constraints; "
            "widen the bounds or the constraints"
        )

    def points(self) -> list[dict[str, Any]]:
        """Every nested configuration, the last parameter varying fastest.

        Raises SpecError for a continuous parameter, and for more than a million combinations.
        """
        if self.cardinality() > MAX_POINTS:
            raise SpecError(
                f"space {self.name} has {self.cardinality():.3g} combinations; "
                f"at most {MAX_POINTS:,} can be listed"
            )
        flats: list[dict[str, Any]] = [{}]
        for parameter in self.parameters:
            values = [{parameter.name: value} for value in parameter.grid()]
            flats = [
                {**flat, **value}
                for flat in flats
                for value in (values if is_active(parameter, flat) else [{}])
            ]
        return [
            self.nest(flat)
            for flat in flats
            if all(c.violation(flat) is None for c in self.constraints)
        ]

    # Moving

    def neighbours(self, config: Config) -> list[dict[str, Any]]:
        """Every nested configuration one step away that the constraints allow.

        A step changes one parameter: to a neighbouring grid value (a twentieth of the range where
        there is no grid), or to any other choice. A parameter that the step makes active takes the
        middle of its grid. Where the architecture family has moves of its own (NAS-Bench-101: one
        operation, edge or vertex), they replace the steps of its parameters: each leads to another
        architecture, no two of them isomorphic.
        """
        flat = self.check(config)
        own = self._moved_parameters
        stepped = (
            self._repaired({**flat, parameter.name: value})
            for parameter in self.parameters
            if parameter.name in flat and parameter.name not in own
            for value in parameter.neighbours(flat[parameter.name])
        )
        allowed = (m for m in stepped if all(c.violation(m) is None for c in self.constraints))
        return [self.nest(moved) for moved in chain(self._architecture_moves(flat), allowed)]

    @cached_property
    def _moved_parameters(self) -> tuple[str, ...]:
        """The parameters that the architecture family moves together; none where it does not."""
        family = self.architecture
        return () if family is None or family.neighbours is None else family.parameters

    def _architecture_moves(self, flat: Config) -> list[dict[str, Any]]:
        """The flat configurations that the moves of the architecture family lead to."""
        family = self.architecture
        if family is None or family.neighbours is None:
            return []
        moved = (
            self._repaired({**flat, **architecture}) for architecture in family.neighbours(flat)
        )
        return [m for m in moved if self.contains(m)]  # a space may offer fewer values

    def mutate(self, config: Config, *, seed: int) -> dict[str, Any]:
        """A copy with one randomly chosen parameter drawn anew, constraints respected.

        Where the architecture family has moves of its own (see `neighbours`), a random one of them
        is made instead when the parameter is one of the architecture's.
        """
        flat = self.check(config)
        rng = _generator(seed)
        moves = self._architecture_moves(flat)
        own = self._moved_parameters
        movable = [
            p
            for p in self.parameters
            if p.name in flat and p.cardinality() > 1 and (moves or p.name not in own)
        ]
        for _ in range(MAX_REJECTIONS if movable else 0):
            parameter = movable[int(rng.integers(len(movable)))]
            if parameter.name in own:
                return self.nest(moves[int(rng.integers(len(moves)))])
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
            if is_active(parameter, repaired):
                name = parameter.name
                repaired[name] = flat[name] if name in flat else parameter.middle()
        return repaired

    def cardinality(self) -> float:
        """The number of configurations before the constraints; infinite with a continuous one."""
        ways: dict[str, float] = {}  # of each parameter and the ones that hang on it, where active
        for parameter in reversed(self.parameters):
            hanging = [
                (p.condition.values, ways[p.name])
                for p in self.parameters
                if p.condition is not None and p.condition.parent == parameter.name
            ]
            deciding = {value for values, _ in hanging for value in values}
            ways[parameter.name] = float(parameter.cardinality() - len(deciding))
            for value in deciding:
                ways[parameter.name] += prod(n for values, n in hanging if value in values)
        return prod(ways[p.name] for p in self.parameters if p.condition is None)

    def acceptance(self, *, draws: int = 2000, seed: int = 0) -> float:
        """The share of independent draws that the constraints keep."""
        rng, draws = _generator(seed), _whole("draws", draws, 1)
        free = replace(self, constraints=())
        kept = sum(
            all(c.violation(flat) is None for c in self.constraints)
            for flat in (free.draw(rng) for _ in range(draws))
        )
        return kept / draws

    # Codes

    def canonical_hash(self, config: Config) -> str:
        """A hash that configurations share if they describe the same network, trained the same way.

        32 hexadecimal digits. Isomorphic architectures count as one where the architecture family
        knows them (NAS-Bench-101, NAS-Bench-201); all other parameters must be equal. Where no two
        architectures are isomorphic, only equal configurations share it.
        """
        return self._canonical_hash(self.check(config))

    def _canonical_hash(self, flat: Config) -> str:
        family, rest, architecture = self.architecture, dict(flat), None
        if family is not None and family.architecture_hash is not None:
            rest = {name: value for name, value in flat.items() if name not in family.domains}
            architecture = family.architecture_hash(flat)
        content = json.dumps([architecture, rest], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

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
        """`encode` of a flat canonical configuration, as `check` returns it."""
        if len(flat) == len(self.parameters):
            codes = list(map(getitem, self._codes, map(flat.__getitem__, self.names)))
        else:
            codes = [
                p.codes[flat[p.name]] if p.name in flat else [0.0] * p.width
                for p in self.parameters
            ]
        return np.array([*chain.from_iterable(codes)])

    @cached_property
    def _codes(self) -> tuple[Any, ...]:
        return tuple(p.codes for p in self.parameters)

    def encode_columns(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """`encode` of what `columns` returns: float64, shape (n, encoding_width)."""
        code = np.zeros((len(columns[self.names[0]]), self.encoding_width))
        at = 0
        for p in self.parameters:
            column, block = columns[p.name], code[:, at : at + p.width]
            if p.condition is None:
                block[:] = p.encode_column(column)
            else:
                active = np.array([value is not None for value in column])
                block[active] = p.encode_column(column[active].astype(p.dtype))
            at += p.width
        return code

    def decode(self, code: Sequence[float] | np.ndarray) -> dict[str, Any]:
        """The nested configuration nearest to a code; ConfigError if a constraint excludes it."""
        try:
            vector = np.asarray(code)
        except (TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise ConfigError(f"a code is an array of numbers: {error}") from None
        numeric = vector.dtype.kind in "fiub" and np.isfinite(vector).all()
        if vector.shape != (self.encoding_width,) or not numeric:
            raise ConfigError(
                f"a code of space {self.name} is {self.encoding_width} finite numbers, "
                f"got an array of shape {vector.shape} and type {vector.dtype}: {shown(code)}"
            )
        vector = vector.astype(float)
        flat: dict[str, Any] = {}
        at = 0
        for p in self.parameters:
            if is_active(p, flat):
                flat[p.name] = p.decode(vector[at : at + p.width])
            at += p.width
        require(self.constraints, flat)
        return self.nest(flat)

    def to_configspace(self) -> Any:
        """The same parameters and conditions as a `ConfigSpace.ConfigurationSpace`.

        Constraints over several parameters cannot be expressed there: check a drawn configuration
        with `contains`. Needs the extra `configspace`.
        """
        from eahas.space.configspace import to_configspace

        default = self.draw(_generator(0))
        return to_configspace(self.name, self.parameters, self.constraints, default)


def _checked_condition(
    name: str, condition: Condition, known: Mapping[str, Parameter]
) -> Condition:
    """The condition with canonical values; SpecError where it can never hold."""
    parent = known.get(condition.parent)
    if parent is None:
        raise SpecError(
            f"{name}: its condition (when) names {shown(condition.parent)}, which is not a "
            "parameter listed before it"
        )
    try:
        return Condition(parent.name, tuple(parent.check(value) for value in condition.values))
    except ConfigError as error:
        raise SpecError(f"{name}: its condition (when) never holds: {error}") from None


def _column_type(parameter: Parameter) -> np.dtype[Any]:
    return parameter.dtype if parameter.condition is None else np.dtype(object)


def _listed(configs: Iterable[Any]) -> Sequence[Any]:
    try:
        single = isinstance(configs, (Mapping, str, bytes))
        each = None if single else iter(configs)
    except TypeError:
        each = None
    if each is None:
        raise ConfigError(
            f"a list of configurations is needed, got {type(configs).__name__}; "
            "put a single configuration into a list"
        )
    listed = configs if isinstance(configs, list) else list(each)
    if not listed:
        raise ConfigError("an empty list of configurations; give at least one")
    return listed


def _whole(name: str, given: Any, least: int) -> int:
    if not is_whole(given) or given < least:
        raise ConfigError(f"{name}={shown(given)}: allowed are whole numbers from {least}")
    return int(given)


def _generator(seed: Any) -> np.random.Generator:
    return np.random.default_rng(_whole("seed", seed, 0))
