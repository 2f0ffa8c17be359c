"""The exceptions and warnings of eahas, and helpers for their messages."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable
from typing import Any


class EahasError(ValueError):
    """A given value is not valid; the message names the field, the value and what is allowed."""


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
    """Energy could not be measured reliably."""


class FitError(EahasError):
    """A surrogate cannot be fitted to the given data or with the given settings."""


class SweepError(EahasError):
    """A sweep folder is not in the state that a stage of the sweep requires."""


class PluginError(EahasError):
    """An installed plug-in cannot be used."""


class MissingExtraError(EahasError, ImportError):
    """An optional dependency is not installed; the message names the extra that installs it."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(
            f"{what} needs {package}, which is not installed: pip install 'eahas[{extra}]'"
        )
        self._arguments = (what, package, extra)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._arguments


class EstimatedEnergyWarning(UserWarning):
    """An energy that was not measured is used in a ranking or a budget."""


def warn_estimated(what: str, formula: str, *, stacklevel: int = 3) -> None:
    """Warn that an energy is estimated from CPU time; Python shows the warning once per place."""
    warnings.warn(
        f"{what}: the energy is estimated ({formula}), not measured; rankings by it repeat the "
        "rankings by time",
        EstimatedEnergyWarning,
        stacklevel=stacklevel,
    )


def warn_not_measured(what: str, sources: str, *, stacklevel: int = 3) -> None:
    """Warn that an energy comes from `sources`, which are not measurements."""
    warnings.warn(
        f"{what}: the energy is not a measurement: {sources}",
        EstimatedEnergyWarning,
        stacklevel=stacklevel,
    )


def shown(value: object) -> str:
    """`repr` for a message: at most 100 characters, and without an error if `repr` fails."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  any __repr__ can fail, and so can a very large integer
        return f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 100 else text[:97] + "..."


def suggest(given: object, allowed: Iterable[object]) -> str:
    """`"; did you mean 'x'?"` for the most similar allowed name, or an empty string."""
    text = given[:100] if isinstance(given, str) else shown(given)
    near = difflib.get_close_matches(text, [str(a) for a in allowed], n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, given: object, allowed: Iterable[object]) -> str:
    """The message for an unknown name: the given and the allowed names, and a suggestion."""
    names = [str(a) for a in allowed]
    return f"{kind} {shown(given)} is unknown; allowed: {', '.join(names)}{suggest(given, names)}"
