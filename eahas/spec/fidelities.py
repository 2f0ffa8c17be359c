"""The fidelities of a spec: they determine how expensive a run is and how accurate its result is.

The section `fidelities` maps roles to parameters of the space. The role `epochs` is the number of
epochs of a run; the field `fidelity` names the same parameter. The role `watched` is the epoch up
to which a run is observed: a schedule of the epochs that `Benchmark.query(at=)` accepts, or a
parameter if the records have one. Any other role (`data_share`, `resolution`, ...) marks a
parameter as a fidelity.
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
    """One fidelity: its role, and its parameter or, for the watched epochs, their schedule."""

    role: str
    parameter: str | None = None
    at: Schedule | None = None


def fidelities_from_dict(given: Any, fidelity: str | None) -> tuple[Fidelity, ...]:
    """The fidelities of a spec; `fidelity` is the parameter with the number of epochs.

    Raises SpecError if a role has no parameter, if two roles have the same parameter, if `fidelity`
    and the role `epochs` differ, or if there is a schedule `watched` without epochs.
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
        raise SpecError(f"fidelities: epochs is {shown(epochs)}, but fidelity is {fidelity!r}")
    if epochs is None and fidelity is None and any(known.at is not None for known in fidelities):
        raise SpecError("fidelities: watched needs the role epochs, the length of a run")
    return tuple(fidelities)


def _fidelity(role: str, given: Any) -> Fidelity:
    if role == WATCHED and not isinstance(given, str):
        return Fidelity(role, at=schedule_from_json("fidelities: watched", given))
    return Fidelity(role, text(f"fidelities: {role}", given))


def epochs_parameter(fidelities: tuple[Fidelity, ...]) -> str | None:
    """The parameter with the number of epochs of a run; None if there is none."""
    return next((known.parameter for known in fidelities if known.role == EPOCHS), None)


def watched_epochs(fidelities: tuple[Fidelity, ...]) -> Schedule | None:
    """The epochs up to which a run can be observed; None if the spec has no such schedule."""
    return next((known.at for known in fidelities if known.at is not None), None)


def described(fidelities: tuple[Fidelity, ...], space: Space) -> tuple[dict[str, Any], ...]:
    """Each fidelity as plain data: `role`, `name`, and `choices`, `low` and `high`, or `epochs`.

    The name is that of the parameter. For the watched epochs it is `at`, the argument of
    `Benchmark.query`, and `epochs` is the schedule in the form of a spec.
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
