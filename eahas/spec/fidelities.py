"""The fidelities of a spec: what makes a run cheaper and its result less exact.

`fidelities` maps roles to parameters of the space. The role `epochs` is the length of a run, which
`fidelity` names too. The role `watched` is the epoch up to which a run is watched: a schedule of
the epochs that `Benchmark.query(at=)` takes, or a parameter where the records have one. Any other
role, as `data_share` or `resolution`, marks a parameter as a fidelity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eahas.errors import SpecError, shown
from eahas.space.fields import text
from eahas.space.parameters import Choice
from eahas.space.space import Space
from eahas.spec.schedule import Schedule, schedule_from_json

EPOCHS, WATCHED, DATA_SHARE = "epochs", "watched", "data_share"


@dataclass(frozen=True)
class Fidelity:
    """One fidelity: its role, and the parameter or, for the epochs watched, the schedule."""

    role: str
    parameter: str | None = None
    at: Schedule | None = None


def fidelities_from_dict(given: Any, fidelity: str | None) -> tuple[Fidelity, ...]:
    """The fidelities of a spec in their order; `fidelity` is the parameter of the epochs.

    Raises SpecError where a role has no parameter, two have the same one, and where `fidelity` and
    the role `epochs` differ.
    """
    if given is None:
        return () if fidelity is None else (Fidelity(EPOCHS, fidelity),)
    if not isinstance(given, Mapping) or not given:
        raise SpecError(f"fidelities: a mapping from roles to parameters, got {shown(given)}")
    fidelities = [_fidelity(text("fidelities: a role", role), at) for role, at in given.items()]
    named = [known.parameter for known in fidelities if known.parameter is not None]
    if len(set(named)) < len(named):
        raise SpecError(f"fidelities: a parameter has two roles in {shown(dict(given))}")
    epochs = next((known.parameter for known in fidelities if known.role == EPOCHS), None)
    if fidelity is not None and epochs is None:
        fidelities.insert(0, Fidelity(EPOCHS, fidelity))
    elif fidelity not in (None, epochs):
        raise SpecError(f"fidelities: epochs is {shown(epochs)}, and fidelity is {fidelity!r}")
    if epochs is None and fidelity is None and any(known.at is not None for known in fidelities):
        raise SpecError("fidelities: watched needs the role epochs, the length of a run")
    return tuple(fidelities)


def _fidelity(role: str, given: Any) -> Fidelity:
    if role == WATCHED and not isinstance(given, str):
        return Fidelity(role, at=schedule_from_json("fidelities: watched", given))
    return Fidelity(role, text(f"fidelities: {role}", given))


def epochs_parameter(fidelities: tuple[Fidelity, ...]) -> str | None:
    """The parameter that holds the length of a run."""
    return next((known.parameter for known in fidelities if known.role == EPOCHS), None)


def watched_epochs(fidelities: tuple[Fidelity, ...]) -> Schedule | None:
    """The epochs up to which a run may be watched, where the spec says which."""
    return next((known.at for known in fidelities if known.at is not None), None)


def described(fidelities: tuple[Fidelity, ...], space: Space) -> tuple[dict[str, Any], ...]:
    """Each fidelity as plain data: `role`, `name`, and `choices`, `low` and `high`, or `epochs`.

    The name is that of the parameter, or `at`, the argument of `Benchmark.query` for the epochs
    watched; their `epochs` are the schedule as in a spec.
    """
    rows: list[dict[str, Any]] = []
    for fidelity in fidelities:
        if fidelity.parameter is None:
            assert fidelity.at is not None
            rows.append({"role": fidelity.role, "name": "at", "epochs": fidelity.at.to_json()})
            continue
        parameter = space[fidelity.parameter]
        if isinstance(parameter, Choice):
            values: dict[str, Any] = {"choices": list(parameter.choices)}
        else:
            values = {"low": parameter.low, "high": parameter.high}
        rows.append({"role": fidelity.role, "name": parameter.name, **values})
    return tuple(rows)
