"""Checks of single fields of a spec, shared by its sections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eahas.errors import SpecError, shown, unknown


def known_fields(where: str, given: Mapping[Any, Any], allowed: Iterable[str]) -> None:
    """Raise SpecError for the first field that is not in `allowed`; `where` names the section."""
    for key in given:
        if key not in allowed:
            raise SpecError(f"{where}: " + unknown("field", key, allowed))


def text(what: str, given: Any, default: str | None = None) -> str:
    """A text; SpecError for anything else. An empty text needs a default."""
    if given is None and default is not None:
        return default
    if not isinstance(given, str) or not (given or default is not None):
        raise SpecError(f"{what}: text, got {shown(given)}")
    return given


def number(what: str, given: Any) -> float | None:
    """A number or None; SpecError for anything else."""
    if isinstance(given, bool) or not isinstance(given, (int, float, type(None))):
        raise SpecError(f"{what} is a number, got {shown(given)}")
    return given
