"""Every error that a user can meet, and the near-miss suggestion they share."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from typing import Any


class EahasError(ValueError):
    """Something the caller gave cannot be used; the message names it and what is allowed."""


class SpecError(EahasError):
    """A space spec is malformed."""


class ConfigError(EahasError):
    """A configuration does not belong to the space."""


class RecordError(EahasError):
    """A record or a records file does not follow the schema."""


class CheckpointError(EahasError):
    """A benchmark folder is missing, damaged, or of an unknown version."""


class DataError(EahasError):
    """A data set cannot be loaded."""


class MeterError(EahasError):
    """Energy could not be measured honestly."""


class FitError(EahasError):
    """A surrogate cannot be fitted from what was given."""


class SweepError(EahasError):
    """A sweep folder is not in the state that the stage needs."""


class PluginError(EahasError):
    """An installed plug-in cannot be used."""


class MissingExtraError(EahasError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs {package}, which is not installed: pip install 'eahas[{extra}]'"
        )
        self._given = (what, package, extra)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._given


class EstimatedEnergyWarning(UserWarning):
    """An energy that no sensor measured was used to rank or to budget."""


def warn_estimated(what: str, formula: str, *, stacklevel: int = 3) -> None:
    """Say once a process that an energy is estimated from CPU time, not measured."""
    warnings.warn(
        f"{what}: the energy is estimated ({formula}), not measured; rankings by it repeat the "
        "rankings by time",
        EstimatedEnergyWarning,
        stacklevel=stacklevel,
    )


def warn_not_measured(what: str, sources: str, *, stacklevel: int = 3) -> None:
    """Say once a process that an energy comes from `sources`, which are no measurement."""
    warnings.warn(
        f"{what}: the energy is not a measurement: {sources}",
        EstimatedEnergyWarning,
        stacklevel=stacklevel,
    )


def shown(value: object) -> str:
    """`repr` for a message: never longer than a line, and never an error of its own."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  a stranger's __repr__, or an integer of too many digits
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 100 else text[:97] + "..."


def suggest(given: object, allowed: Iterable[object]) -> str:
    """`"; did you mean 'x'?"` for the nearest allowed name, or an empty string."""
    text = given[:100] if isinstance(given, str) else shown(given)
    near = difflib.get_close_matches(text, [str(a) for a in allowed], n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, given: object, allowed: Iterable[object]) -> str:
    """The one sentence for a name that is not in a list: given, allowed, and the near miss."""
    names = [str(a) for a in allowed]
    return f"{kind} {shown(given)} is unknown; allowed: {', '.join(names)}{suggest(given, names)}"
