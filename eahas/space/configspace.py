"""A space in the terms of another library: ConfigSpace."""

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

    ConfigSpace has no quantum: a parameter on a grid becomes an ordinal over its values, drawn
    uniformly, so that every value belongs to the space. Constraints over the whole network cannot
    be expressed at all: keep a drawn configuration if `space.contains(dict(drawn))`. The default
    configuration satisfies them. Needs ConfigSpace 1.1 or later, the extra `configspace`. Raises
    SpecError for a grid of more than 10,000 values.
    """
    try:
        import ConfigSpace
    except ImportError:
        raise MissingExtraError("to_configspace", "ConfigSpace", "configspace") from None

    made: dict[str, Any] = {}
    conditions = []
    for parameter in parameters:
        key, condition = parameter.name, parameter.condition
        at = default[key] if key in default else parameter.middle()
        made[key] = _hyperparameter(ConfigSpace, parameter, at)
        if condition is not None:
            parent, values = made[condition.parent], list(condition.values)
            conditions.append(ConfigSpace.InCondition(made[key], parent, values))
    clauses = [
        [ConfigSpace.ForbiddenEqualsClause(made[key], value) for key, value in constraint.values]
        for constraint in constraints
        if isinstance(constraint, Forbidden)
    ]
    forbidden = [c[0] if len(c) == 1 else ConfigSpace.ForbiddenAndConjunction(*c) for c in clauses]
    exported = ConfigSpace.ConfigurationSpace(name=name)
    exported.add(*made.values(), *conditions, *forbidden)
    return exported


def _hyperparameter(library: Any, parameter: Parameter, default: Any) -> Any:
    """An ordinal for a grid, a range where every value is allowed, a categorical for choices."""
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
