"""Settings as frozen dataclasses whose fields declare their allowed values.

    @dataclass(frozen=True)
    class TrainSettings(Settings):
        section = "training"
        batch_size: int = number(1024, low=2)

    TrainSettings().changed({"batch_size": 64})

`changed` checks the values of a JSON object or of a section of a spec. Its errors name the section,
the field, the given value and the allowed values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar

from eahas.checks import is_number, is_whole
from eahas.errors import EahasError, shown, unknown

KIND = "kind"  # key of a field's metadata
S = TypeVar("S", bound="Settings")


@dataclass(frozen=True)
class Settings:
    """Base class of settings. The functions below declare the fields of a subclass.

    Attributes:
        section: the section that the values come from, for messages.
        error: the type of error that `changed` raises.
    """

    section: ClassVar[str] = "settings"
    error: ClassVar[type[EahasError]] = EahasError

    def changed(self: S, changes: Any) -> S:
        """A copy of the settings in which the given fields have new, checked values.

        Raises `error` unless `changes` is a mapping from names of fields to allowed values.
        """
        if not isinstance(changes, Mapping):
            raise self.error(f"{self.section}: a mapping of names to values, got {shown(changes)}")
        kinds = {each.name: each.metadata[KIND] for each in fields(self)}
        values = {}
        for name, given in changes.items():
            if name not in kinds:
                raise self.error(f"{self.section}: " + unknown("field", name, kinds))
            values[name] = kinds[name].parse(f"{self.section}: {name}", given, self.error)
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """The values by the names of their fields, nested settings as dictionaries."""
        return asdict(self)


def number(
    default: float,
    low: float = 0,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> Any:
    """A field for a finite number in `low`..`high`; `open_low` and `open_high` exclude the ends.

    If `default` is an integer, the field takes only whole numbers.
    """
    kind = _Number(isinstance(default, int), low, high, open_low, open_high)
    return field(default=default, metadata={KIND: kind})


def whole_numbers(default: tuple[int, ...], low: int = 1) -> Any:
    """A field for a tuple of one or more whole numbers from `low`; in JSON it is a list."""
    return field(default=default, metadata={KIND: _WholeNumbers(low)})


def flag(default: bool) -> Any:
    """A field for a boolean."""
    return field(default=default, metadata={KIND: _Flag()})


def choice(default: str, allowed: Sequence[str]) -> Any:
    """A field for one of the allowed names."""
    return field(default=default, metadata={KIND: _Choice(tuple(allowed))})


def optional(settings: type[Settings]) -> Any:
    """A field for settings inside settings, with the default None."""
    return field(default=None, metadata={KIND: _Optional(settings)})


class _Kind(Protocol):
    """The values that a field allows."""

    def parse(self, what: str, given: Any, error: type[EahasError]) -> Any:
        """The given value in the field's type; raises `error` if it is not allowed."""


@dataclass(frozen=True)
class _Number(_Kind):
    whole: bool
    low: float
    high: float
    open_low: bool
    open_high: bool

    def parse(self, what: str, given: Any, error: type[EahasError]) -> Any:
        if not (is_whole if self.whole else is_number)(given) or not self._allows(given):
            raise error(f"{what} is {self._allowed()}, got {shown(given)}")
        return int(given) if self.whole else float(given)

    def _allows(self, value: float) -> bool:
        low = self.low < value if self.open_low else self.low <= value
        high = value < self.high if self.open_high else value <= self.high
        return low and high and (self.whole or math.isfinite(value))

    def _allowed(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low, high = (f"{end:g}" if isinstance(end, float) else end for end in (self.low, self.high))
        if not self.open_low and not self.open_high and self.high < math.inf:
            return f"{kind} in {low}..{high}"
        text = f"{kind} {'above' if self.open_low else 'from'} {low}"
        if self.high < math.inf:
            text += f" {'to below' if self.open_high else 'to'} {high}"
        return text


@dataclass(frozen=True)
class _WholeNumbers(_Kind):
    low: int

    def parse(self, what: str, given: Any, error: type[EahasError]) -> tuple[int, ...]:
        if (
            not isinstance(given, (list, tuple))
            or not given
            or not all(is_whole(value) and value >= self.low for value in given)
        ):
            raise error(f"{what} is a list of whole numbers from {self.low}, got {shown(given)}")
        return tuple(map(int, given))


@dataclass(frozen=True)
class _Flag(_Kind):
    def parse(self, what: str, given: Any, error: type[EahasError]) -> bool:
        if not isinstance(given, bool):
            raise error(f"{what} is true or false, got {shown(given)}")
        return given


@dataclass(frozen=True)
class _Choice(_Kind):
    allowed: tuple[str, ...]

    def parse(self, what: str, given: Any, error: type[EahasError]) -> str:
        if not isinstance(given, str) or given not in self.allowed:
            raise error(unknown(what, given, self.allowed))
        return given


@dataclass(frozen=True)
class _Optional(_Kind):
    settings: type[Settings]

    def parse(self, what: str, given: Any, error: type[EahasError]) -> Settings | None:
        return None if given is None else self.settings().changed(given)
