"""The kinds of parameter a space is made of: `Numeric` and `Choice`.

Each kind answers the same questions about one value: is it allowed (and what is its canonical
form), how is it drawn, how is it encoded, which values are one step away, how many are there.
Nothing here knows about other parameters; conditions and constraints belong to the space.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from eahas.errors import ConfigError, SpecError, suggest

Value = Any  # bool, int, float or str; a condition can make a parameter absent (None)


@dataclass(frozen=True)
class Condition:
    """The parameter exists only where `parent` has one of `values`."""

    parent: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Numeric:
    """An integer or float in [low, high], on a grid of `quantum` where one is given.

    Quantised draws follow pycls' samplers (Radosavovic et al., "Designing Network Design
    Spaces", 2020; pycls/sweep/random.py): uniform draws are rounded down from [low, high + q),
    log-uniform draws are rounded up from (low - min(q, low/2), high]. With `power_of_two_below`
    b, values below b are powers of two and values from b on are log-uniform multiples of b.
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
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise SpecError(
                f"{self.name}: low and high must be finite with low < high, "
                f"got low={self.low!r}, high={self.high!r}"
            )
        if (self.log or self.power_of_two_below) and self.low <= 0:
            raise SpecError(f"{self.name}: a log scale needs low > 0, got {self.low!r}")
        if self.quantum is not None:
            if not self.quantum > 0:
                raise SpecError(f"{self.name}: quantum must be positive, got {self.quantum!r}")
            for end, value in (("low", self.low), ("high", self.high)):
                if Decimal(str(value)) % Decimal(str(self.quantum)) != 0:
                    raise SpecError(
                        f"{self.name}: {end}={value!r} is not a multiple of the quantum "
                        f"{self.quantum!r}"
                    )
        if self.integer and (self.low % 1 or self.high % 1):
            raise SpecError(f"{self.name}: an integer parameter needs whole bounds")

    @property
    def step(self) -> float | None:
        """The grid step: the quantum, 1 for a plain integer, None for a continuous float."""
        return self.quantum if self.quantum is not None else (1 if self.integer else None)

    @property
    def width(self) -> int:
        """How many numbers encode one value."""
        return 1

    def allowed(self) -> str:
        """The allowed values in words, for messages."""
        kind = "integer" if self.integer else "number"
        text = f"{kind} in {self.low:g}..{self.high:g}"
        if self.power_of_two_below:
            text += f", a power of two below {self.power_of_two_below} or a multiple of it"
        elif self.quantum is not None:
            text += f", a multiple of {self.quantum:g}"
        return text

    def check(self, value: Value) -> Value:
        """The canonical form of `value`; ConfigError where it is not allowed."""
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise self._refuse(value, f"of type {type(value).__name__}")
        try:
            number = float(value)
        except OverflowError:
            raise self._refuse(value, "too large") from None
        if not math.isfinite(number):
            raise self._refuse(value, "not finite")
        if self.integer and not number.is_integer():
            raise self._refuse(value, "not whole")
        if not self.low - 1e-9 <= number <= self.high + 1e-9:
            raise self._refuse(value, "out of range")
        canonical = self.snap(number)
        if abs(canonical - number) > 1e-6 * max(1.0, abs(number)):
            raise self._refuse(value, "off the grid")
        return canonical

    def snap(self, number: float) -> Value:
        """The nearest grid value inside the bounds, in the parameter's own type."""
        if self.power_of_two_below:
            grid = self.grid()
            return min(grid, key=lambda g: abs(g - number))
        number = min(max(number, self.low), self.high)
        if self.step is None:
            return float(number)
        steps = round(number / self.step)
        if self.integer:
            return int(steps * self.step)
        return float(Decimal(steps) * Decimal(str(self.step)))

    def grid(self) -> list[Value]:
        """Every allowed value in order; SpecError for a continuous parameter."""
        if self.power_of_two_below:
            base = self.power_of_two_below
            powers = [2**k for k in range(64) if self.low <= 2**k < min(base, self.high + 1)]
            return powers + [v for v in range(base, int(self.high) + 1, base) if v >= self.low]
        if self.step is None:
            raise SpecError(f"{self.name} is continuous: it has no grid")
        first, last = round(self.low / self.step), round(self.high / self.step)
        return [self.snap(k * self.step) for k in range(first, last + 1)]

    def cardinality(self) -> float:
        """How many values there are (infinite for a continuous parameter)."""
        return float("inf") if self.step is None else len(self.grid())

    def sample(self, rng: np.random.Generator) -> Value:
        if self.power_of_two_below:
            base = self.power_of_two_below
            exponent = math.floor(rng.uniform(math.log2(self.low), math.log2(self.high) + 1))
            if 2**exponent < base:
                return 2**exponent
            return self.snap(_log_uniform(rng, max(self.low, base), self.high, base))
        if self.log:
            return self.snap(_log_uniform(rng, self.low, self.high, self.step))
        if self.step is None:
            return float(rng.uniform(self.low, self.high))
        steps = math.floor(rng.uniform(self.low, self.high + self.step) / self.step + 1e-12)
        return self.snap(steps * self.step)

    def encode(self, value: Value) -> list[float]:
        return [(value - self.low) / (self.high - self.low)]

    def decode(self, code: Sequence[float]) -> Value:
        return self.snap(self.low + float(code[0]) * (self.high - self.low))

    def neighbours(self, value: Value) -> list[Value]:
        """The values one step away: grid neighbours, or a twentieth of the range if continuous."""
        if self.step is not None:
            grid = self.grid()
            at = grid.index(value)
            return grid[max(0, at - 1) : at] + grid[at + 1 : at + 2]
        if self.log:
            factor = (self.high / self.low) ** 0.05
            moved = [value / factor, value * factor]
        else:
            step = 0.05 * (self.high - self.low)
            moved = [value - step, value + step]
        return [v for v in (min(max(m, self.low), self.high) for m in moved) if v != value]

    def _refuse(self, value: Value, why: str) -> ConfigError:
        return ConfigError(f"{self.name}={value!r} is {why}; allowed: {self.allowed()}")


