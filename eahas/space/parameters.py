"""The kinds of parameters of a space: `Numeric` and `Choice`.

Both kinds have the same methods for a single value: check it and return its canonical form, sample
it, encode it, list the values that are one step away, and count the allowed values. The methods do
not depend on other parameters; the space handles conditions and constraints.
"""

from __future__ import annotations

import contextlib
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from eahas.errors import ConfigError, SpecError, shown, suggest

Value = Any  # bool, int, float or str; a condition can make a parameter absent (None)
MAX_INTEGER = 2**53  # larger whole numbers are not exact as floats
MAX_TABLE_SIZE = 10_000  # values of smaller grids are looked up, those of larger ones computed


@dataclass(frozen=True)
class Condition:
    """The parameter exists only if `parent` has one of `values`."""

    parent: str
    values: tuple[Value, ...]

    def holds(self, flat: Mapping[str, Value]) -> bool:
        """Whether a flat configuration satisfies the condition."""
        return flat.get(self.parent) in self.values


@dataclass(frozen=True)
class Computed:
    """A replacement for a table that would be too large: `[key]` computes the entry."""

    entry: Callable[[Any], Any]

    def __getitem__(self, key: Any) -> Any:
        return self.entry(key)


Lookup = dict[Any, Any] | Computed


def tables_by_type(lookup: Lookup) -> dict[type, dict[Value, Value]]:
    """From the type of a plain value to a table of canonical forms; empty where they are computed.

    For a column of one type this is faster than `lookup`, which makes a key of each value.
    """
    tables: dict[type, dict[Value, Value]] = {}
    if not isinstance(lookup, Computed):
        for (kind, value), canonical in lookup.items():
            tables.setdefault(kind, {})[value] = canonical
    return tables


