"""Several fidelities: the length of a run, the epochs watched, the share of the data."""

from __future__ import annotations

from typing import Any

import pytest

from eahas.errors import SpecError
from eahas.space.space import Space
from eahas.spec.fidelities import Fidelity, described
from eahas.spec.schedule import Schedule
from eahas.spec.spec import spec_from_dict


def source(**more: Any) -> dict[str, Any]:
    return {
        "name": "s",
        "parameters": {
            "lr": {"type": "float", "low": 0.0, "high": 1.0},
            "share": {"type": "choice", "choices": [0.25, 1.0]},
            "side": {"type": "integer", "low": 8, "high": 32},
            "max_epoch": {"type": "choice", "choices": [4, 10]},
        },
        "targets": {"curves": ["valid"]},
        **more,
    }


def test_a_fidelity_is_the_epochs_one() -> None:
    spec = spec_from_dict(source(fidelity="max_epoch"))
    assert spec.fidelities == (Fidelity("epochs", "max_epoch"),)
    assert spec.space.fidelities == (("epochs", "max_epoch"),)
    named = spec_from_dict(source(fidelities={"epochs": "max_epoch"}))
    assert (named.space, named.fidelities) == (spec.space, spec.fidelities)
    assert Space("s", spec.space.parameters, fidelity="max_epoch") == spec.space


def test_several_fidelities_are_described_in_their_order() -> None:
    roles = {
        "data_share": "share",
        "epochs": "max_epoch",
        "watched": {"every": 2},
        "resolution": "side",
    }
    spec = spec_from_dict(source(fidelities=roles))
    assert spec.space.fidelity == "max_epoch"
    assert spec.space.fidelities == (
        ("data_share", "share"),
        ("epochs", "max_epoch"),
        ("resolution", "side"),
    )
    assert spec.fidelities[2] == Fidelity("watched", at=Schedule(every=2, start=2))
    assert described(spec.fidelities, spec.space) == (
        {"role": "data_share", "name": "share", "choices": [0.25, 1.0]},
        {"role": "epochs", "name": "max_epoch", "choices": [4, 10]},
        {"role": "watched", "name": "at", "epochs": {"every": 2}},
        {"role": "resolution", "name": "side", "low": 8, "high": 32},
    )
    both = spec_from_dict(source(fidelity="max_epoch", fidelities={"data_share": "share"}))
    assert both.space.fidelities == (("epochs", "max_epoch"), ("data_share", "share"))


def test_the_epochs_watched_may_be_a_parameter() -> None:
    spec = spec_from_dict(source(fidelities={"epochs": "max_epoch", "watched": "side"}))
    assert spec.fidelities[1] == Fidelity("watched", "side")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"fidelities": ["max_epoch"]}, "fidelities: a mapping from roles to parameters"),
        ({"fidelities": {}}, "fidelities: a mapping from roles to parameters"),
        ({"fidelities": {"epochs": 3}}, "fidelities: epochs: text, got 3"),
        ({"fidelities": {"epochs": "max_epochs"}}, "did you mean 'max_epoch'?"),
        ({"fidelities": {"epochs": "max_epoch", "data_share": "shar"}}, "did you mean 'share'?"),
        ({"fidelities": {"epochs": "share"}}, "epochs are whole numbers from 1"),
        ({"fidelities": {"epochs": "max_epoch", "x": "max_epoch"}}, "a parameter has two roles"),
        (
            {"fidelity": "side", "fidelities": {"epochs": "max_epoch"}},
            "fidelities: epochs is 'max_epoch', but fidelity is 'side'",
        ),
        (
            {"fidelities": {"epochs": "max_epoch", "data_share": "side"}},
            "data_share side: shares of the data are numbers above 0 and at most 1",
        ),
        (
            {"fidelities": {"epochs": "max_epoch", "watched": [0, 2]}},
            "watched has epochs 0, 2; allowed: epochs from 1",
        ),
        (
            {"fidelities": {"epochs": "max_epoch", "watched": [7]}},
            "at least one of them in a run of 4",
        ),
        (
            {"fidelities": {"watched": {"every": 1}}, "targets": {}},
            "watched needs the role epochs",
        ),
    ],
)
def test_fidelities_that_do_not_fit(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_from_dict(source(**given))
    assert says in str(caught.value)