@dataclass(frozen=True)
class Choice:
    """One of a few values (numbers, strings or booleans), encoded one-hot."""

    name: str
    choices: tuple[Value, ...]
    condition: Condition | None = None

    def __post_init__(self) -> None:
        if len(self.choices) < 1 or len(set(map(_typed, self.choices))) != len(self.choices):
            raise SpecError(f"{self.name}: choices must be one or more distinct values")
        for choice in self.choices:
            if not isinstance(choice, (bool, int, float, str)):
                raise SpecError(f"{self.name}: a choice is a number, string or boolean: {choice!r}")
            if isinstance(choice, float) and not math.isfinite(choice):
                raise SpecError(f"{self.name}: a choice must be finite, got {choice!r}")

    @property
    def width(self) -> int:
        return len(self.choices)

    def allowed(self) -> str:
        return "one of " + ", ".join(repr(c) for c in self.choices)

    def index(self, value: Value) -> int:
        """The position of `value` among the choices; ConfigError where it is none of them."""
        if isinstance(value, (bool, np.bool_)):
            key: Any = ("bool", bool(value))
        elif isinstance(value, numbers.Real):
            key = ("number", float(value) if abs(value) < 2**1000 else math.inf)
        else:
            key = ("other", value) if isinstance(value, str) else None
        for position, choice in enumerate(self.choices):
            if _typed(choice) == key:
                return position
        near = suggest(value, self.choices) if isinstance(value, str) else ""
        raise ConfigError(f"{self.name}={value!r} is not allowed; allowed: {self.allowed()}{near}")

    def check(self, value: Value) -> Value:
        return self.choices[self.index(value)]

    def grid(self) -> list[Value]:
        return list(self.choices)

    def cardinality(self) -> float:
        return len(self.choices)

    def sample(self, rng: np.random.Generator) -> Value:
        return self.choices[int(rng.integers(len(self.choices)))]

    def encode(self, value: Value) -> list[float]:
        at = self.choices.index(value)
        return [1.0 if k == at else 0.0 for k in range(len(self.choices))]

    def decode(self, code: Sequence[float]) -> Value:
        return self.choices[int(np.argmax(code))]

    def neighbours(self, value: Value) -> list[Value]:
        return [c for c in self.choices if c != value]


Parameter = Numeric | Choice


def _typed(value: Value) -> tuple[str, Value]:
    """A key under which True and 1 differ but 1 and 1.0 do not."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, (int, float)):
        return ("number", float(value))
    return ("other", value)


def _log_uniform(
    rng: np.random.Generator, low: float, high: float, step: float | None
) -> float:
    """A log-uniform draw, rounded up to the grid from (low - min(step, low/2), high]."""
    if step is None:
        return math.exp(rng.uniform(math.log(low), math.log(high)))
    start = low - min(step, low / 2)
    drawn = math.exp(-rng.uniform(-math.log(high), -math.log(start)))
    return max(low, math.ceil(drawn / step - 1e-9) * step)