@dataclass(frozen=True)
class Numeric:
    """An integer or float in [low, high], optionally on a grid with step `quantum`.

    Quantised samples follow pycls' samplers (Radosavovic et al., "Designing Network Design Spaces",
    2020; pycls/sweep/random.py): uniform samples are rounded down from [low, high + q), log-uniform
    samples are rounded up from (low - min(q, low/2), high]. With `power_of_two_below` b, values
    below b are powers of two, and values from b on are log-uniform multiples of b.

    Raises:
        SpecError: the bounds or the grid are not valid.
    """

    name: str
    low: float
    high: float
    integer: bool = False
    log: bool = False
    quantum: float | None = None
    power_of_two_below: int | None = None
    condition: Condition | None = None

    def __post_init__(self) -> None:
        for field in ("low", "high") if self.quantum is None else ("low", "high", "quantum"):
            number = getattr(self, field)
            if not _is_number(number):
                self._malformed(
                    f"{field} is a finite number (whole: at most 2^53), got {shown(number)}"
                )
            if self.integer and number % 1:
                self._malformed(f"{field} of an integer is a whole number, got {number!r}")
        if not isinstance(self.log, bool):
            self._malformed(f"log is true or false, got {shown(self.log)}")
        if not (self.low < self.high and math.isfinite(self.high - self.low)):
            self._malformed(f"low < high is needed, got low={self.low!r}, high={self.high!r}")
        if self.log and self.low <= 0:
            self._malformed(f"a log scale needs low > 0, got {self.low!r}")
        if self.power_of_two_below is not None:
            self._check_power_of_two(self.power_of_two_below)
        if self.quantum is not None and self.quantum <= 0:
            self._malformed(f"quantum is positive, got {self.quantum!r}")
        if self.step is not None:
            self._check_grid(self.step)

    def _check_power_of_two(self, base: Any) -> None:
        if not isinstance(base, int) or isinstance(base, bool) or not 2 <= base <= MAX_INTEGER:
            self._malformed(f"power_of_two_below is a whole number from 2, got {shown(base)}")
        if not self.integer or self.quantum is not None:
            self._malformed("power_of_two_below goes with type integer and without a quantum")
        for field, value in (("low", int(self.low)), ("high", int(self.high))):
            power = 0 < value < base and value & (value - 1) == 0
            if not power and (value < base or value % base):
                self._malformed(
                    f"{field} is a power of two below {base} or a multiple of {base}, got {value}"
                )
        if self.high > MAX_TABLE_SIZE * base:
            self._malformed(f"high is at most {MAX_TABLE_SIZE} times {base}, got {self.high!r}")

    def _check_grid(self, step: float) -> None:
        for field, value in (("low", self.low), ("high", self.high)):
            if abs(value) > MAX_INTEGER * step:
                self._malformed(f"{field}={value!r} is more than 2^53 steps of {step!r} from 0")
            if Decimal(str(value)) % Decimal(str(step)) != 0:
                self._malformed(f"{field}={value!r} is not a multiple of the quantum {step!r}")

    def _malformed(self, why: str) -> NoReturn:
        raise SpecError(f"{self.name}: {why}")

    @property
    def step(self) -> float | None:
        """The grid step: the quantum, 1 for a plain integer, None for a continuous float."""
        return self.quantum if self.quantum is not None else (1 if self.integer else None)

    @property
    def width(self) -> int:
        """Number of numbers that encode one value."""
        return 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of a column of canonical values."""
        return np.dtype(np.int64 if self.integer else np.float64)

    def allowed(self) -> str:
        """The allowed values in words, for messages."""
        kind = "integer" if self.integer else "number"
        text = f"{kind} in {self.low:.15g}..{self.high:.15g}"
        if self.power_of_two_below:
            text += f", a power of two below {self.power_of_two_below} or a multiple of it"
        elif self.quantum is not None:
            text += f", a multiple of {self.quantum:.15g}"
        return text

    # Validation

    @cached_property
    def lookup(self) -> Lookup:
        """The table from (type, value) of a plain value to its canonical form.

        The type is part of the key because True == 1 and both have the same hash. A value that is
        not allowed raises KeyError, or ConfigError if the table is `Computed`.
        """
        if self.cardinality() > MAX_TABLE_SIZE:
            return Computed(self._convert_key)
        return {(kind, value): value for value in self.grid() for kind in (int, float)}

    def check(self, value: Value) -> Value:
        """The canonical form of `value`.

        Rounding errors are tolerated: a relative error of 1e-9, and on a grid also that of single
        precision.

        Raises:
            ConfigError: the value is not allowed.
        """
        try:
            return self.lookup[type(value), value]
        except (KeyError, TypeError, ValueError):  # not in the table, or not hashable
            return self._convert(value)

    def _convert_key(self, key: tuple[type, Value]) -> Value:
        return self._convert(key[1])

    def _convert(self, value: Value) -> Value:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise self._not_allowed(value, f"of type {type(value).__name__}")
        try:
            number = float(value)
        except OverflowError:
            raise self._not_allowed(value, "out of range") from None
        if not math.isfinite(number):
            raise self._not_allowed(value, "not finite")
        if self.integer and not number.is_integer():
            raise self._not_allowed(value, "not whole")
        tolerance = 1e-9 * abs(number)
        if self.step is not None:
            tolerance = min(1e-6 * max(1.0, abs(number)), 1e-3 * self.step)
        if not self.low - tolerance <= number <= self.high + tolerance:
            raise self._not_allowed(value, "out of range")
        canonical = self.snap(number)
        if abs(canonical - number) > tolerance:
            raise self._not_allowed(value, "off the grid")
        return canonical

    def _not_allowed(self, value: Value, why: str) -> ConfigError:
        return ConfigError(f"{self.name}={shown(value)} is {why}; allowed: {self.allowed()}")

    # The grid: values in order, numbered from 0

    def cardinality(self) -> float:
        """The number of allowed values (infinite for a continuous parameter)."""
        if self.step is None:
            return math.inf
        return self._position(self.high) + 1

    def grid(self) -> list[Value]:
        """Every allowed value in order.

        Raises:
            SpecError: the parameter is continuous.
        """
        if self.step is None:
            raise SpecError(f"{self.name} is continuous: it has no grid")
        return [self._at(k) for k in range(self._position(self.high) + 1)]

    def snap(self, number: float) -> Value:
        """The nearest grid value inside the bounds, as the type of the parameter."""
        number = min(max(number, self.low), self.high)
        return float(number) if self.step is None else self._at(self._position(number))

    @cached_property
    def _uneven(self) -> list[int]:
        """The grid of `power_of_two_below`, which has no constant step; otherwise empty."""
        base = self.power_of_two_below
        if base is None:
            return []
        powers = (2**k for k in range((base - 1).bit_length()))
        multiples = range(base, int(self.high) + 1, base)
        return [v for v in (*powers, *multiples) if self.low <= v <= self.high]

    def _at(self, position: int) -> Value:
        if self._uneven:
            return self._uneven[position]
        assert self.step is not None
        steps = round(self.low / self.step) + position
        if self.integer:
            return int(steps * self.step)
        return float(Decimal(steps) * Decimal(str(self.step)))

    def _position(self, number: float) -> int:
        """The position of the grid value nearest to a number inside the bounds."""
        if self._uneven:
            grid = self._uneven
            return min(range(len(grid)), key=lambda k: abs(grid[k] - number))
        assert self.step is not None
        return round(number / self.step) - round(self.low / self.step)

    # Sampling, encoding and neighbours

    def sample(self, rng: np.random.Generator) -> Value:
        """A random canonical value."""
        if self.power_of_two_below:
            base = self.power_of_two_below
            exponent = math.floor(rng.uniform(math.log2(self.low), math.log2(self.high) + 1))
            if 2**exponent < base:
                return self.snap(2**exponent)
            return self.snap(_log_uniform(rng, max(self.low, base), self.high, base))
        if self.log:
            return self.snap(_log_uniform(rng, self.low, self.high, self.step))
        if self.step is None:
            return self.snap(rng.uniform(self.low, self.high))
        steps = math.floor(rng.uniform(self.low, self.high + self.step) / self.step + 1e-12)
        return self.snap(steps * self.step)

    def encode(self, value: Value) -> list[float]:
        """The code of a canonical value: its position between low and high, from 0 to 1."""
        return [(value - self.low) / (self.high - self.low)]

    def encode_column(self, column: np.ndarray) -> np.ndarray:
        """The codes (n, width) of canonical values (n,)."""
        return ((column - self.low) / (self.high - self.low))[:, None]

    def decode(self, code: Sequence[float] | np.ndarray) -> Value:
        """The canonical value nearest to a code."""
        share = min(max(float(code[0]), 0.0), 1.0)
        return self.snap(self.low + share * (self.high - self.low))

    @cached_property
    def codes(self) -> Lookup:
        """The table from a canonical value to its code."""
        if self.cardinality() > MAX_TABLE_SIZE:
            return Computed(self.encode)
        return {value: self.encode(value) for value in self.grid()}

    def neighbours(self, value: Value) -> list[Value]:
        """The values one step away: grid neighbours, or a twentieth of a continuous range."""
        if self.step is not None:
            position, last = self._position(value), self._position(self.high)
            return [self._at(k) for k in (position - 1, position + 1) if 0 <= k <= last]
        if self.log:
            factor = math.exp(0.05 * (math.log(self.high) - math.log(self.low)))
            candidates = [value / factor, value * factor]
        else:
            step = 0.05 * (self.high - self.low)
            candidates = [value - step, value + step]
        return [v for v in map(self.snap, candidates) if v != value]

    def middle(self) -> Value:
        """The value in the middle of the grid, or of the continuous range."""
        if self.step is None:
            return self.decode([0.5])
        return self._at((self._position(self.high) + 1) // 2)


@dataclass(frozen=True)
class Choice:
    """One of several values (numbers, strings or booleans), encoded one-hot.

    Raises:
        SpecError: the list is empty, two values are equal (True equals 1), or a value is of another
            type.
    """

    name: str
    choices: tuple[Value, ...]
    condition: Condition | None = None

    def __post_init__(self) -> None:
        for choice in self.choices:
            if not isinstance(choice, (bool, str)) and not _is_number(choice):
                raise SpecError(
                    f"{self.name}: a choice is a string, a boolean or a finite number "
                    f"(whole: at most 2^53), got {shown(choice)}"
                )
        if len(self.choices) < 1 or len(set(self.choices)) != len(self.choices):
            raise SpecError(
                f"{self.name}: choices must be one or more distinct values (true equals 1), "
                f"got {shown(list(self.choices))}"
            )

    @property
    def width(self) -> int:
        """Number of numbers that encode one value."""
        return len(self.choices)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """The type of a column: bool, int64, float64, or object for strings and mixed types."""
        kinds = set(map(type, self.choices))
        for kind, dtype in ((bool, np.bool_), (int, np.int64)):
            if kinds == {kind}:
                return np.dtype(dtype)
        return np.dtype(np.float64 if kinds <= {int, float} else object)

    def allowed(self) -> str:
        """The allowed values in words, for messages."""
        return "one of " + ", ".join(repr(c) for c in self.choices)

    @cached_property
    def lookup(self) -> Lookup:
        """The table from (type, value) of a plain value to the choice."""
        kinds = {bool: (bool,), str: (str,)}
        return {(k, c): c for c in self.choices for k in kinds.get(type(c), (int, float))}

    def index(self, value: Value) -> int:
        """The position of `value` among the choices.

        Raises:
            ConfigError: the value is not one of the choices.
        """
        return self._positions[self.check(value)]

    @cached_property
    def _positions(self) -> dict[Value, int]:
        return {choice: k for k, choice in enumerate(self.choices)}

    def check(self, value: Value) -> Value:
        """The choice that is equal to `value` within single precision.

        Raises:
            ConfigError: there is no such choice.
        """
        try:
            return self.lookup[type(value), value]
        except (KeyError, TypeError, ValueError):  # not in the table, or not hashable
            return self._find_equal(value)

    def _find_equal(self, value: Value) -> Value:
        boolean = isinstance(value, (bool, np.bool_))
        number = math.nan
        if isinstance(value, numbers.Real) and not boolean:
            with contextlib.suppress(OverflowError):  # too large for any choice
                number = float(value)
        for choice in self.choices:
            if isinstance(choice, str):
                equal = isinstance(value, str) and value == choice
            elif isinstance(choice, bool):
                equal = boolean and bool(value) == choice
            else:
                equal = abs(number - choice) <= 1e-7 * abs(choice)
            if equal:
                return choice
        strings = [choice for choice in self.choices if isinstance(choice, str)]
        hint = suggest(value, strings) if isinstance(value, str) else ""
        raise ConfigError(
            f"{self.name}={shown(value)} is not allowed; allowed: {self.allowed()}{hint}"
        )

    def grid(self) -> list[Value]:
        """Every choice in order."""
        return list(self.choices)

    def cardinality(self) -> float:
        """The number of choices."""
        return len(self.choices)

    def sample(self, rng: np.random.Generator) -> Value:
        """A random choice."""
        return self.choices[int(rng.integers(len(self.choices)))]

    def encode(self, value: Value) -> list[float]:
        """The one-hot code of a choice."""
        position = self._positions[value]
        return [1.0 if k == position else 0.0 for k in range(len(self.choices))]

    def encode_column(self, column: np.ndarray) -> np.ndarray:
        """The codes (n, width) of choices (n,)."""
        return column[:, None] == np.array(self.choices, dtype=self.dtype)

    @cached_property
    def codes(self) -> Lookup:
        """The table from a choice to its code."""
        return {choice: self.encode(choice) for choice in self.choices}

    def decode(self, code: Sequence[float] | np.ndarray) -> Value:
        """The choice with the largest number in a code."""
        return self.choices[int(np.argmax(code))]

    def neighbours(self, value: Value) -> list[Value]:
        """All other choices."""
        return [c for c in self.choices if c != value]

    def middle(self) -> Value:
        """The choice in the middle of the list."""
        return self.choices[len(self.choices) // 2]


Parameter = Numeric | Choice


def is_active(parameter: Parameter, flat: Mapping[str, Value]) -> bool:
    """Whether a parameter exists, given the values of the preceding parameters."""
    return parameter.condition is None or parameter.condition.holds(flat)


def _is_number(value: Any) -> bool:
    """Whether a value is a finite int or float that float64 represents exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= MAX_INTEGER if isinstance(value, int) else math.isfinite(value)


def _log_uniform(rng: np.random.Generator, low: float, high: float, step: float | None) -> float:
    """A log-uniform sample from (low - min(step, low/2), high], rounded up to the grid."""
    if step is None:
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    start = low - min(step, low / 2)
    sample = math.exp(-rng.uniform(-math.log(high), -math.log(start)))
    return max(low, math.ceil(sample / step - 1e-9) * step)
