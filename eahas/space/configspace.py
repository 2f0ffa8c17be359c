"""Conversion of a space to a `ConfigSpace.ConfigurationSpace`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eahas.errors import MissingExtraError, SpecError
from eahas.space.constraints import Constraint, Forbidden
from eahas.space.parameters import MAX_TABLE_SIZE, Choice, Parameter


def to_configspace(
    name: str,
    parameters: Sequence[Parameter],
    constraints: Sequence[Constraint],
    default: Mapping[str, Any],
) -> Any:
    """The parameters, conditions and forbidden combinations as `ConfigSpace.ConfigurationSpace`.

    ConfigSpace has no quantisation: a parameter on a grid becomes an ordinal over its values, which
    is sampled uniformly, so that every value belongs to the space. Constraints over the whole
    network cannot be expressed. To respect them, keep a sampled configuration only if
    `space.contains(dict(sampled))` is true. The default configuration satisfies them. Needs
    ConfigSpace 1.1 or later, the extra `configspace`.

    Args:
        name: name of the space.
        parameters: the parameters.
        constraints: the constraints, of which only `Forbidden` ones are converted.
        default: the default configuration, flat.

    Raises:
        SpecError: a grid has more than 10,000 values.
    """
    try:
        import ConfigSpace
    except ImportError:
        raise MissingExtraError("to_configspace", "ConfigSpace", "configspace") from None

    converted: dict[str, Any] = {}
    conditions = []
    for parameter in parameters:
        key, condition = parameter.name, parameter.condition
        value = default[key] if key in default else parameter.middle()
        converted[key] = _hyperparameter(ConfigSpace, parameter, value)
        if condition is not None:
            parent, values = converted[condition.parent], list(condition.values)
            conditions.append(ConfigSpace.InCondition(converted[key], parent, values))
    clauses = [
        [ConfigSpace.ForbiddenEqualsClause(converted[k], value) for k, value in constraint.values]
        for constraint in constraints
        if isinstance(constraint, Forbidden)
    ]
    forbidden = [c[0] if len(c) == 1 else ConfigSpace.ForbiddenAndConjunction(*c) for c in clauses]
    space = ConfigSpace.ConfigurationSpace(name=name)
    space.add(*converted.values(), *conditions, *forbidden)
    return space


def _hyperparameter(library: Any, parameter: Parameter, default: Any) -> Any:
    """An ordinal for a grid, a range for an interval, and a categorical for choices."""
    name = parameter.name
    if isinstance(parameter, Choice):
        return library.CategoricalHyperparameter(name, parameter.choices, default_value=default)
    bounds = {"lower": parameter.low, "upper": parameter.high, "log": parameter.log}
    if parameter.step is None:
        return library.UniformFloatHyperparameter(name, **bounds, default_value=default)
    if parameter.step == 1 and not parameter.power_of_two_below:
        return library.UniformIntegerHyperparameter(name, **bounds, default_value=default)
    if parameter.cardinality() > MAX_TABLE_SIZE:
        raise SpecError(
            f"{name}: a grid of {parameter.cardinality():,} values is too large for ConfigSpace; "
            f"allowed: {MAX_TABLE_SIZE:,}"
        )
    return library.OrdinalHyperparameter(name, parameter.grid(), default_value=default)
