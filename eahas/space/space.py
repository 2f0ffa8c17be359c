"""A search space as data: every method is derived from its parameters and constraints.

A configuration is a mapping from parameter names to values. In the nested layout a dot in a name
means a section: `REGNET.DEPTH` is `config["REGNET"]["DEPTH"]`. Public methods accept the nested and
the flat layout. Internal functions use flat dictionaries of canonical values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from operator import getitem
from typing import Any, Literal, overload

import numpy as np

from eahas.checks import is_whole
from eahas.errors import ConfigError, EahasError, SpecError, shown, unknown
from eahas.space.architectures.family import ArchitectureFamily, Network
from eahas.space.architectures.registry import family_of
from eahas.space.constraints import Constraint, require
from eahas.space.encoding import Encoding
from eahas.space.layouts import Layout, flatten, nest
from eahas.space.moves import MAX_REJECTIONS, Moves
from eahas.space.parameters import Condition, Parameter, is_active, tables_by_type
from eahas.space.validation import examine

Config = Mapping[str, Any]
MAX_POINTS = 1_000_000  # maximum number of configurations of a space that can be listed
LIST_BLOCK = 512  # configurations of a list that are read while they are in the processor's cache


@dataclass(frozen=True)
class Space:
    """The parameters and constraints of a search space.

    Attributes:
        name: the name of the space.
        parameters: the parameters, in the order of the encoding.
        constraints: the constraints over the parameters.
        fidelity: the name of the parameter with the number of training epochs (MAX_EPOCH); None for
            a space without learning curves.
        fidelities: pairs of a role and a parameter, that of the role `epochs` included; see
            `eahas.spec.fidelities`.
        network: the properties of the network that the spec fixes, or None.

    Raises:
        SpecError: there is no parameter, a name is not valid or occurs twice, or a condition or the
            fidelity does not refer to a suitable parameter.
    """

    name: str
    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()
    fidelity: str | None = None
    network: Network | None = None
    fidelities: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.parameters:
            raise SpecError(f"space {self.name} has no parameters; at least one is needed")
        known: dict[str, Parameter] = {}
        for parameter in self.parameters:
            name, condition = parameter.name, parameter.condition
            if not isinstance(name, str) or not all(name.split(".")):
                raise SpecError(f"parameter {shown(name)}: a name is text, SECTION.NAME if nested")
            if name in known:
                raise SpecError(f"parameter {name} occurs twice in space {self.name}")
            known[name] = (
                parameter
                if condition is None
                else replace(parameter, condition=_check_condition(name, condition, known))
            )
        for name in known:
            if any(other.startswith(name + ".") for other in known):
                raise SpecError(f"{name} is both a parameter and a section of space {self.name}")
        if self.fidelity is not None:
            if self.fidelity not in known:
                raise SpecError(unknown("fidelity", self.fidelity, known))
            if known[self.fidelity].condition is not None:
                raise SpecError(f"fidelity {self.fidelity}: the epochs cannot have a condition")
            if ("epochs", self.fidelity) not in self.fidelities:
                roles = (("epochs", self.fidelity), *self.fidelities)
                object.__setattr__(self, "fidelities", roles)
        for role, name in self.fidelities:
            if name not in known:
                raise SpecError(f"fidelities: {role}: {unknown('parameter', name, known)}")
        object.__setattr__(self, "parameters", tuple(known.values()))

    # Names and layouts

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(p.name for p in self.parameters)

    @cached_property
    def _by_name(self) -> dict[str, Parameter]:
        return {p.name: p for p in self.parameters}

    def __getitem__(self, name: str) -> Parameter:
        """The parameter with this name.

        Raises:
            ConfigError: the name is unknown.
        """
        if not isinstance(name, str) or name not in self._by_name:
            raise ConfigError(unknown(f"parameter of space {self.name}", name, self.names))
        return self._by_name[name]

    def flatten(self, config: Config) -> dict[str, Any]:
        """The flat layout of a nested, flat or mixed configuration. Values are not checked.

        Raises:
            ConfigError: `config` is not a mapping, or a name is not a string or is given twice.
        """
        if not isinstance(config, Mapping):
            raise ConfigError(
                f"a configuration is a mapping with {', '.join(self.names)}, "
                f"got {type(config).__name__}"
            )
        return flatten(config, max(name.count(".") for name in self.names))

    def nest(self, flat: Config) -> dict[str, Any]:
        """The nested layout of a flat configuration, with the sections in the order of the spec."""
        return nest({name: flat[name] for name in self.names if name in flat})

    @cached_property
    def architecture(self) -> ArchitectureFamily | None:
        """The architecture family that is searched, by the constraints or else the parameters."""
        return family_of(self._by_name, self.constraints)

    @cached_property
    def _layouts(self) -> tuple[Layout, ...]:
        """The layouts that are read quickly; none if a condition can make a parameter absent."""
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
        """The flat configuration with canonical values.

        Raises:
            ConfigError: a parameter is missing, unknown or misspelled, a value has the wrong type,
                is out of range or not on the grid, or a constraint is violated. The message states
                what is allowed.
        """
        checked = self._check_quickly(config)
        if checked is None:
            checked = examine(self.name, self._by_name, self.flatten(config))
        require(self.constraints, checked)
        return checked

    def _check_quickly(self, config: Config) -> dict[str, Any] | None:
        """`check` for a plain, complete configuration, without constraints; else None."""
        for layout in self._layouts:
            values = layout.values(config)
            if values is not None:
                try:
                    keys = zip(map(type, values), values, strict=True)
                    return dict(zip(self.names, map(getitem, self._lookups, keys), strict=True))
                except (KeyError, TypeError, ValueError):  # not in the table, or not hashable
                    return None
        return None

    def check_list(self, configs: Iterable[Config]) -> list[dict[str, Any]]:
        """`check` for each configuration.

        Raises:
            ConfigError: as in `check`; the message contains the position in the list.
        """
        checked = []
        for position, config in enumerate(_as_list(configs)):
            try:
                checked.append(self.check(config))
            except ConfigError as error:
                raise ConfigError(f"configs[{position}]: {error}") from None
        return checked

    def columns(self, configs: Iterable[Config]) -> dict[str, np.ndarray]:
        """The canonical values of a list of configurations, as one column (n,) per parameter.

        The type is int64 or float64 for numbers, bool for booleans, and object for strings, mixed
        types and conditional parameters (None if inactive).

        Raises:
            ConfigError: as in `check_list`.
        """
        configs = _as_list(configs)
        columns = self._columns_quickly(configs)
        if columns is None or not all(c.mask(columns).all() for c in self.constraints):
            checked = self.check_list(configs)
            columns = {
                p.name: np.array([flat.get(p.name) for flat in checked], dtype=_column_type(p))
                for p in self.parameters
            }
        return columns

    def _columns_quickly(self, configs: Sequence[Any]) -> dict[str, np.ndarray] | None:
        """The columns of plain, complete configurations; None if one is unusual."""
        columns = {p.name: np.empty(len(configs), dtype=p.dtype) for p in self.parameters}
        for layout in self._layouts:
            blocks = (slice(k, k + LIST_BLOCK) for k in range(0, len(configs), LIST_BLOCK))
            if all(self._fill(columns, block, layout.columns(configs[block])) for block in blocks):
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

    # Sampling

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
        `progress` is called with (sampled, n) after each one.

        Raises:
            ConfigError: `n` or `seed` is not a whole number, or `distinct` is another value.
            SpecError: the constraints reject (almost) every sample, or the space has fewer than `n`
                different configurations.
        """
        rng = _generator(seed)
        if not isinstance(distinct, bool) and distinct != "canonical":
            raise ConfigError(f"distinct={shown(distinct)}: allowed are True, False, 'canonical'")
        if n is None:
            return self.nest(self.draw(rng))
        n = _whole("n", n, 1)
        if distinct and n > self.cardinality():
            raise SpecError(f"space {self.name} has fewer than n={n} different configurations")
        samples: dict[Any, dict[str, Any]] = {}
        for _ in range(MAX_REJECTIONS + 100 * n):
            flat = self.draw(rng)
            if distinct == "canonical":
                key: Any = self._canonical_hash(flat)
            else:
                key = tuple(flat.items()) if distinct else len(samples)
            samples.setdefault(key, flat)
            if progress is not None:
                progress(len(samples), n)
            if len(samples) == n:
                return [self.nest(flat) for flat in samples.values()]
        raise SpecError(f"space {self.name} has fewer than n={n} different configurations")

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """One random flat configuration that satisfies the constraints.

        Raises:
            SpecError: the constraints reject (almost) every sample.
        """
        for _ in range(MAX_REJECTIONS):
            flat: dict[str, Any] = {}
            for parameter in self.parameters:
                if is_active(parameter, flat):
                    flat[parameter.name] = parameter.sample(rng)
            if all(c.violation(flat) is None for c in self.constraints):
                return flat
        raise SpecError(
            f"space {self.name}: {MAX_REJECTIONS} samples in a row violated its constraints; "
            "widen the bounds or the constraints"
        )

    def points(self) -> list[dict[str, Any]]:
        """Every nested configuration; the last parameter varies fastest.

        Raises:
            SpecError: a parameter is continuous, or there are more than a million combinations.
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

    # Neighbours and mutations

    @cached_property
    def _moves(self) -> Moves:
        return Moves(self.parameters, self.constraints, self.architecture, self.contains)

    def neighbours(self, config: Config) -> list[dict[str, Any]]:
        """Every nested configuration one step away that satisfies the constraints.

        `eahas.space.moves` explains the steps.

        Raises:
            ConfigError: as in `check`.
        """
        return [self.nest(flat) for flat in self._moves.neighbours(self.check(config))]

    def mutate(self, config: Config, *, seed: int) -> dict[str, Any]:
        """A copy with a new random value of one random parameter, which satisfies the constraints.

        If the architecture family has its own moves (see `eahas.space.moves`) and the parameter
        belongs to the architecture, a random move is made instead.

        Raises:
            ConfigError: as in `check`.
            SpecError: no single change satisfies the constraints.
        """
        changed = self._moves.mutate(self.check(config), _generator(seed))
        if changed is None:
            raise SpecError(f"space {self.name}: no single change of this configuration is allowed")
        return self.nest(changed)

    def cardinality(self) -> float:
        """The number of configurations without the constraints; infinite if one is continuous."""
        counts: dict[str, float] = {}  # combinations of each parameter and of those that need it
        for parameter in reversed(self.parameters):
            children = [
                (p.condition.values, counts[p.name])
                for p in self.parameters
                if p.condition is not None and p.condition.parent == parameter.name
            ]
            activating = {value for values, _ in children for value in values}
            counts[parameter.name] = float(parameter.cardinality() - len(activating))
            for value in activating:
                counts[parameter.name] += prod(n for values, n in children if value in values)
        return prod(counts[p.name] for p in self.parameters if p.condition is None)

    def acceptance(self, *, draws: int = 2000, seed: int = 0) -> float:
        """The share of independent samples that satisfy the constraints."""
        rng, draws = _generator(seed), _whole("draws", draws, 1)
        unconstrained = replace(self, constraints=())
        accepted = sum(
            all(c.violation(flat) is None for c in self.constraints)
            for flat in (unconstrained.draw(rng) for _ in range(draws))
        )
        return accepted / draws

    # Encoding

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
    def _encoding(self) -> Encoding:
        return Encoding(self.parameters)

    @property
    def encoding_width(self) -> int:
        """The number of numbers in a code."""
        return self._encoding.width

    @property
    def encoding_names(self) -> tuple[str, ...]:
        """The name of each number of a code: `NAME` or `NAME=choice`."""
        return self._encoding.names

    def encode(self, config: Config) -> np.ndarray:
        """The code of one configuration, (encoding_width,), float64.

        Numeric parameters are min-max scaled and choices are one-hot, in the order of the spec (for
        EA-HAS-Bench's CIFAR-10 space, its 26 numbers). An inactive parameter is all zeros.

        Raises:
            ConfigError: as in `check`.
        """
        return self.encode_checked(self.check(config))

    def encode_checked(self, flat: Config) -> np.ndarray:
        """`encode` for a flat configuration that `check` has returned."""
        return self._encoding.encode(flat)

    def encode_columns(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The codes (n, encoding_width), float64, of columns that `columns` has returned."""
        return self._encoding.encode_columns(columns)

    def decode(self, code: Sequence[float] | np.ndarray) -> dict[str, Any]:
        """The nested configuration that is nearest to a code.

        Raises:
            ConfigError: the code is not `encoding_width` finite numbers, or the configuration
                violates a constraint.
        """
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
        flat = self._encoding.decode(vector.astype(float))
        require(self.constraints, flat)
        return self.nest(flat)

    def to_configspace(self) -> Any:
        """The parameters and conditions as a `ConfigSpace.ConfigurationSpace`.

        ConfigSpace cannot express the constraints over several parameters, so check a sampled
        configuration with `contains`. Needs the extra `configspace`.
        """
        from eahas.space.configspace import to_configspace

        default = self.draw(_generator(0))
        return to_configspace(self.name, self.parameters, self.constraints, default)


def _check_condition(name: str, condition: Condition, known: Mapping[str, Parameter]) -> Condition:
    """The condition with canonical values; SpecError if it can never be true."""
    parent = known.get(condition.parent)
    if parent is None:
        raise SpecError(
            f"{name}: its condition (when) names {shown(condition.parent)}, which is not a "
            "parameter listed before it"
        )
    try:
        return Condition(parent.name, tuple(parent.check(value) for value in condition.values))
    except ConfigError as error:
        raise SpecError(f"{name}: its condition (when) is never true: {error}") from None


def _column_type(parameter: Parameter) -> np.dtype[Any]:
    return parameter.dtype if parameter.condition is None else np.dtype(object)


def _as_list(configs: Iterable[Any]) -> Sequence[Any]:
    try:
        single = isinstance(configs, (Mapping, str, bytes))
        iterator = None if single else iter(configs)
    except TypeError:
        iterator = None
    if iterator is None:
        raise ConfigError(
            f"a list of configurations is needed, got {type(configs).__name__}; "
            "put a single configuration into a list"
        )
    listed = configs if isinstance(configs, list) else list(iterator)
    if not listed:
        raise ConfigError("an empty list of configurations; give at least one")
    return listed


def _whole(name: str, given: Any, minimum: int) -> int:
    if not is_whole(given) or given < minimum:
        raise ConfigError(f"{name}={shown(given)}: allowed are whole numbers from {minimum}")
    return int(given)


def _generator(seed: Any) -> np.random.Generator:
    return np.random.default_rng(_whole("seed", seed, 0))
