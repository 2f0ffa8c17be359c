"""Checks of single fields, shared by the sections of a spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eahas.errors import SpecError, shown, unknown


def known_fields(where: str, given: Mapping[Any, Any], allowed: Iterable[str]) -> None:
    for key in given:
        if key not in allowed:
            raise SpecError(f"{where}: " + unknown("field", key, allowed))


def text(what: str, given: Any, default: str | None = None) -> str:
    if given is None and default is not None:
        return default
    if not isinstance(given, str) or not (given or default is not None):
        raise SpecError(f"{what}: text, got {shown(given)}")
    return given


def number(what: str, given: Any) -> float | None:
    if isinstance(given, bool) or not isinstance(given, (int, float, type(None))):
        raise SpecError(f"{what} is a number, got {shown(given)}")
    return given
