"""The complete check of a configuration, which finds the error that `Space.check` reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eahas.errors import ConfigError, shown, suggest
from eahas.space.parameters import Parameter, is_active


def examine(
    space: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The canonical values of a flat configuration, in the order of the parameters.

    Args:
        space: name of the space, for messages.
        parameters: the parameters by name.
        given: the flat configuration.

    Raises:
        ConfigError: a parameter is unknown or missing, is given although it is inactive, or has a
            value that is not allowed. The message is about the first such parameter.
    """
    _check_names(space, parameters, given)
    checked: dict[str, Any] = {}
    errors: dict[str, ConfigError] = {}
    for name, parameter in parameters.items():
        condition = parameter.condition
        if condition is not None and condition.parent in errors:
            errors[name] = errors[condition.parent]
        elif is_active(parameter, checked):
            if name not in given:
                raise ConfigError(
                    f"{name} is missing in a configuration of space {space}; "
                    f"allowed: {parameter.allowed()}"
                )
            try:
                checked[name] = parameter.check(given[name])
            except ConfigError as error:
                errors[name] = error
        elif name in given:
            assert condition is not None
            raise ConfigError(
                f"{name}={shown(given[name])} is given, but it exists only if "
                f"{condition.parent} is one of {list(condition.values)}"
            )
    if errors:
        raise _join_errors(space, list(dict.fromkeys(errors.values())), len(given))
    return checked


def _check_names(space: str, parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> None:
    unknown = [name for name in given if name not in parameters]
    if not unknown:
        return
    allowed = f"allowed: {', '.join(parameters)}"
    if len(unknown) == len(given) > 1:
        raise ConfigError(
            f"no parameter of space {space} is among {shown(unknown)}; is it a configuration of "
            f"another space? {allowed}"
        )
    if any(name.startswith(unknown[0] + ".") for name in parameters):
        raise ConfigError(
            f"{unknown[0]} is a section of space {space} and must be a mapping, "
            f"got {shown(given[unknown[0]])}"
        )
    missing = [name for name in parameters if name not in given]
    hint = suggest(unknown[0], missing) or suggest(unknown[0], parameters)
    raise ConfigError(f"{shown(unknown[0])} is not a parameter of space {space}{hint}; {allowed}")


def _join_errors(space: str, errors: list[ConfigError], values: int) -> ConfigError:
    if len(errors) == 1:
        return errors[0]
    return ConfigError(
        f"{errors[0]} ({len(errors)} of the {values} values are not allowed in space {space}; "
        "is it a configuration of another space?)"
    )
