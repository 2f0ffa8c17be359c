"""The thorough reading of a configuration, with which `Space.check` says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eahas.errors import ConfigError, shown, suggest
from eahas.space.parameters import Parameter, is_active


def examine(
    space: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The canonical values of a flat configuration, in the order of the parameters.

    `space` is the name for messages. Raises ConfigError for the first parameter that is unknown,
    missing, given though inactive, or of a value that is not allowed.
    """
    _check_names(space, parameters, given)
    checked: dict[str, Any] = {}
    refused: dict[str, ConfigError] = {}
    for name, parameter in parameters.items():
        condition = parameter.condition
        if condition is not None and condition.parent in refused:
            refused[name] = refused[condition.parent]
        elif is_active(parameter, checked):
            if name not in given:
                raise ConfigError(
                    f"{name} is missing in a configuration of space {space}; "
                    f"allowed: {parameter.allowed()}"
                )
            try:
                checked[name] = parameter.check(given[name])
            except ConfigError as error:
                refused[name] = error
        elif name in given:
            assert condition is not None
            raise ConfigError(
                f"{name}={shown(given[name])} is given, but it exists only where "
                f"{condition.parent} is one of {list(condition.values)}"
            )
    if refused:
        raise _all_refused(space, list(dict.fromkeys(refused.values())), len(given))
    return checked


def _check_names(space: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    strange = [name for name in given if name not in parameters]
    if not strange:
        return
    allowed = f"allowed: {', '.join(parameters)}"
    if len(strange) == len(given) > 1:
        raise ConfigError(
            f"no parameter of space {space} is among {shown(strange)}; is it a configuration of "
            f"another space? {allowed}"
        )
    if any(name.startswith(strange[0] + ".") for name in parameters):
        raise ConfigError(
            f"{strange[0]} is a section of space {space} and holds a mapping, "
            f"got {shown(given[strange[0]])}"
        )
    missing = [name for name in parameters if name not in given]
    near = suggest(strange[0], missing) or suggest(strange[0], parameters)
    raise ConfigError(f"{shown(strange[0])} is no parameter of space {space}{near}; {allowed}")


def _all_refused(space: str, errors: list[ConfigError], values: int) -> ConfigError:
    if len(errors) == 1:
        return errors[0]
    return ConfigError(
        f"{errors[0]} ({len(errors)} of the {values} values are not allowed in space {space}; "
        "is it a configuration of another space?)"
    )
